"""The record of observations that were not used."""

import csv
import io

from floecast.core.atomic import write_text
from floecast.observation.quality_control import rejected

_COLUMNS = ("kind", "time", "x", "y", "value", "error", "reasons")


def write_rejected(path, observations):
    """Write the observations with a flag, and why, as a table with a header line.

    Parameters
    ----------
    path : str or Path
        CSV file; replaced in one step. `points_dataset` writes all observations with their flags.
    observations : Observations
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rejected(observations))
    write_text(path, text.getvalue())
