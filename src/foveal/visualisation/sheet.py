"""Sheets of maximised pictures: a network by depth, from the first layer to the classes; as PNG.

Early layers answer to edges and colours, later ones to textures, then to parts and whole
things (Zeiler and Fergus 2014; Olah et al. 2017).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.draw.lettering import Font, shorten_pixels
from foveal.text import printable
from foveal.visualisation.ascent import Maximised
from foveal.visualisation.maximising import Progress, estimate_seconds, maximise_each
from foveal.visualisation.objectives import Channel, ClassLogit
from foveal.visualisation.pixels import PixelScale
from foveal.visualisation.plan import PlannedRow, SheetPlan, plan_sheet


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One layer of a sheet.

    Attributes:
        plan: What was sought.
        pictures: One for each of its objectives.
    """

    plan: PlannedRow
    pictures: tuple[Maximised, ...]


@dataclass(frozen=True, slots=True)
class DepthSheet:
    """Pictures by depth.

    Attributes:
        model_type: Class name of the model.
        rows: First layer first.
        seconds: What all of them took.
    """

    model_type: str
    rows: tuple[SheetRow, ...]
    seconds: float

    @property
    def pictures(self) -> tuple[Maximised, ...]:
        """All pictures, row by row."""
        return tuple(picture for row in self.rows for picture in row.pictures)


def estimate_sheet_seconds(
    model: torch.nn.Module, plan: SheetPlan, *, scale: PixelScale | None = None
) -> float:
    """Returns about how long :func:`sheet_by_depth` will take, from a few timed steps a row."""
    return sum(
        estimate_seconds(model, row.objectives, ascent=row.ascent, scale=scale) for row in plan.rows
    )


def sheet_by_depth(
    model: torch.nn.Module,
    plan: SheetPlan | None = None,
    *,
    scale: PixelScale | None = None,
    progress: Progress | None = None,
) -> DepthSheet:
    """Makes all pictures of a sheet, the channels of one layer in one batch.

    Args:
        model: As for :func:`maximise`.
        plan: From :func:`plan_sheet`; its defaults if None.
        scale: As for :func:`maximise`.
        progress: Called after every step with the steps done and their total.

    Raises:
        The errors of :func:`maximise`.
    """
    chosen = plan or plan_sheet(model)
    total = sum(row.ascent.num_steps for row in chosen.rows)
    done, made = 0, []
    for row in chosen.rows:

        def step_done(step: int, _steps: int, before: int = done) -> None:
            if progress is not None:
                progress(before + step, total)

        pictures = maximise_each(
            model,
            row.objectives,
            ascent=row.ascent,
            scale=scale,
            batch_size=len(row.objectives),
            progress=step_done,
        )
        made.append(SheetRow(row, pictures))
        done += row.ascent.num_steps
    seconds = sum(picture.seconds for row in made for picture in row.pictures)
    return DepthSheet(type(model).__name__, tuple(made), seconds)


if TYPE_CHECKING:
    from PIL import Image

_MARGIN_PX = 16
_GAP_PX = 6
_TITLE, _CAPTION = Font(15, "bold"), Font(12)
_PAPER, _INK, _SOFT = "#ffffff", "#18181b", "#696970"


@dataclass(frozen=True, slots=True)
class _Strip:
    """A row of pictures with what stands above it and beneath each."""

    title: str
    note: str
    captions: tuple[str, ...]
    pictures: tuple[Maximised, ...]


def draw_sheet(sheet: DepthSheet, *, cell_px: int = 144) -> bytes:
    """Returns the PNG of a sheet, its first row on top.

    Args:
        sheet: From :func:`foveal.visualisation.sheet_by_depth`.
        cell_px: Side of each picture on paper; small ones are enlarged to it.
    """
    heading = f"What excites {printable(sheet.model_type)}"
    return _draw(heading, [_strip(row) for row in sheet.rows], cell_px)


def picture_pixels(picture: Maximised) -> NDArray[np.uint8]:
    """Returns a maximised picture to be shown, uint8 [H, W, 3].

    One channel becomes grey; of other numbers than three the first three are shown, or the
    first as grey where there are two.
    """
    image = picture.image if len(picture.image) >= 3 else picture.image[:1].repeat(3, axis=0)
    levels = np.rint(image[:3].transpose(1, 2, 0) * 255)
    return levels.clip(0, 255).astype(np.uint8)


def _strip(row: SheetRow) -> _Strip:
    field, ascent = row.plan.receptive_field_px, row.plan.ascent
    notes = []
    if field is not None:
        notes.append(f"one unit sees {field[0]} by {field[1]} px")
    notes.append(f"pictures of {ascent.height_px} by {ascent.width_px} px")
    objective = row.plan.objectives[0]
    if isinstance(objective, Channel):
        notes.append("one unit" if objective.where == "centre" else "mean over all positions")
    return _Strip(
        printable(row.plan.layer),
        ", ".join(notes),
        tuple(_caption(picture) for picture in row.pictures),
        row.pictures,
    )


def _caption(picture: Maximised) -> str:
    objective = picture.objective
    if isinstance(objective, ClassLogit):
        name = objective.class_name
        text = f"class {objective.class_index}" if name is None else printable(name)
    elif isinstance(objective, Channel):
        text = f"channel {objective.channel}"
    else:
        text = printable(objective.name or "direction")
    return f"{text}: {picture.reason}" if picture.reason else text


def _draw(heading: str, strips: Sequence[_Strip], cell_px: int) -> bytes:
    from PIL import Image, ImageDraw

    columns = max(len(strip.pictures) for strip in strips)
    width = 2 * _MARGIN_PX + columns * cell_px + (columns - 1) * _GAP_PX
    line, tall_line = round(1.5 * _CAPTION.size_px), round(1.6 * _TITLE.size_px)
    heights = [(tall_line if strip.title else 0) + cell_px + line + _GAP_PX for strip in strips]
    top = _MARGIN_PX + (round(1.4 * tall_line) if heading else 0)
    sheet = Image.new("RGB", (width, top + sum(heights) + _MARGIN_PX), _PAPER)
    pen = ImageDraw.Draw(sheet)
    right = width - _MARGIN_PX

    def write(x: int, y: int, text: str, font: Font, room_px: int, colour: str) -> str:
        shown = shorten_pixels(text, font, room_px)
        font.draw(pen, (x, y), shown, colour=colour)
        return shown

    if heading:
        y = _MARGIN_PX + _TITLE.size_px
        write(_MARGIN_PX, y, heading, _TITLE, right - _MARGIN_PX, _INK)
    for strip, height in zip(strips, heights, strict=True):
        y = top
        if strip.title:
            base = y + _TITLE.size_px
            title = write(_MARGIN_PX, base, strip.title, _TITLE, right - _MARGIN_PX, _INK)
            x = _MARGIN_PX + _TITLE.width(title) + 2 * _GAP_PX
            if x < right:
                write(x, base, strip.note, _CAPTION, right - x, _SOFT)
            y += tall_line
        for column, picture in enumerate(strip.pictures):
            x = _MARGIN_PX + column * (cell_px + _GAP_PX)
            sheet.paste(_cell(picture, cell_px), (x, y))
            base = y + cell_px + 2 + _CAPTION.size_px
            write(x, base, strip.captions[column], _CAPTION, cell_px, _SOFT)
        top += height
    stream = io.BytesIO()
    sheet.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _cell(picture: Maximised, cell_px: int) -> Image.Image:
    from PIL import Image

    image = Image.fromarray(picture_pixels(picture))
    fit = cell_px / max(image.size)
    width, height = (max(1, round(side * fit)) for side in image.size)
    # Enlarged by whole pixels a small picture would look like a mosaic, not like an edge.
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    cell = Image.new("RGB", (cell_px, cell_px), _PAPER)
    cell.paste(resized, ((cell_px - width) // 2, (cell_px - height) // 2))
    return cell
