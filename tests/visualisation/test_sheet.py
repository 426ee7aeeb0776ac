from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from foveal.visualisation import (
    Ascent,
    Channel,
    ClassLogit,
    DepthSheet,
    Maximised,
    PixelScale,
    PlannedRow,
    SheetRow,
    plan_pictures,
    plan_sheet,
    sheet_by_depth,
)
from foveal.visualisation.sheet import (
    draw_sheet,
    picture_pixels,
)


def _picture(image: np.ndarray, channel: int = 0, reason: str | None = None) -> Maximised:
    return Maximised(
        objective=Channel("conv1", channel),
        image=image.astype(np.float32),
        activations=np.zeros(1, np.float32),
        first=0.0,
        last=1.0,
        target="conv1",
        target_reason="it is the layer named",
        reason=reason,
        scale=PixelScale((0.0,), (1.0,)),
        ascent=Ascent(size_px=image.shape[1]),
        seconds=0.0,
    )


def _plain(colour: tuple[float, ...], side: int = 16) -> np.ndarray:
    return np.broadcast_to(np.array(colour)[:, None, None], (len(colour), side, side))


def _sheet(*rows: tuple[Maximised, ...], layer: str = "conv1", model: str = "Net") -> DepthSheet:
    planned = [
        PlannedRow(layer, tuple(p.objective for p in row), row[0].ascent, (7, 7)) for row in rows
    ]
    made = tuple(SheetRow(plan, row) for plan, row in zip(planned, rows, strict=True))
    return DepthSheet(model, made, 0.0)


def _open(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _area(pixels: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((pixels == np.array(colour)).all(axis=2).sum())


def test_every_picture_is_on_the_sheet_at_its_size():
    red, green, blue = (_picture(_plain(c)) for c in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    pixels = _open(draw_sheet(_sheet((red, green), (blue,)), cell_px=50))
    areas = [_area(pixels, c) for c in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    assert areas == [2500, 2500, 2500]


def test_rows_stand_below_each_other_in_order():
    red, blue = (_picture(_plain(c)) for c in ((1, 0, 0), (0, 0, 1)))
    pixels = _open(draw_sheet(_sheet((red,), (blue,)), cell_px=50))
    rows = [np.nonzero((pixels == c).all(2).any(1))[0] for c in ((255, 0, 0), (0, 0, 255))]
    assert rows[0].max() < rows[1].min()


def test_an_oblong_picture_keeps_its_proportions():
    oblong = _picture(np.ones((3, 10, 20)) * np.array([1, 0, 0])[:, None, None])
    assert _area(_open(draw_sheet(_sheet((oblong,)), cell_px=100)), (255, 0, 0)) == 100 * 50


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (_plain((0.5,)), (128, 128, 128)),
        (_plain((1.0, 0.0)), (255, 255, 255)),
        (_plain((1.0, 0.0, 0.2)), (255, 0, 51)),
        (_plain((1.0, 0.0, 0.2, 0.9)), (255, 0, 51)),
    ],
)
def test_pixels_can_be_shown_for_any_number_of_channels(image, colour):
    assert picture_pixels(_picture(image))[3, 4].tolist() == list(colour)


# Hostile names must neither break the drawing nor make the sheet any wider.
@pytest.mark.parametrize("name", ["<script>\n\x1b[31m", "name " * 100, "\udce9", "🦊", ""])
def test_any_name_can_be_drawn(name):
    picture = _picture(_plain((1, 0, 0)))
    usual = _open(draw_sheet(_sheet((picture,)), cell_px=120))
    named = _open(draw_sheet(_sheet((picture,), layer=name or "x", model=name), cell_px=120))
    assert named.shape == usual.shape


def test_a_blank_picture_says_so_beneath():
    plain, blank = _picture(_plain((1, 0, 0))), _picture(_plain((1, 0, 0)), reason="no gradient")
    sheets = [_open(draw_sheet(_sheet((p,)), cell_px=200)) for p in (plain, blank)]
    assert not np.array_equal(*sheets)


def test_real_sheets_and_classes_can_be_drawn():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    ascent = Ascent(size_px=32, num_steps=1)
    sheet = sheet_by_depth(model, plan_sheet(model, num_columns=2, ascent=ascent))
    classes = sheet_by_depth(
        model, plan_pictures(model, classes=[2, 0, 1], num_columns=2, class_ascent=ascent)
    )
    assert _open(draw_sheet(sheet)).shape[1] == 2 * 16 + 3 * 144 - 144 + 6
    assert _open(draw_sheet(classes)).shape[1] == 2 * 16 + 2 * 144 + 6


@pytest.mark.parametrize(
    ("first", "second"), [("Ж", "Ш"), ("日", "本"), ("ع", "ب"), ("क", "म"), ("한", "글")]
)
def test_class_names_of_other_scripts_are_told_apart(first, second):
    def sheet(name: str) -> bytes:
        picture = dataclasses.replace(
            _picture(_plain((1, 0, 0))), objective=ClassLogit(0, class_name=name)
        )
        return draw_sheet(_sheet((picture,)))

    assert sheet(first) != sheet(second)
