"""Verification: scores of fields, ensembles and ice edges, baselines, intervals, scorecard."""

from floecast.verification.baselines import climatology, damped_anomaly_persistence, persistence
from floecast.verification.bootstrap import (
    Interval,
    effective_sample_size,
    lag_one_correlation,
    mean_interval,
    ratio_interval,
)
from floecast.verification.deterministic import (
    bias,
    centred_rmse,
    correlation,
    mean_absolute_error,
    rmse,
    sea_ice_area,
    sea_ice_extent,
    sea_ice_volume,
)
from floecast.verification.ice_edge import (
    EdgeDistances,
    IceEdgeError,
    displacement,
    edge_cells,
    edge_distances,
    edge_length,
    iiee,
    median_edge,
    sps,
)
from floecast.verification.points import score_points
from floecast.verification.probabilistic import (
    RankHistogram,
    brier,
    crps,
    interval_coverage,
    rank_histogram,
    reduced_variable,
    spread_skill,
)
from floecast.verification.scorecard import Row, Scorecard
from floecast.verification.systems import score_systems
from floecast.verification.verify import verify

__all__ = [
    "EdgeDistances",
    "IceEdgeError",
    "Interval",
    "RankHistogram",
    "Row",
    "Scorecard",
    "bias",
    "brier",
    "centred_rmse",
    "climatology",
    "correlation",
    "crps",
    "damped_anomaly_persistence",
    "displacement",
    "edge_cells",
    "edge_distances",
    "edge_length",
    "effective_sample_size",
    "iiee",
    "interval_coverage",
    "lag_one_correlation",
    "mean_absolute_error",
    "mean_interval",
    "median_edge",
    "persistence",
    "rank_histogram",
    "ratio_interval",
    "reduced_variable",
    "rmse",
    "sea_ice_area",
    "sea_ice_extent",
    "sea_ice_volume",
    "spread_skill",
    "score_points",
    "score_systems",
    "sps",
    "verify",
]
