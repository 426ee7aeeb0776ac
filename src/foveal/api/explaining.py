"""``foveal.explain`` and ``visualise``: where answers come from, and what excites a network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from foveal.api.opening import (
    PathLike,
    is_run_folder,
    open_network,
    ready_for_images,
    refuse_given,
    with_weights,
)
from foveal.errors import FovealWarning
from foveal.files import write_atomically

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from foveal.api.opening import Model
    from foveal.explanation import HeatMap
    from foveal.explanation.images import ExplainedImage
    from foveal.graph import Graph
    from foveal.visualisation import Ascent, Maximised, PixelScale

    Batch = torch.Tensor | NDArray[np.floating[Any]]

Progress = Callable[[int, int], None]
Classes = Sequence[str | int] | str | int | None


@overload
def explain(
    model: Model,
    images: Batch,
    *,
    classes: Any = None,
    method: str = "auto",
    layer: str | None = None,
    weights: PathLike | None = None,
    graph: Graph | None = None,
) -> tuple[tuple[HeatMap, ...], ...]: ...
@overload
def explain(
    model: Model,
    images: Any,
    *,
    classes: Classes = None,
    method: str = "auto",
    layer: str | None = None,
    effort: Literal["quick", "full"] = "quick",
    labels: Literal["auto", "exclusive", "independent"] = "auto",
    out: PathLike | None = None,
    weights: PathLike | None = None,
    input_shape: tuple[int | None, int, int] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    class_names: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[ExplainedImage, ...]: ...
def explain(
    model: Model,
    images: Any,
    *,
    classes: Any = None,
    method: str = "auto",
    layer: str | None = None,
    effort: Literal["quick", "full"] = "quick",
    labels: Literal["auto", "exclusive", "independent"] = "auto",
    out: PathLike | None = None,
    weights: PathLike | None = None,
    input_shape: tuple[int | None, int, int] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    class_names: Sequence[str] = (),
    graph: Graph | None = None,
    progress: Progress | None = None,
) -> tuple[ExplainedImage, ...] | tuple[tuple[HeatMap, ...], ...]:
    """Returns where in each image the scores of classes come from.

    For image files, folders and images in memory each image's maps come with a verdict on
    whether they can be believed. For a batch of numbers that is prepared already the maps come
    alone; ``foveal.explanation.judge_maps`` judges them.

    >>> foveal.explain("runs/photos", "new/", classes="cracked")        # doctest: +SKIP
    >>> foveal.explain(network, ["cat.jpg"], class_names=names)         # doctest: +SKIP
    >>> foveal.explain(network, batch, classes="all")[0][0].values      # doctest: +SKIP

    Args:
        model: See this module; a classifier of images. It may be frozen, in any mode (the
            predicting network is explained), device and precision, and is left as found.
        images: Images as for :func:`foveal.predict`; or a floating-point tensor or array
            [N, C, H, W], preprocessed as the network expects.
        classes: Names or indices, or ``"all"``; each image's likeliest class if None. Of a batch
            also a row of indices an image.
        method: A name of ``foveal.explanation.methods.list_methods()``.
        layer: An operation or module of the network; the method's own choice if None.
        effort: How much the verdict tries.
        labels: Whether the classes exclude one another, where the network does not say.
        out: Draw the maps over their images: a .png or .svg file for a sheet of all, or a folder
            for one PNG an image.
        weights: ``"random"``, ``"pretrained"`` or a checkpoint, for a network that is named.
        input_shape: ``(C, H, W)`` of a network that does not say it; C may be None.
        mean: One number or one a channel, of values in [0, 1]; of a network that is no run.
        std: Likewise.
        class_names: What the outputs are called, in their order; of a network that is no run.
        graph: Of this model, for a batch, if it was traced already.
        progress: Called with (done, total) images.

    Returns:
        One ``ExplainedImage`` an image, in order; one that cannot be read has an ``error``
        instead. For a batch ``result[n][j]``, the map of image n for its j-th class.

    Raises:
        UsageError: Images, classes, method or layer are not such; a network has no weights; or
            something is stated of a run, which knows it.
        ModelError: The network has no map, or no class scores.
        RunError: The run cannot be read, or was altered.

    Warns:
        FovealWarning: Mean, std or size were assumed.
    """
    stated: dict[str, Any] = {
        "input_shape": input_shape,
        "mean": mean,
        "std": std,
        "class_names": class_names,
    }
    if _is_batch(images):
        stated |= {"effort": effort != "quick", "labels": labels != "auto"}
        stated |= {"out": out, "progress": progress}
        refuse_given(stated, "A batch is prepared already, and its maps come without a verdict")
        return _batch_maps(model, images, classes, method, layer, weights, graph)
    refuse_given({"graph": graph}, "Images that are read are traced at their own size")
    from foveal.explanation.requests import Request, requested_classes
    from foveal.explanation.writing import require_drawable, write_sheets
    from foveal.runs.classifier import Classifier, load
    from foveal.runs.explaining import explain_images, explain_run
    from foveal.runs.named_images import name_images

    if out is not None:
        require_drawable(Path(out))
    if isinstance(model, (str, os.PathLike)) and is_run_folder(Path(model)):
        model = load(model)
    request = Request(requested_classes(classes), method, layer, effort, labels=labels)
    named = name_images(images)
    if isinstance(model, Classifier):
        refuse_given(stated | {"weights": weights}, "A run knows its images, classes and weights")
        explained = explain_run(model, named, request=request, progress=progress)
    else:
        network = ready_for_images(model, weights, stated)
        explained = explain_images(network, named, request=request, progress=progress)
    if out is not None:
        write_sheets(explained, Path(out), title=_title(model))
    return explained


def visualise(
    model: Model,
    *,
    classes: Classes = (),
    layers: Sequence[str] | str = (),
    out: PathLike | None = None,
    size_px: int | tuple[int, int] | None = None,
    num_steps: int | None = None,
    seed: int = 0,
    ascent: Ascent | None = None,
    scale: PixelScale | None = None,
    weights: PathLike | None = None,
    input_shape: tuple[int | None, int, int] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    class_names: Sequence[str] = (),
    announce: Callable[[int, float], None] | None = None,
    progress: Progress | None = None,
) -> tuple[Maximised, ...]:
    """Returns pictures that excite classes or channels most: activation maximisation.

    >>> foveal.visualise("runs/photos", classes="all", out="classes.png")   # doctest: +SKIP

    Args:
        model: See this module; a network of one input [N, C, H, W].
        classes: Names or indices of outputs, or ``"all"``.
        layers: Each the name of an operation or module for some of its channels, or
            ``"NAME:CHANNEL"`` for one. Without classes and layers: layers spread over the
            network's depth, channels drawn by the settings' seed, and classes.
        out: A PNG file with all pictures, if it is wanted.
        size_px: Height and width of the pictures, one number for a square; if None those of
            ``input_shape``, else 128.
        num_steps: Steps of gradient ascent; 64 if None.
        seed: Of the first picture and of all movements.
        ascent: All settings of the ascent in one value, in place of the three above; by default
            in vivid colours for classes.
        scale: From 0..1 to the network's numbers; by default what run or model names.
        weights: ``"random"``, ``"pretrained"`` or a checkpoint, for a network that is named.
        input_shape: ``(C, H, W)`` of a network that does not say it; C may be None.
        mean: One number or one a channel, of values in [0, 1]; of a network that is no run.
        std: Likewise.
        class_names: What the outputs are called, in their order; of a network that is no run.
        announce: Called once, before the work, with the number of pictures and the seconds
            expected; to expect them takes a few steps of a second or so.
        progress: Called after every step with (done, total).

    Raises:
        UsageError: There is no such layer, channel or class; or the network has no weights.
        ModelError: A value is not finite.

    Warns:
        FovealWarning: Mean, std, size or the range of values were assumed.
    """
    from foveal.explanation.requests import class_indices
    from foveal.visualisation import (
        Ascent,
        PixelScale,
        estimate_sheet_seconds,
        plan_pictures,
        sheet_by_depth,
    )
    from foveal.visualisation.settings import CLASS_ASCENT
    from foveal.visualisation.sheet import draw_sheet

    chosen: dict[str, Any] = {"size_px": size_px, "num_steps": num_steps, "seed": seed or None}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if ascent is not None:
        refuse_given(chosen, "ascent says all settings")
    stated: dict[str, Any] = {
        "input_shape": input_shape,
        "mean": mean,
        "std": std,
        "class_names": class_names,
    }
    if input_shape is not None:
        chosen.setdefault("size_px", input_shape[1:])
    says_scale = scale is not None or (mean is None and std is None)
    network = ready_for_images(model, weights, stated, says_scale=says_scale)
    words = [classes] if isinstance(classes, (str, int)) else list(classes or ())
    if scale is None and (network.source != "object" or mean is not None or std is not None):
        prepared, channels = network.prepared(), network.channels
        scale = PixelScale(prepared.mean[:channels], prepared.std[:channels], "the preprocessing")
    plan = plan_pictures(
        network.module,
        classes=class_indices(words, network.class_names or None, network.num_classes())
        if words
        else (),
        layers=[layers] if isinstance(layers, str) else layers,
        class_names=network.class_names or None,
        ascent=ascent or replace(Ascent(), **chosen),
        class_ascent=ascent or replace(CLASS_ASCENT, **chosen),
    )
    if scale is None:
        warnings.warn(
            "The network is fed pixel values from 0 to 1 as they are. If it was trained on "
            "others, give mean and std, or scale.",
            FovealWarning,
            stacklevel=2,
        )
    if announce is not None:
        number = sum(len(row.objectives) for row in plan.rows)
        announce(number, estimate_sheet_seconds(network.module, plan, scale=scale))
    sheet = sheet_by_depth(network.module, plan, scale=scale, progress=progress)
    if out is not None:
        write_atomically(Path(out), draw_sheet(sheet))
    return sheet.pictures


def _title(model: Model) -> str:
    if isinstance(model, (str, os.PathLike)):
        return Path(model).name
    folder = getattr(model, "folder", None)
    if isinstance(folder, Path):
        return folder.name
    name = getattr(model, "name", None)
    return Path(name).name if isinstance(name, str) else type(model).__name__


def _is_batch(images: Any) -> bool:
    """Whether these are numbers that a network takes as they are, and no images."""
    import numpy as np
    import torch

    if isinstance(images, torch.Tensor):
        return True
    return isinstance(images, np.ndarray) and bool(np.issubdtype(images.dtype, np.floating))


def _batch_maps(
    model: Model,
    images: Batch,
    classes: Any,
    method: str,
    layer: str | None,
    weights: PathLike | None,
    graph: Graph | None,
) -> tuple[tuple[HeatMap, ...], ...]:
    from foveal.explanation.explaining import explain as explain_batch
    from foveal.explanation.requests import class_indices

    network = with_weights(open_network(model, weights=weights))
    words = [classes] if isinstance(classes, str) else classes
    is_worded = isinstance(words, (list, tuple)) and any(isinstance(one, str) for one in words)
    if network.class_names and is_worded:
        classes = list(class_indices(words, network.class_names))
    return explain_batch(
        network.module,
        images,
        classes=classes,
        method=method,
        layer=layer,
        graph=graph,
    )
