"""A network by depth: what excites its channels, from the first layer to the classes.

Early layers answer to edges and colours, later ones to textures, then to parts and whole
things (Zeiler and Fergus 2014; Olah et al. 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.errors import TraceError, UsageError
from foveal.visualisation.class_pictures import CLASS_ASCENT
from foveal.visualisation.cost import estimate_seconds
from foveal.visualisation.maximised import Maximised
from foveal.visualisation.maximising import Progress, maximise_each
from foveal.visualisation.objectives import Channel, ClassLogit, Objective
from foveal.visualisation.pixels import PixelScale
from foveal.visualisation.prepared import prepared
from foveal.visualisation.rows import CLASSES, RowPlace, choose_rows
from foveal.visualisation.settings import Ascent


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
            f"A sheet of {num_rows} rows and {num_columns} columns was asked for; at least one "
            "of each was expected."
        )
    settings = ascent or Ascent()
    with prepared(model, settings, None) as workshop:
        places = choose_rows(workshop.graph, num_rows=num_rows)
    active = {} if images is None else _activity(model, places, images)
    random = np.random.default_rng(settings.seed)
    rows = []
    for place in places:
        if place.layer in active:
            channels = np.argsort(-active[place.layer], kind="stable")[:num_columns]
        else:
            channels = _drawn(random, place.num_channels, num_columns)
        rows.append(_plan_row(model, place, [int(c) for c in channels], settings, class_names))
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
    with prepared(model, class_ascent, None) as workshop:
        for index in classes:
            workshop.target(ClassLogit(index))
    logits = [ClassLogit(k, class_names[k] if class_names else None) for k in classes]
    for start in range(0, len(logits), num_columns):
        part = tuple(logits[start : start + num_columns])
        rows.append(PlannedRow(CLASSES if start == 0 else "", part, class_ascent, None))
    settings = ascent or Ascent()
    random = np.random.default_rng(settings.seed)
    by_layer: dict[str, list[int]] = {}
    with prepared(model, settings, None) as workshop:
        for text in layers:
            layer, channel = _layer_and_channel(text)
            target = workshop.target(Channel(layer, 0 if channel is None else channel))
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


# A unit that sees less than this share of the largest picture is shown alone, in the centre
# of a small one: of a filter of three pixels, a mean over all places would show a wallpaper.
_SMALL_SHARE = 1 / 8
_SMALLEST_PX = 32
_FIELDS_ACROSS = 3


def _plan_row(
    model: torch.nn.Module,
    place: RowPlace,
    channels: list[int],
    ascent: Ascent,
    class_names: Sequence[str] | None,
) -> PlannedRow:
    field = place.receptive_field_px
    if place.is_classes:
        names = [None] * place.num_channels if class_names is None else class_names
        logits = tuple(ClassLogit(index, names[index]) for index in channels)
        return PlannedRow(place.layer, logits, ascent, None)
    largest = min(ascent.height_px, ascent.width_px)
    is_small = field is not None and max(field) <= _SMALL_SHARE * largest
    wanted = _fitting_ascent(model, field, ascent)
    objectives = tuple(
        Channel(place.layer, channel, "centre" if is_small else "mean") for channel in channels
    )
    return PlannedRow(place.layer, objectives, wanted, field)


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
        with prepared(model, smaller, None) as workshop:
            return smaller if workshop.graph.status == "complete" else ascent
    except TraceError:
        # A network of fully connected layers may take one size alone.
        return ascent


def _activity(
    model: torch.nn.Module, places: Sequence[RowPlace], images: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Returns how active each channel of each row is on these images, [K] by layer."""
    if images.ndim != 4 or len(images) == 0:
        raise UsageError(
            f"images of shape {images.shape} came, expected [N, C, H, W] with at least one image."
        )
    height, width = images.shape[2:]
    given = PixelScale((0.0,), (1.0,), "as the network is given them")
    ascent = Ascent(size_px=(height, width))
    found = {}
    with prepared(model, ascent, given) as workshop, torch.no_grad():
        for place in places:
            objective: Objective = ClassLogit(0) if place.is_classes else Channel(place.layer, 0)
            slope = workshop.slope(workshop.target(objective))
            pictures = torch.from_numpy(np.ascontiguousarray(images)).to(slope.device)
            found[place.layer] = slope.all_values(pictures).mean(0).cpu().numpy()
    return found
