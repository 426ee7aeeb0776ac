"""The parts of the evidence that are about decisions, together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.evaluation.curves import measure_curves
from foveal.evaluation.decision_curve import DecisionCurve, measure_decision_curves
from foveal.evaluation.inputs import compact
from foveal.evaluation.operating_point import ChosenPoint, Operating
from foveal.evaluation.rates import rates_by_class
from foveal.evaluation.sample_size import SampleSizes, plan_sample_sizes
from foveal.evaluation.shared_sums import SharedSums


@dataclass(frozen=True, slots=True)
class Decisions:
    """The parts of the evidence that are about decisions."""

    operating: Operating
    decision_curves: tuple[DecisionCurve, ...]
    sample_sizes: SampleSizes


def measure_decisions(
    logits: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    class_names: Sequence[str],
    chosen: ChosenPoint | None,
    seed: int = 0,
    shared: SharedSums | None = None,
) -> Decisions:
    """Returns what is known of deciding by a classifier.

    Args:
        logits: Of images it had not seen, [N, K].
        probabilities: Calibrated, [N, K].
        labels: Class indices, [N].
        groups: Which images belong together, [N].
        class_names: K names.
        chosen: The operating point, judged; ``None`` where the likeliest class is the label.
        seed: Seeds the bootstrap over groups.
        shared: Of the same arguments, where it is known already.
    """
    members, _ = compact(groups)
    curves = measure_curves(
        logits,
        labels,
        groups,
        class_names=class_names,
        seed=seed,
        areas=None if shared is None else shared.areas,
    )
    rates = rates_by_class(
        labels,
        logits.argmax(1),
        members,
        num_classes=len(class_names),
        seed=seed,
        counts=None if shared is None else shared.counts,
    )
    wanted = {one.name for one in curves} | ({chosen.class_name} if chosen else set())
    return Decisions(
        Operating(rates, curves, chosen),
        measure_decision_curves(
            probabilities, labels, groups, class_names=class_names, only=sorted(wanted)
        ),
        plan_sample_sizes(
            logits,
            labels,
            groups,
            class_names=class_names,
            sensitivities=[one.sensitivity for one in rates],
        ),
    )
