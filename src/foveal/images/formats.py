"""Which formats are read, and how bytes say what they are.

A file's name is never believed: only its first bytes decide. Formats that Foveal does not
read are recognised too, so that the reader is told "this is HEIC" and not "broken".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from foveal.errors import ImageError

ProblemCode = Literal[
    "empty_file",
    "not_an_image",
    "unsupported_format",
    "corrupt",
    "truncated",
    "too_large",
    "unreadable",
    "missing",
    "outside_folder",
    "missing_codec",
    "missing_label",
]
"""Why one file cannot be used; a stable word for tables and tests."""

Format = Literal["JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "AVIF", "HEIC", "DICOM"]

SUPPORTED_FORMATS: Final[tuple[Format, ...]] = (
    "JPEG",
    "PNG",
    "TIFF",
    "WEBP",
    "BMP",
    "GIF",
    "AVIF",
    "HEIC",
    "DICOM",
)

SUPPORTED_SUFFIXES: Final[frozenset[str]] = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        *(".png", ".apng"),
        *(".tif", ".tiff"),
        *(".webp", ".bmp", ".dib", ".gif"),
        *(".avif", ".heic", ".heif", ".hif"),
        *(".dcm", ".dicom"),
    }
)
"""Suffixes, lower-case with the dot, by which a folder is searched for images."""


@dataclass(frozen=True, slots=True)
class _Foreign:
    """A signature of something Foveal does not read."""

    offset: int
    magic: bytes
    name: str


_FOREIGN_IMAGES: Final = (
    _Foreign(4, b"ftypcrx", "camera raw (CR3)"),
    _Foreign(0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    _Foreign(0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    _Foreign(0, b"\xff\x0a", "JPEG XL"),
    _Foreign(0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    _Foreign(0, b"II\xbc\x01", "JPEG XR"),
    _Foreign(0, b"II*\x00\x10\x00\x00\x00CR", "camera raw (CR2)"),
    _Foreign(0, b"IIRO", "camera raw (ORF)"),
    _Foreign(0, b"IIU\x00", "camera raw (RW2)"),
    _Foreign(0, b"FUJIFILM", "camera raw (RAF)"),
    _Foreign(0, b"8BPS", "Photoshop (PSD)"),
    _Foreign(0, b"gimp xcf", "GIMP (XCF)"),
    _Foreign(0, b"\x00\x00\x01\x00", "Windows icon (ICO)"),
    _Foreign(0, b"\x00\x00\x02\x00", "Windows cursor (CUR)"),
    _Foreign(0, b"icns", "Apple icon (ICNS)"),
    _Foreign(0, b"\x76\x2f\x31\x01", "OpenEXR"),
    _Foreign(0, b"#?RADIANCE", "Radiance HDR"),
    _Foreign(0, b"DDS ", "DDS"),
    _Foreign(0, b"qoif", "QOI"),
    _Foreign(0, b"SIMPLE  =", "FITS"),
    _Foreign(0, b"AT&TFORM", "DjVu"),
    _Foreign(0, b"%!PS", "PostScript"),
    _Foreign(0, b"\xc5\xd0\xd3\xc6", "PostScript"),
    _Foreign(0, b"\xd7\xcd\xc6\x9a", "Windows metafile (WMF)"),
    _Foreign(0, b"NRRD0", "NRRD"),
    _Foreign(344, b"n+1\x00", "NIfTI"),
    _Foreign(344, b"ni1\x00", "NIfTI"),
)

_FOREIGN_FILES: Final = (
    _Foreign(0, b"%PDF", "a PDF document"),
    _Foreign(0, b"PK\x03\x04", "a ZIP archive or office document"),
    _Foreign(0, b"\x1f\x8b", "gzip-compressed data"),
    _Foreign(0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    _Foreign(0, b"Rar!", "a RAR archive"),
    _Foreign(0, b"\x93NUMPY", "a NumPy array"),
    _Foreign(0, b"\x89HDF", "an HDF5 file"),
    _Foreign(4, b"ftyp", "a video or audio file"),
    _Foreign(0, b"\x1aE\xdf\xa3", "a video file"),
    _Foreign(0, b"\x00\x05\x16\x07", "a macOS metadata file"),
    _Foreign(0, b"\x7fELF", "a program"),
    _Foreign(0, b"MZ", "a program"),
)

_NEXT_STEP_CONVERT: Final = "Convert it to PNG, TIFF or JPEG, then try again."


def identify(data: bytes) -> Format:
    r"""Returns the format that the first bytes of ``data`` announce.

    Args:
        data: The whole file, or at least its first 512 bytes.

    Raises:
        ImageError: ``empty_file``; ``unsupported_format`` for an image of another format,
            which is named; ``not_an_image`` for everything else.

    >>> identify(b"\x89PNG\r\n\x1a\n...")
    'PNG'
    """
    if not data:
        raise ImageError(
            "the file is empty (0 bytes)",
            code="empty_file",
            next_step="Copy it again from its source, or delete it.",
        )
    known = _known_format(data)
    if known is not None:
        return known
    for foreign in _FOREIGN_IMAGES:
        if data.startswith(foreign.magic, foreign.offset):
            raise unsupported(f"a {foreign.name} image")
    # Portable pixmaps have but two letters: what follows must look like one too.
    if data[:1] == b"P" and data[1:2] in b"1234567" and data[2:3].isspace():
        raise unsupported("a portable pixmap (PPM/PGM/PBM) image")
    text = _as_text(data[:1024])
    if text is not None and "<svg" in text:
        raise unsupported("an SVG drawing")
    raise ImageError(
        f"this is {_describe(data, text)}, not an image",
        code="not_an_image",
        next_step="Check where the file comes from; whatever its name says, it holds no picture.",
    )


def unsupported(what: str) -> ImageError:
    """Returns the error for a real image that Foveal does not read."""
    return ImageError(
        f"this is {what}, which Foveal does not read; it reads {', '.join(SUPPORTED_FORMATS)}",
        code="unsupported_format",
        next_step=_NEXT_STEP_CONVERT,
    )


def _known_format(data: bytes) -> Format | None:
    # The preamble of a DICOM file is free, and often holds a TIFF header (PS3.10 7.1).
    if data[128:132] == b"DICM" and data[132:134] == b"\x02\x00":
        return "DICOM"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return None if data[8:10] == b"CR" else "TIFF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM") and data[6:10] == bytes(4):
        return "BMP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[4:8] == b"ftyp":
        return _heif_format(data)
    if data[128:132] == b"DICM" or _is_bare_dicom(data):
        return "DICOM"
    return None


def _heif_format(data: bytes) -> Format | None:
    """Tells AVIF from HEIC by the brands of the first box (ISO/IEC 23008-12, 10.2)."""
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


def _as_text(head: bytes) -> str | None:
    """Returns the first bytes as text, or ``None`` where they are no text."""
    if b"\x00" in head:
        return None
    for cut in range(4):  # the slice may have split one UTF-8 character
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        is_printable = all(character.isprintable() or character in "\t\r\n\f" for character in text)
        return text.lower() if is_printable else None
    return None


def _describe(data: bytes, text: str | None) -> str:
    for foreign in _FOREIGN_FILES:
        if data.startswith(foreign.magic, foreign.offset):
            return foreign.name
    if not any(data[:4096]):
        return "a file of zeros"
    if text is None:
        return "data of no known format"
    if "<html" in text or "<!doctype html" in text:
        return "a web page"
    if text.startswith("version https://git-lfs"):
        return "a Git LFS pointer"
    return "text"
