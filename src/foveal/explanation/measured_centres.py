"""Where the cells of a layer lie in the image.

A cell's value belongs to the middle of what it sees, not of its equal share of the image:
with symmetric padding, ResNet-18's last map begins at pixel 0, and stretching it over the
image would move every finding by half a cell. But what a cell *can* see, its receptive field,
need not be what it answers to: a trained kernel may lean to one side. TensorFlow's padding
centres the last map of EfficientNet-Lite0 on 31, 63, ..., and its kernels lean back by a third
of a cell. So the offset is measured: small patches are planted in smooth noise, and where
the layer's result changes is compared with where they are.
"""

from __future__ import annotations

import numpy as np
import torch

from foveal.errors import FovealError
from foveal.explanation.cell_centres import CellCentres, Floats, even_centres
from foveal.graph import Graph, Op
from foveal.graph.receptive_field import receptive_fields
from foveal.layers import find_layer, predicting, result_at

# Symmetric about the middle, so that what the border does cancels.
_PATCH_SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_NUM_GROUNDS = 2
_COUNTS = 0.25  # of the strongest change: below, it is the far tail of the field
_PATCH_STRIDES = 0.4
_MIN_PATCH_PX = 4
_GROUND_CELLS = 6
_MAX_LEAN_STRIDES = 1.5
_PATCH_LEVEL = 2.0  # standard deviations, of inputs that are normalised


def field_centres(
    graph: Graph, layer: str, grid: tuple[int, int], image_size_px: tuple[int, int]
) -> CellCentres:
    """Returns the middles of the cells' receptive fields; equal shares where unavailable.

    Args:
        graph: The traced network.
        layer: Name of an operation in it.
        grid: (h, w) of the map.
        image_size_px: (H, W) of the network's input.
    """
    even = even_centres(grid, image_size_px)
    op = _find(graph, layer)
    if op is None:
        return even
    field = receptive_fields(graph)[op.index]
    if len(field.fields) != 2:
        return even
    axes = []
    for axis, cells in zip(field.fields, grid, strict=True):
        if axis is None:
            return even
        seen = [axis.positions(unit) for unit in range(cells)]
        centres = np.array([one.first + (one.span - 1) / 2 for one in seen], np.float64)
        if (np.diff(centres) <= 0).any():
            return even
        axes.append(centres)
    return CellCentres(axes[0], axes[1], "receptive field")


def find_centres(
    model: torch.nn.Module,
    graph: Graph,
    layer: str,
    grid: tuple[int, int],
    image_size_px: tuple[int, int],
) -> CellCentres:
    """Returns where the cells lie: measured; by receptive field where nothing answers.

    Costs sixteen images, up to the layer.

    Args:
        model: The network; left as it was found.
        graph: Of the network, traced at this size.
        layer: Name of an operation in it.
        grid: (h, w) of the map.
        image_size_px: (H, W) of the network's input.
    """
    expected = field_centres(graph, layer, grid, image_size_px)
    op = _find(graph, layer)
    if op is None or min(grid) < 2 or expected.origin != "receptive field":
        return expected
    strides = (
        float(expected.rows[1] - expected.rows[0]),
        float(expected.columns[1] - expected.columns[0]),
    )
    try:
        found = [
            _measure_offsets(model, graph, op, strides, image_size_px, seed)
            for seed in range(_NUM_GROUNDS)
        ]
    except FovealError:
        return expected
    known = [offsets for offsets in found if offsets is not None]
    if len(known) < len(found):
        return expected
    offsets = np.mean(known, axis=0)
    starts = np.array([expected.rows[0], expected.columns[0]])
    if (np.abs(offsets - starts) > _MAX_LEAN_STRIDES * np.array(strides)).any():
        return expected  # it answers to something else than the patch
    rows, columns = (
        offset + step * np.arange(cells)
        for offset, step, cells in zip(offsets, strides, grid, strict=True)
    )
    return CellCentres(rows, columns, "measured")


def _measure_offsets(
    model: torch.nn.Module,
    graph: Graph,
    op: Op,
    strides: tuple[float, float],
    size: tuple[int, int],
    seed: int,
) -> tuple[float, float] | None:
    """Returns the centre of cell 0 on either axis; None where the layer does not answer."""
    images, middles = _plant(int(graph.inputs[0].shape[1]), strides, size, seed)
    with predicting(model) as copied:
        weight = next((p for p in copied.parameters() if p.is_floating_point()), None)
        batch = images if weight is None else images.to(weight)
        answers = result_at(copied, find_layer(copied, graph, op.name).site, batch).double().cpu()
    if answers.ndim != 4 or answers.shape[2:] != op.output_shape[2:]:
        return None
    changed = ((answers[1:] - answers[:1]) ** 2).sum(1).numpy()
    peak = changed.max((1, 2), keepdims=True)
    if not (np.isfinite(changed).all() and (peak > 0).all()):
        return None
    kept = np.where(changed >= _COUNTS * peak, changed, 0.0)
    kept /= kept.sum((1, 2), keepdims=True)
    rows, columns = (
        (kept.sum(2 - axis) * np.arange(kept.shape[1 + axis])).sum(1) for axis in (0, 1)
    )
    return (
        float(np.mean(middles[0] - strides[0] * rows)),
        float(np.mean(middles[1] - strides[1] * columns)),
    )


def _find(graph: Graph, layer: str) -> Op | None:
    return next((op for op in graph.ops if op.name == layer), None)


def _plant(
    channels: int, strides: tuple[float, float], size: tuple[int, int], seed: int
) -> tuple[torch.Tensor, tuple[Floats, Floats]]:
    """Returns a smooth ground and it with one patch each [1 + n, C, H, W], and where those are."""
    random = np.random.default_rng(seed)
    coarse = torch.from_numpy(random.standard_normal((1, channels, _GROUND_CELLS, _GROUND_CELLS)))
    ground = torch.nn.functional.interpolate(coarse.float(), size=size, mode="bicubic")
    # Along one diagonal or the other, so that the axes are not tied together.
    shares_by_axis = (_PATCH_SHARES, _PATCH_SHARES if seed % 2 == 0 else _PATCH_SHARES[::-1])
    images = ground.repeat(1 + len(_PATCH_SHARES), 1, 1, 1)
    sides = [max(_MIN_PATCH_PX, round(_PATCH_STRIDES * step)) for step in strides]
    starts = [
        [round(share * length - side / 2) for share in shares]
        for shares, length, side in zip(shares_by_axis, size, sides, strict=True)
    ]
    for number, (top, left) in enumerate(zip(*starts, strict=True), start=1):
        images[number, :, top : top + sides[0], left : left + sides[1]] = _PATCH_LEVEL
    rows, columns = (
        np.array(first, np.float64) + (side - 1) / 2
        for first, side in zip(starts, sides, strict=True)
    )
    return images, (rows, columns)
