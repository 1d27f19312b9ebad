"""Whether the account that a service asks for is where its own tools keep it."""

import os
from pathlib import Path

from requests.utils import get_netrc_auth

from floecast.core.errors import InputError


def check_account(title, login):
    """Refuse to begin where the account of a service is missing.

    Parameters
    ----------
    title : str
        Of the product, for the message.
    login : Login or None

    Raises
    ------
    InputError
        With where to register and where to put it.
    """
    if login is not None and not _FOUND[login.kind](login):
        raise InputError(f"{title}: needs an account, which is free: {login.hint}")


def _netrc(login):
    return get_netrc_auth(f"https://{login.host}") is not None


def _cds(login):
    given = {name for name in ("url", "key") if os.environ.get(f"CDSAPI_{name.upper()}")}
    try:
        file = Path(os.environ.get("CDSAPI_RC", "~/.cdsapirc")).expanduser()
        given |= {line.partition(":")[0].strip() for line in file.read_text().splitlines()}
    except (OSError, ValueError):
        pass
    return {"url", "key"} <= given


def _marine(login):
    """Asked before, because the client would wait for somebody to type."""
    name = "COPERNICUSMARINE_SERVICE_"
    if os.environ.get(f"{name}USERNAME") and os.environ.get(f"{name}PASSWORD"):
        return True
    folder = Path(os.environ.get("COPERNICUSMARINE_CREDENTIALS_DIRECTORY") or Path.home())
    if (folder / ".copernicusmarine" / ".copernicusmarine-credentials").is_file():
        return True
    return get_netrc_auth("https://auth.marine.copernicus.eu") is not None


_FOUND = {"netrc": _netrc, "cds": _cds, "marine": _marine}
