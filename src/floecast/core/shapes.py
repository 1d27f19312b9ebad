"""Sizes of arrays that vary from call to call, rounded up so that little is compiled anew."""


def roomy(count):
    """Least size at or above a count with three significant bits: 1 to 8, 10, 12, 14, 16, 20 ...

    Parameters
    ----------
    count : int

    Returns
    -------
    int
        At most a quarter more than `count`.
    """
    count = int(count)
    unit = 1 << max(0, (count - 1).bit_length() - 3) if count > 0 else 1
    return -(-count // unit) * unit
