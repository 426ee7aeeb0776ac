"""What ``foveal inspect`` lays over its picture, and the files that it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foveal.errors import FovealError, TraceError

if TYPE_CHECKING:
    from foveal.explanation.images import ExplainedMap
    from foveal.graph.inputs import InputShape
    from foveal.inspection import Comparison, EffectiveField, Inspection
    from foveal.inspection.picture.component import Layers
    from foveal.inspection.picture.facts import Overlay
    from foveal.models import Network


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """The files that the picture is written to, where they were asked for.

    Attributes:
        html: The page, in which groups open.
        svg: The drawing alone.
        png: The same drawing.
        overlay: What each box of the drawing says.
    """

    html: Path | None
    svg: Path | None
    png: Path | None
    overlay: Overlay

    def __bool__(self) -> bool:
        return bool(self.html or self.svg or self.png)

    def check(self) -> None:
        """Raises what would keep a file from being made, before any work."""
        if self.png is not None:
            from foveal.inspection.picture.paper import find_engine

            find_engine()


def write_pictures(
    files: PictureFiles,
    table: Inspection,
    *,
    layers: Layers | None = None,
    second_layers: Layers | None = None,
    effective: EffectiveField | None = None,
    background: Any = None,
    comparison: Comparison | None = None,
) -> None:
    """Writes the page and the drawing, where they were asked for."""
    from foveal.files import write_atomically

    if files.html is not None:
        from foveal.inspection import render_inspection_html

        page = render_inspection_html(
            table,
            effective=effective,
            background=background,
            comparison=comparison,
            layers=layers,
            second_layers=second_layers,
        )
        write_atomically(files.html, page.encode("utf-8"))
        click.echo(f"The page is {files.html}", err=True)
    if files.svg is None and files.png is None:
        return
    from foveal.inspection.picture.drawing import draw_svg
    from foveal.inspection.picture.paper import draw_png
    from foveal.inspection.picture.picture import picture_of
    from foveal.inspection.picture.side_by_side import draw_pair_svg

    first, second = (() if over is None else over.marks for over in (layers, second_layers))
    drawn = (
        draw_svg(picture_of(table), overlay=files.overlay, marks=first)
        if comparison is None
        else draw_pair_svg(comparison, overlay=files.overlay, marks=(first, second))
    )
    if files.svg is not None:
        write_atomically(files.svg, drawn.encode("utf-8"))
        click.echo(f"The drawing is {files.svg}", err=True)
    if files.png is not None:
        write_atomically(files.png, draw_png(drawn))
        click.echo(f"The drawing is {files.png}", err=True)


def write_what_was_seen(error: TraceError, model: str, files: PictureFiles) -> None:
    """Draws a network that fails up to where it fails, with the reason there."""
    if error.seen is None or not files:
        return
    from foveal.inspection import inspect_graph

    write_pictures(files, inspect_graph(error.seen, name=model))
    click.echo("It shows the network up to where it fails.", err=True)


def find_layers(
    model: str, shape: InputShape | None, network: Network | None, table: Inspection, images: Any
) -> Layers:
    """Returns the linter's findings, and what the network makes of the first image."""
    from dataclasses import replace

    from foveal.api import lint
    from foveal.inspection.picture.component import Layers
    from foveal.linting.marks import picture_marks

    layers = Layers()
    try:
        layers = Layers(marks=picture_marks(lint(model, input_shape=shape)))
    except FovealError as error:
        click.echo(f"The picture of {model} has no findings of the linter: {error}", err=True)
    if network is None or not images:
        return layers
    from foveal.api import explain, read_batch
    from foveal.inspection.picture.activations import activation_pictures, data_address

    shapes = [item.shape for item in table.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        click.echo("The picture shows no image: the network does not take one alone.", err=True)
        return layers
    _, channels, height_px, width_px = shapes[0]
    network = network.stating(input_shape=(channels, height_px, width_px))
    batch = read_batch(network, images)
    layers = replace(
        layers,
        activations=activation_pictures(network.module, table, batch),
        image=data_address(_levels(batch[0]), kind="JPEG"),
        image_note="The first image, as the network takes it.",
    )
    try:
        (explained,) = explain(network, list(images)[:1])
        if explained.error is None and explained.maps:
            one = explained.maps[0]
            layers = replace(
                layers,
                heat_map=data_address(_tinted(batch[0], one), kind="JPEG"),
                image_note=f"The first image, as the network takes it, and the heat map of "
                f"{one.class_name} ({one.heat_map.method} at {one.heat_map.layer}). "
                f"{one.verdict.sentence}",
            )
    except FovealError as error:
        click.echo(f"The picture has no heat map: {error}", err=True)
    return layers


def _levels(image: Any) -> Any:
    """Returns a network's input [C, H, W] as an image [H, W, 3]."""
    import numpy as np

    low, high = float(image.min()), float(image.max())
    levels = 255 * (image - low) / max(high - low, 1e-6)
    shown = levels.transpose(1, 2, 0).round().astype(np.uint8)
    return np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown


def _tinted(image: Any, explained: ExplainedMap) -> Any:
    """Returns the network's input under a heat map, each cell where it looks."""
    import numpy as np

    from foveal.draw.colour_map import overlay
    from foveal.explanation.placement import spread

    pixels = _levels(image)
    rows, columns = (np.arange(size) for size in pixels.shape[:2])
    values = spread(explained.heat_map.values, explained.centres, rows=rows, columns=columns)
    most = float(explained.heat_map.values.max())
    return overlay(pixels, np.clip(values / most if most > 0 else values, 0, 1))
