"""What a product is: how its service names and gives out files."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Login:
    """An account that a service asks for.

    Parameters
    ----------
    kind : str
        Who keeps it: ``netrc``, ``cds`` (cdsapi) or ``marine`` (copernicusmarine).
    hint : str
        Where to register and where to put it, for messages.
    host : str
        Of ``netrc``.
    """

    kind: str
    hint: str
    host: str = ""


@dataclass(frozen=True)
class Series:
    """Daily files at addresses that follow from the day.

    Parameters
    ----------
    address : str
        Format of `day`, the day `before` and the day `after` it.
    first, last : date or None
        Days for which it is meant.
    """

    address: str
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Addresses:
    """Daily files, of one series after the other."""

    series: tuple[Series, ...]


@dataclass(frozen=True)
class Granules:
    """Files that NASA's catalogue (CMR) lists with length and checksum.

    Parameters
    ----------
    catalogue : str
    short_name, version : str
        Of the collection.
    name : str
        Pattern of file names; its group ``day`` is the day.
    """

    catalogue: str
    short_name: str
    version: str
    name: str


@dataclass(frozen=True)
class Folders:
    """Files in folders of months on an FTP server.

    Parameters
    ----------
    address : str
        Format of the `month`, as a date.
    name : str
        Pattern of file names; its groups ``first`` and ``last`` are the first and last day of the
        time that a file is a mean of, in whose middle is the day it stands for.
    """

    address: str
    name: str


@dataclass(frozen=True)
class Runs:
    """Fields of a weather forecast out of larger GRIB files, by the list that lies beside each.

    Parameters
    ----------
    address : str
        Format of the `run`, as a time, and the `lead` [h].
    fields : tuple of str
        Patterns of name, level and kind in the list.
    short : bool
        Whether each time comes from the newest run at least 3 h before it, so that there is a
        series of the past; else all times come from the run of 00 UTC of the first day.
    """

    address: str
    fields: tuple[str, ...]
    short: bool


@dataclass(frozen=True)
class MarineFiles:
    """Files that `copernicusmarine` brings.

    Parameters
    ----------
    dataset : str
    name : str
        Pattern of file names; of several for a ``day`` the last in order of ``issue`` is taken.
    """

    dataset: str
    name: str


@dataclass(frozen=True)
class Requests:
    """Fields that the Climate Data Store extracts on demand, through `cdsapi`.

    Parameters
    ----------
    dataset : str
    parts : mapping of str to mapping
        Fields that come in a file together, and what else their request says.
    """

    dataset: str
    parts: dict[str, dict]


@dataclass(frozen=True)
class Product:
    """Something that can be fetched.

    Parameters
    ----------
    title : str
    where : Addresses, Granules, Folders, Runs, MarineFiles or Requests
    seen : str
        Where the layout was found, and when.
    login : Login or None
    """

    title: str
    where: Addresses | Granules | Folders | Runs | MarineFiles | Requests
    seen: str
    login: Login | None = None
