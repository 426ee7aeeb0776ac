"""Made-up explained images, with names that are out to break something."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from foveal.explanation import HeatMap, Verdict
from foveal.explanation.cell_centres import even_centres
from foveal.explanation.heat_map import VerdictLevel
from foveal.explanation.images import ExplainedImage, ExplainedMap
from foveal.explanation.placement import Placement
from foveal.images import Preprocessing


def make_up(
    *,
    class_name: str = "cracked",
    path: str = "cells/0001.png",
    level: VerdictLevel = "supported",
    peak: float = 4.0,
    size_px: tuple[int, int] = (60, 90),
) -> ExplainedImage:
    """An image with one map that is hot in its lower right cell."""
    values = np.zeros((4, 4), np.float32)
    values[3, 3] = peak
    heat_map = HeatMap(
        method="cam",
        layer="bn2.act",
        layer_reason="It is the last map.",
        class_index=1,
        logit=2.0,
        values=values,
        signed=values,
        bias=0.5,
        image_size_px=(64, 64),
    )
    preprocessing = Preprocessing(64, 64)
    return ExplainedImage(
        path=path,
        label=class_name,
        probability=0.93,
        maps=(
            ExplainedMap(
                class_name,
                0.93,
                heat_map,
                Verdict(level, "The answer rests on the lower right corner. " * 3, ()),
                even_centres((4, 4), (64, 64)),
            ),
        ),
        pixels=np.full(size_px, 120, np.uint8),
        placement=Placement.of(preprocessing, image_px=size_px, shown_px=size_px),
    )


@pytest.fixture
def explained() -> Callable[..., ExplainedImage]:
    """Makes one up."""
    return make_up
