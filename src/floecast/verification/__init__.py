"""Verification: scores of fields, ensembles and ice edges, baselines, intervals, scorecard."""

from floecast.verification.baselines import climatology, damped_anomaly_persistence, persistence
from floecast.verification.bootstrap import (
    Interval,
    effective_sample_size,
    lag_one_correlation,
    mean_interval,
    ratio_interval,
)
from floecast.verification.date_scorecard import (
    Comparison,
    date_scorecard,
    diagrams,
    effective_dates,
)
from floecast.verification.dates import DateSums, StartDate, verify_dates
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
from floecast.verification.drift import (
    drift_scores,
    ellipse_capture,
    ellipse_quantile,
)
from floecast.verification.edge_position import EdgePosition, cell_positions, edge_position_errors
from floecast.verification.fractions_skill import fractions_skill_score, useful_scale
from floecast.verification.free_drift import WindFactor, fit_wind_factor, free_drift_concentration
from floecast.verification.ice_edge import (
    EdgeDistances,
    IceEdgeError,
    displacement,
    edge_cells,
    edge_distances,
    edge_length,
    iiee,
    median_edge,
    signed_displacement,
    sps,
    sps_per_length,
)
from floecast.verification.observation_error import perturbed_members
from floecast.verification.past_years import PastYears
from floecast.verification.points import score_points
from floecast.verification.probabilistic import (
    RankHistogram,
    brier,
    crps,
    interval_coverage,
    rank_histogram,
    reduced_variable,
    spread_skill,
    threshold_weighted_crps,
)
from floecast.verification.regions import Box, box_regions, ice_zones, season_of
from floecast.verification.reliability import (
    ReliabilityDiagram,
    SpreadClasses,
    rank_unevenness,
    reliability_diagram,
    spread_skill_classes,
)
from floecast.verification.scorecard import Row, Scorecard
from floecast.verification.systems import score_systems
from floecast.verification.verify import verify

__all__ = [
    "Box",
    "Comparison",
    "DateSums",
    "EdgeDistances",
    "EdgePosition",
    "IceEdgeError",
    "Interval",
    "PastYears",
    "RankHistogram",
    "ReliabilityDiagram",
    "Row",
    "Scorecard",
    "SpreadClasses",
    "StartDate",
    "WindFactor",
    "bias",
    "box_regions",
    "brier",
    "cell_positions",
    "centred_rmse",
    "climatology",
    "correlation",
    "crps",
    "damped_anomaly_persistence",
    "date_scorecard",
    "diagrams",
    "displacement",
    "drift_scores",
    "edge_cells",
    "edge_distances",
    "edge_length",
    "edge_position_errors",
    "effective_dates",
    "effective_sample_size",
    "ellipse_capture",
    "ellipse_quantile",
    "fit_wind_factor",
    "fractions_skill_score",
    "free_drift_concentration",
    "ice_zones",
    "iiee",
    "interval_coverage",
    "lag_one_correlation",
    "mean_absolute_error",
    "mean_interval",
    "median_edge",
    "persistence",
    "perturbed_members",
    "rank_histogram",
    "rank_unevenness",
    "ratio_interval",
    "reduced_variable",
    "reliability_diagram",
    "rmse",
    "score_points",
    "score_systems",
    "sea_ice_area",
    "sea_ice_extent",
    "sea_ice_volume",
    "season_of",
    "signed_displacement",
    "spread_skill",
    "spread_skill_classes",
    "sps",
    "sps_per_length",
    "threshold_weighted_crps",
    "useful_scale",
    "verify",
    "verify_dates",
]
