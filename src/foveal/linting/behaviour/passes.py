"""Real passes through a borrowed model: the batch, the answers, the modes."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from foveal.graph.nested_tensors import tensors_with_paths
from foveal.inspection.gradient_flow import is_dropout
from foveal.layers import fully_borrowed
from foveal.linting.context import LintContext
from foveal.linting.finding import (
    CannotTellError,
    NotApplicable,
)

# Enough to see a tendency, few enough for a laptop.
MAX_IMAGES = 32


def reason_not_to_run(context: LintContext) -> NotApplicable | None:
    """Returns why behaviour cannot be looked at: no batch, or a model without values."""
    if context.batch is None:
        return NotApplicable("no batch of images was given")
    if not context.has_values:
        return NotApplicable("the weights have no values (the model is on the meta device)")
    return None


def images_of(context: LintContext, *, at_most: int = MAX_IMAGES) -> Tensor:
    """Returns the first images of the batch ``[N, C, H, W]`` on the model's device.

    A copy, because a network that begins with an in-place operation overwrites its input.
    """
    assert context.batch is not None
    device = next(iter(context.model.parameters()), context.batch).device
    return context.batch[:at_most].detach().to(device, copy=True)


def answers(result: Any, num_images: int) -> Tensor:
    """Returns the first floating-point tensor in what a model returned, one row an image.

    Raises:
        CannotTellError: There is none.
    """
    for _, tensor in tensors_with_paths(result):
        if tensor.is_floating_point() and tensor.dim() > 0 and tensor.shape[0] == num_images:
            return tensor
    raise CannotTellError(
        f"the model returns no floating-point tensor with one row for each of {num_images} images"
    )


def run(model: nn.Module, images: Tensor) -> Tensor:
    """Returns the model's answers ``[N, ...]`` in float32, without gradients."""
    with torch.no_grad():
        return answers(call(model, images), len(images)).float().clone()


def call(model: nn.Module, images: Tensor) -> Any:
    """Returns what the model returns for a copy of the images.

    Raises:
        CannotTellError: It fails on them.
    """
    try:
        return model(images.clone())
    except Exception as error:
        raise CannotTellError(
            f"the model fails on the batch with {type(error).__name__}: {first_line(error)}"
        ) from error


def batch_norms(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Returns each layer that normalises with running statistics, or would, by its path.

    Frozen variants, which are no subclasses of PyTorch's, are known by their buffers.
    """
    return [
        (path, module)
        for path, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        or (
            isinstance(getattr(module, "running_mean", None), Tensor)
            and isinstance(getattr(module, "running_var", None), Tensor)
            and not isinstance(module, nn.modules.instancenorm._InstanceNorm)
        )
    ]


def has_learned_statistics(norm: nn.Module) -> bool:
    """Whether the running statistics differ from those of a new layer."""
    mean, variance = getattr(norm, "running_mean", None), getattr(norm, "running_var", None)
    if not isinstance(mean, Tensor) or not isinstance(variance, Tensor):
        return False
    return not (bool((mean == 0).all()) and bool((variance == 1).all()))


def uses_batch_statistics(norm: nn.Module) -> bool:
    """Whether the layer, in its present mode, normalises with the statistics of the batch."""
    if not isinstance(norm, nn.modules.batchnorm._BatchNorm):
        return False
    return norm.training or norm.running_mean is None


def set_usual_modes(model: nn.Module) -> None:
    """Switches off what is random, and lets batch norms use statistics that fit the weights.

    That is the running statistics where every batch norm has learned some, else those of
    the batch. To be called on a model that is borrowed fully.
    """
    norms = [module for _, module in batch_norms(model)]
    are_learned = all(has_learned_statistics(norm) for norm in norms)
    for module in model.modules():
        module.training = False
    for norm in norms:
        norm.training = not are_learned


def set_training_modes(model: nn.Module, *, num_images: int, keeps_dropout: bool = False) -> None:
    """Brings a copy to the modes that it is trained in, without chance unless it is kept.

    A model in training mode keeps the modes that its modules have (batch norms may be frozen);
    one in evaluation mode is taken to be switched before training. Batch norms need two images.
    """
    if not model.training:
        model.train()
    for module in model.modules():
        if is_dropout(module) and not keeps_dropout:
            module.training = False
    if num_images < 2:
        for _, norm in batch_norms(model):
            norm.training = False


def copied(*parts: Any) -> Any:
    """Returns deep copies that belong together, such as a model and the optimizer that holds it.

    Raises:
        CannotTellError: They cannot be copied.
    """
    try:
        return copy.deepcopy(parts)
    except Exception as error:
        raise CannotTellError(
            f"the model cannot be copied ({type(error).__name__}: {first_line(error)}), "
            "and nothing is tried on the original"
        ) from error


def first_line(error: BaseException) -> str:
    """Returns the first line of what an error says."""
    return (str(error).strip().splitlines() or ["no message"])[0]


def training_outputs(context: LintContext) -> tuple[Any, Tensor]:
    """Returns what the model returns for the batch in training mode, and its first tensor.

    Raises:
        CannotTellError: The model fails on the batch or returns no such tensor.
    """
    result = training_pass(context)
    assert context.batch is not None
    return result, answers(result, min(len(context.batch), MAX_IMAGES))


def training_pass(context: LintContext) -> Any:
    """Returns what a copy of the model returns for the batch in training mode; run once.

    Raises:
        CannotTellError: The model cannot be copied or fails on the batch.
    """
    found = context.kept.get("training pass")
    if found is None:
        images = images_of(context, at_most=MAX_IMAGES)
        try:
            (model,) = copied(context.model)
            with fully_borrowed(model), torch.no_grad():
                set_training_modes(model, num_images=len(images))
                found = (call(model, images),)
        except CannotTellError as error:
            found = error
        context.kept["training pass"] = found
    if isinstance(found, CannotTellError):
        raise found
    return found[0]


def call_loss(loss: Any, result: Any, outputs: Tensor, labels: Tensor) -> Any:
    """Returns the loss of what the model returned, or of its first tensor if that is refused."""
    if isinstance(loss, type):
        loss = loss()
    if isinstance(result, Tensor):
        return loss(result, labels)
    try:
        return loss(result, labels)
    except Exception:
        return loss(outputs, labels)
