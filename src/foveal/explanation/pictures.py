"""Picture files explained: decoded, prepared as for prediction, mapped and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from foveal.errors import ImageError
from foveal.explanation.averaged_views import AveragedViews, average_maps, tempered, turn_batch
from foveal.explanation.cell_centres import CellCentres, even_centres, find_centres
from foveal.explanation.faithfulness import Effort, Remake, judge_maps
from foveal.explanation.heat_map import HeatMap, Verdict
from foveal.explanation.logits import (
    Labels,
    answers,
    batch_size_for,
    classes_of_each,
    names_of_classes,
)
from foveal.explanation.methods import MapMaker
from foveal.explanation.placement import Placement
from foveal.explanation.private_copy import predicting
from foveal.explanation.requests import class_indices, ready_images
from foveal.graph import Graph, trace
from foveal.images import Preprocessing, View, decode
from foveal.text import printable

Progress = Callable[[int, int], None]

_BATCH_SIZE = 8
_MAX_SIDE_PX = 1024
# Of red, green and blue in the luma of ITU-R BT.601, as Pillow converts to "L".
_GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedMap:
    """One class's map of one picture, with what belongs to it.

    Attributes:
        class_name: Of the class explained, printable.
        probability: What the classifier gives it; calibrated where the classifier is a run.
        heat_map: The map.
        verdict: Whether it can be believed.
        centres: Where the map's cells lie in the network's input.
    """

    class_name: str
    probability: float
    heat_map: HeatMap
    verdict: Verdict
    centres: CellCentres


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedPicture:
    """One picture file, or why it could not be explained.

    Attributes:
        path: As given, printable.
        label: The likeliest class, printable; None where the file cannot be read.
        probability: Of that class.
        maps: One a class asked for.
        pixels: [H, W] or [H, W, 3], uint8: the file's picture, upright, deep levels windowed,
            reduced to at most 1,024 pixels a side; None where the file cannot be read.
        placement: Where the network's input lies in it.
        error: Why there is nothing.
    """

    path: str
    label: str | None = None
    probability: float | None = None
    maps: tuple[ExplainedMap, ...] = ()
    pixels: NDArray[np.uint8] | None = None
    placement: Placement | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What to make of the pictures.

    Attributes:
        classes: Names or numbers; each picture's likeliest class if None.
        method: A name of ``foveal.explanation.methods.METHODS``.
        layer: An operation or module; the method's own choice if None.
        effort: How much the verdict tries.
        seed: Of its random choices.
        labels: Whether several classes exclude one another, where the network does not say.
    """

    classes: tuple[int | str, ...] | None = None
    method: str = "auto"
    layer: str | None = None
    effort: Effort = "quick"
    seed: int = 0
    labels: Labels = "auto"


def explain_pictures(
    model: nn.Module,
    paths: Sequence[Path],
    *,
    preprocessing: Preprocessing,
    class_names: Sequence[str],
    asked_for: Asked,
    views: Sequence[View] = ("identity",),
    temperature: float = 1.0,
    channels: Literal[1, 3] = 3,
    progress: Progress | None = None,
) -> tuple[ExplainedPicture, ...]:
    """Explains picture files, in order; one that cannot be read is a row with its error.

    Args:
        model: A classifier; left as it was found.
        paths: The files.
        preprocessing: The one way pictures enter.
        class_names: One a class, or none: then numbers are shown. Of a network with one
            output, the names of "no" and "yes", or that of "yes" alone.
        asked_for: Classes, method, layer and effort.
        views: Whose logits the classifier averages; maps are turned back and averaged alike.
        temperature: Divides the logits before they become probabilities.
        channels: 1 for a network that takes pictures in grey; mean and std are then the same
            for all three channels.
        progress: Called with (done, total).

    Raises:
        UsageError: Class, method or layer do not exist, or not one name a class.
        ModelError: The network cannot be explained.
    """
    size = preprocessing.height_px, preprocessing.width_px
    if size[0] != size[1]:
        views = ("identity",)  # a quarter turn would not fit
    alone = tuple(views) == ("identity",) and temperature == 1.0
    whole = model if alone else AveragedViews(model, views, temperature=temperature)
    make = MapMaker(model, method=asked_for.method, layer=asked_for.layer)
    centres = _Centres(model, (channels, *size), exact=tuple(views) == ("identity",))
    explained: list[ExplainedPicture] = []
    batch_size = batch_size_for(torch.empty(0, *size), _BATCH_SIZE)
    for start in range(0, len(paths), batch_size):
        batch = [_read(path, preprocessing) for path in paths[start : start + batch_size]]
        images = [one.image for one in batch if isinstance(one, _Read)]
        rows: Iterator[_Answered] = iter(())
        if images:
            stacked = torch.from_numpy(np.stack(images))
            if channels == 1:
                stacked = (stacked * torch.tensor(_GREY)[:, None, None]).sum(1, keepdim=True)
            rows = iter(_answer(whole, stacked, make, views, asked_for, class_names, temperature))
        for path, one in zip(paths[start : start + batch_size], batch, strict=True):
            if isinstance(one, ImageError):
                explained.append(ExplainedPicture(printable(str(path)), error=one.message))
            else:
                explained.append(_describe(path, one, next(rows), centres))
        if progress is not None:
            progress(len(explained), len(paths))
    return tuple(explained)


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    image: NDArray[np.float32]
    pixels: NDArray[np.uint8]
    placement: Placement


@dataclass(frozen=True, slots=True, eq=False)
class _Answered:
    probabilities: NDArray[np.float64]
    names: tuple[str, ...] | None
    maps: tuple[HeatMap, ...]
    verdicts: tuple[Verdict, ...]


class _Centres:
    """Where the cells of a layer lie; the network is traced once, when first asked."""

    def __init__(self, model: nn.Module, shape: tuple[int, int, int], *, exact: bool) -> None:
        self._model = model
        self._shape = shape
        self._size = shape[1:]
        self._exact = exact
        self._graph: Graph | None = None
        self._known: dict[tuple[str, tuple[int, int]], CellCentres] = {}

    def of(self, heat_map: HeatMap) -> CellCentres:
        grid = (int(heat_map.values.shape[0]), int(heat_map.values.shape[1]))
        if heat_map.layer == "input" or not self._exact:
            return even_centres(grid, self._size)
        key = heat_map.layer, grid
        if key not in self._known:
            if self._graph is None:
                self._graph = trace(self._model, self._shape, mode="eval")
            self._known[key] = find_centres(
                self._model, self._graph, heat_map.layer, grid, self._size
            )
        return self._known[key]


def _read(path: Path, preprocessing: Preprocessing) -> _Read | ImageError:
    try:
        decoded = decode(
            path,
            window=preprocessing.window,
            max_pixels=preprocessing.max_pixels,
            reduce_to_px=preprocessing.reduce_to_px,
            frame=preprocessing.frame,
        )
    except ImageError as error:
        return error
    pixels = decoded.pixels
    levels = pixels if pixels.dtype == np.uint8 else np.rint(255 * pixels).astype(np.uint8)
    shown = Image.fromarray(levels)
    shown.thumbnail((_MAX_SIDE_PX, _MAX_SIDE_PX), Image.Resampling.BICUBIC)
    placement = Placement.of(
        preprocessing,
        picture_px=(int(pixels.shape[0]), int(pixels.shape[1])),
        shown_px=(shown.height, shown.width),
    )
    return _Read(preprocessing.prepare(decoded), np.asarray(shown), placement)


def _answer(
    whole: nn.Module,
    images: Tensor,
    make: MapMaker,
    views: Sequence[View],
    asked_for: Asked,
    class_names: Sequence[str],
    temperature: float,
) -> list[_Answered]:
    with predicting(whole) as lent:
        ready = ready_images(images, lent)
        found = answers(
            lent, ready, batch_size=len(ready), total=len(ready), labels=asked_for.labels
        )
    names = names_of_classes(class_names, found.kind, found.values.shape[1])
    num_classes = int(found.values.shape[1])
    chosen = asked_for.classes
    wanted = classes_of_each(
        found.values, None if chosen is None else class_indices(chosen, names, num_classes)
    )
    maps = _maps(images, make, views, wanted)
    # The verdict speaks of probabilities, which the temperature has a part in.
    flat = [tempered(one, temperature) for several in maps for one in several]
    pictures = images.repeat_interleave(torch.tensor([len(one) for one in maps]), 0)
    verdicts = iter(
        judge_maps(
            whole,
            pictures,
            flat,
            effort=asked_for.effort,
            seed=asked_for.seed,
            remake=_remake(asked_for, views, temperature),
            class_names=class_names,
            labels=asked_for.labels,
        )
    )
    return [
        _Answered(row, names, several, tuple(next(verdicts) for _ in several))
        for row, several in zip(found.probabilities, maps, strict=True)
    ]


def _maps(
    images: Tensor, make: MapMaker, views: Sequence[View], wanted: Sequence[tuple[int, ...]]
) -> list[tuple[HeatMap, ...]]:
    """Returns each picture's maps for its own classes, averaged over the views."""
    # More classes cost little more, and one batch less than many pictures by themselves.
    classes = sorted({index for several in wanted for index in several})
    by_view = [make(turn_batch(images, view), classes=classes) for view in views]
    return [
        tuple(
            average_maps([of_view[n][classes.index(index)] for of_view in by_view], views)
            for index in several
        )
        for n, several in enumerate(wanted)
    ]


def _remake(asked_for: Asked, views: Sequence[View], temperature: float) -> Remake:
    def remake(model: nn.Module, images: Tensor, classes: Sequence[int]) -> list[HeatMap]:
        network = model.network if isinstance(model, AveragedViews) else model
        make = MapMaker(network, method=asked_for.method, layer=asked_for.layer)
        maps = _maps(images, make, views, [(index,) for index in classes])
        return [tempered(one, temperature) for (one,) in maps]

    return remake


def _describe(
    path: Path,
    read: _Read,
    answered: _Answered,
    centres: _Centres,
) -> ExplainedPicture:
    chances = answered.probabilities
    best = int(chances.argmax())

    def name(index: int) -> str:
        return f"class {index}" if answered.names is None else answered.names[index]

    return ExplainedPicture(
        path=printable(str(path)),
        label=name(best),
        probability=float(chances[best]),
        maps=tuple(
            ExplainedMap(
                name(one.class_index),
                float(chances[one.class_index]),
                one,
                verdict,
                centres.of(one),
            )
            for one, verdict in zip(answered.maps, answered.verdicts, strict=True)
        ),
        pixels=read.pixels,
        placement=read.placement,
    )
