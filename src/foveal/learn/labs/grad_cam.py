"""Grad-CAM step by step on one image, next to the engine's map and to CAM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from foveal.errors import ModelError, UsageError
from foveal.explanation import HeatMap, explain
from foveal.images import Preprocessing
from foveal.learn.labs.lab import (
    Chart,
    Lab,
    LabPicture,
    LabResult,
    Point,
    Series,
    Settings,
    difference_interval,
    find,
    mean_interval,
    spoken,
)
from foveal.learn.labs.pictures import show_map, show_picture
from foveal.learn.labs.training import fit, seeded
from foveal.models import load_timm_network
from foveal.visualisation.pixels import scale_of

_SIDE_PX, _SHAPE_PX = 32, 10
_LAYER = "6"
_NETWORK = "tf_efficientnet_lite0"
_LARGE_PX = 224


@dataclass(frozen=True, slots=True)
class Steps:
    """What each step of Grad-CAM gives for one image.

    Attributes:
        maps: [C, h, w], of the layer.
        gradients: [C, h, w], of the class score with respect to the maps.
        weights: [C], the gradients averaged over space.
        weighed: [h, w], the sum of the maps by these weights.
        positive: [h, w], after the ReLU.
        enlarged: [H, W], at the size of the image.
    """

    maps: Tensor
    gradients: Tensor
    weights: Tensor
    weighed: Tensor
    positive: Tensor
    enlarged: Tensor


def grad_cam_steps(network: nn.Module, image: Tensor, *, layer: str, class_index: int) -> Steps:
    """Returns every step of Grad-CAM, written out (Selvaraju et al. 2017, equations 1 and 2).

    Args:
        network: In evaluation mode.
        image: [1, C, H, W].
        layer: A module whose result is [1, C, h, w].
        class_index: Whose score is explained.

    Raises:
        ModelError: The module's result has no positions.
    """
    kept: list[Tensor] = []
    handle = network.get_submodule(layer).register_forward_hook(
        lambda _module, _given, result: kept.append(result)
    )
    try:
        score = network(image.detach().requires_grad_())[0, class_index]
    finally:
        handle.remove()
    if not kept or kept[-1].dim() != 4:
        raise ModelError(
            f"The module {layer!r} gives no map [1, C, h, w], so its positions cannot be weighed.",
            next_step="This lab needs a network whose last map is the result of a module.",
        )
    (gradients,) = torch.autograd.grad(score, kept[-1])
    maps, gradients = kept[-1][0].detach(), gradients[0]
    weights = gradients.mean((1, 2))
    weighed = (weights[:, None, None] * maps).sum(0)
    positive = weighed.relu()
    enlarged = interpolate(positive[None, None], size=image.shape[2:], mode="bilinear")[0, 0]
    return Steps(maps, gradients, weights, weighed, positive, enlarged)


def run(settings: Settings) -> LabResult:
    """Looks at the learner's image or network, or trains small ones on drawn images."""
    if settings.model is not None or settings.data is not None:
        return _on_one_image(settings)
    on_shape: list[float] = []
    chance: list[float] = []
    by_hand: list[float] = []
    against_cam: list[float] = []
    first: tuple[Steps, NDArray[np.float32]] | None = None
    for done, seed in enumerate(settings.seeds):
        network = _trained(seed, num_epochs=6 if settings.is_small else 15)
        images, labels, boxes = _draw(24, seed=seed + 1000)
        shares, areas = [], []
        for image, label, (top, left) in zip(images, labels, boxes, strict=True):
            steps = grad_cam_steps(network, image[None], layer=_LAYER, class_index=int(label))
            total = float(steps.enlarged.sum())
            inside = steps.enlarged[top : top + _SHAPE_PX, left : left + _SHAPE_PX]
            if total > 0:
                shares.append(float(inside.sum()) / total)
            areas.append(_SHAPE_PX**2 / _SIDE_PX**2)
        steps = grad_cam_steps(network, images[:1], layer=_LAYER, class_index=int(labels[0]))
        engine, cam = _maps(network, images[:1], int(labels[0]))
        by_hand.append(_distance(steps.positive.numpy(), engine.values))
        positions = steps.positive.numel()
        against_cam.append(_distance(positions * steps.positive.numpy(), cam.values))
        on_shape.append(sum(shares) / max(1, len(shares)))
        chance.append(sum(areas) / len(areas))
        if first is None:
            first = steps, images[0].detach().numpy()
        settings.progress(done + 1, settings.num_seeds)
    assert first is not None
    shown, expected = mean_interval(on_shape), mean_interval(chance)
    finding = find(difference_interval(on_shape, chance))
    positions = first[0].positive.numel()
    return LabResult(
        header=("step", "of the first image"),
        rows=_step_rows(first[0], max(by_hand), max(against_cam)),
        chart=Chart(
            title="How much of the map lies on the shape",
            x_label="where the map could lie",
            y_label="share of the map",
            series=(
                Series(
                    "share",
                    (Point("Grad-CAM", shown), Point("if it were spread evenly", expected)),
                ),
            ),
        ),
        finding=finding,
        sentence=f"{spoken(shown)} of the map lies on the shape, which covers "
        f"{spoken(expected)} of the image. Multiplied by its {positions} positions it is CAM, to "
        f"within {max(against_cam):.1e} of the largest value.",
        answer="factor" if max(against_cam) < 1e-3 else "positions",
        notes=(
            "Small networks, one a repetition, that were trained to tell drawn crosses from "
            "rings in noise; the map is that of the right class. With your own image: --data "
            "IMAGE; with your own network: --model.",
            "The map is as coarse as its layer; the enlargement is interpolation. What lies "
            "beside the shape is partly that.",
        ),
        pictures=_pictures(first[0], first[1]),
    )


def _on_one_image(settings: Settings) -> LabResult:
    network, side = settings.model, _LARGE_PX
    name = settings.model_name
    if network is None:
        network, name = load_timm_network(_NETWORK).network, _NETWORK
    elif settings.input_shape is not None:
        side = max(settings.input_shape[1:])
    network.eval()
    scale = scale_of(network)
    pixels = _read(settings, side)
    channels = next((one.in_channels for one in network.modules() if isinstance(one, nn.Conv2d)), 3)
    image = scale.apply(torch.from_numpy(pixels[:channels])[None])
    with torch.no_grad():
        class_index = int(network(image)[0].argmax())
    (engine,) = explain(network, image, classes=class_index, method="grad-cam")[0]
    steps = grad_cam_steps(network, image, layer=_module(network, engine), class_index=class_index)
    difference = _distance(steps.positive.numpy(), engine.values)
    against_cam: float | None = None
    try:
        (cam,) = explain(network, image, classes=class_index, method="cam")[0]
        if cam.values.shape == engine.values.shape:
            positions = steps.positive.numel()
            against_cam = _distance(positions * steps.positive.numpy(), cam.values)
    except (ModelError, UsageError):
        pass  # The head is not linear over an average, so there is no CAM.
    settings.progress(1, 1)
    is_same = against_cam is not None and against_cam < 1e-3
    return LabResult(
        header=("step", "of your image" if settings.data else "of the drawn image"),
        rows=_step_rows(steps, difference, against_cam),
        chart=None,
        finding="shown" if is_same else "not shown",
        sentence=(
            f"{name} scores class {class_index} highest. "
            + (
                f"Multiplied by its {steps.positive.numel()} positions the map is CAM, to within "
                f"{against_cam:.1e} of the largest value."
                if is_same
                else "Its last map is not averaged into one linear layer, so there is no CAM to "
                "compare with."
                if against_cam is None
                else f"Multiplied by its positions the map differs from CAM by {against_cam:.1e}."
            )
        ),
        answer="factor" if is_same else "",
        notes=(
            f"The image is given at {side}×{side} px; numbers: {scale.origin}. One image and "
            "one network: there is nothing to repeat, hence no interval.",
        ),
        pictures=_pictures(steps, pixels),
    )


def _read(settings: Settings, side: int) -> NDArray[np.float32]:
    """Returns the learner's image [3, H, W] in 0..1, or a drawn one."""
    if settings.data is None:
        drawn = _draw(1, seed=settings.seed)[0]
        large = interpolate(drawn, size=(side, side), mode="bilinear")[0]
        return np.repeat(large.numpy(), 3, axis=0)
    if settings.data.is_dir():
        raise UsageError(
            f"{settings.data.name} is a folder; this lab looks at one image.",
            next_step="Give an image file: --data IMAGE.",
        )
    reader = Preprocessing(side, side, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return reader.apply(settings.data)


def _module(network: nn.Module, engine: HeatMap) -> str:
    """Returns the module whose result the engine weighed."""
    names = dict(network.named_modules())
    if engine.layer in names:
        return engine.layer
    raise ModelError(
        f"The engine weighs {engine.layer!r}, which is an operation and not a module's result.",
        next_step="Use foveal explain, which needs no module.",
    )


def _maps(network: nn.Module, image: Tensor, class_index: int) -> tuple[HeatMap, HeatMap]:
    """Returns the engine's Grad-CAM and CAM."""
    made = [
        explain(network, image.detach(), classes=class_index, method=method)[0][0]
        for method in ("grad-cam", "cam")
    ]
    return made[0], made[1]


def _distance(mine: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Returns the largest difference, as a share of the largest value."""
    return float(np.abs(mine - theirs).max() / max(float(np.abs(theirs).max()), 1e-12))


def _step_rows(
    steps: Steps, by_hand: float, against_cam: float | None
) -> tuple[tuple[str, str], ...]:
    channels, height, width = steps.maps.shape
    top = steps.weights.abs().argsort(descending=True)[:3].tolist()
    strongest = ", ".join(f"{steps.weights[k]:+.2g}" for k in top)
    num_positive = int((steps.positive > 0).sum())
    rows, columns = steps.enlarged.shape
    return (
        ("1 the layer's maps", f"{channels}×{height}×{width}, {_span(steps.maps)}"),
        ("2 gradients of the score", f"{channels}×{height}×{width}, {_span(steps.gradients)}"),
        ("3 their means: weights", f"the largest: {strongest}"),
        ("4 weighted sum", f"{height}×{width}, {_span(steps.weighed)}"),
        ("5 ReLU", f"{num_positive} of {height * width} positions above 0"),
        ("6 enlarged", f"{rows}×{columns}, {_span(steps.enlarged)}"),
        ("against foveal.explain", f"differs by {by_hand:.1e} of its largest"),
        (
            "against CAM / positions",
            "there is no CAM"
            if against_cam is None
            else f"differs by {against_cam:.1e} of its largest",
        ),
    )


def _span(values: Tensor) -> str:
    return f"{float(values.min()):.2g} to {float(values.max()):.2g}"


def _pictures(steps: Steps, pixels: NDArray[np.float32]) -> tuple[LabPicture, ...]:
    grey = steps.positive / steps.positive.max().clamp_min(1e-12)
    y, x = divmod(int(steps.enlarged.argmax()), steps.enlarged.shape[1])
    height, width = steps.enlarged.shape
    return (
        show_picture(pixels, caption="the image", description="The image."),
        show_picture(
            grey[None].numpy(),
            caption="after the ReLU",
            description=f"The map of {grey.shape[0]} by {grey.shape[1]} positions.",
            is_sharp=True,
        ),
        show_map(
            pixels,
            steps.enlarged.numpy(),
            caption="enlarged, over it",
            description=f"The map is strongest at {100 * x / width:.0f}% from the left and "
            f"{100 * y / height:.0f}% from the top.",
        ),
    )


def _draw(num_images: int, *, seed: int) -> tuple[Tensor, Tensor, tuple[tuple[int, int], ...]]:
    """Returns images [N, 1, 32, 32] in 0..1, labels [N], and each shape's top and left."""
    random = np.random.default_rng(seed)
    images = random.uniform(0.0, 0.5, (num_images, 1, _SIDE_PX, _SIDE_PX)).astype(np.float32)
    labels = random.integers(0, 2, num_images)
    axis = np.arange(_SHAPE_PX) - (_SHAPE_PX - 1) / 2
    radius = np.hypot(axis[:, None], axis[None])
    ring = np.abs(radius - 3.6) < 1.0
    cross = np.minimum(np.abs(axis[:, None]), np.abs(axis[None])) < 1.0
    boxes = []
    for image, label in zip(images[:, 0], labels, strict=True):
        top, left = (int(value) for value in random.integers(0, _SIDE_PX - _SHAPE_PX + 1, 2))
        box = image[top : top + _SHAPE_PX, left : left + _SHAPE_PX]
        box[ring if label else cross] = 1.0
        boxes.append((top, left))
    return torch.from_numpy(images), torch.from_numpy(labels), tuple(boxes)


def _trained(seed: int, *, num_epochs: int) -> nn.Module:
    """Returns a network that tells crosses from rings: maps of 8×8, their mean, one layer."""
    network = seeded(
        lambda: nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1, stride=2),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, 2),
        ),
        seed,
    )
    images, labels, _ = _draw(256, seed=seed)
    fit(network, images, labels, num_epochs=num_epochs, seed=seed, rate=0.05, batch_size=32)
    return network.eval().requires_grad_(False)


LAB = Lab(
    name="grad-cam",
    title="Grad-CAM, step by step",
    topics=(14, 18),
    question="A network ends in global average pooling and one linear layer. How does Grad-CAM at "
    "the last map differ from CAM, which needs no gradient?",
    choices=(
        ("positions", "It marks other positions: gradients know more than weights"),
        ("factor", "By one constant factor, the number of positions"),
        ("sharper", "It is sharper: gradients reach down to the pixels"),
    ),
    explanation="The score is the mean of the maps times the weights of the linear layer, plus a "
    "bias. So its gradient is the same at every position: the weight divided by the number of "
    "positions. Averaged over space it is still that, and the weighted sum is CAM (Zhou et al. "
    "2016) divided by the number of positions. Grad-CAM needs no such head, which is its point: "
    "any differentiable network will do (Selvaraju et al. 2017).",
    run=run,
    seconds=20,
    takes_model=True,
    takes_data=True,
)
