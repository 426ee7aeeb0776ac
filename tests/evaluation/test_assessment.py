from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from foveal.errors import UsageError
from foveal.evaluation import assess_calibration, assess_prediction_sets, softmax


def test_a_stored_temperature_is_judged_as_it_is() -> None:
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(300, 3)), generator.integers(0, 3, 300)
    found, probabilities = assess_calibration(
        logits, labels, groups=np.arange(300) // 3, temperature=2.5
    )
    assert found.temperature == 2.5
    assert probabilities == pytest.approx(softmax(logits / 2.5))
    assert found.log_loss_before == pytest.approx(log_loss(labels, softmax(logits)))
    assert found.log_loss_after == pytest.approx(log_loss(labels, softmax(logits / 2.5)))
    assert sum(item.num_images for item in found.reliability_after) == 300


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_cannot_divide_is_refused(temperature: float) -> None:
    with pytest.raises(UsageError, match="expected a finite number above 0"):
        assess_calibration([[0.0, 1.0]], [0], groups=[0], temperature=temperature)


def test_stored_thresholds_are_judged_as_they_are() -> None:
    probabilities = [[0.9, 0.1], [0.55, 0.45], [0.3, 0.7], [0.8, 0.2]]
    found = assess_prediction_sets(
        probabilities,
        [0, 1, 0, 1],
        range(4),
        thresholds=(0.4, 0.4),
        alpha=0.1,
        conditional="marginal",
    )
    # Sets {0}, {0, 1}, {1}, {0}: the first two hold their label.
    assert found.coverage.estimate == 2 / 4
    assert found.size_counts == (0, 3, 1)
    assert found.thresholds == (0.4, 0.4)
