"""The sections of the report, in their order: one row a section, one file a section or two."""

from __future__ import annotations

from foveal.reporting.section import Section
from foveal.reporting.sections.calibration import CALIBRATION
from foveal.reporting.sections.classes import CLASSES, CONFUSION
from foveal.reporting.sections.data import DATA
from foveal.reporting.sections.decision_curves import DECISIONS
from foveal.reporting.sections.fine_tuning import FINE_TUNING
from foveal.reporting.sections.flow import FLOW
from foveal.reporting.sections.heat_maps import LOOKS
from foveal.reporting.sections.leak import LEAK
from foveal.reporting.sections.learning_curve import LEARNING_CURVE
from foveal.reporting.sections.meaning import LIMITS, MEANING
from foveal.reporting.sections.network import NETWORK
from foveal.reporting.sections.operating import OPERATING
from foveal.reporting.sections.ordered import ORDERED
from foveal.reporting.sections.prediction_sets import PREDICTION_SETS
from foveal.reporting.sections.provenance import PROVENANCE
from foveal.reporting.sections.review import LABELS, MISTAKES, NOVELTY
from foveal.reporting.sections.sample_sizes import SAMPLE_SIZES
from foveal.reporting.sections.stability import STABILITY
from foveal.reporting.sections.subgroups import SUBGROUPS

SECTIONS: tuple[Section, ...] = (
    MEANING,
    DATA,
    FLOW,
    CLASSES,
    CONFUSION,
    OPERATING,
    DECISIONS,
    ORDERED,
    SUBGROUPS,
    LOOKS,
    CALIBRATION,
    PREDICTION_SETS,
    STABILITY,
    LEAK,
    LEARNING_CURVE,
    SAMPLE_SIZES,
    FINE_TUNING,
    LABELS,
    MISTAKES,
    NOVELTY,
    NETWORK,
    PROVENANCE,
    LIMITS,
)
