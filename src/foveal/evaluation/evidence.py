"""The evidence about a classifier, as values: what ``evaluation.json`` holds.

Nothing here computes; the neighbours in this room fill these classes, ``report`` draws
them. Every rate is a fraction in [0, 1]; every ``N`` counts images unless it says groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from foveal.errors import SchemaError
from foveal.evaluation.decision_curve import DecisionCurve
from foveal.evaluation.fine_tuning import FineTuning
from foveal.evaluation.flow import Flow
from foveal.evaluation.intervals import Interval as Interval  # readers import it from here
from foveal.evaluation.operating_point import Operating
from foveal.evaluation.sample_size import SampleSizes
from foveal.schema import from_json, to_json


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """One class against the rest."""

    name: str
    num_images: int
    precision: Interval
    recall: Interval
    f1: Interval
    auroc: Interval


@dataclass(frozen=True, slots=True)
class Metrics:
    """Headline figures, each with a 95% interval over groups; ``interval_method`` says how.

    ``auroc`` is the unweighted mean of the one-vs-rest areas. ``confusion[i][j]`` counts
    images of class ``i`` that were predicted as class ``j``.
    """

    num_images: int
    num_groups: int
    accuracy: Interval
    balanced_accuracy: Interval
    macro_f1: Interval
    auroc: Interval
    per_class: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    interval_method: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """What always answering the commonest class would score on the same images.

    ``gain`` is the accuracy above the baseline, with the paired bootstrap's interval.
    """

    class_name: str
    accuracy: float
    gain: Interval


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Images whose top probability fell in ``[low, high)``, and how often they were right."""

    low: float
    high: float
    num_images: int
    mean_confidence: float
    accuracy: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperature scaling (Guo et al. 2017), cross-fitted: no image tunes its own temperature.

    ``temperature`` is the one for the final model, fitted on all out-of-fold logits;
    the ``after`` figures use temperatures fitted without the fold they are measured on.
    """

    temperature: float
    ece_before: float
    ece_after: float
    log_loss_before: float
    log_loss_after: float
    reliability_before: tuple[ReliabilityBin, ...]
    reliability_after: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class PredictionSets:
    """Split-conformal prediction sets, their coverage observed out of fold.

    A set holds the labels that cannot be ruled out; it is built to miss the true label in
    a share ``alpha`` of images. ``thresholds`` has one probability a class: a label enters
    the set when its calibrated probability reaches it. ``size_counts[k]`` counts images
    whose set has ``k`` labels.
    """

    alpha: float
    conditional: Literal["marginal", "class"]
    thresholds: tuple[float, ...]
    coverage: Interval
    mean_size: float
    size_counts: tuple[int, ...]
    class_coverage: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Accuracy on held-out folds when trained on ``num_images`` images.

    ``low`` and ``high`` are the spread over repeats (central 80%), not a 95% interval.
    """

    num_images: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Accuracy against the number of training images, and where it seems to be heading.

    ``extrapolation`` is the accuracy expected with ``extrapolated_num_images`` (twice
    today's); ``None`` with ``reason`` where the points allow no fit.
    """

    points: tuple[CurvePoint, ...]
    extrapolated_num_images: int | None
    extrapolation: Interval | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """One label worth a second look (confident learning, Northcutt et al. 2021).

    ``index`` is the row among the usable images.
    """

    index: int
    path: str
    label: str
    suggested: str
    label_probability: float
    suggested_probability: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """One image that was classified wrongly out of fold; the surest mistakes come first."""

    index: int
    path: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True, slots=True)
class HeldOutGroups:
    """Something in the data that could be groups, held out to see whether it flatters.

    ``mixed_accuracy`` is reached where images that share it may stand on both sides of a fold,
    ``apart_accuracy`` where they may not; ``difference`` is the first minus the second, with
    the paired interval over these groups. ``option`` is what to type to keep them together.
    ``is_used`` says whether the headline does.
    """

    source: str
    option: str
    num_groups: int
    mixed_accuracy: float
    apart_accuracy: float
    difference: Interval
    is_used: bool = False

    @property
    def is_harmful(self) -> bool:
        """Whether mixing flatters beyond chance."""
        return self.difference.low is not None and self.difference.low > 0.0


@dataclass(frozen=True, slots=True)
class Grouping:
    """What honest grouping costs: the same model scored on random and on grouped folds.

    ``leak`` is random minus grouped accuracy, with the interval of a bootstrap over groups.
    The accuracies are ``None`` when no group spans two images: there is nothing to leak.
    ``origin`` says who holds that they are groups: ``"given"`` by the reader, ``"name"`` of a
    column, folder, file or DICOM field, or a ``"test"``. ``tested`` are the candidates that
    were held out.
    """

    source: str | None
    is_approximate: bool
    grouped_accuracy: float | None
    random_accuracy: float | None
    leak: Interval | None
    origin: Literal["given", "name", "test"] | None = None
    tested: tuple[HeldOutGroups, ...] = ()


@dataclass(frozen=True, slots=True)
class Novelty:
    """How unlike the training images an image may be before it is flagged.

    ``flagged_share`` is the share of training images flagged when held out.
    """

    method: str
    threshold: float
    flagged_share: float


@dataclass(frozen=True, slots=True)
class ShiftStability:
    """What became of the answers when images moved by ``shift_px`` pixels of the input.

    ``kept`` is the share that kept its class; ``probability_change`` the mean absolute
    change of the probability of the class answered in place.
    """

    shift_px: int
    kept: Interval
    probability_change: Interval


@dataclass(frozen=True, slots=True)
class Stability:
    """How stable the finished classifier's answers are under small shifts.

    ``num_seen`` of the ``num_images`` images were among those it was trained on.
    ``size_px`` is the (height, width) of the input that the shifts are pixels of. ``border``
    says what fills the strip that opens up, ``directions`` whether every image was moved in
    all four directions or each in one.
    """

    num_images: int
    num_groups: int
    num_seen: int
    size_px: tuple[int, int]
    border: Literal["reflect", "wrap", "crop"]
    directions: Literal["four", "in turn"]
    shifts: tuple[ShiftStability, ...]


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What the evidence rests on. ``num_bad`` files were named and set aside."""

    num_images: int
    num_classes: int
    num_groups: int
    num_bad: int
    class_names: tuple[str, ...]
    class_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the numbers came about: enough to repeat them.

    ``kind`` is ``"cross-validation"`` (``num_folds`` folds, every image predicted by a head
    that did not see its group), ``"hold-out"`` (a stratified share, or a given split) or
    ``"evaluation"`` (a finished run on new labelled data).

    ``num_seen`` images were to be judged as well, but the classifier had been trained on them
    or on a copy of them; no figure counts them. Only where nothing else was left is
    ``measured_on`` ``"seen"``: then the figures are about images that had all been seen.
    """

    kind: Literal["cross-validation", "hold-out", "evaluation"]
    num_folds: int
    seed: int
    sentence: str
    notes: tuple[str, ...] = ()
    num_seen: int = 0
    measured_on: Literal["unseen", "seen"] = "unseen"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds by step in the order they ran, and in all."""

    steps_seconds: dict[str, float]
    total_seconds: float


ChoiceMeasure = Literal["accuracy", "balanced_accuracy"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One kind of classifier that was compared.

    Attributes:
        kind: Its word.
        accuracy: Out of fold, groups kept together; by the measure of the choice.
        random_accuracy: What folds that ignore groups would have claimed; ``None`` without
            groups.
        gain: Its accuracy minus that of the simplest kind, paired over groups; ``None`` for
            the simplest itself.
    """

    kind: str
    accuracy: float
    random_accuracy: float | None
    gain: Interval | None


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which kind of classifier was kept, and what the others are worth.

    Attributes:
        chosen: The kind that was kept: the simplest that no other beats.
        candidates: The simplest first.
        passed_over: Kinds that were not tried, each with why.
        measure: What they were compared by: where classes count the same in the training, the
            accuracy in which they do too.
        by_fold: For every fold, the kind that the answers of the other folds choose. The figures
            of the run are of these kinds' answers. Empty where the judged images had no say in
            the choice.
    """

    chosen: str
    candidates: tuple[Candidate, ...]
    passed_over: tuple[str, ...] = ()
    measure: ChoiceMeasure = "accuracy"
    by_fold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subgroup:
    """Images that share a value of a trait, judged by themselves.

    ``accuracy`` and ``balanced_accuracy`` are ``None`` where there are too few images for a
    figure, an entry of ``recalls`` (one a class) where too few are of that class.
    ``excess`` is the accuracy minus what images of the same classes have on the whole.
    """

    name: str
    num_images: int
    num_groups: int
    accuracy: Interval | None
    balanced_accuracy: Interval | None
    recalls: tuple[Interval | None, ...]
    excess: float | None


@dataclass(frozen=True, slots=True)
class SubgroupGap:
    """The two subgroups that lie farthest apart for their uncertainty.

    ``difference`` is that of their excess accuracies; its interval allows for the pair having
    been chosen. ``p_value`` is that of a permutation test that no two subgroups differ,
    ``adjusted_p_value`` is Holm's over all traits that were tested.
    """

    highest: str
    lowest: str
    difference: Interval
    p_value: float
    adjusted_p_value: float


@dataclass(frozen=True, slots=True)
class SubgroupTrait:
    """One way to part the images, with the figures of every part.

    ``origin`` is a column that the reader named, the header of the files, or the files
    themselves. ``reason`` says why there is no ``gap``.
    """

    name: str
    origin: Literal["column", "header", "file"]
    subgroups: tuple[Subgroup, ...]
    gap: SubgroupGap | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GroupSpread:
    """How far the accuracy of groups differs beyond what chance among their images explains.

    Of the excess accuracy (right or wrong minus the recall of the image's class), a one-way
    random-effects analysis of variance: ``spread`` is the standard deviation between groups,
    ``i_squared`` the share of the variation between observed groups that is not chance,
    1 - 1/F. ``p_value`` is that of permuting right and wrong within classes.
    """

    source: str
    num_groups: int
    spread: Interval
    i_squared: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Subgroups:
    """Figures by subgroup. Those of fewer than ``min_images`` images are not shown."""

    class_names: tuple[str, ...]
    traits: tuple[SubgroupTrait, ...]
    between_groups: GroupSpread | None
    min_images: int


@dataclass(frozen=True, slots=True)
class OrderedClasses:
    """How far answers lie from the label where the classes have an order, lowest first.

    ``weighted_kappa`` is Cohen's with quadratic weights: 1 for perfect agreement, 0 for what
    chance gives. ``mean_distance`` is in steps of the order; ``distance_counts[d]`` counts
    images whose answer is ``d`` steps from the label. ``origin`` says whether the order was
    given or read from the classes' names.
    """

    order: tuple[str, ...]
    origin: Literal["given", "names"]
    weighted_kappa: Interval
    mean_distance: Interval
    distance_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything measured about one classifier. Parts that do not apply are ``None``.

    ``label_note`` says what the label review found, or why there was none; ``model_choice`` how
    kinds of classifiers were compared, where they were; ``fine_tuning`` what it gained.
    """

    protocol: Protocol
    data: DataFacts
    metrics: Metrics
    baseline: Baseline
    calibration: Calibration | None
    prediction_sets: PredictionSets | None
    grouping: Grouping
    learning_curve: LearningCurve | None
    label_review: tuple[LabelIssue, ...]
    mistakes: tuple[Mistake, ...]
    novelty: Novelty | None
    timing: Timing
    stability: Stability | None = None
    label_note: str = ""
    model_choice: ModelChoice | None = None
    fine_tuning: FineTuning | None = None
    subgroups: Subgroups | None = None
    ordered: OrderedClasses | None = None
    operating: Operating | None = None
    decision_curves: tuple[DecisionCurve, ...] | None = None
    sample_sizes: SampleSizes | None = None
    flow: Flow | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the evidence as JSON values; what is not finite becomes ``null``.

        ``prediction_sets.coverage`` is a number beside ``alpha`` and ``mean_size``; its
        interval stands in ``coverage_interval``.
        """
        content: dict[str, Any] = to_json(self)
        if (sets := content["prediction_sets"]) is not None:
            sets["coverage_interval"] = sets["coverage"]
            sets["coverage"] = sets["coverage"]["estimate"]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Evidence:
        """Reads what :meth:`to_json` wrote, and nothing else.

        A run that was written before a part was measured lacks its field, which is then None; one
        written before named columns were counted in every fold has none there.

        Raises:
            SchemaError: A field is missing, unknown, or cannot be; it is named.
        """
        sets = content.get("prediction_sets")
        if isinstance(sets, dict):
            within = {**sets, "coverage": sets.get("coverage_interval")}
            within.pop("coverage_interval", None)
            content = {**content, "prediction_sets": within}
        evidence = from_json(
            cls, {**dict.fromkeys(later_parts()), **_with_characteristics(content)}
        )
        if evidence.prediction_sets is not None and isinstance(sets, dict):
            estimate = evidence.prediction_sets.coverage.estimate
            if sets.get("coverage") != estimate:
                raise SchemaError(
                    f"prediction_sets.coverage: got {sets.get('coverage')!r}, expected the "
                    f"estimate of coverage_interval, {estimate!r}"
                )
        return evidence


def _with_characteristics(content: Mapping[str, Any]) -> Mapping[str, Any]:
    flow = content.get("flow")
    if not isinstance(flow, dict) or not isinstance(flow.get("parts"), list):
        return content
    parts = [
        {"characteristics": [], **part} if isinstance(part, dict) else part
        for part in flow["parts"]
    ]
    return {**content, "flow": {**flow, "parts": parts}}


def later_parts() -> tuple[str, ...]:
    """Returns the fields of :class:`Evidence` that runs of the first versions do not have."""
    names = [field.name for field in fields(Evidence)]
    return tuple(names[names.index("model_choice") + 1 :])
