"""The scorecard: numbers with intervals, written to and read from files byte for byte."""

import csv
import io
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

from floecast.core import display
from floecast.core.atomic import write_text
from floecast.core.errors import InputError


@dataclass(frozen=True)
class Row:
    """One score of one system.

    Attributes
    ----------
    system : name of the forecast system or baseline.
    variable : name of the variable.
    score : name of the score.
    region : name of the region.
    lead_hours : lead time [h].
    value : the score; NaN where undefined.
    low, high : bounds of the interval of `value`; NaN where there is none.
    n : number of samples behind the score.
    """

    system: str
    variable: str
    score: str
    region: str
    lead_hours: float
    value: float
    low: float
    high: float
    n: int


_TYPES = get_type_hints(Row)
_UNDEFINED = {"value", "low", "high"}
MOST_LINES = 40
"""Of the table in a notebook."""


def _sort_key(row: Row) -> tuple:
    return row.variable, row.score, row.region, row.lead_hours, row.system


def _plain(row: Row) -> dict[str, Any]:
    """The row with None in the place of numbers that are not finite."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(row).items()
    }


def _read_row(path: Path, number: int, entry: Any) -> Row:
    if not isinstance(entry, dict) or set(entry) != set(_TYPES):
        raise InputError(
            f"{path}: row {number} is no scorecard row; expected the fields {', '.join(_TYPES)}"
        )
    values = {}
    for name, kind in _TYPES.items():
        value = math.nan if entry[name] is None and name in _UNDEFINED else entry[name]
        accepted = (int, float) if kind is float else kind
        if not isinstance(value, accepted) or isinstance(value, bool):
            raise InputError(
                f"{path}: row {number}, field {name} holds {value!r}; expected a {kind.__name__}"
            )
        values[name] = kind(value)
    return Row(**values)


@dataclass(frozen=True)
class Scorecard:
    """A sorted collection of scores.

    Attributes
    ----------
    rows : the scores, sorted by variable, score, region, lead and system.
    """

    rows: tuple[Row, ...]

    def __init__(self, rows: Iterable[Row]):
        object.__setattr__(self, "rows", tuple(sorted(rows, key=_sort_key)))

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, **wanted: Any) -> "Scorecard":
        """Rows whose fields equal the values given.

        Parameters
        ----------
        **wanted : value by field name, such as ``score="rmse", lead_hours=24``.

        Returns
        -------
        Scorecard
            The rows that match all of them.

        Raises
        ------
        InputError
            A row has no such field.
        """
        unknown = sorted(set(wanted) - set(_TYPES))
        if unknown:
            raise InputError(
                f"select: no field {', '.join(unknown)} in a scorecard; "
                f"expected {', '.join(_TYPES)}"
            )
        return Scorecard(
            row
            for row in self.rows
            if all(getattr(row, name) == value for name, value in wanted.items())
        )

    def to_json(self, path: str | Path) -> None:
        """Write a list of rows, one a line; undefined numbers are null.

        Parameters
        ----------
        path : file to write; replaced in one step.
        """
        lines = ",\n".join(json.dumps(_plain(row), allow_nan=False) for row in self.rows)
        write_text(path, f"[\n{lines}\n]\n" if lines else "[]\n")

    def to_csv(self, path: str | Path) -> None:
        """Write a table with a header line; undefined numbers are empty.

        Parameters
        ----------
        path : file to write; replaced in one step.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_TYPES)
        writer.writerows(_plain(row).values() for row in self.rows)
        write_text(path, text.getvalue())

    @staticmethod
    def from_json(path: str | Path) -> "Scorecard":
        """Read a scorecard written by `to_json`.

        Parameters
        ----------
        path : file to read.

        Returns
        -------
        Scorecard
            The scores; null becomes NaN.

        Raises
        ------
        InputError
            The file is absent, no JSON, or no list of scorecard rows.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file; expected a scorecard written by to_json")
        try:
            entries = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}: not valid JSON ({error}); expected a scorecard written by to_json"
            ) from error
        if not isinstance(entries, list):
            raise InputError(
                f"{path}: expected a list of scorecard rows, found a {type(entries).__name__}"
            )
        return Scorecard(_read_row(path, number, entry) for number, entry in enumerate(entries))

    def __repr__(self) -> str:
        return display.text(self)

    def _repr_html_(self) -> str:
        heads, *lines = self._lines()
        more = f", the first {MOST_LINES} of {len(lines)} lines" * (len(lines) > MOST_LINES)
        title, facts = self._card()
        return display.table(f"{title}: {facts[0][1]}{more}", lines[:MOST_LINES], heads)

    def _card(self) -> display.Card:
        facts = [("", f"{len(self)} scores")]
        for field in ("system", "variable", "score"):
            names = list(dict.fromkeys(getattr(row, field) for row in self.rows))
            more = f" and {len(names) - 6} more" * (len(names) > 6)
            facts.append((f"{field}s", ", ".join(names[:6]) + more))
        leads = [row.lead_hours for row in self.rows]
        if leads:
            facts.append(("leads", f"{min(leads):g} to {max(leads):g} h"))
        return display.Card("Scorecard", facts)

    def table(self) -> str:
        """Text for reading: one line for each score and system, one column for each lead.

        Returns
        -------
        str
            Values with four digits, `-` where undefined; systems stand below one another.
        """
        lines = self._lines()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if column < 4 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def _lines(self) -> list[tuple[str, ...]]:
        """Cells of the table, the heads first."""
        leads = sorted({row.lead_hours for row in self.rows})
        values: dict[tuple[str, ...], dict[float, str]] = {}
        for row in self.rows:
            text = f"{row.value:.4g}" if math.isfinite(row.value) else "-"
            values.setdefault((row.variable, row.score, row.region, row.system), {})[
                row.lead_hours
            ] = text
        heads = ("variable", "score", "region", "system", *(f"{lead:g} h" for lead in leads))
        return [
            heads,
            *((*name, *(values[name].get(lead, "") for lead in leads)) for name in sorted(values)),
        ]
