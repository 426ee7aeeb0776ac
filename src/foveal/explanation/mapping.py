"""Makes the maps of one batch as planned: in closed form, or by gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from foveal.errors import ModelError
from foveal.explanation.exact_head import ExactHead, in_single, pooled_logits
from foveal.explanation.heat_map import HeatMap
from foveal.explanation.methods import method_named
from foveal.explanation.planning import Plan
from foveal.explanation.requests import Classes, classes_of_each
from foveal.layers import capture, of_every_class, result_at


@dataclass(frozen=True, slots=True, eq=False)
class _Maps:
    """Maps of one batch, before they are told apart.

    Attributes:
        classes: [N, J].
        counts: [N], how many of them an image asked for; the others repeat its last.
        signed: [N, J, h, w].
        logits: [N, K].
        biases: [K]; None where the logit is not the mean of the map plus a number.
    """

    classes: torch.Tensor
    counts: tuple[int, ...]
    signed: torch.Tensor
    logits: torch.Tensor
    biases: torch.Tensor | None


def make_maps(
    model: torch.nn.Module, plan: Plan, images: torch.Tensor, classes: Classes
) -> tuple[tuple[HeatMap, ...], ...]:
    """Returns the maps ``[n][j]`` of image n and its j-th class.

    Args:
        model: Lent by ``predicting``.
        plan: Made for images of this size.
        images: [N, C, H, W], as the model takes them.
        classes: As for ``explain``.
    """
    if plan.exact is not None:
        maps = _in_closed_form(model, plan, plan.exact, images, classes)
    else:
        maps = _by_gradients(model, plan, images, classes)
    return _heat_maps(plan, maps, (images.shape[2], images.shape[3]))


def _in_closed_form(
    model: torch.nn.Module, plan: Plan, exact: ExactHead, images: torch.Tensor, wanted: Classes
) -> _Maps:
    with torch.inference_mode():
        features = plan.layer.channels_first(result_at(model, plan.layer.layer.site, images))
    # Half precision and autocast end here: the sums over positions are made in float32.
    with torch.autocast(images.device.type, enabled=False):
        if exact.weight is None:
            wide = torch.promote_types(features.dtype, torch.float32)
            every = of_every_class(features.to(wide), axis=1)
            logits = every.mean((2, 3))
            classes, counts = _classes(wanted, _finite(logits))
            rows = torch.arange(len(every), device=every.device)[:, None]
            return _Maps(classes, counts, every[rows, classes], logits, torch.zeros_like(logits[0]))
        weight = of_every_class(model.get_parameter(exact.weight).flatten(1))
        bias = None if exact.bias is None else of_every_class(model.get_parameter(exact.bias))
        logits = pooled_logits(features, weight, bias)
        classes, counts = _classes(wanted, _finite(logits))
        signed = closed_form_maps(plan.method, features, weight, classes)
    biases = None
    if plan.method == "cam":
        biases = torch.zeros_like(logits[0]) if bias is None else bias
    return _Maps(classes, counts, signed, logits, biases)


def _by_gradients(
    model: torch.nn.Module, plan: Plan, images: torch.Tensor, wanted: Classes
) -> _Maps:
    captured = capture(model, plan.layer.layer.site, images)
    logits = captured.logits.detach()
    classes, counts = _classes(wanted, _finite(logits))
    wide = torch.promote_types(captured.activations.dtype, torch.float32)
    activations = plan.layer.channels_first(captured.activations.detach()).to(wide)
    maps = []
    for gradients in captured.gradients(classes.expand(len(images), -1)):
        with torch.autocast(images.device.type, enabled=False):
            first = plan.layer.channels_first(gradients)
            maps.append(gradient_map(plan.method, activations, first))
    return _Maps(classes, counts, torch.stack(maps, 1), logits, None)


def _classes(wanted: Classes, logits: torch.Tensor) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Returns the classes to explain, and how many of them each image asked for.

    [N, J], or [1, J] where all images share them. An image that asks for fewer than others
    repeats its last one.
    """
    rows = classes_of_each(logits, wanted)
    most = max(map(len, rows))
    table = [[*row, *[row[-1]] * (most - len(row))] for row in rows]
    if all(row == table[0] for row in table):
        table = table[:1]
    return torch.tensor(table, device=logits.device), tuple(map(len, rows))


def _finite(logits: torch.Tensor) -> torch.Tensor:
    finite = logits.isfinite().all(1)
    if not bool(finite.all()):
        index = int((~finite).nonzero()[0])
        raise ModelError(
            f"the scores of image {index} are not finite, so no map of it means anything.",
            next_step="Look for NaN in the weights (foveal lint), or use float32.",
        )
    return logits


def _heat_maps(
    plan: Plan, maps: _Maps, size_px: tuple[int, int]
) -> tuple[tuple[HeatMap, ...], ...]:
    signed = maps.signed.float().cpu()
    values = signed.clamp_min(0).numpy()
    signed_values = signed.numpy()
    classes = maps.classes.expand(len(signed), -1)
    logits = maps.logits.gather(1, classes).tolist()
    biases = None if maps.biases is None else maps.biases.tolist()
    return tuple(
        tuple(
            HeatMap(
                method=plan.method,
                layer=plan.layer.name,
                layer_reason=plan.reason,
                class_index=index,
                logit=logits[n][j],
                values=values[n, j],
                signed=signed_values[n, j],
                bias=None if biases is None else biases[index],
                image_size_px=size_px,
            )
            for j, index in enumerate(indices[: maps.counts[n]])
        )
        for n, indices in enumerate(classes.tolist())
    )


def closed_form_maps(
    method: str, features: torch.Tensor, weight: torch.Tensor, classes: torch.Tensor
) -> torch.Tensor:
    """Returns the signed maps [N, J, h, w] of some classes by a method with a closed form.

    Args:
        method: Its name.
        features: [N, C, h, w].
        weight: [K, C].
        classes: [N, J] of class indices; [1, J] where all images share them.
    """
    form = method_named(method).closed_form
    assert form is not None
    return form(in_single(features), in_single(weight)[classes])


def gradient_map(method: str, activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Returns the signed map [N, h, w] by a method with a gradient form, in float32 at least."""
    form = method_named(method).gradient_form
    assert form is not None
    wide = torch.promote_types(activations.dtype, torch.float32)
    return form(activations.to(wide), gradients.to(wide))
