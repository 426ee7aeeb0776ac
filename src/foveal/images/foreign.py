"""What a file that is none of our formats is: another image format, another file, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


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


def foreign_image(data: bytes) -> str | None:
    """Returns what kind of image that Foveal does not read the first bytes announce, if any.

    >>> foreign_image(b"8BPS...")
    'a Photoshop (PSD) image'
    """
    for foreign in _FOREIGN_IMAGES:
        if data.startswith(foreign.magic, foreign.offset):
            return f"a {foreign.name} image"
    # Portable pixmaps have but two letters: what follows must look like one too.
    if data[:1] == b"P" and data[1:2] in b"1234567" and data[2:3].isspace():
        return "a portable pixmap (PPM/PGM/PBM) image"
    text = _as_text(data[:1024])
    return "an SVG drawing" if text is not None and "<svg" in text else None


def describe_file(data: bytes) -> str:
    """Returns what a file is that is no image, as far as its first bytes tell."""
    for foreign in _FOREIGN_FILES:
        if data.startswith(foreign.magic, foreign.offset):
            return foreign.name
    if not any(data[:4096]):
        return "a file of zeros"
    text = _as_text(data[:1024])
    if text is None:
        return "data of no known format"
    if "<html" in text or "<!doctype html" in text:
        return "a web page"
    if text.startswith("version https://git-lfs"):
        return "a Git LFS pointer"
    return "text"


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
