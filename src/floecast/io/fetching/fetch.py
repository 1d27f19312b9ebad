"""Fetch a product for some days into a folder."""

import fcntl
import hashlib
import importlib.util
import re
import shutil
from contextlib import contextmanager
from datetime import date, timedelta
from importlib import metadata
from pathlib import Path

from floecast.core.atomic import write_text
from floecast.core.errors import InputError

from .errors import NotFetched, NotThere
from .kinds import MarineFiles, Requests
from .manners import Manners
from .products import PRODUCTS

_SUMS = "SHA256SUMS"
# After so many files in a row that did not come, the others are not asked for.
_GIVE_UP = 3
# Days beyond are slips of the pen, and near the ends of the calendar have no neighbours.
_EARLIEST, _LATEST = date(1900, 1, 1), date(2199, 12, 31)


def fetch(product, first, last, data, *, manners=None, dry_run=False, progress=None):
    """Bring a product for some days into a folder of its name; what is there is not asked for.

    Parameters
    ----------
    product : str
        A name of `PRODUCTS`.
    first, last : str or date
        First and last day.
    data : str or Path
        Folder of the real files; the product goes into a folder of its name in it.
    manners : Manners, optional
    dry_run : bool
        Whether only to tell what would come. Products that are found by asking are asked for.
    progress : object, optional
        With `stage` and `advance`, as in `floecast.progress`.

    Returns
    -------
    dict
        ``folder``; names in ``fetched``, ``present`` and, in a dry run, ``wanted`` with address and
        bytes where known; days in ``missing``, for which the service has nothing or not all;
        ``failed`` with the reason of each file.

    Raises
    ------
    InputError
        If the product is not known, the days are none, an account or a package is missing, or the
        folder cannot be written.

    Notes
    -----
    A file gets its name when it is complete and could be opened, and ``SHA256SUMS`` lists what is
    in the folder, for ``sha256sum -c``. A call that was broken off goes on where it was, within a
    file too where the service tells versions of its files (`Partial`).
    """
    if product not in PRODUCTS:
        raise InputError(f"no product {product}; there are {', '.join(PRODUCTS)}")
    row = PRODUCTS[product]
    days = _days(first, last)
    _needs("requests")
    if isinstance(row.where, MarineFiles):
        _needs("copernicusmarine")
    elif isinstance(row.where, Requests):
        _needs("cdsapi")
    from .accounts import check_account
    from .listing import list_items
    from .web import Web

    check_account(row.title, row.login)
    folder = Path(data) / product
    _check_folder(folder)
    agent = f"floecast/{metadata.version('floecast')}"
    told = {"product": product, "folder": str(folder), "fetched": [], "present": []}
    told |= {"missing": [], "failed": []}
    with Web(manners or Manners(), agent, row.login) as web, _disk(folder):
        try:
            items = list_items(row.where, days, web, folder)
        except NotThere as fault:
            raise InputError(f"{row.title}: {fault}; its address may have changed") from None
        except NotFetched as fault:
            raise InputError(f"{row.title}: {fault}; try again later") from None
        named = {day for item in items for day in item.days}
        missing = {day for day in days if day not in named}
        if dry_run:
            told["wanted"] = []
            for item in items:
                if _is_there(folder / item.name, item):
                    told["present"].append(item.name)
                else:
                    wanted = {"file": item.name, "address": item.address, "bytes": item.size}
                    told["wanted"].append(wanted)
        else:
            with _alone(folder):
                try:
                    missing |= _bring_all(items, folder, web, told, progress or _Silent())
                finally:
                    _write_sums(folder, [*told["fetched"], *told["present"]], told["fetched"])
    told["missing"] = [str(day) for day in sorted(missing & set(days))]
    return told


def _bring_all(items, folder, web, told, progress):
    """Bring one file after the other; gives the days that are not there."""
    missing, in_a_row = set(), 0
    progress.stage(told["product"], f"{len(items)} files")
    for number, item in enumerate(items):
        progress.advance(number, len(items))
        path = folder / item.name
        if _is_there(path, item):
            told["present"].append(item.name)
        elif in_a_row >= _GIVE_UP:
            told["failed"].append({"file": item.name, "reason": "not asked for any more"})
        else:
            try:
                item.bring(item, path, web)
            except NotThere:
                missing |= set(item.days)
            except NotFetched as fault:
                told["failed"].append({"file": item.name, "reason": str(fault)})
                in_a_row += 1
                continue
            else:
                told["fetched"].append(item.name)
            in_a_row = 0
    return missing


def _is_there(path, item):
    """Whether a file is there and whole; one that is not is fetched again."""
    from .transfer import check_file

    if not path.is_file():
        return False
    try:
        check_file(path, item)
    except InputError:
        return False
    return True


def _write_sums(folder, names, new):
    """List the checksums of files, keeping those that are known."""
    if not names:
        return
    place = folder / _SUMS
    lines = place.read_text().splitlines() if place.is_file() else []
    known = {line[66:]: line[:64] for line in lines if len(line) > 66}
    for name in names:
        if name not in known or name in new:
            with (folder / name).open("rb") as file:
                known[name] = hashlib.file_digest(file, "sha256").hexdigest()
    text = "".join(f"{known[name]}  {name}\n" for name in sorted(known))
    if text.splitlines() != lines:
        write_text(place, text)


def _days(first, last):
    """All days from the first to the last."""
    ends = []
    for day in (first, last):
        try:
            ends.append(day if isinstance(day, date) else date.fromisoformat(day))
        except ValueError:
            raise InputError(f"{day} is no day; write it as 2015-01-31") from None
    first, last = ends
    for day in (first, last):
        if not _EARLIEST <= day <= _LATEST:
            raise InputError(f"{day}: expected a day from {_EARLIEST} to {_LATEST}")
    if last < first:
        raise InputError(f"the last day {last} is before the first day {first}")
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _check_folder(folder):
    """Refuse what can be no folder, whether or not anything is to be written."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise InputError(f"{there} is a file, expected a folder; name another one by --data")


def _needs(package):
    if importlib.util.find_spec(package) is None:
        raise InputError(f"this needs the package {package}: pip install 'floecast[data]'")


@contextmanager
def _disk(folder):
    """What goes wrong with the disk as one line; nothing that has its name is harmed by it."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot write into {folder}: {error.strerror or error}; what came so far is kept, "
            "give the command again to go on"
        ) from error


@contextmanager
def _alone(folder):
    """Keep other calls out of a folder; the system opens the lock when the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another process fetches into {folder}; wait for it") from None
        # What a call that was killed has left of files that are not resumed.
        for left in folder.glob(".*.partial"):
            if re.search(r"\.\d+\.partial$", left.name):
                left.unlink()
        for left in folder.glob(".marine-*"):
            shutil.rmtree(left)
        yield


class _Silent:
    def stage(self, name, status):
        pass

    def advance(self, done, total):
        pass
