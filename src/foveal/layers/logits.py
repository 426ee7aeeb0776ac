"""Returns the logits of a classifier, whatever form its outputs have.

A network may return one tensor or several, logits or probabilities, one score for each of
several classes that exclude one another, one for each of several independent labels, or a
single score for "yes". What it returns and what it computed that from is watched in the
forward pass itself (``endings.py``), so nothing need be traced, and gradients flow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.errors import ModelError, UsageError
from foveal.layers.endings import Ending, EndingWatch
from foveal.layers.scores import call_network, find_scores

Progress = Callable[[int, int], None]
Floats = NDArray[np.float64]
ClassKind = Literal["exclusive", "independent", "yes or no"]
Labels = Literal["auto", "exclusive", "independent"]
"""What a user may say of classes: by default what the network's last function tells."""

# How far a row of probabilities may be from a sum of one, in half precision too.
_SUM_TOLERANCE = {32: 1e-3, 64: 1e-3, 16: 1e-2}
_LEAST_PROBABILITY = 1e-7  # single precision tells no smaller distance from one


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """The logits of one batch.

    Attributes:
        values: [N, K], at least float32, with their gradients. A network with one output z has
            two classes: 0 is "yes", with the logit z, and 1 is "no", with -z.
        kind: ``"exclusive"``: their softmax is the probabilities. ``"independent"`` and
            ``"yes or no"``: the sigmoid of each.
        is_shifted: Whether they are known only up to a constant a row, being logarithms of
            probabilities.
    """

    values: Tensor
    kind: ClassKind
    is_shifted: bool


@dataclass(frozen=True, slots=True, eq=False)
class StreamedLogits:
    """The logits of a stream of images, in float64; the attributes are those of ``Logits``."""

    values: Floats
    kind: ClassKind
    is_shifted: bool

    @property
    def probabilities(self) -> Floats:
        """[N, K]."""
        return probabilities(self.values, self.kind)


@dataclass(frozen=True, slots=True, eq=False)
class _Output:
    """What the network returned for a batch.

    Attributes:
        scores: [N, J].
        given: [N, J], what a last softmax or sigmoid was given; None where there is none.
        ending: Which, or that the scores were made of such probabilities; None otherwise.
        was_seen: Whether the function that made the scores could be watched.
    """

    scores: Tensor
    given: Tensor | None
    ending: Ending | None
    was_seen: bool


def logits_of(
    model: Callable[[Tensor], object], images: Tensor, *, labels: Labels = "auto"
) -> Logits:
    """Returns the network's logits of a batch, with their gradients.

    Args:
        model: As ``predicting`` lends it, or what follows a layer of it.
        images: What it takes, N of them.
        labels: Whether several classes exclude one another, where the network does not say.

    Raises:
        ModelError: It returns no scores [N, K], or several and it cannot be told which.
    """
    return _read([_ask(model, images)], labels)


def stream_logits(
    model: nn.Module,
    images: Iterable[Tensor],
    *,
    batch_size: int,
    total: int,
    labels: Labels = "auto",
    progress: Progress | None = None,
) -> StreamedLogits:
    """Returns the logits of a stream of images; memory holds one batch.

    Args:
        model: As ``predicting`` lends it.
        images: One at a time, each [C, H, W], on the model's device and in its precision.
        batch_size: Images a forward pass.
        total: How many will come, for ``progress(done, total)``.
        labels: As for :func:`logits_of`.
        progress: Called after every pass.
    """
    found: list[_Output] = []
    batch: list[Tensor] = []
    done = 0
    with torch.no_grad():
        for image in images:
            batch.append(image)
            if len(batch) + done == total or len(batch) == batch_size:
                # Channels last is what fast kernels want, and changes nothing else.
                found.append(_ask(model, _quick(torch.stack(batch))))
                done += len(batch)
                batch = []
                if progress is not None:
                    progress(done, total)
    # Whether they are probabilities is asked of all rows together: one could look so by chance.
    read = _read(found, labels)
    return StreamedLogits(
        np.asarray(read.values.double().cpu().numpy()), read.kind, is_shifted=read.is_shifted
    )


def probabilities(logits: Floats, kind: ClassKind = "exclusive") -> Floats:
    """Returns the probability of each class, [N, K].

    >>> probabilities(np.log([[1.0, 3.0]])), probabilities(np.zeros((1, 1)), "independent")
    (array([[0.25, 0.75]]), array([[0.5]]))
    """
    if kind != "exclusive":
        return np.asarray(0.5 * (1 + np.tanh(logits / 2)))
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def of_every_class(outputs: Tensor, *, axis: int = 0) -> Tensor:
    """Returns what belongs to each class, given what belongs to each output.

    A network with one output has its weight, its bias and its map for "yes" alone; those of
    "no" are their negatives. With several outputs, classes are outputs.

    >>> of_every_class(torch.tensor([3.0])).tolist()
    [3.0, -3.0]
    """
    return torch.cat([outputs, -outputs], axis) if outputs.shape[axis] == 1 else outputs


def _quick(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images


def _ask(model: Callable[[Tensor], object], images: Tensor) -> _Output:
    watch = EndingWatch(len(images))
    with watch:
        result = call_network(model, images)
    _, scores = find_scores(model, result, watch, len(images))
    note = watch.note_of(scores)
    rows = _rows(scores, len(images))
    if note is None:
        return _Output(rows, None, None, was_seen=False)
    given = note.given
    if given is not None:
        given = _rows(given, len(images)) if given.shape == scores.shape else None
    return _Output(rows, given, note.ending, was_seen=True)


def _rows(scores: Tensor, num_images: int) -> Tensor:
    wide = torch.promote_types(scores.dtype, torch.float32)
    return scores.reshape(num_images, -1).to(wide)


def _read(outputs: Sequence[_Output], labels: Labels) -> Logits:
    """Returns the logits of one or several batches of one network."""
    if labels not in get_args(Labels):
        raise UsageError(f"got labels={labels!r}, expected 'auto', 'exclusive' or 'independent'.")
    scores = torch.cat([one.scores for one in outputs])
    givens = [one.given for one in outputs if one.given is not None]
    endings = {one.ending for one in outputs}
    ending = endings.pop() if len(endings) == 1 else None
    found: Logits | None = None
    if ending is not None and len(givens) == len(outputs):
        found = _behind(ending, torch.cat(givens), scores)
    if found is None:
        found = _from_values(scores, ending)
        if not found.is_shifted and not all(one.was_seen for one in outputs):
            _require_logits(scores)
    if scores.shape[1] == 1:
        return Logits(of_every_class(found.values, axis=1), "yes or no", is_shifted=False)
    stated = found.kind if found.is_shifted or ending is not None else None
    if labels in ("auto", stated):
        return found
    if stated is not None:
        raise UsageError(
            f"got labels={labels!r}, but the network's last function makes {stated} probabilities.",
            next_step="Leave labels out.",
        )
    return Logits(found.values, "independent" if labels == "independent" else "exclusive", False)


def _behind(ending: Ending, given: Tensor, scores: Tensor) -> Logits | None:
    """Returns what a softmax or sigmoid was given, where the scores are its values by class."""
    is_softmax = ending in ("softmax", "log_softmax")
    with torch.no_grad():
        expected = given.softmax(1) if is_softmax else given.sigmoid()
        shown = scores.exp() if ending in ("log_softmax", "logsigmoid") else scores
        if not torch.allclose(expected, shown, atol=_tolerance(scores), equal_nan=True):
            return None
    if is_softmax and given.shape[1] == 1:
        raise ModelError(
            "the network ends in a softmax over one output, which is 1 for every image.",
            next_step="Use a sigmoid, or two outputs.",
        )
    return Logits(given, "exclusive" if is_softmax else "independent", is_shifted=False)


def _from_values(scores: Tensor, ending: Ending | None) -> Logits:
    """Returns the scores as logits, or the logits of probabilities where they are such."""
    sums = scores.detach().double().sum(1)
    within = bool(((scores >= 0) & (scores <= 1)).all())
    if scores.shape[1] > 1 and within and bool(((sums - 1).abs() < _tolerance(scores)).all()):
        least = torch.finfo(scores.dtype).tiny
        return Logits(scores.clamp_min(least).log(), "exclusive", is_shifted=True)
    if ending in ("probabilities", "sigmoid", "softmax") and within:
        inside = scores.double().clamp(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
        return Logits(inside.logit(), "independent", is_shifted=False)
    return Logits(scores, "exclusive", is_shifted=False)


def _require_logits(scores: Tensor) -> None:
    if bool(((scores >= 0) & (scores <= 1)).all()):
        raise ModelError(
            "it cannot be told whether the network returns logits or probabilities: every value "
            "is between 0 and 1, and compiled code hides what made them.",
            next_step="Explain the module before it was compiled, or wrap it so that it returns "
            "logits.",
        )


def _tolerance(scores: Tensor) -> float:
    return _SUM_TOLERANCE.get(torch.finfo(scores.dtype).bits, 1e-2)
