"""Evaluation: out-of-fold predictions become evidence, each figure with its interval."""

from __future__ import annotations

from foveal.evaluation.calibration import (
    assess_calibration,
    calibrate,
    expected_calibration_error,
    fit_temperature,
)
from foveal.evaluation.evidence import (
    Baseline,
    Calibration,
    Candidate,
    ChoiceMeasure,
    ClassMetrics,
    CurvePoint,
    DataFacts,
    Evidence,
    Grouping,
    HeldOutGroups,
    Interval,
    LabelIssue,
    LearningCurve,
    Metrics,
    Mistake,
    ModelChoice,
    Novelty,
    PredictionSets,
    Protocol,
    ReliabilityBin,
    ShiftStability,
    Stability,
    Timing,
)
from foveal.evaluation.inputs import log_softmax, softmax
from foveal.evaluation.intervals import wilson
from foveal.evaluation.label_review import (
    describe_label_review,
    review_labels,
    why_not_reviewed,
    worst_mistakes,
)
from foveal.evaluation.learning_curve import extrapolate
from foveal.evaluation.metrics import HEADLINE_METRICS, HeadlineMetric, measure
from foveal.evaluation.model_choice import ModelDescription, describe_choice
from foveal.evaluation.novelty import NoveltyReference, fit_novelty, score_novelty
from foveal.evaluation.paired import (
    accuracy_difference,
    balanced_accuracy_difference,
    compare_with_baseline,
    measure_leak,
)
from foveal.evaluation.prediction_sets import (
    assess_prediction_sets,
    conformal_thresholds,
    evaluate_prediction_sets,
    predict_sets,
)
from foveal.evaluation.stability import decision_consistency, describe_stability
from foveal.evaluation.wording import (
    compare,
    describe_against_baseline,
    describe_calibration,
    describe_interval,
    describe_leak,
    describe_learning_curve,
    describe_prediction_sets,
    describe_tested,
)

__all__ = [
    "HEADLINE_METRICS",
    "Baseline",
    "Calibration",
    "Candidate",
    "ChoiceMeasure",
    "ClassMetrics",
    "CurvePoint",
    "DataFacts",
    "Evidence",
    "Grouping",
    "HeadlineMetric",
    "HeldOutGroups",
    "Interval",
    "LabelIssue",
    "LearningCurve",
    "Metrics",
    "Mistake",
    "ModelChoice",
    "ModelDescription",
    "Novelty",
    "NoveltyReference",
    "PredictionSets",
    "Protocol",
    "ReliabilityBin",
    "ShiftStability",
    "Stability",
    "Timing",
    "accuracy_difference",
    "assess_calibration",
    "assess_prediction_sets",
    "balanced_accuracy_difference",
    "calibrate",
    "compare",
    "compare_with_baseline",
    "conformal_thresholds",
    "decision_consistency",
    "describe_against_baseline",
    "describe_calibration",
    "describe_choice",
    "describe_interval",
    "describe_label_review",
    "describe_leak",
    "describe_learning_curve",
    "describe_prediction_sets",
    "describe_stability",
    "describe_tested",
    "evaluate_prediction_sets",
    "expected_calibration_error",
    "extrapolate",
    "fit_novelty",
    "fit_temperature",
    "log_softmax",
    "measure",
    "measure_leak",
    "predict_sets",
    "review_labels",
    "score_novelty",
    "softmax",
    "why_not_reviewed",
    "wilson",
    "worst_mistakes",
]
