"""The heat maps of a run as a report shows them: figures, and pictures by key."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.draw.colour_map import overlay
from foveal.explanation.cell_centres import CellCentres
from foveal.explanation.drawing import draw_bar
from foveal.explanation.placement import spread
from foveal.images import Preprocessing
from foveal.shortcuts.explained_run import ExplainedExample, ExplainedRun

_SIDE_PX = 160
_QUALITY = 80
_BAR_PX = 128

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class MapSources:
    """What the maps of a run were drawn over, so that they can be drawn again.

    Attributes:
        rows: Of the images that were looked at, among the usable ones.
        centres: Where the cells of the maps lie.
    """

    rows: tuple[int, ...]
    centres: CellCentres


@dataclass(frozen=True, slots=True)
class ShownExplanations:
    """What was found, with its pictures.

    Attributes:
        run: The figures.
        pictures: WebP and PNG files by key: ``bar``, ``average-K`` by class, and by example
            ``seen-I``, ``predicted-I`` and, for a wrong answer, ``label-I``.
        sources: What the pictures were made from; ``None`` where there are no maps.
    """

    run: ExplainedRun
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    sources: MapSources | None = None


def show_over_inputs(
    run: ExplainedRun,
    sources: MapSources,
    inputs: Mapping[int, NDArray[np.float32]],
    *,
    labels: NDArray[np.int64],
    preprocessing: Preprocessing,
) -> ShownExplanations:
    """Returns the run's heat maps drawn over what the network was given.

    Args:
        run: The figures.
        sources: Which images, and where the cells lie.
        inputs: By row, [3, H, W], normalised. An example whose image is missing is not drawn,
            and neither is the average of its class.
        labels: Class of every usable image, [N].
        preprocessing: How the inputs were made.
    """
    rows = np.array(sources.rows, np.int64)
    by_class = {}
    for index in np.unique(labels[rows]):
        members = [int(row) for row in rows[labels[rows] == index]]
        if all(row in inputs for row in members):
            mean = np.stack([inputs[row] for row in members]).mean(0)
            by_class[int(index)] = _as_seen(mean, preprocessing)
    shown = {example.row for example in run.examples}
    by_row = {row: _as_seen(image, preprocessing) for row, image in inputs.items() if row in shown}
    drawn = show_explanations(run, by_row=by_row, by_class=by_class, centres=sources.centres)
    return ShownExplanations(run, drawn.pictures, sources)


def _as_seen(image: NDArray[np.float32], preprocessing: Preprocessing) -> Pixels:
    """Returns the pixels [H, W, 3] of a network's input [3, H, W], no longer normalised."""
    levels = image.transpose(1, 2, 0) * np.array(preprocessing.std) + np.array(preprocessing.mean)
    pixels: Pixels = np.rint(255 * np.clip(levels, 0.0, 1.0)).astype(np.uint8)
    return pixels


def show_explanations(
    run: ExplainedRun,
    *,
    by_row: Mapping[int, Pixels],
    by_class: Mapping[int, Pixels],
    centres: CellCentres,
) -> ShownExplanations:
    """Returns the run's heat maps drawn over its pictures.

    Each average and each example has a scale of its own; the two maps of a wrong answer share
    one. On one scale for all, a true map of a faint class would not be seen.

    Args:
        run: The figures.
        by_row: [H, W, 3], the network's view of each example's picture.
        by_class: [H, W, 3], the average picture of each class.
        centres: Where the cells lie in pixels of these pictures.
    """
    bar = draw_bar(width_px=_BAR_PX, height_px=2)[:1]  # as over a mid-grey picture
    pictures = {"bar": _png(bar)}
    for separation in run.separations:
        pixels = by_class.get(separation.class_index)
        if pixels is not None:
            pictures[f"average-{separation.class_index}"] = _draw(
                pixels, separation.values, centres, peak_of(separation.values)
            )
    for number, example in enumerate(run.examples):
        pixels = by_row.get(example.row)
        if pixels is not None:
            pictures |= _draw_example(number, example, pixels, centres)
    return ShownExplanations(run, pictures)


def peak_of_example(example: ExplainedExample) -> float:
    """Returns the value at the end of an example's scale, in logits."""
    if example.is_right:
        return peak_of(example.predicted_map)
    return max(peak_of(example.predicted_map), peak_of(example.label_map))


def peak_of(values: NDArray[np.floating]) -> float:
    """Returns the largest value of a map, 0 where none is positive."""
    return max(0.0, float(values.max()))


def _draw_example(
    number: int, example: ExplainedExample, pixels: Pixels, centres: CellCentres
) -> dict[str, bytes]:
    most = peak_of_example(example)
    drawn = {
        f"seen-{number}": _webp(_reduced(pixels)),
        f"predicted-{number}": _draw(pixels, example.predicted_map, centres, most),
    }
    if not example.is_right:
        drawn[f"label-{number}"] = _draw(pixels, example.label_map, centres, most)
    return drawn


def _draw(pixels: Pixels, values: NDArray[np.floating], centres: CellCentres, most: float) -> bytes:
    small = _reduced(pixels)
    rows, columns = (
        (np.arange(short) + 0.5) * long / short - 0.5
        for short, long in zip(small.shape[:2], pixels.shape[:2], strict=True)
    )
    shares = np.clip(values, 0.0, None) / (most or 1.0)
    return _webp(overlay(small, spread(shares, centres, rows=rows, columns=columns)))


def _reduced(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    image.thumbnail((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC)
    return np.asarray(image)


def _webp(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=_QUALITY, method=4)
    return stream.getvalue()


def _png(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
