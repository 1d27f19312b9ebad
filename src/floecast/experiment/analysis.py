"""Stage 2: observations, quality control, analysis."""

import jax
import numpy as np

from floecast.core.calendar import DAY, to_seconds
from floecast.io.readers import read_observations
from floecast.observation.observations import Observations
from floecast.observation.quality_control import check_observations
from floecast.observation.sampling import sample_concentration, sample_thickness
from floecast.observation.superob import superobservations

from .files import read_ensemble, read_truth, write_analysis, write_ensemble, write_observations

FILES = ["observations.nc", "analysis.nc", "analysis_ensemble.nc"]
"""What the stage writes."""

BLOCK = 100e3
"""Side of the blocks that are assimilated or withheld as a whole [m]."""


def make(case, noted):
    """Write the files of this stage.

    Parameters
    ----------
    case : Case
    noted : dict
        Notes, warnings and inputs for the manifest.
    """
    background = read_ensemble(case.folder.file("background_ensemble.nc"))
    observations, withheld = _twin(case) if case.config.twin else _from_files(case, noted)
    method = case.letkf()
    everything = _seen(method, background, observations)
    ...
