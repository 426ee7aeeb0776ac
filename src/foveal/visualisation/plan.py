"""Chooses the layers and channels of a sheet by depth, or takes those that are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.errors import TraceError, UsageError
from foveal.text import count_noun
from foveal.visualisation.maximising import prepared
from foveal.visualisation.objectives import Channel, ClassLogit, Objective
from foveal.visualisation.pixels import PixelScale
from foveal.visualisation.rows import CLASSES, RowLayer, choose_rows
from foveal.visualisation.settings import CLASS_ASCENT, Ascent


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One layer of a sheet before its pictures are made.

    Attributes:
        layer: Name of the operation, or ``"classes"``.
        objectives: One a picture.
        ascent: With the size for this layer: where units see little, pictures are small.
        receptive_field_px: Height and width of what one unit sees; None where unknown.
    """

    layer: str
    objectives: tuple[Objective, ...]
    ascent: Ascent
    receptive_field_px: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """Which pictures a sheet will show, first layer first."""

    rows: tuple[PlannedRow, ...]


def plan_sheet(
    model: torch.nn.Module,
    *,
    num_rows: int = 6,
    num_columns: int = 6,
    ascent: Ascent | None = None,
    images: NDArray[np.float32] | None = None,
    class_names: Sequence[str] | None = None,
) -> SheetPlan:
    """Chooses layers spread over the depth of a network, and channels in each.

    The first layer and the last operation of each stage come first, then the middles of the
    widest gaps; a last row shows classes, where the network has several.

    Args:
        model: As for :func:`maximise`.
        num_rows: How many layers, classes included; fewer where there are fewer.
        num_columns: How many channels of each.
        ascent: Settings; its size is the largest that a picture gets.
        images: Float32 [N, C, H, W] as the network is given them: the channels that are
            most active on them are shown. Drawn by the settings' seed if None.
        class_names: What the classes are called.

    Raises:
        UsageError: A number is not positive, or the network has no maps.
    """
    if num_rows < 1 or num_columns < 1:
        raise UsageError(
            f"got a sheet of {num_rows} rows and {num_columns} columns, expected at least one "
            "of each."
        )
    settings = ascent or Ascent()
    with prepared(model, settings, None) as network:
        chosen_layers = choose_rows(network.graph, num_rows=num_rows)
    active = {} if images is None else _activity(model, chosen_layers, images)
    random = np.random.default_rng(settings.seed)
    rows = []
    for layer in chosen_layers:
        if layer.name in active:
            channels = np.argsort(-active[layer.name], kind="stable")[:num_columns]
        else:
            channels = _drawn(random, layer.num_channels, num_columns)
        rows.append(_plan_row(model, layer, [int(c) for c in channels], settings, class_names))
    return SheetPlan(tuple(rows))


def plan_pictures(
    model: torch.nn.Module,
    *,
    classes: Sequence[int] = (),
    layers: Sequence[str] = (),
    class_names: Sequence[str] | None = None,
    num_columns: int = 6,
    ascent: Ascent | None = None,
    class_ascent: Ascent = CLASS_ASCENT,
) -> SheetPlan:
    """Plans pictures of classes and layers that are named; of none, a sheet by depth.

    Args:
        model: As for :func:`maximise`.
        classes: Indices of outputs.
        layers: Each the name of an operation or module for some of its channels, drawn by the
            settings' seed; or ``"NAME:CHANNEL"`` for one.
        class_names: What the classes are called.
        num_columns: How many pictures stand in a row.
        ascent: Settings for layers and for the sheet by depth.
        class_ascent: Settings for classes; their colours matter more than a natural look.

    Raises:
        UsageError: There is no such layer, channel or class.
    """
    if not classes and not layers:
        return plan_sheet(model, num_columns=num_columns, ascent=ascent, class_names=class_names)
    rows = []
    logits: list[ClassLogit] = []
    with prepared(model, class_ascent, None) as network:
        for index in classes:
            target = network.target(ClassLogit(index))
            names = _checked_names(class_names, target.num_channels)
            logits.append(ClassLogit(index, names[index]))
    for start in range(0, len(logits), num_columns):
        part = tuple(logits[start : start + num_columns])
        rows.append(PlannedRow(CLASSES if start == 0 else "", part, class_ascent, None))
    settings = ascent or Ascent()
    random = np.random.default_rng(settings.seed)
    by_layer: dict[str, list[int]] = {}
    with prepared(model, settings, None) as network:
        for text in layers:
            layer, channel = _layer_and_channel(text)
            target = network.target(Channel(layer, 0 if channel is None else channel))
            chosen = by_layer.setdefault(layer, [])
            chosen += (
                [channel]
                if channel is not None
                else _drawn(random, target.num_channels, num_columns).tolist()
            )
    for layer, channels in by_layer.items():
        unique = list(dict.fromkeys(channels))
        for start in range(0, len(unique), num_columns):
            part_of = tuple(Channel(layer, k) for k in unique[start : start + num_columns])
            rows.append(PlannedRow(layer if start == 0 else "", part_of, settings, None))
    return SheetPlan(tuple(rows))


def _checked_names(class_names: Sequence[str] | None, num_classes: int) -> Sequence[str | None]:
    """Returns one name a class, or None for each where there are none.

    Raises:
        UsageError: There are more or fewer names than classes.
    """
    if class_names is None:
        return [None] * num_classes
    if len(class_names) != num_classes:
        raise UsageError(
            f"got {count_noun(len(class_names), 'class name')}, expected {num_classes}: one for "
            "each output of the network.",
            next_step="Give one name for each output, in their order.",
        )
    return class_names


def _layer_and_channel(text: str) -> tuple[str, int | None]:
    """Returns what ``"NAME:CHANNEL"`` or ``"NAME"`` says.

    >>> _layer_and_channel("layer3.0:12"), _layer_and_channel("layer3.0")
    (('layer3.0', 12), ('layer3.0', None))
    """
    layer, colon, channel = text.rpartition(":")
    return (layer, int(channel)) if colon and channel.isdecimal() else (text, None)


def _drawn(random: np.random.Generator, num_channels: int, count: int) -> NDArray[np.intp]:
    chosen = random.choice(num_channels, min(count, num_channels), replace=False)
    return np.sort(chosen)


# A unit that sees less than this share of the largest picture is shown alone, in the centre
# of a small one: of a filter of three pixels, a mean over all positions would show a wallpaper.
_SMALL_SHARE = 1 / 8
_SMALLEST_PX = 32
_FIELDS_ACROSS = 3


def _plan_row(
    model: torch.nn.Module,
    layer: RowLayer,
    channels: list[int],
    ascent: Ascent,
    class_names: Sequence[str] | None,
) -> PlannedRow:
    field = layer.receptive_field_px
    if layer.is_classes:
        names = _checked_names(class_names, layer.num_channels)
        logits = tuple(ClassLogit(index, names[index]) for index in channels)
        return PlannedRow(layer.name, logits, ascent, None)
    largest = min(ascent.height_px, ascent.width_px)
    is_small = field is not None and max(field) <= _SMALL_SHARE * largest
    wanted = _fitting_ascent(model, field, ascent)
    objectives = tuple(
        Channel(layer.name, channel, "centre" if is_small else "mean") for channel in channels
    )
    return PlannedRow(layer.name, objectives, wanted, field)


def _fitting_ascent(
    model: torch.nn.Module, field: tuple[int, int] | None, ascent: Ascent
) -> Ascent:
    """Returns the settings with a size that shows a few fields, where the network takes it."""
    largest = min(ascent.height_px, ascent.width_px)
    if field is None:
        return ascent
    side = max(_SMALLEST_PX, -(-_FIELDS_ACROSS * max(field) // 32) * 32)
    if side >= largest:
        return ascent
    smaller = replace(ascent, size_px=side)
    try:
        with prepared(model, smaller, None) as network:
            return smaller if network.graph.status == "complete" else ascent
    except TraceError:
        # A network of fully connected layers may take one size alone.
        return ascent


def _activity(
    model: torch.nn.Module, chosen_layers: Sequence[RowLayer], images: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Returns how active each channel of each row is on these images, [K] by layer."""
    if images.ndim != 4 or len(images) == 0:
        raise UsageError(
            f"got images of shape {images.shape}, expected [N, C, H, W] with at least one image."
        )
    height, width = images.shape[2:]
    given = PixelScale((0.0,), (1.0,), "as the network is given them")
    ascent = Ascent(size_px=(height, width))
    found = {}
    with prepared(model, ascent, given) as network, torch.no_grad():
        for layer in chosen_layers:
            objective: Objective = ClassLogit(0) if layer.is_classes else Channel(layer.name, 0)
            reader = network.reader(network.target(objective))
            pictures = torch.from_numpy(np.ascontiguousarray(images)).to(reader.device)
            found[layer.name] = reader.all_values(pictures).mean(0).cpu().numpy()
    return found
