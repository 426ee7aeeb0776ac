"""Files of every kind, written by the tests themselves."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Encode = Callable[..., bytes]


def _encode(pixels: NDArray[Any] | Image.Image, format_name: str, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def _png16(samples: NDArray[np.uint16], *extra: tuple[bytes, bytes]) -> bytes:
    """Writes a 16-bit PNG of 1 to 4 channels, which Pillow itself cannot write in colour."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    middle = b"".join(_chunk(kind, content) for kind, content in extra)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + middle
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def _tiff(
    samples: NDArray[Any],
    *,
    byte_order: str = "<",
    compression: int = 1,
    planar: int = 1,
    photometric: int | None = None,
    sample_format: int = 1,
    orientation: int = 1,
) -> bytes:
    """Writes a TIFF of one strip a plane, with its directory at the end."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    planes = [samples] if planar == 1 else [samples[..., c] for c in range(channels)]
    strips = [p.astype(p.dtype.newbyteorder(byte_order)).tobytes() for p in planes]
    strips = [zlib.compress(s) for s in strips] if compression == 8 else strips
    offsets = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    body = b"".join(strips)
    body += b"\0" * (len(body) % 2)
    outside, entries = b"", []

    def entry(tag: int, kind: str, *values: int) -> None:
        nonlocal outside
        content = struct.pack(byte_order + kind * len(values), *values)
        if len(content) > 4:
            where = 8 + len(body) + len(outside)
            outside += content + b"\0" * (len(content) % 2)
            content = struct.pack(byte_order + "I", where)
        code = {"H": 3, "I": 4}[kind]
        head = struct.pack(byte_order + "HHI", tag, code, len(values))
        entries.append(head + content.ljust(4, b"\0"))

    entry(256, "I", width)
    entry(257, "I", height)
    entry(258, "H", *[samples.dtype.itemsize * 8] * channels)
    entry(259, "H", compression)
    entry(262, "H", photometric if photometric is not None else (1 if channels == 1 else 2))
    entry(273, "I", *offsets)
    entry(274, "H", orientation)
    entry(277, "H", channels)
    entry(278, "I", height)
    entry(279, "I", *map(len, strips))
    entry(284, "H", planar)
    if channels == 4:
        entry(338, "H", 2)
    entry(339, "H", *[sample_format] * channels)
    start = (b"II" if byte_order == "<" else b"MM") + struct.pack(
        byte_order + "HI", 42, 8 + len(body) + len(outside)
    )
    count = struct.pack(byte_order + "H", len(entries))
    return start + body + outside + count + b"".join(entries) + bytes(4)


def _dicom(
    pixels: NDArray[Any],
    *,
    photometric: str = "MONOCHROME2",
    bits_stored: int | None = None,
    syntax: str = "1.2.840.10008.1.2.1",
    frames: list[bytes] | None = None,
    **elements: Any,
) -> bytes:
    """Writes a DICOM file; ``frames`` are codestreams for a compressed ``syntax``."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, RLELossless

    is_colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.PatientName, dataset.PatientID = "Planted^Name", "PLANTED-ID-77"
    dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if is_colour else pixels.shape[-2:]
    dataset.SamplesPerPixel = 3 if is_colour else 1
    if is_colour:
        dataset.PlanarConfiguration = 0
    if pixels.ndim == (4 if is_colour else 3):
        dataset.NumberOfFrames = len(pixels)
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = bits_stored or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for name, value in elements.items():
        setattr(dataset, name, value)
    if frames is not None:
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
        dataset.PixelData = encapsulate(frames)
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    elif syntax == RLELossless:
        dataset.compress(RLELossless)
    else:
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture
def encode() -> Encode:
    """Encodes an array or a Pillow image by Pillow."""
    return _encode


@pytest.fixture
def png16() -> Encode:
    """Encodes a 16-bit PNG of any number of channels."""
    return _png16


@pytest.fixture
def tiff() -> Encode:
    """Encodes a TIFF of any depth, byte order and arrangement."""
    return _tiff


@pytest.fixture
def dicom() -> Encode:
    """Encodes a DICOM file with a planted name."""
    return _dicom


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """An RGB image without symmetry, smooth enough for lossy formats, [40, 56, 3]."""
    y, x = np.mgrid[0:40, 0:56]
    return (
        np.stack([4 * x + y, 255 - 5 * y, (3 * x + 2 * y) % 256], axis=-1)
        .clip(0, 255)
        .astype(np.uint8)
    )
