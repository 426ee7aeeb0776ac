"""The result of a layer, and the gradients of scores with respect to it.

Only what lies behind the layer is differentiated: the model runs without gradients up to the
layer, whose result becomes a leaf, and with gradients from there. A copy of the leaf goes on,
so that an operation that works in place cannot spoil it. ``torch.autograd.grad`` is asked for
the leaf alone, so no ``.grad`` of anything is touched and frozen parameters do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from foveal.errors import ModelError
from foveal.layers.finding import Site
from foveal.layers.logits import logits_of
from foveal.layers.results import result_replaced


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """One forward pass, ready for backward passes.

    Attributes:
        activations: The leaf, as the layer gave it.
        logits: [N, K], depending on the leaf; of every class, see ``Logits``.
    """

    activations: torch.Tensor
    logits: torch.Tensor

    def gradients(self, classes: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yields the gradient of one class's score of each image, for one column of classes.

        Images do not influence one another in evaluation mode, so one backward pass of the
        sum over the batch gives the gradient for all.

        Args:
            classes: [N, J] of class indices.

        Raises:
            ModelError: The score does not depend on the layer, or cannot be differentiated.
        """
        with torch.enable_grad():
            scores = self.logits.gather(1, classes).sum(0).unbind()
        for index, score in enumerate(scores):
            is_last = index + 1 == len(scores)
            yield _gradient(score, self.activations, keep_graph=not is_last)


def _gradient(score: torch.Tensor, leaf: torch.Tensor, *, keep_graph: bool) -> torch.Tensor:
    try:
        (gradient,) = torch.autograd.grad(score, leaf, retain_graph=keep_graph, allow_unused=True)
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        raise ModelError(
            "the network behind this layer overwrites in place what its own gradient needs, so "
            f"it cannot be differentiated: {str(error).partition(', which')[0]}.",
            next_step="Choose a later layer, or a method that needs no gradients.",
        ) from error
    if gradient is None:
        raise ModelError(
            "the score does not depend on what this layer returns.",
            next_step="Choose another layer, such as the default one.",
        )
    return gradient


def capture(model: torch.nn.Module, site: Site, images: torch.Tensor) -> Captured:
    """Runs the model once, ready for backward passes through what follows the layer.

    Args:
        model: Lent by ``predicting``.
        site: Where the layer's result is.
        images: [N, C, H, W], as the model takes them.

    Raises:
        ModelError: The scores are not [N, K], or do not depend on the layer.
    """
    captured = _run(model, site, images, torch.no_grad)
    if not captured.logits.requires_grad:
        # The model switches gradients off around the layer and back to what it found.
        captured = _run(model, site, images, torch.enable_grad)
    if not captured.logits.requires_grad:
        raise ModelError(
            "no gradient reaches the layer: the model detaches its scores from it.",
            next_step="Choose a later layer, or a method that needs no gradients.",
        )
    return captured


def _run(
    model: torch.nn.Module,
    site: Site,
    images: torch.Tensor,
    before: Callable[[], Any],
) -> Captured:
    leaves: list[torch.Tensor] = []

    def branch_off(result: torch.Tensor) -> torch.Tensor:
        leaf = result.detach().requires_grad_(True)
        leaves.append(leaf)
        torch.set_grad_enabled(True)
        return leaf.clone()

    with before(), result_replaced(model, site, len(images), branch_off):
        logits = logits_of(model, images).values
    return Captured(leaves[0], logits)
