"""Files of every kind that the exported page reads, and of kinds that it must refuse by name.

Made from seeded textures by writers of our own for PNG (Pillow interlaces nothing and packs no
16-bit colour), and by Pillow and pydicom for the rest.
"""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
COLOURS = {0: "gray", 2: "colour", 3: "palette", 4: "gray with alpha", 6: "colour with alpha"}
ORIENTATIONS = range(2, 9)


@dataclass(frozen=True)
class MadeFile:
    """A file; ``is_read`` says whether the page must read it or refuse it by name."""

    kind: str
    name: str
    data: bytes
    is_read: bool = True


def texture(random: np.random.Generator, height: int, width: int, channels: int) -> NDArray[Any]:
    """Returns values in [0, 1], [H, W, C]: smooth shapes, an edge and noise."""
    coarse = random.uniform(0, 1, (6, 7, channels))
    planes = [
        np.asarray(Image.fromarray(coarse[..., c].astype(np.float32)).resize((width, height), 3))
        for c in range(channels)
    ]
    values = np.stack(planes, -1) + random.normal(0, 0.08, (height, width, channels))
    y, x = random.integers(0, height), random.integers(0, width)
    values[y : y + height // 3, x : x + width // 3] += 0.4
    return np.clip(values, 0, 1)


def exif(orientation: int) -> bytes:
    """Returns an EXIF block that holds an orientation alone."""
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def encode_png(
    samples: NDArray[Any],
    colour: int,
    bits: int,
    *,
    interlaced: bool = False,
    filters: tuple[int, ...] = (0, 1, 2, 3, 4),
    before: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """Writes [H, W, S] as PNG, the filters in turn; ``before`` are chunks before the data."""
    height, width = samples.shape[:2]
    raw = bytearray()
    for left, upper, step_x, step_y in PASSES if interlaced else ((0, 0, 1, 1),):
        part = samples[upper::step_y, left::step_x]
        if part.size:
            raw += _rows(part, bits, filters)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    packed = zlib.compress(bytes(raw), 6)
    pieces = [packed[start : start + 5000] for start in range(0, len(packed), 5000)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, body)
        for kind, body in (
            (b"IHDR", header),
            *before,
            *((b"IDAT", piece) for piece in pieces),
            (b"IEND", b""),
        )
    )


def _rows(part: NDArray[Any], bits: int, filters: tuple[int, ...]) -> bytes:
    num_samples = part.shape[2]
    flat = part.reshape(len(part), -1)
    if bits == 16:
        lines = flat.astype(">u2").view(np.uint8).reshape(len(part), -1)
    elif bits == 8:
        lines = flat.astype(np.uint8)
    else:
        places = (flat[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        lines = np.packbits(places.reshape(len(part), -1).astype(np.uint8), axis=1)
    back = max(1, bits * num_samples // 8)
    above = np.zeros(lines.shape[1], np.int64)
    written = bytearray()
    for number, line in enumerate(lines.astype(np.int64)):
        kind = filters[number % len(filters)]
        a = np.concatenate([np.zeros(back, np.int64), line])[: len(line)]
        c = np.concatenate([np.zeros(back, np.int64), above])[: len(line)]
        guess = (0 * line, a, above, (a + above) // 2, _paeth(a, above, c))[kind]
        written += bytes([kind]) + ((line - guess) % 256).astype(np.uint8).tobytes()
        above = line
    return bytes(written)


def _paeth(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any]) -> NDArray[Any]:
    to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
    return np.where((to_a <= to_b) & (to_a <= to_c), a, np.where(to_b <= to_c, b, c))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def make_files(seed: int = 0) -> list[MadeFile]:
    """Returns all files, the same for a seed on every machine with these libraries."""
    random = np.random.default_rng(seed)
    return [*_pngs(random), *_dicoms(random), *_browser_kinds(random), *_refused(random)]


def _size(random: np.random.Generator) -> tuple[int, int]:
    return int(random.integers(40, 330)), int(random.integers(40, 330))


def _pngs(random: np.random.Generator) -> Iterator[MadeFile]:
    for colour, interlaced, number in itertools.product(COLOURS, (False, True), range(2)):
        for bits in DEPTHS[colour]:
            samples = texture(random, *_size(random), SAMPLES[colour])
            top = 2**bits - 1
            # Twelve bits in sixteen, as detectors write them, every second time.
            scale = 4095 if bits == 16 and number else top
            levels = np.rint(samples * scale).astype(np.int64)
            before = _ancillary(random, colour, bits, levels, with_key=bool(number))
            kind = "PNG, 16 bits" if bits == 16 else "PNG, up to 8 bits"
            name = f"{COLOURS[colour]}-{bits}{'-adam7' if interlaced else ''}-{number}.png"
            data = encode_png(levels, colour, bits, interlaced=interlaced, before=before)
            yield MadeFile(kind, name, data)
    for orientation in ORIENTATIONS:
        for bits in (8, 16):
            levels = np.rint(texture(random, *_size(random), 3) * (2**bits - 1)).astype(np.int64)
            before = ((b"eXIf", exif(orientation)[6:]),)
            kind = "PNG, 16 bits" if bits == 16 else "PNG, up to 8 bits"
            data = encode_png(levels, 2, bits, before=before)
            yield MadeFile(kind, f"turned-{orientation}-{bits}.png", data)
    for size in ((1, 1), (1, 300), (300, 1), (3, 5), (1200, 900), (224, 224), (224, 500)):
        levels = np.rint(texture(random, *size, 1) * 255).astype(np.int64)
        data = encode_png(levels, 0, 8, interlaced=size[0] == 3)
        yield MadeFile("PNG, up to 8 bits", f"size-{size[0]}x{size[1]}.png", data)
    flat = np.full((50, 60, 1), 1234)
    yield MadeFile("PNG, 16 bits", "flat-16.png", encode_png(flat, 0, 16))
    flat = flat.copy()
    flat[20:22, 30:32] = 4000
    yield MadeFile("PNG, 16 bits", "spot-16.png", encode_png(flat, 0, 16))


def _ancillary(
    random: np.random.Generator, colour: int, bits: int, levels: NDArray[Any], *, with_key: bool
) -> tuple[tuple[bytes, bytes], ...]:
    chunks = []
    if colour == 3:
        chunks.append((b"PLTE", random.integers(0, 256, 3 * 2**bits, np.uint8).tobytes()))
        if with_key:
            alpha = random.integers(0, 256, max(1, 2**bits - 1), np.uint8)
            chunks.append((b"tRNS", alpha.tobytes()))
    elif colour in (0, 2) and with_key:
        key = levels[len(levels) // 2, levels.shape[1] // 2]
        chunks.append((b"tRNS", key.astype(">u2").tobytes()))
    return tuple(chunks)


def _dicoms(random: np.random.Generator) -> Iterator[MadeFile]:
    from pydicom.sequence import Sequence
    from pydicom.uid import (
        DeflatedExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        JPEGBaseline8Bit,
    )

    syntaxes = {
        "explicit": ExplicitVRLittleEndian,
        "implicit": ImplicitVRLittleEndian,
        "deflated": DeflatedExplicitVRLittleEndian,
        "big-endian": ExplicitVRBigEndian,
    }
    kind = "DICOM, uncompressed"
    for photometric, (word, syntax) in itertools.product(
        ("MONOCHROME1", "MONOCHROME2"), syntaxes.items()
    ):
        for number, (dtype, rules) in enumerate(_gray_rules(random)):
            levels = _stored(random, dtype)
            data = _dicom(
                levels, photometric, syntax, Modality=("CT", "DX", "MR")[number % 3], **rules
            )
            yield MadeFile(kind, f"{photometric.lower()}-{word}-{number:02}.dcm", data)
    for number, table in enumerate((np.linspace(0, 1, 4096) ** 0.5, np.linspace(1, 0, 4096) ** 2)):
        item = _lut(np.rint(table * 65535), first=0)
        levels = _stored(random, np.uint16)
        data = _dicom(
            levels, "MONOCHROME2", ExplicitVRLittleEndian, VOILUTSequence=Sequence([item])
        )
        yield MadeFile(kind, f"voi-table-{number}.dcm", data)
        item = _lut(np.rint(table * 3000), first=0, ModalityLUTType="US")
        data = _dicom(
            levels, "MONOCHROME2", ImplicitVRLittleEndian, ModalityLUTSequence=Sequence([item])
        )
        yield MadeFile(kind, f"modality-table-{number}.dcm", data)
    frames = np.stack([_stored(random, np.uint16, (90, 70)) for _ in range(5)])
    data = _dicom(frames, "MONOCHROME2", ExplicitVRLittleEndian, NumberOfFrames=5)
    yield MadeFile(kind, "frames.dcm", data)
    for planar, (height, width) in ((0, (70, 90)), (1, (91, 64))):
        colours = np.rint(texture(random, height, width, 3) * 255).astype(np.uint8)
        stored = colours.transpose(2, 0, 1) if planar else colours
        for photometric in ("RGB", "YBR_FULL"):
            data = _dicom(
                stored,
                photometric,
                ExplicitVRLittleEndian,
                size=(height, width),
                SamplesPerPixel=3,
                PlanarConfiguration=planar,
            )
            yield MadeFile(kind, f"{photometric.lower()}-planar-{planar}.dcm", data)
    for number, dtype in enumerate((np.uint8, np.uint16, np.int16)):
        data = _dicom(_stored(random, dtype), "MONOCHROME2", ExplicitVRLittleEndian)
        yield MadeFile("DICOM, RLE", f"rle-{number}.dcm", _compressed(data))
    colours = np.rint(texture(random, 61, 47, 3) * 255).astype(np.uint8)
    data = _dicom(
        colours,
        "RGB",
        ExplicitVRLittleEndian,
        size=(61, 47),
        SamplesPerPixel=3,
        PlanarConfiguration=0,
    )
    yield MadeFile("DICOM, RLE", "rle-colour.dcm", _compressed(data))
    for quality, (height, width) in ((60, (120, 97)), (90, (64, 200)), (97, (250, 130))):
        gray = np.rint(texture(random, height, width, 1)[..., 0] * 255).astype(np.uint8)
        data = _dicom_jpeg(Image.fromarray(gray), quality, "MONOCHROME2", JPEGBaseline8Bit)
        yield MadeFile("DICOM, baseline JPEG", f"jpeg-gray-{quality}.dcm", data)
        colours = np.rint(texture(random, height, width, 3) * 255).astype(np.uint8)
        for subsampling, photometric in ((0, "YBR_FULL"), (1, "YBR_FULL_422"), (2, "YBR_FULL_422")):
            data = _dicom_jpeg(
                Image.fromarray(colours),
                quality,
                photometric,
                JPEGBaseline8Bit,
                subsampling=subsampling,
            )
            yield MadeFile("DICOM, baseline JPEG", f"jpeg-{subsampling}-{quality}.dcm", data)


def _compressed(data: bytes) -> bytes:
    """Returns the same DICOM file with its pixels run-length coded."""
    import pydicom
    from pydicom.uid import RLELossless

    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.compress(RLELossless, generate_instance_uid=False)
    return _written(dataset, RLELossless)


def _gray_rules(random: np.random.Generator) -> Iterator[tuple[type, dict[str, Any]]]:
    yield np.uint8, {}
    yield np.uint16, {}
    yield np.int16, {"RescaleSlope": 1, "RescaleIntercept": -1024}
    yield np.uint16, {"RescaleSlope": 0.37, "RescaleIntercept": -12.5}
    yield np.uint16, {"WindowCenter": 2000, "WindowWidth": 1500}
    yield np.uint16, {"WindowCenter": 1800.5, "WindowWidth": 900, "VOILUTFunction": "LINEAR_EXACT"}
    yield (
        np.int16,
        {"WindowCenter": [300, 40], "WindowWidth": [2000, 80], "VOILUTFunction": "SIGMOID"},
    )
    yield np.uint16, {"PixelPaddingValue": 0, "BitsStored": 12}
    yield (
        np.uint16,
        {
            "PixelPaddingValue": 0,
            "PixelPaddingRangeLimit": 500,
            "WindowCenter": 2000,
            "WindowWidth": 3000,
        },
    )


def _stored(
    random: np.random.Generator, dtype: type, size: tuple[int, int] | None = None
) -> NDArray[Any]:
    values = texture(random, *(size or _size(random)), 1)[..., 0]
    if dtype is np.uint8:
        return np.rint(values * 255).astype(np.uint8)
    return np.rint(values * 4095 - (1000 if dtype is np.int16 else 0)).astype(dtype)


def _dicom(
    stored: NDArray[Any],
    photometric: str,
    syntax: Any,
    *,
    size: tuple[int, int] | None = None,
    **attributes: Any,
) -> bytes:
    dataset = _dataset(syntax)
    dataset.Rows, dataset.Columns = size or stored.shape[-2:]
    dataset.PhotometricInterpretation = photometric
    dataset.SamplesPerPixel = attributes.pop("SamplesPerPixel", 1)
    bits = stored.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    if "PixelPaddingValue" in dataset:
        for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
            if keyword in dataset:
                dataset[keyword].VR = "US"
    order = "<" if syntax.is_little_endian else ">"
    content = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    return _written(dataset, syntax)


def _dicom_jpeg(
    image: Image.Image, quality: int, photometric: str, syntax: Any, *, subsampling: int = 0
) -> bytes:
    from pydicom.encaps import encapsulate

    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, subsampling=subsampling)
    dataset = _dataset(syntax)
    dataset.Rows, dataset.Columns = image.height, image.width
    dataset.SamplesPerPixel = len(image.getbands())
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelRepresentation = 0
    if dataset.SamplesPerPixel == 3:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = encapsulate([stream.getvalue()])
    dataset["PixelData"].is_undefined_length = True
    return _written(dataset, syntax)


def _dataset(syntax: Any) -> Any:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import SecondaryCaptureImageStorage

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset(
        "",
        {},
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=syntax.is_implicit_VR,
        is_little_endian=syntax.is_little_endian,
    )
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.PatientID = "secret"
    return dataset


def _written(dataset: Any, syntax: Any) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _lut(entries: NDArray[Any], *, first: int, **attributes: Any) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, 16])
    item.add_new("LUTData", "US", [int(entry) for entry in entries])
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _browser_kinds(random: np.random.Generator) -> Iterator[MadeFile]:
    def image(height: int, width: int, channels: int) -> Image.Image:
        levels = np.rint(texture(random, height, width, channels) * 255).astype(np.uint8)
        return Image.fromarray(levels[..., 0] if channels == 1 else levels)

    def saved(made: Image.Image, form: str, **options: Any) -> bytes:
        stream = io.BytesIO()
        made.save(stream, form, **options)
        return stream.getvalue()

    for quality, subsampling, progressive in itertools.product((60, 85, 97), (0, 1, 2), (0, 1)):
        data = saved(
            image(*_size(random), 3),
            "JPEG",
            quality=quality,
            subsampling=subsampling,
            progressive=bool(progressive),
        )
        kind = "JPEG, progressive" if progressive else "JPEG"
        yield MadeFile(kind, f"q{quality}-s{subsampling}-p{progressive}.jpg", data)
    for quality in (60, 90):
        yield MadeFile(
            "JPEG", f"gray-{quality}.jpg", saved(image(90, 80, 1), "JPEG", quality=quality)
        )
    for orientation in ORIENTATIONS:
        data = saved(image(*_size(random), 3), "JPEG", quality=92, exif=exif(orientation))
        yield MadeFile("JPEG", f"turned-{orientation}.jpg", data)
    for number, size in enumerate(((950, 1300), (2000, 1900), (3700, 4100))):
        made = image(*size, 3)
        data = saved(made, "JPEG", quality=90, subsampling=2 * (number % 2))
        yield MadeFile("JPEG, reduced while decoded", f"large-{number}.jpg", data)
        data = saved(made, "JPEG", quality=90, progressive=True)
        yield MadeFile("JPEG, progressive and reduced", f"large-progressive-{number}.jpg", data)
    for number in range(3):
        yield MadeFile(
            "WebP, lossless",
            f"{number}.webp",
            saved(image(*_size(random), 3), "WEBP", lossless=True),
        )
        yield MadeFile(
            "WebP, lossy",
            f"lossy-{number}.webp",
            saved(image(*_size(random), 3), "WEBP", quality=80),
        )
        transparent = Image.fromarray(
            np.rint(texture(random, 80, 70, 4) * 255).astype(np.uint8), "RGBA"
        )
        yield MadeFile(
            "WebP, transparent", f"alpha-{number}.webp", saved(transparent, "WEBP", lossless=True)
        )
        yield MadeFile("BMP", f"{number}.bmp", saved(image(*_size(random), 3), "BMP"))
        gif = image(*_size(random), 3).quantize(64)
        yield MadeFile("GIF", f"{number}.gif", saved(gif, "GIF"))
        avif = saved(image(*_size(random), 3), "AVIF", quality=80)
        yield MadeFile("AVIF", f"{number}.avif", avif)


def _refused(random: np.random.Generator) -> Iterator[MadeFile]:
    levels = np.rint(texture(random, 60, 50, 3) * 255).astype(np.uint8)
    image = Image.fromarray(levels)

    def saved(form: str, made: Image.Image = image, **options: Any) -> bytes:
        stream = io.BytesIO()
        made.save(stream, form, **options)
        return stream.getvalue()

    frames = {"save_all": True, "append_images": [image.transpose(0)]}
    png = saved("PNG")
    for name, data in (
        ("scan.tif", saved("TIFF")),
        ("moving.gif", saved("GIF", **frames)),
        ("moving.webp", saved("WEBP", **frames)),
        ("moving.png", saved("PNG", **frames)),
        ("print.jpg", saved("JPEG", image.convert("CMYK"))),
        ("cut.png", png[: len(png) // 2]),
        ("cut.jpg", saved("JPEG")[:-200]),
        ("empty.png", b""),
        ("text.jpg", b"This is a text, whatever its name says.\n"),
        ("page.png", b"<!doctype html><title>No</title>"),
        ("archive.png", b"PK\x03\x04" + bytes(100)),
        ("zeros.dcm", bytes(4000)),
        ("bits.png", png[:60] + bytes([png[60] ^ 1]) + png[61:]),
        ("report.dcm", _written(_dataset(_explicit()), _explicit())),
    ):
        yield MadeFile("refused", name, data, is_read=False)


def _explicit() -> Any:
    from pydicom.uid import ExplicitVRLittleEndian

    return ExplicitVRLittleEndian
