"""From an address to a complete file: over HTTP, over FTP, or as some fields of a GRIB file."""

import errno
import ftplib
import hashlib
import re
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

from floecast.core.errors import InputError

from ..source import open_source
from .errors import NotFetched, NotThere, TryAgain
from .manners import insist
from .partial import Partial

_CHUNK = 65536
# Faults of the disk, not of the connection.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


def bring_web(item, path, web):
    """Fetch a file over HTTP and give it its name once it is complete."""
    _bring(item, path, web.manners, lambda partial: web.download(item.address, partial))


def bring_ftp(item, path, web):
    """The same over FTP, as an anonymous user."""
    _bring(item, path, web.manners, lambda partial: _download_ftp(item, partial, web.manners))


def bring_fields(item, path, web):
    """Fetch the fields of a GRIB file that the list beside it names."""
    try:
        parts = field_parts(web.read(f"{item.address}.idx").text, item.detail)
    except ValueError:
        raise NotFetched(f"{item.address}.idx: is no list of fields") from None
    if not parts:
        raise NotFetched(f"{item.address}.idx: names none of the fields")
    _bring(item, path, web.manners, lambda partial: web.download(item.address, partial, parts))


def field_parts(listing, patterns):
    """Where the fields are in a GRIB file.

    Parameters
    ----------
    listing : str
        Lines of number, first byte, date, name, level and kind, as wgrib2 writes them.
    patterns : sequence of str
        Of name, level and kind.

    Returns
    -------
    list of (int, int or None)
        First byte and the one after the last; neighbours in one.

    Raises
    ------
    ValueError
        If a first byte is no number.
    """
    lines = [line.split(":", 3) for line in listing.splitlines() if line.count(":") >= 4]
    starts = [int(line[1]) for line in lines]
    ends = [*starts[1:], None]
    parts = []
    for (*_, field), start, end in zip(lines, starts, ends, strict=True):
        if any(re.match(pattern, field) for pattern in patterns):
            if parts and parts[-1][1] == start:
                parts[-1] = (parts[-1][0], end)
            else:
                parts.append((start, end))
    return parts


def list_folder(address, manners):
    """Names in a folder of an FTP server; none if there is no such folder."""
    parts = urlsplit(address)

    def attempt(deadline):
        with _ftp(parts, manners) as server:
            return [name.rpartition("/")[2] for name in server.nlst(parts.path)]

    try:
        return insist(attempt, manners)
    except NotThere:
        return []


def check_file(path, item):
    """Refuse a file that is not whole or not what the service said.

    Raises
    ------
    InputError
        With what is wrong.
    """
    size = path.stat().st_size
    if item.size is not None and size != item.size:
        raise InputError(f"{item.name}: {size} bytes, expected {item.size}")
    algorithm, value = item.checksum or ("", "")
    algorithm = algorithm.lower().replace("-", "")
    if algorithm in ("md5", "sha1", "sha256", "sha512"):
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != value.lower():
            raise InputError(f"{item.name}: {algorithm} {found}, expected {value}")
    if item.name.endswith(".grib2"):
        _check_grib(path)
    else:
        with open_source(path):
            pass


def _bring(item, path, manners, download):
    """Download, check, and give the file its name; what fails the check is begun anew once."""
    with Partial(path, item.address, manners.flush_bytes) as partial:
        for last in (False, True):
            download(partial)
            partial.flush()
            try:
                check_file(partial.place, item)
            except InputError as fault:
                partial.begin(None, None)
                if last:
                    told = str(fault).replace(str(partial.place), item.name)
                    raise NotFetched(f"{item.address}: {told}") from None
            else:
                partial.finish()
                return


def _download_ftp(item, partial, manners):
    parts = urlsplit(item.address)

    def attempt(deadline):
        with _ftp(parts, manners) as server:
            server.voidcmd("TYPE I")
            length = server.size(parts.path)
            version = f"{length} {server.voidcmd(f'MDTM {parts.path}').split()[-1]}"
            if partial.version != version:
                partial.begin(version, length)
            with server.transfercmd(f"RETR {parts.path}", rest=partial.position or None) as data:
                while chunk := data.recv(_CHUNK):
                    partial.write(chunk)
                    if time.monotonic() > deadline:
                        raise NotFetched(
                            f"{item.address}: slower than {manners.total_seconds:.0f} s"
                        )
            if partial.position != length:
                raise TryAgain(f"{item.address}: {partial.position} of {length} bytes came")

    insist(attempt, manners, progress=lambda: partial.position)


@contextmanager
def _ftp(parts, manners):
    """A connection to an FTP server; what goes wrong on it as errors of this package."""
    address = parts.geturl()
    time.sleep(manners.interval)
    try:
        with ftplib.FTP(timeout=manners.stall_seconds) as server:
            server.connect(parts.hostname, parts.port or ftplib.FTP_PORT)
            server.login()
            yield server
    except ftplib.error_perm as error:
        if str(error).startswith("550"):
            raise NotThere(f"{address}: not there ({error})") from None
        raise NotFetched(f"{address}: {error}") from None
    # ValueError: an answer that is no text, or no number where one was due.
    except (ftplib.Error, EOFError, ValueError) as error:
        raise TryAgain(f"{address}: {error or 'the connection ended'}") from None
    except OSError as error:
        if error.filename is not None or error.errno in _DISK:
            raise
        raise TryAgain(f"{address}: {error}") from None


def _check_grib(path):
    """Refuse anything but complete GRIB messages of edition 2, one after the other."""
    size = path.stat().st_size
    if not size:
        raise InputError(f"{path}: the file is empty, expected GRIB")
    with path.open("rb") as file:
        place = 0
        while place < size:
            file.seek(place)
            head = file.read(16)
            length = int.from_bytes(head[8:], "big")
            if head[:4] != b"GRIB" or head[7] != 2 or place + length > size or length < 20:
                raise InputError(f"{path}: no GRIB message of edition 2 at byte {place}")
            file.seek(place + length - 4)
            if file.read(4) != b"7777":
                raise InputError(f"{path}: the GRIB message at byte {place} has no end")
            place += length
