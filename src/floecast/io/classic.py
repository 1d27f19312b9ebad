"""Length of classic netCDF files, whose missing end the C library reads as zeros."""

from math import prod

# Bytes of a value of each type: byte, character, short, int, float, double.
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8}


def classic_length(file):
    """Bytes that a file of the classic format must have by its own header.

    Parameters
    ----------
    file : binary file
        At its beginning; format with short or long offsets (CDF-1, CDF-2).

    Returns
    -------
    int

    Raises
    ------
    EOFError, KeyError, IndexError
        If the header is incomplete or damaged.

    References
    ----------
    The NetCDF User's Guide, "File Format Specifications", section "The classic format".
    """

    def integer(size=4):
        data = file.read(size)
        if len(data) < size:
            raise EOFError("the header ends early")
        return int.from_bytes(data, "big")

    def skip(size):
        file.seek(_padded(size), 1)

    def attributes():
        integer()
        for _ in range(integer()):
            skip(integer())
            skip(_BYTES[integer()] * integer())

    offset_size = 8 if integer() & 0xFF == 2 else 4
    records, _, lengths = integer(), integer(), []
    for _ in range(integer()):
        skip(integer())
        lengths.append(integer())
    attributes()
    integer()
    end, record_variables = file.tell(), []
    for _ in range(integer()):
        skip(integer())
        shape = [lengths[integer()] for _ in range(integer())]
        attributes()
        size = _BYTES[integer()]
        integer()
        begin = integer(offset_size)
        if 0 in shape:  # the unlimited dimension comes first and has length 0 in the header
            record_variables.append((begin, size * prod(shape[1:])))
        else:
            end = max(end, begin + size * prod(shape))
    sizes = [size for _, size in record_variables]
    record = sizes[0] if len(sizes) == 1 else sum(map(_padded, sizes))
    ends = (begin + (records - 1) * record + size for begin, size in record_variables)
    return max([end, *ends])


def _padded(size):
    return -(-size // 4) * 4
