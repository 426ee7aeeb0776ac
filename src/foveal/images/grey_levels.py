"""DICOM's way from stored values to what a viewer shows.

Stored values go through the modality transformation (PS3.3 C.11.1: a table, or slope and
intercept), then the VOI transformation (C.11.2: a table, or a window with one of three
functions). The result is in [0, 1], where 1 is white.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.images.levels import LevelKind, LevelSummary
from foveal.images.window import Stretched, Window, scale, stretch, summarise

if TYPE_CHECKING:
    from pydicom import Dataset

WindowFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

_BAND_SAMPLES: Final = 1 << 20
_FRAME_GROUPS: Final = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
_FRAME_KEYWORDS: Final = (
    *("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A look-up table: the value it begins at, and entries in [0, 1] or in output units."""

    first: int
    entries: NDArray[np.float64]

    def __call__(self, levels: NDArray[Any]) -> NDArray[np.float64]:
        """Returns the entry for each level; levels beyond an end get the last one there."""
        index = np.clip(np.rint(levels) - self.first, 0, len(self.entries) - 1)
        return np.asarray(self.entries[index.astype(np.intp)])


@dataclass(frozen=True, slots=True, eq=False)
class FrameRules:
    """What the header says about showing a frame; ``None`` where it says nothing."""

    modality_table: Table | None
    slope: float
    intercept: float
    voi_table: Table | None
    window: tuple[float, float, WindowFunction] | None
    padding: tuple[float, float] | None
    kind: LevelKind


def frame_rules(dataset: Dataset, index: int = 0) -> FrameRules:
    """Reads the rules for one frame, also from enhanced files' functional groups."""
    header: dict[str, Any] = {
        name: dataset[name].value for name in _FRAME_KEYWORDS if name in dataset
    }
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        first = index if groups.startswith("PerFrame") else 0
        for group in list(dataset.get(groups) or ())[first : first + 1]:
            for macro in _FRAME_GROUPS:
                for item in list(group.get(macro) or ())[:1]:
                    header |= {n: item[n].value for n in _FRAME_KEYWORDS if n in item}
    is_little_endian = bool(dataset.original_encoding[1])
    modality, voi = header.get("ModalityLUTSequence"), header.get("VOILUTSequence")
    modality_table = _table(modality[0], is_little_endian, "units") if modality else None
    slope = _first(header.get("RescaleSlope"), 1.0)
    intercept = _first(header.get("RescaleIntercept"), 0.0)
    return FrameRules(
        modality_table=modality_table,
        slope=slope,
        intercept=intercept,
        voi_table=_table(voi[0], is_little_endian, "fractions") if voi else None,
        window=_window(header),
        padding=_padding(dataset),
        kind=_kind(dataset, modality_table, slope, intercept),
    )


def _kind(dataset: Dataset, table: Table | None, slope: float, intercept: float) -> LevelKind:
    """Returns the modality and the range of its levels in their units (for CT: Hounsfield)."""
    named = str(dataset.get("Modality") or "")
    # A modality is a code of two to four letters (PS3.3 C.7.3.1.1.1); else it may be anything.
    is_code = named.isascii() and named.isalpha() and named.isupper() and 2 <= len(named) <= 4
    name = f"DICOM {named}" if is_code else "DICOM"
    if table is not None:
        return LevelKind(name, float(table.entries.min()), float(table.entries.max()))
    if "PixelData" not in dataset:  # floating-point pixels
        return LevelKind(name, 0.0, 1.0)
    bits = int(dataset.get("BitsStored") or 16)
    is_signed = dataset.get("PixelRepresentation") == 1
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    bottom, top = sorted(end * slope + intercept for end in ends)
    return LevelKind(name, float(bottom), float(top))


def show(
    stored: NDArray[Any], rules: FrameRules, window: Window, *, is_inverted: bool
) -> Stretched:
    """Returns gray values in [0, 1] for stored values [H, W].

    Args:
        stored: The frame as stored.
        rules: What the header says.
        window: Whether to follow it, and the percentiles to use otherwise.
        is_inverted: MONOCHROME1: the lowest value is white.
    """
    is_padding = None
    if rules.padding is not None:
        low, high = rules.padding
        is_padding = (stored >= low) & (stored <= high)
    levels = _to_units(stored, rules)
    polarity: Literal["normal", "inverted"] = "inverted" if is_inverted else "normal"
    fixed = window.range_for(rules.kind)
    notes: tuple[str, ...] = ()
    summary = None
    values: NDArray[np.float32]
    if fixed is None:
        summary = _summary(levels, rules, is_padding, polarity)
    if fixed is not None:
        values = scale(levels, fixed.low, fixed.high, rules.kind, polarity)
    elif window.dicom == "header" and rules.voi_table is not None:
        table = rules.voi_table
        values = _by_band(levels, lambda part: 1.0 - table(part) if is_inverted else table(part))
    elif window.dicom == "header" and rules.window is not None:
        shape = rules.window
        values = _by_band(levels, lambda part: _apply_window(part, *shape, is_inverted=is_inverted))
    else:
        stretched = stretch(levels, window, kind=rules.kind, ignored=is_padding, polarity=polarity)
        values, notes = stretched.values, stretched.notes
        if window.dicom == "header":
            notes = ("The header gives no display window; percentiles are used.", *notes)
    shown = np.nan_to_num(values, copy=False, nan=0.0)
    if is_padding is not None:
        shown[is_padding] = 0.0
    return Stretched(shown, notes, summary)


def _summary(
    levels: NDArray[Any],
    rules: FrameRules,
    is_padding: NDArray[np.bool_] | None,
    polarity: Literal["normal", "inverted"],
) -> LevelSummary | None:
    sample = levels if is_padding is None or is_padding.all() else levels[~is_padding]
    if sample.dtype.kind == "f":
        sample = sample[np.isfinite(sample)]
    if not sample.size:
        return None
    stated = None
    if rules.window is not None and rules.voi_table is None and rules.window[2] != "SIGMOID":
        centre, width, function = rules.window
        if function == "LINEAR":
            centre, width = centre - 0.5, width - 1.0
        if width > 0:
            stated = (centre - width / 2, centre + width / 2)
            if polarity == "inverted":
                stated = (rules.kind.mirrored(stated[1]), rules.kind.mirrored(stated[0]))
    return replace(summarise(np.ravel(sample), rules.kind, polarity), stated=stated)


def _to_units(stored: NDArray[Any], rules: FrameRules) -> NDArray[Any]:
    if rules.modality_table is not None:
        return rules.modality_table(stored)
    if (rules.slope, rules.intercept) == (1.0, 0.0):
        return stored
    if _stay_integers(stored, rules):  # as in CT: exact in half the memory
        return stored.astype(np.int32) * np.int32(rules.slope) + np.int32(rules.intercept)
    units: NDArray[np.float64] = stored * np.float64(rules.slope)
    units += np.float64(rules.intercept)
    return units


def _stay_integers(stored: NDArray[Any], rules: FrameRules) -> bool:
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize > 2:
        return False
    is_whole = float(rules.slope).is_integer() and float(rules.intercept).is_integer()
    return is_whole and abs(rules.slope) * 65_536 + abs(rules.intercept) < 2**31


def _by_band(
    levels: NDArray[Any], show_band: Callable[[NDArray[Any]], NDArray[Any]]
) -> NDArray[np.float32]:
    """Applies a rule band by band: its double precision takes eight bytes a pixel, repeatedly."""
    shown = np.empty(levels.shape, np.float32)
    step = max(1, _BAND_SAMPLES // max(1, levels.shape[1]))
    for top in range(0, len(levels), step):
        shown[top : top + step] = show_band(levels[top : top + step])
    return shown


def _apply_window(
    levels: NDArray[Any],
    centre: float,
    width: float,
    function: WindowFunction,
    *,
    is_inverted: bool,
) -> NDArray[np.float64]:
    """Applies PS3.3 C.11.2.1.2 and C.11.2.1.3, with an output range of [0, 1].

    The distance from the centre is negated for MONOCHROME1, rather than the result taken
    from 1: a negative then gives its positive's pixels to the last bit.
    """
    sign = -1.0 if is_inverted else 1.0
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * sign * (levels - np.float64(centre)) / width, -700, 700)
        return np.asarray(1.0 / (1.0 + np.exp(exponent)))
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1.0
    distance = sign * (levels - np.float64(centre))
    if width == 0:  # a window one level wide is a threshold
        return np.where(distance > 0, 1.0, 0.0)
    return np.clip(distance / width + 0.5, 0.0, 1.0)


def _window(header: dict[str, Any]) -> tuple[float, float, WindowFunction] | None:
    centre = _first(header.get("WindowCenter"), None)
    width = _first(header.get("WindowWidth"), None)
    if centre is None or width is None:
        return None
    named = str(header.get("VOILUTFunction") or "LINEAR")
    function: WindowFunction = "LINEAR"
    if named == "SIGMOID":
        function = "SIGMOID"
    elif named == "LINEAR_EXACT":
        function = "LINEAR_EXACT"
    is_wide_enough = width >= 1 if function == "LINEAR" else width > 0
    return (centre, width, function) if is_wide_enough else None


def _table(item: Dataset, is_little_endian: bool, unit: Literal["units", "fractions"]) -> Table:
    _, first, bits = (int(value) for value in item.LUTDescriptor)
    entries: Any = item.LUTData
    if isinstance(entries, bytes):
        entries = np.frombuffer(entries, "<u2" if is_little_endian else ">u2")
    top = float(2**bits - 1) if unit == "fractions" else 1.0
    return Table(first, np.asarray(entries, np.float64) / top)


def _padding(dataset: Dataset) -> tuple[float, float] | None:
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    other = value if limit is None else limit
    return float(min(value, other)), float(max(value, other))


def _first(value: Any, default: Any) -> Any:
    """Returns the first of one or several decimal strings as a float."""
    if value is None or value == "":
        return default
    if not isinstance(value, str | float | int) and hasattr(value, "__len__"):
        return float(value[0]) if len(value) else default
    return float(value)
