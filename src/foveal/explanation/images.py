"""Images explained: decoded, prepared as for prediction, mapped and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from foveal.errors import ImageError
from foveal.explanation.averaged_views import AveragedViews, maps_over_views, tempered
from foveal.explanation.cell_centres import CellCentres, even_centres
from foveal.explanation.explaining import MapMaker
from foveal.explanation.faithfulness import Remake, judge_maps
from foveal.explanation.heat_map import HeatMap, Verdict
from foveal.explanation.measured_centres import find_centres
from foveal.explanation.placement import Placement
from foveal.explanation.requests import (
    Request,
    batch_size_for,
    class_indices,
    classes_of_each,
    names_of_classes,
    ready_images,
)
from foveal.graph import Graph, trace
from foveal.images import Preprocessing, View, decode
from foveal.images.decoding import ImageSource
from foveal.images.pixels import grey_of
from foveal.layers import predicting, stream_logits

Progress = Callable[[int, int], None]

_BATCH_SIZE = 8
_MAX_SIDE_PX = 1024


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedMap:
    """One class's map of one image, with what belongs to it.

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
    centres: CellCentres = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedImage:
    """One image file, or why it could not be explained.

    Attributes:
        path: As given, printable.
        label: The likeliest class, printable; None where the file cannot be read.
        probability: Of that class.
        maps: One a class asked for.
        pixels: [H, W] or [H, W, 3], uint8: the file's image, upright, deep levels windowed,
            reduced to at most 1,024 pixels a side; None where the file cannot be read.
        placement: Where the network's input lies in it.
        error: Why there is nothing.
    """

    path: str
    label: str | None = None
    probability: float | None = None
    maps: tuple[ExplainedMap, ...] = ()
    pixels: NDArray[np.uint8] | None = field(default=None, repr=False)
    placement: Placement | None = field(default=None, repr=False)
    error: str | None = None


class Named(Protocol):
    """An image with a name."""

    @property
    def name(self) -> str:
        """Printable, such as its path."""

    def source(self) -> ImageSource:
        """Returns what the decoder reads.

        Raises:
            ImageError: It cannot be read.
        """


def explain_named_images(
    model: nn.Module,
    named: Sequence[Named],
    *,
    preprocessing: Preprocessing,
    class_names: Sequence[str],
    request: Request,
    views: Sequence[View] = ("identity",),
    temperature: float = 1.0,
    channels: Literal[1, 3] = 3,
    progress: Progress | None = None,
) -> tuple[ExplainedImage, ...]:
    """Explains images, in order; one that cannot be read is a row with its error.

    Args:
        model: A classifier; left as it was found.
        named: The images, each with a printable name.
        preprocessing: The one way images enter.
        class_names: One a class, or none: then numbers are shown. Of a network with one
            output, the names of "no" and "yes", or that of "yes" alone.
        request: Classes, method, layer and effort.
        views: Whose logits the classifier averages; maps are turned back and averaged alike.
        temperature: Divides the logits before they become probabilities.
        channels: 1 for a network that takes images in grey; mean and std are then the same
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
    make = MapMaker(model, method=request.method, layer=request.layer)
    centres = _Centres(model, (channels, *size), exact=tuple(views) == ("identity",))
    explained: list[ExplainedImage] = []
    batch_size = batch_size_for(torch.empty(0, *size), _BATCH_SIZE)
    for start in range(0, len(named), batch_size):
        batch = [_read(one, preprocessing) for one in named[start : start + batch_size]]
        images = [one.image for one in batch if isinstance(one, _Read)]
        rows: Iterator[_Answered] = iter(())
        if images:
            numbers = np.stack(images)
            stacked = torch.from_numpy(grey_of(numbers) if channels == 1 else numbers)
            rows = iter(_answer(whole, stacked, make, views, request, class_names, temperature))
        for asked, one in zip(named[start : start + batch_size], batch, strict=True):
            if isinstance(one, ImageError):
                explained.append(ExplainedImage(asked.name, error=one.message))
            else:
                explained.append(_describe(asked.name, one, next(rows), centres))
        if progress is not None:
            progress(len(explained), len(named))
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


def _read(named: Named, preprocessing: Preprocessing) -> _Read | ImageError:
    try:
        decoded = decode(
            named.source(),
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
        image_px=(int(pixels.shape[0]), int(pixels.shape[1])),
        shown_px=(shown.height, shown.width),
    )
    return _Read(preprocessing.prepare(decoded), np.asarray(shown), placement)


def _answer(
    whole: nn.Module,
    images: Tensor,
    make: MapMaker,
    views: Sequence[View],
    request: Request,
    class_names: Sequence[str],
    temperature: float,
) -> list[_Answered]:
    with predicting(whole) as copied:
        ready = ready_images(images, copied)
        found = stream_logits(
            copied, ready, batch_size=len(ready), total=len(ready), labels=request.labels
        )
    names = names_of_classes(class_names, found.kind, found.values.shape[1])
    num_classes = int(found.values.shape[1])
    chosen = request.classes
    wanted = classes_of_each(
        found.values, None if chosen is None else class_indices(chosen, names, num_classes)
    )
    maps = maps_over_views(images, make, views, wanted)
    # The verdict speaks of probabilities, which the temperature has a part in.
    flat = [tempered(one, temperature) for several in maps for one in several]
    images = images.repeat_interleave(torch.tensor([len(one) for one in maps]), 0)
    verdicts = iter(
        judge_maps(
            whole,
            images,
            flat,
            effort=request.effort,
            seed=request.seed,
            remake=_remake(request, views, temperature),
            class_names=class_names,
            labels=request.labels,
        )
    )
    return [
        _Answered(row, names, several, tuple(next(verdicts) for _ in several))
        for row, several in zip(found.probabilities, maps, strict=True)
    ]


def _remake(request: Request, views: Sequence[View], temperature: float) -> Remake:
    def remake(model: nn.Module, images: Tensor, classes: Sequence[int]) -> list[HeatMap]:
        network = model.network if isinstance(model, AveragedViews) else model
        make = MapMaker(network, method=request.method, layer=request.layer)
        maps = maps_over_views(images, make, views, [(index,) for index in classes])
        return [tempered(one, temperature) for (one,) in maps]

    return remake


def _describe(
    path: str,
    read: _Read,
    answered: _Answered,
    centres: _Centres,
) -> ExplainedImage:
    probabilities = answered.probabilities
    best = int(probabilities.argmax())

    def name(index: int) -> str:
        return f"class {index}" if answered.names is None else answered.names[index]

    return ExplainedImage(
        path=path,
        label=name(best),
        probability=float(probabilities[best]),
        maps=tuple(
            ExplainedMap(
                name(one.class_index),
                float(probabilities[one.class_index]),
                one,
                verdict,
                centres.of(one),
            )
            for one, verdict in zip(answered.maps, answered.verdicts, strict=True)
        ),
        pixels=read.pixels,
        placement=read.placement,
    )
