"""How a batch may have been prepared, and how a network may want it instead.

A batch is traced back to images in [0, 1] by its range; the images are then prepared in
each of the usual ways. A way that is not among these is never named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isclose
from typing import Any

import torch
from torch import Tensor

from foveal.draw.numbers import percent

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Resizing may overshoot a little beyond black and white.
_OVERSHOOT = 0.03
# A form whose standard deviation is less than this makes numbers of dozens and more.
_SMALLEST_STD = 0.02
# Nearly black and nearly white; and what counts as cut off there, up to which share.
_ENDS, _AT_END, _MOST_AT_ENDS = 0.1, 0.004, 0.3
_BYTES_AS_UNIT = "0–255, normalised as if it were 0–1"


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write an image in [0, 1] as numbers: ``(image - mean) / std``."""

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def write(self, images: Tensor) -> Tensor:
        """Returns images ``[N, C, H, W]`` in this form."""
        return (images - _column(self.mean, images)) / _column(self.std, images)

    def read(self, values: Tensor) -> Tensor:
        """Returns the images that these values stand for."""
        return values * _column(self.std, values) + _column(self.mean, values)


def _column(numbers: tuple[float, ...], like: Tensor) -> Tensor:
    chosen = numbers if len(numbers) == like.shape[1] else (sum(numbers) / len(numbers),)
    return torch.tensor(chosen, dtype=like.dtype, device=like.device).view(1, -1, 1, 1)


UNIT = Form("values in 0–1", (0.0,), (1.0,))
BYTES = Form("values in 0–255", (0.0,), (1 / 255,))
HALF = Form("mean and std of 0.5", (0.5,), (0.5,))
IMAGENET = Form("ImageNet's mean and std", IMAGENET_MEAN, IMAGENET_STD)
TARGETS: tuple[Form, ...] = (UNIT, IMAGENET, HALF, BYTES)


@dataclass(frozen=True, slots=True)
class Source:
    """A guess at what a batch is: its images, and the form that it has already."""

    name: str
    form: Form | None
    images: Tensor
    is_off_scale: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """One correction of the batch.

    Attributes:
        source: What the batch is taken to be.
        target: The form that it would be brought to.
        flips_channels: Whether the order of the three channels is turned round as well.
        is_identity: Whether it leaves the batch as it is.
    """

    source: str
    target: str
    flips_channels: bool
    is_identity: bool
    is_off_scale: bool
    values: Tensor


def stated_form(stated: Mapping[str, Any] | None) -> Form | None:
    """Returns the form that somebody states by ``mean`` and ``std``, if they do."""
    if not stated or stated.get("mean") is None or stated.get("std") is None:
        return None
    mean = tuple(float(number) for number in stated["mean"])
    std = tuple(float(number) for number in stated["std"])
    for form in TARGETS:
        if _are_close(form.mean, mean) and _are_close(form.std, std):
            return form
    return Form(f"mean {_numbers(mean)} and std {_numbers(std)}", mean, std)


def _are_close(known: tuple[float, ...], stated: tuple[float, ...]) -> bool:
    """Whether both are the same numbers, one standing for all channels if alone."""
    wide = known * len(stated) if len(known) == 1 else known
    return len(wide) == len(stated) and all(
        isclose(one, other, rel_tol=1e-3, abs_tol=1e-9)
        for one, other in zip(wide, stated, strict=True)
    )


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4g}" for value in dict.fromkeys(values))


def sources(images: Tensor) -> list[Source]:
    """Returns what the values' range allows the batch to be; empty when nothing usual."""
    low, high = float(images.min()), float(images.max())
    if low >= 0 and high <= 1 + _OVERSHOOT:
        return [Source("0–1, not normalised", UNIT, images)]
    if low >= 0 and 8 < high <= 255 * (1 + _OVERSHOOT):
        return [Source("0–255", BYTES, images / 255, is_off_scale=True)]
    if high > 8 and low >= -2.2:  # black is -2.12 in ImageNet's form
        return [
            Source(_BYTES_AS_UNIT, None, form.read(images) / 255, is_off_scale=True)
            for form in (IMAGENET, HALF)
            if _is_image(form.read(images) / 255)
        ]
    # The narrower form first: what fits it would fit the wider one as a pale image.
    for form in (HALF, IMAGENET):
        if _is_image(form.read(images)):
            return [Source(f"normalised with {form.name}", form, form.read(images))]
    return [
        Source(f"normalised twice with {form.name}", None, form.read(form.read(images)))
        for form in (HALF, IMAGENET)
        if _is_image(form.read(form.read(images)))
    ]


def _known_source(images: Tensor, form: Form) -> Source:
    names = {UNIT: "0–1, not normalised", BYTES: "0–255"}
    name = names.get(form, f"normalised with {form.name}")
    return Source(name, form, form.read(images), is_off_scale=max(form.std) < _SMALLEST_STD)


def doubt_about(images: Tensor) -> str | None:
    """Returns why the values of a batch do not tell its form; None where they do.

    Over a whole batch, images go from nearly black to nearly white, with most values in
    between. Dark, pale and over-exposed ones fill a part of one form that may just as well be
    images in another form; images cut off at black and white are like no others.
    """
    for source in sources(images):
        at_ends = (source.images < _AT_END) | (source.images > 1 - _AT_END)
        share = float(at_ends.float().mean())
        if share > _MOST_AT_ENDS:
            return (
                f"{percent(share)} of the values are black or white, which does not tell their form"
            )
    forms = [form for form in TARGETS if _is_image(form.read(images))]
    narrowest = next(iter(sources(images)), None)
    if len(forms) < 2 or narrowest is None:
        return None
    low, high = float(narrowest.images.min()), float(narrowest.images.max())
    if low <= _ENDS and high >= 1 - _ENDS:
        return None
    return f"images from {low:.2f} to {high:.2f} of the range may be in another form as well"


def _is_image(values: Tensor) -> bool:
    return bool(values.min() >= -_OVERSHOOT) and bool(values.max() <= 1 + _OVERSHOOT)


def candidates(
    images: Tensor, *, expected: Form | None = None, given: Form | None = None
) -> Iterator[Candidate]:
    """Yields the batch as it is, then every correction; orders both where C is 3.

    Args:
        images: The batch ``[N, C, H, W]``.
        expected: The only form to correct it to; every usual one if None.
        given: The form that it is known to have; read from its range if None.
    """
    targets = TARGETS if expected is None else (expected,)
    has_colour = images.shape[1] == 3 and bool((images - images.flip(1)).abs().max() > 1e-3)
    orders = (False, True) if has_colour else (False,)
    found = sources(images) if given is None else [_known_source(images, given)]
    as_found = found[0] if found else Source("of no usual kind", None, images)
    own_name = as_found.form.name if as_found.form else as_found.name
    for flips in orders:
        values = images.flip(1) if flips else images
        yield Candidate(as_found.name, own_name, flips, not flips, False, values)
    for source in found:
        images = source.images.flip(1) if has_colour else source.images
        for target in targets:
            if target == source.form:
                continue
            for flips in orders:
                values = target.write(images if flips else source.images)
                off_scale = source.is_off_scale != (max(target.std) < _SMALLEST_STD)
                yield Candidate(source.name, target.name, flips, False, off_scale, values)
