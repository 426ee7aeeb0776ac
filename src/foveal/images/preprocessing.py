"""``Preprocessing``: from a file to the network's input, the same on every path.

One frozen, serialisable object is taken from the weights' own configuration and travels
with the model through training, prediction, export and serving, so that no two of them can
prepare an image differently.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from foveal.errors import UsageError
from foveal.images.decoding import ImageSource, decode_raster
from foveal.images.frames import FrameChoice, check_frame_choice
from foveal.images.pixels import (
    MAX_PIXELS,
    DecodedImage,
    Pixels,
    Triple,
    as_pixels,
    height_and_width,
    normalise,
)
from foveal.images.resizing import Fit, Interpolation, plan_resize, resample
from foveal.images.settings import as_data_error, checked_settings, pretrained_settings
from foveal.images.views import QUARTER_TURNS, VIEWS, View, turn
from foveal.images.window import FixedRange, Window

PREPROCESSING_VERSION: Final = 2
"""Raised whenever the same settings would give other pixels; part of every digest."""

# A reduced JPEG keeps at least this many pixels for each output pixel and side, so that
# the antialiasing filter, not the decoder's block average, shapes the result.
_REDUCTION_MARGIN: Final = 2


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How any image file becomes a network's input.

    Decode, resize with antialiasing, turn to a view, normalise: ``(x - mean) / std`` with
    ``x`` in [0, 1]. Gray images give three equal channels before normalisation.

    Attributes:
        height_px: Height of the input.
        width_px: Width of the input.
        fit: ``"squash"`` distorts to the input's shape and shows everything; ``"crop"``
            keeps the aspect ratio and cuts at the centre; ``"pad"`` keeps it and fills up
            with the mean, which is 0 after normalisation.
        crop_fraction: Share of each side that is kept (timm's ``crop_pct``).
        interpolation: Filter of the resampling, always antialiased; see
            ``foveal.images.resizing``, whose bytes depend on no library.
        mean: Mean for each channel, of values in [0, 1].
        std: Standard deviation for each channel.
        window: How deep grey levels become [0, 1].
        max_pixels: Larger images are refused before decoding.
        frame: Which of several frames or pages: ``"middle"``, or a number from 1 on.
        jpeg_reduction: Whether large JPEGs may be decoded at 1/2, 1/4 or 1/8 scale, never
            to less than twice the size they are resized to.

    Raises:
        UsageError: A value is out of its range.
    """

    height_px: int
    width_px: int
    fit: Fit = "squash"
    crop_fraction: float = 1.0
    interpolation: Interpolation = "bicubic"
    mean: Triple = (0.5, 0.5, 0.5)
    std: Triple = (0.5, 0.5, 0.5)
    window: Window = field(default_factory=Window)
    max_pixels: int = MAX_PIXELS
    jpeg_reduction: bool = True
    frame: FrameChoice = "middle"

    def __post_init__(self) -> None:
        """Refuses values that could only fail, or mislead, later on."""
        for name in ("height_px", "width_px", "max_pixels"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise _bad(name, value, "a positive integer")
        if self.fit not in get_args(Fit):
            raise _bad("fit", self.fit, " or ".join(map(repr, get_args(Fit))))
        if self.interpolation not in get_args(Interpolation):
            known = " or ".join(map(repr, get_args(Interpolation)))
            raise _bad("interpolation", self.interpolation, known)
        check_frame_choice(self.frame)
        if not 0 < self.crop_fraction <= 1:
            raise _bad("crop_fraction", self.crop_fraction, "a number above 0 and up to 1")
        if len(self.mean) != 3 or not all(map(math.isfinite, self.mean)):
            raise _bad("mean", self.mean, "three finite numbers")
        if len(self.std) != 3 or not all(math.isfinite(s) and s > 0 for s in self.std):
            raise _bad("std", self.std, "three finite numbers above 0")

    @property
    def reduce_to_px(self) -> tuple[int, int] | None:
        """The (height, width) to hand to :func:`foveal.images.decode`, or ``None``.

        It is a square, so that it does not depend on the view.
        """
        if not self.jpeg_reduction:
            return None
        longest_px = max(self.height_px, self.width_px)
        side_px = math.ceil(_REDUCTION_MARGIN * longest_px / self.crop_fraction)
        return side_px, side_px

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of all settings and of :data:`PREPROCESSING_VERSION`."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def apply(self, source: ImageSource, *, view: View = "identity") -> NDArray[np.float32]:
        """Prepares one file.

        Args:
            source: A path, or the bytes of a file.
            view: How to turn the image first.

        Returns:
            ``float32`` [3, H, W], C-contiguous.

        Raises:
            ImageError: As :func:`foveal.images.decode` raises it.
        """
        raster = decode_raster(
            source,
            window=self.window,
            max_pixels=self.max_pixels,
            reduce_to_px=self.reduce_to_px,
            frame=self.frame,
        )
        return self._render(raster.pixels, view)

    def prepare(self, decoded: DecodedImage, *, view: View = "identity") -> NDArray[np.float32]:
        """Prepares an image that was decoded before, for instance for several views.

        Equal to :meth:`apply` where the decoding used this object's ``window``,
        ``max_pixels``, ``reduce_to_px`` and ``frame``.
        """
        return self._render(as_pixels(decoded.pixels), view)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for ``preprocessing.json``; :meth:`from_json` reads them."""
        return {
            "version": PREPROCESSING_VERSION,
            "height_px": self.height_px,
            "width_px": self.width_px,
            "fit": self.fit,
            "crop_fraction": float(self.crop_fraction),
            "interpolation": self.interpolation,
            "mean": [float(value) for value in self.mean],
            "std": [float(value) for value in self.std],
            "window": {
                "low_percentile": float(self.window.low_percentile),
                "high_percentile": float(self.window.high_percentile),
                "dicom": self.window.dicom,
                "fixed": {one.kind: [float(one.low), float(one.high)] for one in self.window.fixed},
            },
            "max_pixels": self.max_pixels,
            "jpeg_reduction": self.jpeg_reduction,
            "frame": self.frame,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Preprocessing:
        """Reads what :meth:`to_json` wrote, and nothing else.

        Raises:
            DataError: A key is unknown or missing, a value has the wrong type or range, or
                another version of Foveal, whose pixels differ, wrote it.

        >>> Preprocessing.from_json(Preprocessing(224, 224).to_json()) == Preprocessing(224, 224)
        True
        """
        settings = checked_settings(value, version=PREPROCESSING_VERSION)
        try:
            window = settings["window"]
            ranges = tuple(FixedRange(kind, *ends) for kind, ends in window["fixed"].items())
            return cls(**{**settings, "window": Window(**{**window, "fixed": ranges})})
        except UsageError as error:
            raise as_data_error(error) from None

    @classmethod
    def from_pretrained(
        cls,
        config: Mapping[str, Any],
        *,
        size_px: int | None = None,
        fit: Fit = "squash",
        window: Window | None = None,
        frame: FrameChoice = "middle",
    ) -> Preprocessing:
        """Takes the settings from the weights' own configuration.

        Args:
            config: timm's ``pretrained_cfg`` as a mapping: ``mean``, ``std``, and
                ``input_size`` (C, H, W), ``interpolation`` and ``crop_pct`` where given.
            size_px: Another size for both sides.
            fit: ``"squash"`` and ``"pad"`` show the network the whole image, so that a
                finding at its edge is seen; only ``"crop"`` follows ``crop_pct``.
            window: How deep grey levels become [0, 1]; ``Window()`` when ``None``.
            frame: Which of several frames or pages.

        Raises:
            DataError: A value is missing or cannot be followed.
        """
        settings = pretrained_settings(config, size_px=size_px)
        if fit != "crop":
            settings["crop_fraction"] = 1.0
        return cls(**settings, fit=fit, window=window or Window(), frame=frame)

    def _render(self, pixels: Pixels, view: View) -> NDArray[np.float32]:
        if view not in VIEWS:
            raise _bad("view", view, " or ".join(map(repr, VIEWS)))
        height_px, width_px = height_and_width(pixels)
        # The turned image shall fill the output, so a quarter turn aims at its transpose.
        to_px = (self.height_px, self.width_px)
        plan = plan_resize(
            height_px,
            width_px,
            to_px=to_px[::-1] if view in QUARTER_TURNS else to_px,
            fit=self.fit,
            crop_fraction=self.crop_fraction,
        )
        turned = turn(resample(pixels, plan, self.interpolation), view)
        filled = turned.shape[:2] == to_px
        output = (np.empty if filled else np.zeros)((3, *to_px), np.float32)
        inside = output
        if not filled:
            rows, columns = turned.shape[:2]
            top, left = (to_px[0] - rows) // 2, (to_px[1] - columns) // 2
            inside = output[:, top : top + rows, left : left + columns]
        normalise(turned, mean=self.mean, std=self.std, into=inside)
        return output


def _bad(name: str, value: object, expected: str) -> UsageError:
    return UsageError(
        f"{name}: got {value!r}, expected {expected}",
        next_step=f"Give Preprocessing another {name}.",
    )
