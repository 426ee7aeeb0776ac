"""One fit: it learns, stops, interpolates, and says what it could not do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from foveal.errors import DataError, ModelError
from foveal.finetuning.fitting import FitTask, dropout_before, fit_suffix, inner_split
from foveal.finetuning.loop import accuracy_of, cross_entropy, predict_logits
from foveal.finetuning.settings import Recipe

FAST = Recipe(
    num_epochs=4, batch_size=16, head_rate=1e-2, first_rate=1e-3, dropout=0.2, smoothing=0.05
)


def test_it_learns_what_is_there(kit: Any) -> None:
    division, task = kit.divide(), kit.task()
    source = kit.source(division, task)
    fitted = fit_suffix(division, source, task, FAST, head=kit.head(division))
    logits = predict_logits(division.suffix, source, task.rows)
    assert accuracy_of(logits, task.targets) > 0.9
    assert fitted.share > 0
    assert fitted.epochs[0][-1].train_loss < fitted.epochs[0][1].train_loss


def test_it_starts_from_the_linear_head_that_it_is_given(kit: Any) -> None:
    division, task = kit.divide(), kit.task()
    source = kit.source(division, task, strength=0.0)
    random = np.random.default_rng(0)
    weight = random.normal(size=division.classifier.weight.shape).astype(np.float32)
    bias = np.array([1.0, -2.0, 0.5], np.float32)
    with torch.inference_mode():
        batch = source.batch(task.rows, np.zeros_like(task.rows))
        expected = kit.pooled(division, batch).numpy() @ weight.T + bias
    recipe = replace(FAST, num_epochs=1, head_rate=1e-12, first_rate=0.0, inner_share=0.0)
    fit_suffix(division, source, task, recipe, head=lambda rows: (weight, bias))
    np.testing.assert_allclose(
        predict_logits(division.suffix, source, task.rows), expected, rtol=1e-3, atol=1e-3
    )


def test_the_start_is_not_judged_on_images_that_it_was_fitted_on(kit: Any) -> None:
    division, task = kit.divide(), kit.task()
    source, asked = kit.source(division, task, strength=0.0), []

    def head(rows: Any) -> Any:
        asked.append(rows)
        return kit.head(division)(rows)

    recipe = replace(FAST, num_epochs=8, patience=2)
    fitted = fit_suffix(division, source, task, recipe, head=head)
    train, validation, _ = inner_split(task, share=recipe.inner_share, seed=0)
    assert fitted.share == 0.0
    np.testing.assert_array_equal(asked[0], train)
    assert not set(asked[0]) & set(validation)
    # What is kept as it was may learn from all of them.
    np.testing.assert_array_equal(asked[1], task.rows)


def test_dropout_reaches_the_features_and_goes_again(kit: Any) -> None:
    division = kit.divide()
    torch.nn.init.ones_(division.classifier.weight)
    batch = torch.ones(2, *division.candidate.shape)
    with dropout_before(division.classifier, 0.9):
        division.suffix.train()
        assert not torch.equal(division.suffix(batch), division.suffix(batch))
        division.suffix.eval()
        assert torch.equal(division.suffix(batch), division.suffix(batch))
    assert not division.classifier._forward_pre_hooks


def test_the_frozen_part_and_the_statistics_stay(kit: Any) -> None:
    division, task = kit.divide(), kit.task()
    before = {name: value.clone() for name, value in division.network.state_dict().items()}
    fit_suffix(division, kit.source(division, task), task, FAST, head=kit.head(division))
    after = division.network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith(("layer4", "fc")) for name in changed)
    assert not any("running" in name or "num_batches" in name for name in changed)


def test_statistics_move_where_that_is_asked_for(kit: Any) -> None:
    division, task = kit.divide(), kit.task()
    before = {name: value.clone() for name, value in division.suffix.named_buffers()}
    recipe = replace(FAST, train_batchnorm=True, inner_share=0.0)
    fit_suffix(division, kit.source(division, task), task, recipe, head=kit.head(division))
    moved = [n for n, v in division.suffix.named_buffers() if not torch.equal(before[n], v)]
    assert any("running_mean" in name for name in moved)


def test_the_borrowed_network_stays_as_it_was(kit: Any) -> None:
    before = {name: value.clone() for name, value in kit.tiny.network.state_dict().items()}
    division, task = kit.divide(), kit.task()
    fit_suffix(division, kit.source(division, task), task, FAST, head=kit.head(division))
    after = kit.tiny.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(p.requires_grad for p in kit.tiny.network.parameters())
    assert not kit.tiny.network.get_classifier()._forward_pre_hooks  # type: ignore[operator]


def test_where_nothing_can_be_learnt_the_start_is_kept(kit: Any) -> None:
    division, task = kit.divide(), kit.task()
    source = kit.source(division, task, strength=0.0)
    fitted = fit_suffix(
        division, source, task, replace(FAST, num_epochs=8, patience=2), head=kit.head(division)
    )
    assert fitted.share == 0.0
    assert any("linear head on frozen features is kept" in note for note in fitted.notes)
    assert np.ptp(predict_logits(division.suffix, source, task.rows)) == 0.0


def test_training_stops_early_and_says_so(kit: Any) -> None:
    division, task = kit.divide(), kit.task()
    source = kit.source(division, task, strength=0.0)
    recipe = replace(FAST, num_epochs=30, patience=2, head_rate=0.05)
    fitted = fit_suffix(division, source, task, recipe, head=kit.head(division))
    assert len(fitted.epochs[0]) < 31
    assert any("for 2 epochs the loss on the inner split was not lower" in n for n in fitted.notes)


def test_a_diverging_rate_stops_with_the_batch_named(kit: Any) -> None:
    division, task = kit.divide(), kit.task()
    source = kit.source(division, task)
    recipe = replace(FAST, optimizer="sgd", head_rate=1e9, first_rate=1e9, max_norm=1e9)
    with pytest.raises(ModelError, match=r"not a finite number in epoch \d+, batch .* \d+\.png"):
        fit_suffix(division, source, task, recipe, head=kit.head(division))


def test_an_image_that_gives_no_number_is_named(kit: Any) -> None:
    division, task = kit.divide(), replace(kit.task(), rows=np.array([0, 1, 2, 3]))
    source = kit.source(division, task)
    source.values[3] = np.nan
    with pytest.raises(ModelError, match=r"3\.png"):
        fit_suffix(division, source, task, replace(FAST, inner_share=0), head=kit.head(division))


def test_seeds_are_averaged(kit: Any) -> None:
    division, task = kit.divide(), kit.task()
    recipe = replace(FAST, num_epochs=2, num_seeds=2, inner_share=0.0)
    source = kit.source(division, task)
    both = fit_suffix(division, source, task, recipe, head=kit.head(division))
    singles = []
    for seed in (0, 1):
        one = kit.divide()
        recipe_one = replace(recipe, num_seeds=1, seed=seed)
        singles.append(fit_suffix(one, source, task, recipe_one, head=kit.head(one)).weights)
    for name, value in both.weights.items():
        if value.is_floating_point():
            expected = (singles[0][name] + singles[1][name]) / 2
            torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)


def test_the_inner_split_is_judged_over_the_views_that_are_answered_in(kit: Any) -> None:
    division, task = kit.divide(), kit.task()
    recipe = replace(FAST, num_epochs=2, head_rate=1e-12, first_rate=0.0, judged_views=3)
    source = kit.source(division, task)
    random = np.random.default_rng(0)
    weight = random.normal(size=division.classifier.weight.shape).astype(np.float32)
    fitted = fit_suffix(
        division, source, task, recipe, head=lambda rows: (weight, np.zeros(3, np.float32))
    )
    _, validation, _ = inner_split(task, share=recipe.inner_share, seed=0)
    single = [
        predict_logits(division.suffix, _Shifted(source, view), validation) for view in range(3)
    ]
    expected = cross_entropy(sum(single) / 3, task.targets[validation])
    assert fitted.epochs[0][-1].validation_loss == pytest.approx(expected, rel=1e-4)
    alone = cross_entropy(single[0], task.targets[validation])
    assert abs(alone - expected) > 1e-3  # so it matters which views are looked at


class _Shifted:
    """A source that shows one of its views in place of every image."""

    def __init__(self, source: Any, view: int) -> None:
        self.source, self.view = source, view

    def batch(self, rows: Any, views: Any) -> Any:
        return self.source.batch(rows, np.full_like(views, self.view))


def test_two_images_in_one_batch_of_one_are_trained_on(kit: Any) -> None:
    division, task = kit.divide(), replace(kit.task(), rows=np.array([0, 1]))
    recipe = replace(FAST, batch_size=1, inner_share=0.0, mixup=0.5)
    source = kit.source(division, task)
    fit_suffix(division, source, task, recipe, head=kit.head(division))
    assert all(np.isfinite(predict_logits(division.suffix, source, task.rows)).ravel())


def test_one_image_is_too_few(kit: Any) -> None:
    division, task = kit.divide(), replace(kit.task(), rows=np.array([0]))
    with pytest.raises(DataError, match=r"1 image to train on"):
        fit_suffix(division, kit.source(division, task), task, FAST, head=kit.head(division))


# --- the inner split ---------------------------------------------------------------------------


def test_the_inner_split_keeps_groups_whole(kit: Any) -> None:
    task = kit.task()
    train, validation, notes = inner_split(task, share=0.2, seed=0)
    assert not set(task.groups[train]) & set(task.groups[validation])
    assert sorted([*train, *validation]) == list(task.rows)
    assert notes == []


def test_a_class_in_one_group_leaves_no_inner_split(kit: Any) -> None:
    task = kit.task()
    groups = np.where(task.labels == 1, 1000, task.groups)
    train, validation, notes = inner_split(replace(task, groups=groups), share=0.2, seed=0)
    assert (len(train), len(validation)) == (len(task.rows), 0)
    assert "'b' has 16 images that all belong to one group" in notes[0]
    assert "all epochs are trained" in notes[0]


def test_a_class_absent_from_the_inner_split_is_named(kit: Any) -> None:
    labels = np.array([0] * 20 + [1] * 20 + [2] * 2, np.int64)
    base = kit.task(len(labels))
    task = FitTask(
        labels=labels,
        targets=np.eye(3, dtype=np.float32)[labels],
        weights=base.weights,
        groups=np.arange(42),
        rows=base.rows,
        class_names=base.class_names,
    )
    _, validation, notes = inner_split(task, share=0.1, seed=0)
    assert 2 not in labels[validation]
    assert "holds no image of c: its loss does not watch that class" in notes[0]


def test_a_class_absent_from_the_rows_is_no_obstacle(kit: Any) -> None:
    task = kit.task()
    rows = np.flatnonzero(task.labels != 1)
    train, validation, notes = inner_split(replace(task, rows=rows), share=0.2, seed=0)
    assert len(validation) > 0
    assert notes == []
    assert not set(train) & set(validation)
