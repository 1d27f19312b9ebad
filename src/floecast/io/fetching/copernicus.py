"""Products of Copernicus, through the two clients that its services maintain."""

import logging
import re
import tempfile
import zipfile
import zlib
from datetime import datetime, timedelta
from pathlib import Path

from floecast.core.atomic import replacing
from floecast.core.errors import InputError

from ..source import open_source
from .errors import NotFetched, NotThere

# How many times its archive a file may fill; packed fields fill two or three times theirs.
_MOST_TIMES = 100


def bring_request(item, path, web):
    """Let the Climate Data Store extract fields, and fetch them.

    `cdsapi` waits in the queue, resumes a broken transfer and compares the length.
    """
    import cdsapi

    dataset, request = item.detail
    with replacing(path) as partial:
        try:
            client = cdsapi.Client(
                quiet=True, progress=False, retry_max=web.manners.attempts, sleep_max=60
            )
            client.retrieve(dataset, request, str(partial))
        except Exception as error:  # of whatever class the client or the service chooses
            raise _refusal(dataset, error, web.login) from error
        if zipfile.is_zipfile(partial):
            _unpack(partial, dataset)
        _open(partial, dataset)


def days_here(folder, stem):
    """Days of the files that earlier requests left, and their names.

    Parameters
    ----------
    folder : Path
    stem : str
        What their names begin with.

    Returns
    -------
    dict of tuple of date to str
    """
    found = {}
    for path in sorted(folder.glob(f"{stem}_*.nc")):
        match = re.fullmatch(rf"{re.escape(stem)}_(\d{{8}})-(\d{{8}})\.nc", path.name)
        if match is not None:
            try:
                first, last = (datetime.strptime(day, "%Y%m%d").date() for day in match.groups())
            except ValueError:  # not a name that a request gave
                continue
            length = (last - first).days + 1
            found[tuple(first + timedelta(days=day) for day in range(length))] = path.name
    return found


def marine_files(where, days):
    """What Copernicus Marine has for some days, as its client tells it.

    Parameters
    ----------
    where : MarineFiles
    days : list of date

    Returns
    -------
    list
        With `filename`, `s3_url` and `file_size` [MB] each.
    """
    months = sorted({f"{day:%Y%m}" for day in days})
    answer = _marine(where.dataset, regex=rf"/({'|'.join(months)})\d\d_[^/]*\.nc$", dry_run=True)
    return answer.files


def bring_marine(item, path, web):
    """Fetch one file of Copernicus Marine: into a folder of its own, from which it is renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".marine-", dir=path.parent) as place:
        wanted = Path(place) / "wanted.txt"
        wanted.write_text(item.address + "\n")
        answer = _marine(item.detail, file_list=wanted, output_directory=place, no_directories=True)
        came = Path(place) / item.name
        if not came.is_file():
            raise NotThere(f"{item.address}: not there")
        _open(came, item.detail)
        told = [file.file_size for file in answer.files if file.filename == item.name]
        megabytes = came.stat().st_size / 2**20
        if told and abs(told[0] - megabytes) > 0.01:
            raise NotFetched(f"{item.address}: {megabytes:.2f} MB, expected {told[0]:.2f} MB")
        with replacing(path) as partial:
            came.rename(partial)


def _marine(dataset, **given):
    import copernicusmarine

    logging.getLogger("copernicusmarine").setLevel(logging.WARNING)
    try:
        return copernicusmarine.get(dataset_id=dataset, disable_progress_bar=True, **given)
    except Exception as error:  # its errors share no class
        if "Credential" in type(error).__name__ or "Password" in type(error).__name__:
            raise InputError(
                f"Copernicus Marine refuses the account ({error}); run: copernicusmarine login"
            ) from error
        raise NotFetched(f"{dataset}: {' '.join(str(error).split())[:300]}") from error


def _refusal(dataset, error, login):
    """What an error of the Climate Data Store means."""
    told = " ".join(str(error).split())[:300]
    if re.search(r"licen[cs]e|terms of", told, re.IGNORECASE):
        page = f"https://cds.climate.copernicus.eu/datasets/{dataset}?tab=download"
        return InputError(f"{dataset}: accept its licence on {page} ({told})")
    if re.search(r"authenticat|\b40[13]\b|configuration file", told, re.IGNORECASE):
        return InputError(f"the Climate Data Store refuses the account ({told}): {login.hint}")
    if re.search(r"none of the data|no data|not available yet", told, re.IGNORECASE):
        return NotThere(f"{dataset}: {told}")
    return NotFetched(f"{dataset}: {told}")


def _unpack(path, dataset):
    """Put the one netCDF file of an archive in the place of the archive, if it is not too large."""
    most = _MOST_TIMES * path.stat().st_size
    unpacked = path.with_name(f"{path.name}.unpacked")
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [entry for entry in archive.infolist() if entry.filename.endswith(".nc")]
            if len(inside) != 1:
                raise NotFetched(f"{dataset}: an archive of {len(inside)} files came, expected one")
            told = inside[0].file_size
            if told > most:
                raise NotFetched(
                    f"{dataset}: an archive of {path.stat().st_size} bytes came whose file would "
                    f"have {told}, over {_MOST_TIMES} times as many; not unpacked, try again later"
                )
            with archive.open(inside[0]) as source, unpacked.open("wb") as target:
                came = 0
                while chunk := source.read(2**20):
                    came += len(chunk)
                    if came > told:
                        break
                    target.write(chunk)
            if came != told:
                raise NotFetched(
                    f"{dataset}: the archive is damaged (its file has {came} bytes or more, "
                    f"expected {told})"
                )
        unpacked.replace(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        # The last is of an archive with a password or of an unknown kind of compression.
        raise NotFetched(f"{dataset}: the archive is damaged ({error})") from None
    finally:
        unpacked.unlink(missing_ok=True)


def _open(path, dataset):
    try:
        with open_source(path):
            pass
    except InputError as fault:
        raise NotFetched(f"{dataset}: {str(fault).replace(str(path), 'what came')}") from None
