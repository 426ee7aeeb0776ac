"""``Preprocessing`` read from outside: from JSON, and from timm's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from foveal.errors import DataError, UsageError
from foveal.images.pixels import Triple
from foveal.text import near_names

_INTEGERS: Final = ("height_px", "width_px", "max_pixels")
_REALS: Final = ("crop_fraction",)
_WORDS: Final = ("fit", "interpolation")
_TRIPLES: Final = ("mean", "std")
_KEYS: Final = (
    "version",
    *_INTEGERS,
    *_REALS,
    *_WORDS,
    *_TRIPLES,
    "window",
    "jpeg_reduction",
    "frame",
)
_WINDOW_KEYS: Final = ("low_percentile", "high_percentile", "dicom", "fixed")
_NEXT_STEP: Final = "Take preprocessing.json from the run folder as Foveal wrote it."


def checked_settings(value: Mapping[str, Any], *, version: int) -> dict[str, Any]:
    """Returns the keyword arguments of ``Preprocessing``, with ``window`` as a dictionary.

    Raises:
        DataError: A key is unknown or missing, a type is wrong, or the version differs.
    """
    _require_keys(value, _KEYS, where="preprocessing")
    if value["version"] != version:
        raise DataError(
            f"preprocessing: got version {value['version']!r}, expected {version}",
            next_step="Use the version of Foveal that wrote it, or train again with this one.",
        )
    window = value["window"]
    _require_keys(window, _WINDOW_KEYS, where="preprocessing, window")
    settings: dict[str, Any] = {name: _integer(name, value[name]) for name in _INTEGERS}
    settings |= {name: _real(name, value[name]) for name in _REALS}
    settings |= {name: _word(name, value[name]) for name in _WORDS}
    settings |= {name: _triple(name, value[name]) for name in _TRIPLES}
    if not isinstance(value["jpeg_reduction"], bool):
        raise _wrong("jpeg_reduction", value["jpeg_reduction"], "true or false")
    settings["jpeg_reduction"] = value["jpeg_reduction"]
    frame = value["frame"]
    settings["frame"] = frame if isinstance(frame, str) else _integer("frame", frame)
    settings["window"] = {
        "low_percentile": _real("low_percentile", window["low_percentile"]),
        "high_percentile": _real("high_percentile", window["high_percentile"]),
        "dicom": _word("dicom", window["dicom"]),
        "fixed": _ranges(window["fixed"]),
    }
    return settings


def pretrained_settings(config: Mapping[str, Any], *, size_px: int | None) -> dict[str, Any]:
    """Returns keyword arguments of ``Preprocessing`` from timm's ``pretrained_cfg``.

    ``crop_fraction`` is among them; whether to follow it is the caller's decision.

    Raises:
        DataError: A value is missing or cannot be followed.
    """
    for name in ("mean", "std"):
        if config.get(name) is None:
            raise DataError(
                f"the pretrained configuration has no {name!r}",
                next_step="Build a Preprocessing by hand with the values of these weights.",
            )
    size = config.get("input_size")
    if size_px is None and (size is None or len(size) != 3 or size[0] != 3):
        raise DataError(
            f"pretrained configuration: got input size {size!r}, expected (3, H, W)",
            next_step="Pass size_px, or choose weights for three-channel images.",
        )
    interpolation = config.get("interpolation") or "bicubic"
    if interpolation not in ("bilinear", "bicubic", "lanczos"):
        raise DataError(
            f"pretrained configuration: got interpolation {interpolation!r}, expected bilinear, "
            "bicubic or lanczos",
            next_step="Build a Preprocessing by hand with the nearest of the three.",
        )
    height, width = (size_px, size_px) if size_px is not None else (size[1], size[2])  # type: ignore[index]
    return {
        "height_px": _integer("height_px", height),
        "width_px": _integer("width_px", width),
        "interpolation": interpolation,
        "mean": _triple("mean", config["mean"]),
        "std": _triple("std", config["std"]),
        "crop_fraction": _real("crop_pct", config.get("crop_pct") or 1.0),
    }


def as_data_error(error: UsageError) -> DataError:
    """Returns the same message as the fault of the data, not of the call."""
    return DataError(error.message, next_step=_NEXT_STEP)


def _require_keys(value: object, known: tuple[str, ...], *, where: str) -> None:
    if not isinstance(value, Mapping):
        raise DataError(
            f"{where}: got {type(value).__name__}, expected a JSON object",
            next_step=_NEXT_STEP,
        )
    for key in value:
        if key not in known:
            near = near_names(str(key), known)
            hint = f" (near: {', '.join(near)})" if near else ""
            raise DataError(f"{where}: the key {key!r} is unknown{hint}", next_step=_NEXT_STEP)
    for key in known:
        if key not in value:
            raise DataError(f"{where}: the key {key!r} is missing", next_step=_NEXT_STEP)


def _ranges(value: object) -> dict[str, tuple[float, float]]:
    if not isinstance(value, Mapping):
        raise _wrong("window.fixed", value, "an object of two levels for each kind")
    ranges = {}
    for kind, limits in value.items():
        name = f"window.fixed.{kind}"
        if not isinstance(limits, list) or len(limits) != 2:
            raise _wrong(name, limits, "two levels")
        low, high = (_real(name, limit) for limit in limits)
        ranges[_word("kind", kind)] = (low, high)
    return ranges


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, value, "an integer")
    return value


def _real(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name, value, "a number")
    return float(value)


def _word(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, "a word")
    return value


def _triple(name: str, value: object) -> Triple:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise _wrong(name, value, "three numbers")
    return cast("Triple", tuple(_real(name, item) for item in value))


def _wrong(name: str, value: object, expected: str) -> DataError:
    return DataError(
        f"preprocessing.{name}: got {value!r}, expected {expected}", next_step=_NEXT_STEP
    )
