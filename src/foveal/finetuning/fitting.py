"""One fine-tuned network: linear probe, training, average over seeds, interpolation.

Linear probe first, then fine-tuning (Kumar et al. 2022, arXiv 2202.10054): the classifier
begins as the fitted linear head, so that the first steps do not distort what was pretrained.
The start stays a candidate to the end, also as one end of the interpolation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.dataset import assign_holdout
from foveal.draw.numbers import percent
from foveal.errors import DataError
from foveal.finetuning.averaging import Weights, interpolate, put_weights, soup, trained_weights
from foveal.finetuning.checkpoints import CheckpointFolder
from foveal.finetuning.cuts import Division
from foveal.finetuning.epochs import EpochRow, TrainingListener, describe_gap
from foveal.finetuning.loop import (
    Examples,
    Trained,
    cross_entropy,
    predict_logits,
    train_network,
)
from foveal.finetuning.settings import Recipe
from foveal.finetuning.sources import BatchSource
from foveal.text import count_noun, printable

# Shares of the way from the start to the end that are tried.
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


HeadMaker = Callable[[NDArray[np.int64]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""From rows to the weight [K, D] and bias [K] of a linear head that was fitted on them."""


@dataclass(frozen=True, slots=True, eq=False)
class FitTask:
    """The images of one fit.

    Attributes:
        labels: [N], the class of every image of the source.
        targets: [N, K], shares of every class; one-hot where a label is certain.
        weights: [N], how much each counts.
        groups: [N]; images of one group are never on both sides of the inner split.
        rows: Those that may be trained on.
        class_names: K names.
        names: What an image is called in an error.
    """

    labels: NDArray[np.int64]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    groups: NDArray[np.int64]
    rows: NDArray[np.int64]
    class_names: Sequence[str]
    names: Callable[[int], str] = str


@dataclass(frozen=True, slots=True, eq=False)
class FittedSuffix:
    """A fine-tuned suffix.

    Attributes:
        weights: Parameters and buffers of the suffix.
        share: How far from the start (0) to the end of training (1) they lie.
        epochs: The rows of every seed's training.
        kept_epochs: The epoch that each training kept.
        num_validation: Images of the inner split.
        notes: What a reader should know, as sentences.
    """

    weights: Weights
    share: float
    epochs: tuple[tuple[EpochRow, ...], ...]
    kept_epochs: tuple[int, ...]
    num_validation: int
    notes: tuple[str, ...]

    @property
    def gap_sentence(self) -> str:
        """What the gap between training images and inner split says."""
        return describe_gap(
            self.epochs[0], kept_epoch=self.kept_epochs[0], num_validation=self.num_validation
        )


def fit_suffix(
    division: Division,
    source: BatchSource,
    task: FitTask,
    recipe: Recipe,
    *,
    head: HeadMaker,
    name: str = "fit",
    checkpoints: CheckpointFolder | None = None,
    listener: TrainingListener | None = None,
) -> FittedSuffix:
    """Trains the suffix of ``division`` in place.

    Args:
        division: A network divided at a cut, which must be a new one.
        source: Gives what the suffix reads.
        task: The images.
        recipe: The choices; ``precision`` must be settled.
        head: Fits the linear head that training starts from. It is asked for one without the
            inner split, or the start would be judged on what it has seen; and once more for all
            rows, where the start itself is kept.
        name: Of this fit, for its checkpoints.
        checkpoints: Where trainings of this name go on from.
        listener: Is told of every step and epoch.

    Raises:
        DataError: There are fewer than two images to train on.
        ModelError: The loss is no finite number.
    """
    if len(task.rows) < 2:
        raise DataError(
            f"{count_noun(len(task.rows), 'image')} to train on; fine-tuning needs 2 at least.",
            next_step="Add images, or use --fine-tune none.",
        )
    suffix = division.suffix
    train, validation, notes = inner_split(task, share=recipe.inner_share, seed=recipe.seed)
    if recipe.starts_at_random:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            division.classifier.reset_parameters()
    else:
        _put_head(division, *head(train))
    if division.candidate.shape and len(division.candidate.shape) == 3:
        suffix.to(memory_format=torch.channels_last)
    start = trained_weights(suffix)
    examples = Examples(task.targets, task.weights, train, validation, task.names)
    trained: list[Trained] = []
    with dropout_before(division.classifier, recipe.dropout):
        for number in range(recipe.num_seeds):
            fit = f"{name}-seed-{number}"
            if listener is not None:
                listener.begin_fit(fit, recipe.num_epochs)
            put_weights(suffix, start)
            trained.append(
                _train_or_read(
                    suffix,
                    source,
                    examples,
                    replace(recipe, seed=recipe.seed + number),
                    division,
                    fit,
                    checkpoints,
                    listener,
                )
            )
    suffix.eval()

    def loss_of(weights: Weights) -> float:
        put_weights(suffix, weights)
        logits = predict_logits(suffix, source, validation, num_views=recipe.judged_views)
        return cross_entropy(logits, task.targets[validation])

    weights, share = trained[0].weights, 1.0
    if len(trained) > 1:
        mixed = soup([one.weights for one in trained])
        singles = [one.weights for one in trained]
        best = mixed if not len(validation) else min([mixed, *singles], key=loss_of)
        weights = best
        if best is not mixed:
            notes.append("The average over seeds was no better than the best single one.")
    if len(validation):
        losses = {share: loss_of(interpolate(start, weights, share)) for share in _SHARES}
        share = min(losses, key=losses.__getitem__)
        weights = interpolate(start, weights, share)
    put_weights(suffix, weights)
    notes += [
        f"{one.stopped.capitalize()}" + (f" (seed {number})." if len(trained) > 1 else ".")
        for number, one in enumerate(trained)
        if one.stopped
    ]
    if share == 0.0:
        _put_head(division, *head(task.rows))
        notes.append(
            "The linear head on frozen features is kept: nothing that was trained had a lower loss "
            "on the inner split."
        )
    return FittedSuffix(
        weights=trained_weights(suffix),
        share=share,
        epochs=tuple(one.rows for one in trained),
        kept_epochs=tuple(one.kept_epoch for one in trained),
        num_validation=len(validation),
        notes=tuple(notes),
    )


def _put_head(division: Division, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    # Into the classifier that is there: install_head would put a new one beside the suffix.
    with torch.no_grad():
        division.classifier.weight.copy_(torch.from_numpy(weight))
        division.classifier.bias.copy_(torch.from_numpy(bias))


def inner_split(
    task: FitTask, *, share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Returns rows to train on, rows of the inner split, and notes about them.

    The split is by group. Where a class lives in one group alone it cannot be made, and every
    row is trained on.
    """
    nothing = np.empty(0, np.int64)
    if not share:
        return task.rows, nothing, []
    labels = task.labels[task.rows]
    present = np.unique(labels)
    dense = np.searchsorted(present, labels)
    names = [task.class_names[number] for number in present]
    try:
        held = assign_holdout(
            dense, task.groups[task.rows], test_size=share, seed=seed, class_names=names
        )
    except DataError as error:
        return (
            task.rows,
            nothing,
            [
                f"No inner split: {error.message} So nothing tells when to stop, and all epochs "
                "are trained."
            ],
        )
    notes = []
    absent = [names[k] for k in range(len(present)) if not (dense[held] == k).any()]
    if absent:
        notes.append(
            f"The inner split ({percent(float(held.mean()))} of the training images, by group) "
            f"holds no image of {', '.join(map(printable, absent))}: its loss does not watch "
            f"{'that class' if len(absent) == 1 else 'those classes'}."
        )
    return task.rows[~held], task.rows[held], notes


@contextmanager
def dropout_before(classifier: nn.Module, share: float) -> Iterator[None]:
    """Leaves out a share of the features before the classifier, while the network trains."""

    def drop(module: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor]:
        return (nn.functional.dropout(args[0], share, module.training),)

    handle = classifier.register_forward_pre_hook(drop) if share else None
    try:
        yield
    finally:
        if handle is not None:
            handle.remove()


def _train_or_read(
    suffix: nn.Module,
    source: BatchSource,
    examples: Examples,
    recipe: Recipe,
    division: Division,
    fit: str,
    checkpoints: CheckpointFolder | None,
    listener: TrainingListener | None,
) -> Trained:
    own = None if checkpoints is None else checkpoints.of(fit)
    finished = None if own is None else own.result()
    if finished is not None:
        tensors, facts = finished
        rows = tuple(
            EpochRow(**{**row, "train_loss": float("nan") if i == 0 else row["train_loss"]})
            for i, row in enumerate(facts["rows"])
        )
        return Trained(tensors, rows, facts["kept_epoch"], facts["stopped"])
    trained = train_network(
        suffix,
        source,
        examples,
        recipe,
        depths=division.depths,
        checkpoints=own,
        listener=listener,
    )
    if own is not None:
        rows_json = [
            {**asdict(row), "train_loss": None if row.epoch == 0 else row.train_loss}
            for row in trained.rows
        ]
        facts = {
            "rows": rows_json,
            "kept_epoch": trained.kept_epoch,
            "stopped": trained.stopped,
        }
        own.finish(trained.weights, facts)
    return trained
