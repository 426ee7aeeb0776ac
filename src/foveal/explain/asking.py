"""Asking a borrowed network for its answers: logits and probabilities, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.errors import ModelError
from foveal.explain.requests import Classes, checked_classes

Progress = Callable[[int, int], None]
Floats = NDArray[np.float64]

# How far a row of probabilities may be from a sum of one, in half precision too.
_SUM_TOLERANCE = 1e-2


def logits_of(model: Callable[[Tensor], object], images: Tensor) -> Tensor:
    """Returns the network's answers as logits, float64 ``[N, K]``, with their gradients.

    Rows that are probabilities (none negative, their sum 1) become their logarithms, whose
    softmax they are. A single output is taken for the logit of "yes".

    Args:
        model: In evaluation mode.
        images: As :func:`~foveal.explain.requests.ready_images` returns them.

    Raises:
        ModelError: The result is not one tensor of shape [N] or [N, K].
    """
    return _as_logits(_raw(model, images))


def _raw(model: Callable[[Tensor], object], images: Tensor) -> Tensor:
    result = model(images)
    if not isinstance(result, Tensor) or len(result) != len(images) or result.ndim > 2:
        what = f"shape {tuple(result.shape)}" if isinstance(result, Tensor) else type(result)
        raise ModelError(
            f"{type(model).__name__} answered {len(images)} images with {what}; expected one "
            "tensor of shape [N, K].",
            next_step="Wrap it in a module that returns the logits alone.",
        )
    return result.reshape(len(images), -1).double()


def _as_logits(answer: Tensor) -> Tensor:
    if answer.shape[1] < 2:
        return answer
    sums_to_one = (answer.sum(1) - 1).abs() < _SUM_TOLERANCE
    if not bool((answer >= 0).all() and sums_to_one.all()):
        return answer
    return answer.clamp_min(torch.finfo(answer.dtype).tiny).log()


def answers(
    model: nn.Module,
    images: Iterable[Tensor],
    *,
    batch_size: int,
    total: int,
    progress: Progress | None = None,
) -> Floats:
    """Returns the logits of a stream of images, ``[N, K]``; memory holds one batch.

    Args:
        model: In evaluation mode.
        images: One at a time, each [C, H, W], of what ``requests.ready_images`` returns.
        batch_size: Images a forward pass.
        total: How many will come, for ``progress(done, total)``.
        progress: Called after every pass.
    """
    found: list[Tensor] = []
    batch: list[Tensor] = []
    done = 0
    with torch.no_grad():
        for image in images:
            batch.append(image)
            if len(batch) + done == total or len(batch) == batch_size:
                # Channels last is what fast kernels want, and changes nothing else.
                stacked = torch.stack(batch).contiguous(memory_format=torch.channels_last)
                found.append(_raw(model, stacked).cpu())
                done += len(batch)
                batch = []
                if progress is not None:
                    progress(done, total)
    # Whether they are probabilities is asked of all rows together: one could look so by chance.
    return np.asarray(_as_logits(torch.cat(found)).numpy())


def probabilities(logits: Floats) -> Floats:
    """Returns the softmax, ``[N, K]``; of a single output the sigmoid.

    >>> probabilities(np.log([[1.0, 3.0]])), probabilities(np.zeros((1, 1)))
    (array([[0.25, 0.75]]), array([[0.5]]))
    """
    if logits.shape[1] == 1:
        return np.asarray(0.5 * (1 + np.tanh(logits / 2)))
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def classes_of_each(logits: Floats, classes: Classes) -> tuple[tuple[int, ...], ...]:
    """Returns which classes to explain for each image.

    Args:
        logits: [N, K].
        classes: One or several for every image, ``"all"``, or None for each image's likeliest.

    Raises:
        UsageError: There is no such class, or none is asked for.
    """
    if classes is None:
        return tuple((int(index),) for index in logits.argmax(1))
    return (tuple(checked_classes(classes, logits.shape[1])),) * len(logits)
