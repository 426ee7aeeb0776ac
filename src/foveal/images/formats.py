"""Which formats are read: a table, one row a format.

A row says how bytes announce the format, how files of it are decoded and checked, and which
installed software has a part in their pixels. A file's name is never believed: only its first
bytes decide. Formats that Foveal does not read are recognised too (``foreign``), so that the
reader is told "this is HEIC" and not "broken".

Resampling and normalisation are ours and exact. What is left to others is decoding, and the
decoders of lossy formats may change a level from one version to the next, so versions are told.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Final, Literal

from PIL import Image, ImageFile, features

from foveal.errors import ImageError
from foveal.images.completeness import (
    check_bmp,
    check_boxes,
    check_gif,
    check_png,
    check_tiff,
    check_webp,
    count_gif_images,
    webp_size,
)
from foveal.images.faults import unsupported
from foveal.images.foreign import describe_file, foreign_image
from foveal.images.tiff import read_tags


@dataclass(frozen=True, slots=True)
class Codec:
    """A decoder that may be missing: whether it is here, and what to install."""

    is_there: Callable[[], bool]
    remedy: str


def _nothing_to_check(data: bytes) -> None:
    """Accepts any structure; the decoder judges it."""


def _never(data: bytes) -> bool:
    return False


def _always(data: bytes) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """One format that is read.

    Attributes:
        name: As readers are told; where Pillow decodes it, Pillow's own name.
        suffixes: Lower-case with the dot; a folder is searched for images by them.
        is_announced_by: Whether the first 512 bytes announce it. The last row is asked first.
        resembles: Whether it may be one, asked where no row is announced.
        decoder: ``"pillow"``, or ``"dicom"`` for pydicom.
        open: How Pillow opens it, where that is not the plug-in of the format's name.
        codec: What decodes it, where that may be missing.
        check: Refuses a file whose structure shows that it was cut short or damaged.
        is_checked_first: Whether ``check`` comes before the decoder is given the data, because
            opening a damaged file costs or misleads.
        is_guarded: Whether only trying shows what a file takes, so that it is decoded in a
            process that may die.
        several: What further images of one file are: ``"frames"`` or ``"pages"`` of a stack, or
            other ``"views"`` of the first, which alone is used then.
        count: How many there are, where Pillow would have to decode them for that.
        canvas_px: Width and height, where opening already makes the canvas.
        is_composed: Whether a canvas is composed beside the image, which takes more memory.
        packages: Python packages whose version decides the pixels, beside Pillow.
        pillow_codecs: Codecs inside Pillow whose version does.
        media_types: As the web names it (IANA), the usual one first.
    """

    name: str
    suffixes: tuple[str, ...]
    is_announced_by: Callable[[bytes], bool]
    resembles: Callable[[bytes], bool] = _never
    decoder: Literal["pillow", "dicom"] = "pillow"
    open: Callable[[bytes], ImageFile.ImageFile] | None = None
    codec: Codec | None = None
    check: Callable[[bytes], None] = _nothing_to_check
    is_checked_first: bool = False
    is_guarded: Callable[[bytes], bool] = _never
    several: Literal["frames", "pages", "views"] = "frames"
    count: Callable[[bytes], int] | None = None
    canvas_px: Callable[[bytes], tuple[int, int]] | None = None
    is_composed: bool = False
    packages: tuple[str, ...] = ()
    pillow_codecs: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()

    def opened(self, data: bytes) -> ImageFile.ImageFile:
        """Returns the file opened by Pillow; no other plug-in is given the data."""
        if self.open is not None:
            return self.open(data)
        return Image.open(io.BytesIO(data), formats=(self.name,))

    def require_codec(self) -> None:
        """Refuses the format where its decoder is not installed.

        Raises:
            ImageError: ``missing_codec``.
        """
        if self.codec is not None and not self.codec.is_there():
            # In the message itself, since a list of bad files shows that and no next step.
            raise ImageError(
                f"this is a {self.name} image, which needs {self.codec.remedy}",
                code="missing_codec",
            )


def _open_jpeg(data: bytes) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data), formats=("JPEG", "MPO"))


def _open_heic(data: bytes) -> ImageFile.ImageFile:
    from pillow_heif import HeifImageFile

    image: ImageFile.ImageFile = HeifImageFile(io.BytesIO(data))
    return image


def _is_tiff(data: bytes) -> bool:
    is_camera_raw = data[8:10] == b"CR"
    return data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+") and not is_camera_raw


def _heif_brand(data: bytes) -> Literal["AVIF", "HEIC"] | None:
    """Tells AVIF from HEIC by the brands of the first box (ISO/IEC 23008-12, 10.2)."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), 512)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, end, 4))]
    if brands[0] in (b"avif", b"avis"):
        return "AVIF"
    if brands[0][:3] in (b"hei", b"hev"):
        return "HEIC"
    if brands[0] in (b"mif1", b"msf1"):  # a frame for either
        return "AVIF" if {b"avif", b"avis"} & set(brands) else "HEIC"
    return None


def _is_bare_dicom(data: bytes) -> bool:
    """Whether ``data`` is a DICOM data set without its preamble, as old devices write it."""
    group, element = data[:2], int.from_bytes(data[2:4], "little")
    if group not in (b"\x02\x00", b"\x08\x00") or element > 0x0080 or len(data) < 64:
        return False
    is_explicit = data[4:6] in (b"UL", b"UI", b"CS", b"DA", b"TM", b"SH", b"OB", b"LO")
    return is_explicit or int.from_bytes(data[4:8], "little") <= 64


def _is_run_length_bmp(data: bytes) -> bool:
    # Pillow follows run lengths one by one.
    return int.from_bytes(data[30:34], "little") in (1, 2)


def _is_laborious_tiff(data: bytes) -> bool:
    try:
        tags = read_tags(data)
    except ImageError:
        return False  # it will be refused
    is_compressed = 259 in tags and int(tags[259][0]) != 1
    # A strip or tile takes Pillow some microseconds, whatever is in it.
    return is_compressed or max(len(tags.get(tag, ())) for tag in (273, 324)) > 1 << 13


FORMATS: Final = (
    ImageFormat(
        name="JPEG",
        suffixes=(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        media_types=("image/jpeg", "image/jpg"),
        is_announced_by=lambda data: data.startswith(b"\xff\xd8\xff"),
        open=_open_jpeg,
        several="views",
        pillow_codecs=("libjpeg_turbo", "jpg"),
    ),
    ImageFormat(
        name="PNG",
        suffixes=(".png", ".apng"),
        media_types=("image/png", "image/apng"),
        is_announced_by=lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"),
        check=check_png,
    ),
    ImageFormat(
        name="TIFF",
        suffixes=(".tif", ".tiff"),
        media_types=("image/tiff",),
        is_announced_by=_is_tiff,
        check=check_tiff,
        is_checked_first=True,
        is_guarded=_is_laborious_tiff,
        several="pages",
        pillow_codecs=("libtiff",),
    ),
    ImageFormat(
        name="WEBP",
        suffixes=(".webp",),
        media_types=("image/webp",),
        is_announced_by=lambda data: data.startswith(b"RIFF") and data[8:12] == b"WEBP",
        check=check_webp,
        is_checked_first=True,
        canvas_px=webp_size,
        is_composed=True,
        pillow_codecs=("webp",),
    ),
    ImageFormat(
        name="BMP",
        suffixes=(".bmp", ".dib"),
        media_types=("image/bmp", "image/x-ms-bmp"),
        is_announced_by=lambda data: data.startswith(b"BM") and data[6:10] == bytes(4),
        check=check_bmp,
        is_guarded=_is_run_length_bmp,
    ),
    ImageFormat(
        name="GIF",
        suffixes=(".gif",),
        media_types=("image/gif",),
        is_announced_by=lambda data: data[:6] in (b"GIF87a", b"GIF89a"),
        check=check_gif,
        count=count_gif_images,
    ),
    ImageFormat(
        name="AVIF",
        suffixes=(".avif",),
        media_types=("image/avif",),
        is_announced_by=lambda data: _heif_brand(data) == "AVIF",
        codec=Codec(lambda: bool(features.check("avif")), "a Pillow that was built with AVIF"),
        check=check_boxes,
        is_checked_first=True,
        is_guarded=_always,
        is_composed=True,
        pillow_codecs=("avif",),
    ),
    ImageFormat(
        name="HEIC",
        suffixes=(".heic", ".heif", ".hif"),
        media_types=("image/heic", "image/heif"),
        is_announced_by=lambda data: _heif_brand(data) == "HEIC",
        open=_open_heic,
        codec=Codec(
            lambda: importlib.util.find_spec("pillow_heif") is not None,
            "the package pillow-heif (pip install 'foveal[heic]')",
        ),
        check=check_boxes,
        is_checked_first=True,
        is_guarded=_always,
        several="views",
        is_composed=True,
        packages=("pillow-heif",),
    ),
    # The preamble of a DICOM file is free, and often holds a TIFF header (PS3.10 7.1): so it
    # stands last, which is asked first.
    ImageFormat(
        name="DICOM",
        suffixes=(".dcm", ".dicom"),
        media_types=("application/dicom",),
        is_announced_by=lambda data: data[128:134] == b"DICM\x02\x00",
        resembles=lambda data: data[128:132] == b"DICM" or _is_bare_dicom(data),
        decoder="dicom",
        is_guarded=_always,
        packages=("pydicom", "pylibjpeg", "pylibjpeg-openjpeg", "python-gdcm"),
        pillow_codecs=("jpg_2000",),
    ),
)
"""The formats that are read. A new one is one more row."""

SUPPORTED_FORMATS: Final = tuple(one.name for one in FORMATS)

SUPPORTED_SUFFIXES: Final = frozenset(suffix for one in FORMATS for suffix in one.suffixes)
"""Suffixes, lower-case with the dot, by which a folder is searched for images."""

MEDIA_TYPES: Final = tuple(kind for one in FORMATS for kind in one.media_types)
"""The media types of all formats."""


def format_of(data: bytes) -> ImageFormat:
    r"""Returns the format that the first bytes of ``data`` announce.

    Args:
        data: The whole file, or at least its first 512 bytes.

    Raises:
        ImageError: ``empty_file``; ``unsupported_format`` for an image of another format,
            which is named; ``not_an_image`` for everything else.

    >>> format_of(b"\x89PNG\r\n\x1a\n...").name
    'PNG'
    """
    if not data:
        raise ImageError(
            "the file is empty (0 bytes)",
            code="empty_file",
            next_step="Copy it again from its source, or delete it.",
        )
    for one in reversed(FORMATS):
        if one.is_announced_by(data):
            return one
    for one in FORMATS:
        if one.resembles(data):
            return one
    foreign = foreign_image(data)
    if foreign is not None:
        raise unsupported(foreign, readable=SUPPORTED_FORMATS)
    raise ImageError(
        f"this is {describe_file(data)}, not an image",
        code="not_an_image",
        next_step="Check where the file comes from; whatever its name says, it holds no image.",
    )


def pixel_versions() -> dict[str, str]:
    """Returns the version of every installed package and codec that decodes pixels, by name."""
    versions = {}
    for package in ("pillow", *(name for one in FORMATS for name in one.packages)):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    for codec in (name for one in FORMATS for name in one.pillow_codecs):
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
