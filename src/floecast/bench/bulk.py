"""Published transfer coefficients over ice against tables that another code printed."""

import csv
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from floecast.atmosphere.air import bulk_richardson
from floecast.atmosphere.ice_drag import andreas_2005, luepkes_2012, luepkes_gryanik_2015
from floecast.core.errors import InputError

OPTIONS = ("data",)
REFERENCE = {
    "lg15_max_relative_error": [0.0, 1e-9],
    "lu12_max_relative_error": [0.0, 1e-9],
    "an05_max_relative_error": [0.0, 1e-6],
}
SOURCES = [
    "reference: tolerances against tables of AeroBulk (Brodeau et al. 2017, "
    "doi:10.1175/JPO-D-16-0169.1), printed with 11 digits; lg15 where temperature and wind have "
    "one height, an05 at the iteration count of each row"
]
TABLE = Path("bulk_reference") / "aerobulk_ice_reference.csv"
_LEAST_WIND = 0.2


def run(data=None):
    """Greatest relative errors of the coefficients of momentum, heat and moisture, in float64.

    Parameters
    ----------
    data : path
        Folder with ``bulk_reference``.

    Returns
    -------
    dict of str to float
        By scheme, over all rows that can be compared [1].

    Raises
    ------
    InputError
        If the tables are not there.
    """
    table = read_table(data)
    with jax.enable_x64(True):
        found = {name: _errors(name, table[name]) for name in ("lg15", "lu12", "an05")}
    return {f"{name}_max_relative_error": float(np.max(error)) for name, error in found.items()}


def read_table(data):
    """Rows of the tables of coefficients.

    Parameters
    ----------
    data : path
        See `run`.

    Returns
    -------
    dict
        By scheme, a dict of arrays by the name of the column.
    """
    if data is None:
        raise InputError(
            f"bench bulk needs tables: name the folder that holds {TABLE.parent} by --data or "
            "FLOECAST_DATA"
        )
    path = Path(data) / TABLE
    if not path.is_file():
        raise InputError(
            f"{path} is not there; --data or FLOECAST_DATA names the folder that holds "
            f"{TABLE.parent}"
        )
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        scheme: {
            name: np.array([float(row[name]) for row in rows if row["algo"] == scheme])
            for name in rows[0]
            if name != "algo"
        }
        for scheme in sorted({row["algo"] for row in rows})
    }


def _errors(scheme, table):
    if scheme == "lg15":  # with two heights the reference takes f_h for psi
        table = _where(table, table["zt"] == table["zu"])
    wind = np.maximum(table["U_zu"], _LEAST_WIND)
    ends = table["theta_zt"], table["q_zt"], table["Ts"], table["qs"]
    if scheme == "lu12":
        return _compare(luepkes_2012(jnp.asarray(table["frice"]), table["zu"]), table)
    if scheme == "lg15":
        richardson = bulk_richardson(table["zu"], wind, *ends)
        return _compare(luepkes_gryanik_2015(richardson, table["frice"], table["zu"]), table)
    errors = []
    for iterations in np.unique(table["nb_iter"]):
        rows = table["nb_iter"] == iterations
        given = [jnp.asarray(end[rows]) for end in (wind, *ends, table["zu"], table["zt"])]
        found = andreas_2005(*given, iterations=int(iterations))
        errors.append(_compare(found, _where(table, rows)))
    return np.concatenate(errors)


def _where(table, rows):
    return {name: column[rows] for name, column in table.items()}


def _compare(found, table):
    pairs = (found.momentum, "Cd"), (found.heat, "Ch"), (found.moisture, "Ce")
    return np.concatenate([np.abs(np.asarray(value) / table[name] - 1.0) for value, name in pairs])
