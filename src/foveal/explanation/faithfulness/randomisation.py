"""The randomisation test: does the map depend on what the network learned?

Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim, "Sanity Checks for Saliency Maps"
(NeurIPS 2018): replace the weights by random ones, the last layer alone and then downwards,
and make the map again. A map that stays is a drawing of the image's edges.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from foveal.errors import ModelError, UsageError
from foveal.explanation.heat_map import Check, CheckStatus, HeatMap

# Makes the maps of images [N, C, H, W], one an image for its class, for another network.
Remake = Callable[[nn.Module, Tensor, Sequence[int]], Sequence[HeatMap]]

# Measured on EfficientNet-Lite0, see docs/explaining.md: guided backpropagation 0.99 and more,
# class activation maps and gradients 0.7 and less.
SIMILARITY_LIMIT = 0.8
# The last layer several times, since a single draw may by chance resemble the learned one.
_HEAD_DRAWS = 4


def similarity(first: HeatMap, second: HeatMap) -> float:
    """Returns Spearman's rank correlation of what two maps show; 0 where one is even.

    Adebayo et al. section 3.1. Equal values share their mean rank.

    Raises:
        UsageError: They are not of one size.
    """
    import scipy.stats

    if first.values.shape != second.values.shape:
        raise UsageError(
            f"remake made a map of {second.values.shape} where the map has "
            f"{first.values.shape}; expected one made in the same way.",
            next_step="Give remake the method and the layer that made the map.",
        )
    one, other = first.values.ravel(), second.values.ravel()
    if one.min() == one.max() or other.min() == other.max():
        return 0.0
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return 0.0
    return float(scipy.stats.spearmanr(one, other).statistic)


def randomised_copies(
    model: nn.Module, image: Tensor, generator: torch.Generator
) -> Iterator[tuple[str, nn.Module]]:
    """Yields what is random, with a copy of ``model`` in evaluation mode where it is.

    The copy is one and the same and is changed before every yield: use it at once. Weights
    become normal numbers of their own root mean square, so that signals keep their size;
    norm scales and biases, which have no such symmetry, are shuffled.

    Args:
        model: Not touched; a second network of its size is held in memory.
        image: [1, C, H, W], run once to learn in which order the layers come.
        generator: On the CPU.

    Raises:
        ModelError: The network cannot be copied.
    """
    try:
        twin = copy.deepcopy(model)
    except (RuntimeError, TypeError) as error:  # say, for a weight that is a result
        raise ModelError(f"the network cannot be copied: {error}") from error
    for module in twin.modules():
        module.training = False
    layers = _layers_in_order(twin, image)
    sizes = {p: float(p.detach().double().square().mean().sqrt()) for p in twin.parameters()}
    for _ in range(_HEAD_DRAWS):
        _randomise(layers[-1:], sizes, generator)
        yield "last layer", twin
    _randomise(layers[len(layers) // 2 :], sizes, generator)
    yield "upper half", twin
    _randomise(layers, sizes, generator)
    yield "all layers", twin


def num_remakes() -> int:
    """Returns how often each map is made again.

    >>> num_remakes()
    6
    """
    return _HEAD_DRAWS + 2


def _layers_in_order(model: nn.Module, image: Tensor) -> list[nn.Module]:
    """Returns the modules with weights of their own, by when they were first called."""
    owners = [module for module in model.modules() if _own(module)]
    called: list[nn.Module] = []

    def note(module: nn.Module, _: object) -> None:
        if all(module is not other for other in called):
            called.append(module)

    with torch.no_grad():
        handles = [module.register_forward_pre_hook(note) for module in owners]
        try:
            model(image)
        finally:
            for handle in handles:
                handle.remove()
    unseen = [module for module in owners if all(module is not other for other in called)]
    return [*unseen, *called]


def _own(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters(recurse=False) if p.is_floating_point()]


def _randomise(
    layers: Sequence[nn.Module], sizes: dict[nn.Parameter, float], generator: torch.Generator
) -> None:
    """Replaces the weights of ``layers``; ``sizes`` holds their learned root mean squares."""
    with torch.no_grad():
        for parameter in (p for layer in layers for p in _own(layer)):
            values = parameter.detach().float().cpu()
            if values.ndim >= 2:
                values = sizes[parameter] * torch.randn(values.shape, generator=generator)
            else:
                order = torch.randperm(values.numel(), generator=generator)
                values = values.flatten()[order].reshape(values.shape)
            parameter.copy_(values)


def check_randomisation(
    model: nn.Module,
    images: Tensor,
    heat_maps: Sequence[HeatMap],
    *,
    remake: Remake,
    generator: torch.Generator,
) -> tuple[Check, ...]:
    """Returns one check a map, whose value is the largest of the mean similarities by stage.

    Passed where it is below ``SIMILARITY_LIMIT``; for how that was chosen, see
    ``docs/explaining.md``.

    Args:
        model: The network; not touched.
        images: [N, C, H, W], one a map.
        heat_maps: One an image.
        remake: Makes such maps for any network of this form.
        generator: On the CPU.
    """
    classes = [heat_map.class_index for heat_map in heat_maps]
    found: dict[str, list[list[float]]] = {}
    try:
        for stage, twin in randomised_copies(model, images[:1], generator):
            others = remake(twin, images, classes)
            pairs = zip(heat_maps, others, strict=True)
            found.setdefault(stage, []).append([similarity(one, other) for one, other in pairs])
    except ModelError as error:
        # Random weights may also overflow, in half precision for instance.
        reason = f"Random weights could not be tried: {error.message}"
        return (Check("randomisation", "unavailable", None, None, reason),) * len(heat_maps)
    means = {stage: np.mean(draws, axis=0) for stage, draws in found.items()}
    return tuple(
        _judge({stage: float(values[index]) for stage, values in means.items()})
        for index in range(len(heat_maps))
    )


def _judge(by_stage: dict[str, float]) -> Check:
    stage = max(by_stage, key=lambda name: by_stage[name])
    value = by_stage[stage]
    listed = ", ".join(f"{name} {amount:.2f}" for name, amount in by_stage.items())
    passed = value < SIMILARITY_LIMIT
    outcome = "the map depends on" if passed else "the map hardly depends on"
    sentence = (
        f"Rank correlation with the maps of the same network with random weights ({listed}): "
        f"{outcome} what was learned."
    )
    status: CheckStatus = "passed" if passed else "failed"
    return Check("randomisation", status, value, SIMILARITY_LIMIT, sentence)
