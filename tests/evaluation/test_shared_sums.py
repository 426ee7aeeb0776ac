"""Figures read off shared sums are those that each part computes alone, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foveal.evaluation import ranking, resampling
from foveal.evaluation.decisions import measure_decisions
from foveal.evaluation.inputs import softmax
from foveal.evaluation.metrics import measure
from foveal.evaluation.shared_sums import share_sums


def _answers(num_images: int, num_classes: int, per_group: int) -> tuple[Any, Any, Any, list[str]]:
    rng = np.random.default_rng(num_images)
    labels = rng.integers(0, num_classes, num_images)
    logits = rng.normal(size=(num_images, num_classes))
    logits[np.arange(num_images), labels] += 1.5
    # Group numbers need not be consecutive.
    groups = 10 + 3 * (np.arange(num_images) // per_group)
    return logits, labels, groups, [f"class {k}" for k in range(num_classes)]


@pytest.mark.parametrize(("num_images", "num_classes", "per_group"), [(240, 3, 1), (150, 15, 4)])
def test_shared_sums_change_no_figure(num_images: int, num_classes: int, per_group: int) -> None:
    logits, labels, groups, names = _answers(num_images, num_classes, per_group)
    shared = share_sums(logits, labels, groups, class_names=names, seed=5)

    assert measure(logits, labels, groups, class_names=names, shared=shared) == measure(
        logits, labels, groups, class_names=names, seed=5
    )
    given = (logits, softmax(logits), labels, groups)
    assert measure_decisions(
        *given, class_names=names, chosen=None, seed=5, shared=shared
    ) == measure_decisions(*given, class_names=names, chosen=None, seed=5)


def test_what_is_shared_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels, groups, names = _answers(90, 3, 1)
    shared = share_sums(logits, labels, groups, class_names=names)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed a second time")

    monkeypatch.setattr(resampling, "class_counts_by_group", refuse)
    monkeypatch.setattr("foveal.evaluation.curves.rank_area", refuse)
    monkeypatch.setattr(ranking, "rank_area", refuse)
    measure(logits, labels, groups, class_names=names, shared=shared)
    measure_decisions(
        logits, softmax(logits), labels, groups, class_names=names, chosen=None, shared=shared
    )
