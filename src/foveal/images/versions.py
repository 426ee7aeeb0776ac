"""Which installed software has a part in the pixels.

Resampling and normalisation are ours and exact. What is left to others is decoding, and the
decoders of lossy formats may change a level from one version to the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import metadata
from typing import Final

from PIL import features

_PACKAGES: Final = (
    *("pillow", "pillow-heif"),
    *("pydicom", "pylibjpeg", "pylibjpeg-openjpeg", "python-gdcm"),
)
_PILLOW_CODECS: Final = ("libjpeg_turbo", "jpg", "webp", "avif", "libtiff", "jpg_2000")


def pixel_versions() -> dict[str, str]:
    """Returns the version of every installed package and codec that decodes pixels, by name."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    for codec in _PILLOW_CODECS:
        version = features.version(codec) if features.check(codec) else None
        if version is not None:
            versions[f"{codec} in pillow"] = str(version)
    return versions


def pixel_versions_digest() -> str:
    """Returns a short digest of :func:`pixel_versions`, for the keys of what pixels lead to."""
    text = "\0".join(f"{name}={version}" for name, version in sorted(pixel_versions().items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def version_differences(recorded: Mapping[str, str]) -> tuple[str, ...]:
    """Returns one phrase for each decoder whose version is not the recorded one.

    >>> version_differences(pixel_versions())
    ()
    """
    installed = pixel_versions()
    return tuple(
        f"{name} {recorded.get(name, 'not installed')} then, "
        f"{installed.get(name, 'not installed')} now"
        for name in sorted({*recorded, *installed})
        if recorded.get(name) != installed.get(name)
    )
