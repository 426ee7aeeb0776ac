"""Asking a borrowed network for its answers: logits and probabilities, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.errors import ModelError, UsageError
from foveal.graph.borrowing import borrowed

Progress = Callable[[int, int], None]
Floats = NDArray[np.float64]
# Which classes to explain: one or several for every image, all, or each image's likeliest.
Classes = int | Sequence[int] | Literal["all"] | None

# How far a row of probabilities may be from a sum of one, in half precision too.
_SUM_TOLERANCE = 1e-2


@contextmanager
def asked(model: nn.Module) -> Iterator[nn.Module]:
    """Lends ``model`` with every module in evaluation mode, and gives it back as it was.

    Each flag is set by itself, since some models rewrite their weights in ``eval()``. The
    values of buffers come back too, for networks that count or remember in any mode.

    Raises:
        ModelError: It has shapes, but no weights.
    """
    if any(parameter.is_meta for parameter in model.parameters()):
        raise ModelError(
            f"{type(model).__name__} is on the meta device: it has shapes, but no weights.",
            next_step="Build it on a real device and load its weights.",
        )
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    with torch.inference_mode(False), torch.no_grad(), borrowed(model):
        for module in model.modules():
            module.training = False
        try:
            yield model
        finally:
            for buffer, values in buffers:
                if not torch.equal(buffer, values):
                    buffer.copy_(values)


def fitted(model: nn.Module, images: Tensor) -> Tensor:
    """Returns ``images [N, C, H, W]`` in the type and on the device of the weights.

    Raises:
        UsageError: They are no batch of images, or some value is not finite.
    """
    if images.ndim != 4 or 0 in images.shape:
        raise UsageError(
            f"images has shape {tuple(images.shape)}; expected [N, C, H, W], none of them 0.",
            next_step="For one image, pass image[None].",
        )
    if not bool(torch.isfinite(images).all()):
        raise UsageError(
            "images holds values that are not finite.",
            next_step="Look for a division by zero where the images are normalised.",
        )
    weight = next((p for p in model.parameters() if p.is_floating_point()), None)
    # A copy, so that what was made in inference mode can take part in a backward pass.
    return images.detach().to(images if weight is None else weight, copy=True)


def logits_of(model: Callable[[Tensor], object], images: Tensor) -> Tensor:
    """Returns the network's answers as logits, float64 ``[N, K]``, with their gradients.

    Rows that are probabilities (none negative, their sum 1) become their logarithms, whose
    softmax they are. A single output is taken for the logit of "yes".

    Args:
        model: In evaluation mode.
        images: As :func:`fitted` returns them.

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
        images: One at a time, each [C, H, W], as :func:`fitted` returns them.
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


def chosen_classes(logits: Floats, classes: Classes) -> tuple[tuple[int, ...], ...]:
    """Returns which classes to explain for each image.

    Args:
        logits: [N, K].
        classes: One or several for every image, ``"all"``, or None for each image's likeliest.

    Raises:
        UsageError: There is no such class, or none is asked for.
    """
    num_images, num_classes = int(logits.shape[0]), int(logits.shape[1])
    if classes is None:
        return tuple((int(index),) for index in logits.argmax(1))
    if classes == "all":
        chosen = tuple(range(num_classes))
    else:
        chosen = (classes,) if isinstance(classes, int) else tuple(int(item) for item in classes)
    if not chosen:
        raise UsageError("No class came; expected at least one.", next_step="Leave classes out.")
    for index in chosen:
        if not 0 <= index < num_classes:
            raise UsageError(
                f"There is no class {index}: the network has {num_classes} outputs.",
                next_step=f"Choose from 0 to {num_classes - 1}.",
            )
    return (chosen,) * num_images
