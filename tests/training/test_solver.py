"""The solver finds the same optimum as scikit-learn, for one fit or many at once."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from foveal.errors import DataError
from foveal.training import LinearHeads, default_penalties, fit_heads
from foveal.training.solver import balanced_weights, is_imbalanced


def blobs(
    num_images: int = 60, num_features: int = 8, num_classes: int = 3, *, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Overlapping clusters; every class is there."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(num_images) % num_classes
    centres = torch.randn(num_classes, num_features, generator=random)
    noise = torch.randn(num_images, num_features, generator=random)
    scales = torch.rand(num_features, generator=random) * 3 + 0.2
    return (centres[labels] + noise) * scales + 2, labels


def fit(
    features: Tensor,
    labels: Tensor,
    *,
    penalty: float = 0.3,
    weights: Tensor | None = None,
    num_classes: int | None = None,
    **options: float,
) -> LinearHeads:
    count = int(labels.max()) + 1 if num_classes is None else num_classes
    rows = torch.ones(1, len(labels)) if weights is None else weights
    settings = {"tolerance": 1e-6, **options}
    return fit_heads(
        features,
        labels,
        weights=rows,
        penalties=torch.full((len(rows),), penalty),
        num_classes=count,
        **settings,  # type: ignore[arg-type]
    )


def fit_by_sklearn(
    features: Tensor, labels: Tensor, *, penalty: float, weights: Tensor | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias over raw features; standardised by half the mean variance as floor."""
    x, y = features.double().numpy(), labels.numpy()
    w = np.ones(len(y)) if weights is None else weights.double().numpy()
    mean = np.average(x, axis=0, weights=w)
    variance = np.average((x - mean) ** 2, axis=0, weights=w)
    scale = np.sqrt(variance + 0.5 * variance.mean())
    # scikit-learn sums the loss over images where ours is a mean: C = 1 / (penalty · Σw).
    model = LogisticRegression(C=1 / (penalty * w.sum()), tol=1e-10, max_iter=5000)
    model.fit((x - mean) / scale, y, sample_weight=w)
    coefficients, intercept = model.coef_, model.intercept_
    weight = coefficients / scale
    return weight, intercept - weight @ mean


def centred(values: np.ndarray) -> np.ndarray:
    """Without the part that is the same for every class, which no probability sees."""
    result: np.ndarray = values - values.mean(0)
    return result


@pytest.mark.parametrize("penalty", [0.01, 0.3, 10.0])
@pytest.mark.parametrize("num_classes", [3, 20])
def test_optimum_is_that_of_sklearn(num_classes: int, penalty: float) -> None:
    features, labels = blobs(6 * num_classes, num_classes=num_classes)
    heads = fit(features, labels, penalty=penalty)
    weight, bias = fit_by_sklearn(features, labels, penalty=penalty)
    np.testing.assert_allclose(centred(heads.weight[0].numpy()), centred(weight), atol=2e-4)
    np.testing.assert_allclose(centred(heads.bias[0].numpy()), centred(bias), atol=2e-3)


def test_two_classes_are_sklearns_binary_case_at_half_the_penalty() -> None:
    # With weights ±v the penalty counts v twice: ‖V‖² = 2‖v‖², and the logit is 2v.
    features, labels = blobs(num_classes=2)
    heads = fit(features, labels, penalty=0.3)
    weight, bias = fit_by_sklearn(features, labels, penalty=0.15)
    ours = (heads.weight[0, 1] - heads.weight[0, 0]).numpy()
    np.testing.assert_allclose(ours, weight[0], atol=2e-4)
    assert float(heads.bias[0, 1] - heads.bias[0, 0]) == pytest.approx(bias[0], abs=2e-3)


def test_weights_count_like_sklearns_sample_weights() -> None:
    features, labels = blobs()
    weights = torch.rand(60, generator=torch.Generator().manual_seed(5)) * 3
    heads = fit(features, labels, weights=weights[None])
    weight, _ = fit_by_sklearn(features, labels, penalty=0.3, weights=weights)
    np.testing.assert_allclose(centred(heads.weight[0].numpy()), centred(weight), atol=2e-4)


def test_scale_of_the_weights_does_not_matter() -> None:
    features, labels = blobs()
    one, seven = (fit(features, labels, weights=torch.full((1, 60), w)) for w in (1.0, 7.0))
    torch.testing.assert_close(one.weight, seven.weight, atol=1e-4, rtol=1e-3)


def test_masked_images_do_not_count() -> None:
    features, labels = blobs()
    mask = (torch.arange(60) % 4 != 0).float()
    spoiled = features.clone()
    spoiled[mask == 0] = 1000 * torch.randn(15, 8, generator=torch.Generator().manual_seed(1))
    swapped = torch.where(mask == 0, (labels + 1) % 3, labels)
    there = fit(features, labels, weights=mask[None])
    gone = fit(features[mask == 1], labels[mask == 1])
    torch.testing.assert_close(there.weight, gone.weight, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(
        fit(features, swapped, weights=mask[None]).weight, there.weight, atol=0, rtol=0
    )
    # Only rounding tells of rows a thousand times as large.
    torch.testing.assert_close(
        fit(spoiled, labels, weights=mask[None], tolerance=1e-5).weight,
        there.weight,
        atol=5e-3,
        rtol=5e-2,
    )


@settings(deadline=None, max_examples=15)
@given(
    num_images=st.integers(8, 40),
    num_features=st.integers(1, 12),
    num_classes=st.integers(2, 4),
    num_fits=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_many_at_once_equal_one_by_one(
    num_images: int, num_features: int, num_classes: int, num_fits: int, seed: int
) -> None:
    features, labels = blobs(num_images, num_features, num_classes, seed=seed)
    random = torch.Generator().manual_seed(seed)
    weights = torch.rand(num_fits, num_images, generator=random) + 0.05
    penalties = torch.rand(num_fits, generator=random) + 0.05
    options = {"num_classes": num_classes, "tolerance": 1e-5}
    together = fit_heads(features, labels, weights=weights, penalties=penalties, **options)  # type: ignore[arg-type]
    for row in range(num_fits):
        alone = fit_heads(
            features,
            labels,
            weights=weights[row : row + 1],
            penalties=penalties[row : row + 1],
            **options,  # type: ignore[arg-type]
        )
        torch.testing.assert_close(
            together.logits(features)[row], alone.logits(features)[0], atol=5e-3, rtol=1e-2
        )


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), penalty=st.floats(0.01, 10))
def test_gradient_vanishes_at_the_answer(seed: int, penalty: float) -> None:
    # The conditions of the optimum, written with autograd over raw features.
    features, labels = blobs(30, 5, seed=seed)
    heads = fit(features, labels, penalty=penalty, tolerance=1e-5)
    assert heads.converged.all()
    x = features.double()
    variance = x.var(0, unbiased=False)
    scale = (variance + 0.5 * variance.mean()).sqrt()
    weight = heads.weight[0].double().requires_grad_()
    bias = heads.bias[0].double().requires_grad_()
    loss = torch.nn.functional.cross_entropy(x @ weight.T + bias, labels)
    loss = loss + penalty / 2 * (weight * scale).square().sum()
    slopes = torch.autograd.grad(loss, [weight, bias])
    centre = slopes[0] / scale - slopes[1][:, None] * x.mean(0) / scale
    assert float(centre.abs().max()) < 1e-4


@pytest.mark.parametrize("memory_bytes", [1, 100_000, 10**9])
def test_portions_do_not_change_the_answer(memory_bytes: int) -> None:
    features, labels = blobs()
    weights = torch.rand(7, 60, generator=torch.Generator().manual_seed(2)) + 0.1
    heads = fit(features, labels, weights=weights, memory_bytes=memory_bytes)
    whole = fit(features, labels, weights=weights)
    assert heads.weight.shape == (7, 3, 8)
    torch.testing.assert_close(heads.weight, whole.weight, atol=1e-4, rtol=1e-3)


def test_fit_that_has_no_time_says_so() -> None:
    features, labels = blobs()
    assert not fit(features, labels, penalty=0.01, max_steps=2).converged.any()
    assert fit(features, labels, penalty=0.01).converged.all()


def test_each_fit_has_its_own_convergence_flag() -> None:
    features, labels = blobs()
    heads = fit_heads(
        features,
        labels,
        weights=torch.ones(2, 60),
        penalties=torch.tensor([1e4, 1e-4]),
        num_classes=3,
        tolerance=1e-5,
        max_steps=8,
    )
    assert heads.converged.tolist() == [True, False]


def test_class_without_images_is_pushed_down() -> None:
    features, labels = blobs()
    mask = (labels != 1).float()[None]
    heads = fit(features, labels, weights=mask, tolerance=1e-4)
    assert torch.isfinite(heads.weight).all()
    assert heads.logits(features)[0].softmax(1)[:, 1].max() < 0.01


def test_strong_penalty_leaves_the_class_frequencies() -> None:
    features, _ = blobs()
    labels = torch.tensor([0] * 30 + [1] * 20 + [2] * 10)
    probabilities = fit(features, labels, penalty=1e6).logits(features)[0].softmax(1)
    expected = torch.tensor([30 / 60, 20 / 60, 10 / 60]).expand(60, 3)
    torch.testing.assert_close(probabilities, expected, atol=1e-3, rtol=1e-3)


def test_constant_features_change_nothing() -> None:
    features, labels = blobs()
    constant = torch.full((60, 8), 3.7)
    heads = fit(torch.cat([features, constant], 1), labels, tolerance=1e-5)
    assert heads.weight[0, :, 8:].abs().max() < 1e-6
    assert heads.converged.all()


def test_features_that_are_all_constant_give_the_class_frequencies() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    heads = fit(torch.full((4, 5), 0.1), labels)
    torch.testing.assert_close(
        heads.logits(torch.full((4, 5), 0.1))[0].softmax(1),
        torch.tensor([0.75, 0.25]).expand(4, 2),
        atol=1e-3,
        rtol=1e-3,
    )


def test_huge_means_cost_little_precision() -> None:
    features, labels = blobs()
    near, far = fit(features, labels), fit(features + 1000, labels)
    torch.testing.assert_close(near.weight, far.weight, atol=2e-3, rtol=1e-2)
    torch.testing.assert_close(
        near.logits(features)[0].softmax(1),
        far.logits(features + 1000)[0].softmax(1),
        atol=5e-3,
        rtol=5e-2,
    )


def test_logits_are_those_of_every_head() -> None:
    heads = LinearHeads(torch.randn(2, 3, 4), torch.randn(2, 3), torch.ones(2, dtype=torch.bool))
    features = torch.randn(5, 4)
    expected = torch.stack([features @ heads.weight[p].T + heads.bias[p] for p in range(2)])
    torch.testing.assert_close(heads.logits(features), expected)


def test_inputs_are_left_alone() -> None:
    features, labels = blobs()
    weights = torch.rand(2, 60)
    copies = features.clone(), labels.clone(), weights.clone()
    fit(features, labels, weights=weights)
    assert torch.equal(features, copies[0])
    assert torch.equal(labels, copies[1])
    assert torch.equal(weights, copies[2])


@given(num_images=st.integers(4, 100_000))
def test_penalties_are_half_decades_around_seven_by_the_root_of_n(num_images: int) -> None:
    penalties = default_penalties(num_images)
    ratios = [after / before for before, after in pairwise(penalties)]
    assert ratios == pytest.approx([math.sqrt(10)] * 5)
    assert penalties[2] == pytest.approx(7 / math.sqrt(num_images))


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=5),
    seed=st.integers(0, 1000),
)
def test_balanced_classes_weigh_the_same_in_every_mask(counts: list[int], seed: int) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    random = torch.Generator().manual_seed(seed)
    masks = (torch.rand(3, len(labels), generator=random) < 0.7).float()
    weights = balanced_weights(labels, masks, num_classes=len(counts))
    assert (weights[masks == 0] == 0).all()
    for mask, row in zip(masks, weights, strict=True):
        totals = [float(row[labels == k].sum()) for k in range(len(counts))]
        present = [k for k in range(len(counts)) if mask[labels == k].any()]
        share = float(mask.sum()) / len(counts)
        assert [totals[k] for k in present] == pytest.approx([share] * len(present), rel=1e-4)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((10, 10), False), ((50, 10), False), ((51, 10), True), ((6, 1), True), ((6, 0), True)],
)
def test_imbalance_begins_beyond_five_to_one(counts: tuple[int, int], expected: bool) -> None:
    labels = torch.repeat_interleave(torch.arange(2), torch.tensor(counts))
    assert is_imbalanced(labels, num_classes=2) is expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30])
@pytest.mark.parametrize("name", ["features", "weights", "penalties"])
def test_numbers_that_are_none_end_the_fit_with_an_error(name: str, value: float) -> None:
    if name != "features" and value == 1e30:
        pytest.skip("a weight may be large")
    given = {
        "features": torch.randn(12, 3, generator=torch.Generator().manual_seed(0)),
        "weights": torch.ones(2, 12),
        "penalties": torch.ones(2),
    }
    given[name].view(-1)[1] = value
    with pytest.raises(DataError, match="not finite"):
        fit_heads(
            given["features"],
            torch.arange(12) % 2,
            weights=given["weights"],
            penalties=given["penalties"],
            num_classes=2,
        )
