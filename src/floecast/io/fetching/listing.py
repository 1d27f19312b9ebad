"""Which files a product has for some days, by asking its service where names do not follow."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import singledispatch
from urllib.parse import urlsplit

from . import copernicus, transfer
from .errors import NotFetched
from .kinds import Addresses, Folders, Granules, MarineFiles, Requests, Runs

_DAY = timedelta(days=1)
# What JSON of other types raises, or is too deep, or holds a length without end.
_NO_LIST = (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)


@dataclass(frozen=True)
class Item:
    """One file that is wanted.

    Parameters
    ----------
    name : str
        In the folder of the product.
    days : tuple of date
        That it stands for.
    address : str
        Where it comes from.
    bring : function
        Called with this item, its path and the `Web`; leaves the file at that path.
    size : int or None
        Told by the service [bytes].
    checksum : tuple of str or None
        Algorithm and hexadecimal value told by the service.
    detail : object
        What `bring` needs beyond.
    """

    name: str
    days: tuple[date, ...]
    address: str
    bring: Callable
    size: int | None = None
    checksum: tuple[str, str] | None = None
    detail: object = None


@singledispatch
def list_items(where, days, web, folder):
    """Files of some days.

    Parameters
    ----------
    where : Addresses, Granules, Folders, Runs, MarineFiles or Requests
    days : list of date
        Ascending, without gaps.
    web : Web
    folder : Path
        Where the files go, for what depends on what is there.

    Returns
    -------
    list of Item
        Days for which there is none are missing at the service.
    """
    raise TypeError(f"no such kind of service: {where!r}")


@list_items.register
def _(where: Addresses, days, web, folder):
    items = []
    for day in days:
        for series in where.series:
            if (series.first or day) <= day <= (series.last or day):
                address = series.address.format(day=day, before=day - _DAY, after=day + _DAY)
                name = address.rpartition("/")[2]
                items.append(Item(name, (day,), address, transfer.bring_web))
                break
    return items


@list_items.register
def _(where: Granules, days, web, folder):
    found, after = {}, {}
    span = f"{days[0]}T00:00:00Z,{days[-1]}T23:59:59Z"
    asked = {
        "short_name": where.short_name,
        "version": where.version,
        "temporal": span,
        "page_size": 2000,
    }
    while True:
        answer = web.read(where.catalogue, asked, after)
        try:
            granules = answer.json()["items"]
            for granule in granules:
                for item in _granule_items(granule["umm"], where):
                    found[item.name] = item
        except _NO_LIST as error:
            raise NotFetched(
                f"{where.catalogue}: the answer is no list of granules ({error!r})"
            ) from None
        mark = answer.headers.get("CMR-Search-After")
        if mark is None or not granules:
            return sorted(
                (item for item in found.values() if item.days[0] in set(days)),
                key=lambda item: item.name,
            )
        after = {"CMR-Search-After": mark}


def _granule_items(umm, where):
    """Files of one entry of the catalogue that have the names of the product."""
    files = umm.get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    told = {file.get("Name"): file for file in files}
    for link in umm["RelatedUrls"]:
        address = link["URL"]
        name = address.rpartition("/")[2]
        match = re.fullmatch(where.name, name)
        same = urlsplit(address).scheme == urlsplit(where.catalogue).scheme
        if match is None or link.get("Type") != "GET DATA" or not same:
            continue
        file = told.get(name, {})
        size, checksum = file.get("SizeInBytes"), file.get("Checksum")
        if checksum is not None:
            checksum = (str(checksum["Algorithm"]), str(checksum["Value"]))
        day = (_day(match["day"]),)
        yield Item(name, day, address, transfer.bring_web, size and int(size), checksum)


@list_items.register
def _(where: Folders, days, web, folder):
    # A file lies in the folder of its first or of its last day.
    reach = [days[0] - 7 * _DAY, *days, days[-1] + 7 * _DAY]
    months = sorted({day.replace(day=1) for day in reach})
    found = {}
    for month in months:
        address = where.address.format(month=month)
        for name in transfer.list_folder(address, web.manners):
            match = re.fullmatch(where.name, name)
            if match is not None:
                try:
                    first, last = _day(match["first"]), _day(match["last"])
                except ValueError:
                    raise NotFetched(f"{address}/{name}: its name holds no days") from None
                day = first + (last - first) / 2
                item = Item(name, (day,), f"{address}/{name}", transfer.bring_ftp)
                # Reprocessed files (_r_) replace the first ones (_o_): last in the alphabet.
                found[day] = max(found.get(day, item), item, key=lambda item: item.name)
    return [found[day] for day in days if day in found]


@list_items.register
def _(where: Runs, days, web, folder):
    start = datetime.combine(days[0], datetime.min.time())
    times = [start + timedelta(hours=3 * step) for step in range(8 * len(days))]
    items = []
    for time in times:
        run = start
        if where.short:
            run = time - timedelta(hours=3)
            run -= timedelta(hours=run.hour % 6)
        lead = round((time - run) / timedelta(hours=1))
        if lead > 0:  # there are no means yet at the start
            address = where.address.format(run=run, lead=lead)
            name = f"gfs_{run:%Y%m%d}_{run:%H}_f{lead:03d}.grib2"
            bring = transfer.bring_fields
            items.append(Item(name, (time.date(),), address, bring, detail=where.fields))
    return items


@list_items.register
def _(where: MarineFiles, days, web, folder):
    found = {}
    for file in copernicus.marine_files(where, days):
        match = re.fullmatch(where.name, file.filename)
        if match is not None:
            day = _day(match["day"])
            key = (match["issue"], file.filename)
            if day not in found or key > found[day][0]:
                found[day] = (key, file)
    return [
        Item(file.filename, (day,), file.s3_url, copernicus.bring_marine, detail=where.dataset)
        for day, (_, file) in sorted(found.items())
        if day in set(days)
    ]


@list_items.register
def _(where: Requests, days, web, folder):
    items = []
    for part, request in where.parts.items():
        stem = f"{where.dataset.removeprefix('reanalysis-').split('-')[0]}_{part}"
        if "domain" in request:
            stem += f"_{request['domain'].removesuffix('_domain')}"
        # What earlier calls brought stays as it is, so that no day comes twice.
        here = copernicus.days_here(folder, stem)
        covered = {day for span in here for day in span}
        spans = [span for span in here if set(span) & set(days)]
        spans += _runs_of_a_month([day for day in days if day not in covered])
        for span in spans:
            name = here.get(span, f"{stem}_{span[0]:%Y%m%d}-{span[-1]:%Y%m%d}.nc")
            whole = request | {
                "year": f"{span[0]:%Y}",
                "month": f"{span[0]:%m}",
                "day": [f"{day:%d}" for day in span],
            }
            detail = (where.dataset, whole)
            items.append(Item(name, span, where.dataset, copernicus.bring_request, detail=detail))
    return items


def _runs_of_a_month(days):
    """Days without a gap between them and of one month, together."""
    spans = []
    for day in days:
        if spans and spans[-1][-1] + _DAY == day and spans[-1][-1].month == day.month:
            spans[-1].append(day)
        else:
            spans.append([day])
    return [tuple(span) for span in spans]


def _day(digits):
    return datetime.strptime(digits, "%Y%m%d").date()
