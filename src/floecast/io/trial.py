"""Whether files can be opened at all, tried in a process that may be lost.

A damaged netCDF-4 file can keep the HDF5 library in an endless loop, or end the process, where no
Python code can catch it. What runs unattended tries files here first.
"""

import json
import select
import subprocess
import sys

_CHILD = """
import json, sys
import netCDF4
for line in sys.stdin:
    try:
        netCDF4.Dataset(json.loads(line)).close()
    except (OSError, RuntimeError, ValueError, KeyError, IndexError, AttributeError, MemoryError):
        pass  # the reader tells what is wrong
    print(flush=True)
"""


def lost_on(paths, seconds=60.0):
    """Files that the netCDF library does not come back from.

    Parameters
    ----------
    paths : sequence of path-like
    seconds : float
        That the opening of one may take.

    Returns
    -------
    dict of path-like to str
        What happened, for those files alone. Files that are refused in order are not among them.
    """
    found, rest = {}, list(paths)
    while rest:
        with subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as child:
            asked, told = child.stdin, child.stdout
            assert asked is not None and told is not None  # both are pipes
            while rest:
                path = rest.pop(0)
                asked.write(json.dumps(str(path)) + "\n")
                asked.flush()
                ready, _, _ = select.select([told], [], [], seconds)
                if not ready:
                    child.kill()
                    found[path] = f"it could not be opened in {seconds:g} s"
                    break
                if not told.readline():
                    found[path] = "opening it ended the process"
                    break
            else:
                asked.close()
    return found
