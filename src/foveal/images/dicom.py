"""Decodes DICOM files. Nothing about the patient is kept.

pydicom's errors and warnings may quote values from the file. They are therefore never
chained, shown or noted: an error raised here is worded here, and outside of the handler
that caught the cause, so that not even ``__context__`` leads to it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.errors import ImageError
from foveal.images.cost import require_affordable
from foveal.images.dicom_bytes import refuse_deflated_bomb, refuse_endless_boxes
from foveal.images.faults import corrupt, too_large, truncated, unsupported
from foveal.images.frames import FrameChoice, frame_index, frame_note
from foveal.images.grey_levels import frame_rules, show
from foveal.images.levels import LevelKind, LevelSummary
from foveal.images.pixels import ImageFacts, Pixels, Raster, require_size
from foveal.images.quarantine import ANY_ERROR, quarantine
from foveal.images.window import Window, stretch

if TYPE_CHECKING:
    from pydicom import Dataset

Result = TypeVar("Result")

_GRAY: Final = ("MONOCHROME1", "MONOCHROME2")
_COLOUR: Final = (
    *("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_422"),
    *("YBR_ICT", "YBR_RCT"),
)
_PALETTE: Final = "PALETTE COLOR"
_PIXEL_KEYWORDS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_KEY_DIGITS: Final = 16
_BYTES_PER_PIXEL: Final = 20
_JPEG_12_BIT: Final = "1.2.840.10008.1.2.4.51"
_JPEG_2000: Final = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_OPENJPEG: Final = "pylibjpeg pylibjpeg-openjpeg"
_GDCM: Final = "python-gdcm"

# Packages under permissive licences only; pylibjpeg-libjpeg, which would do, is GPL.
_CODECS: Final = {
    **{f"1.2.840.10008.1.2.4.{n}": (_OPENJPEG, "JPEG 2000") for n in (90, 91, 201, 202, 203)},
    **{f"1.2.840.10008.1.2.4.{n}": (_GDCM, "JPEG-LS") for n in (80, 81)},
    **{f"1.2.840.10008.1.2.4.{n}": (_GDCM, "lossless JPEG") for n in (57, 70)},
    **{f"1.2.840.10008.1.2.4.{n}": (_GDCM, "JPEG") for n in (50, 51)},
}


@dataclass(frozen=True, slots=True)
class _Failed:
    """A step of pydicom's failed; only the kind of error is kept, never its words."""

    kind: type[BaseException]


def decode_dicom(data: bytes, *, window: Window, max_pixels: int, frame: FrameChoice) -> Raster:
    """Decodes one frame of a DICOM file (PS3.3 C.7.6.3, C.11.1 and C.11.2).

    Gray: modality LUT or rescale, then the header's VOI LUT or window, else percentiles;
    MONOCHROME1 inverted; ``float32`` in [0, 1]. Colour: RGB.

    Raises:
        ImageError: Without a path, and without a word that comes from the file.
    """
    with quarantine():
        refuse_deflated_bomb(data, max_pixels=max_pixels)
        dataset = _attempt(lambda: _parse(data))
        if isinstance(dataset, _Failed):
            if issubclass(dataset.kind, MemoryError):
                raise _no_memory()
            raise truncated("the DICOM header ends early or is damaged")
        raster = _attempt(lambda: _decode(dataset, window, max_pixels, frame))
        if isinstance(raster, _Failed):
            is_memory = issubclass(raster.kind, MemoryError)
            raise _no_memory() if is_memory else corrupt("the DICOM values contradict each other")
        return raster


def _attempt(step: Callable[[], Result]) -> Result | _Failed:
    """Runs a step that may fail in any way; our own errors pass, others lose their words."""
    try:
        return step()
    except ImageError:
        raise
    except ANY_ERROR as error:
        return _Failed(type(error))


def _parse(data: bytes) -> Dataset:
    import pydicom

    # Old devices write no preamble; format_of() has made sure that this looks like DICOM.
    return pydicom.dcmread(io.BytesIO(data), force=True)


def _decode(dataset: Dataset, window: Window, max_pixels: int, frame: FrameChoice) -> Raster:
    keyword = next((name for name in _PIXEL_KEYWORDS if name in dataset), None)
    if keyword is None and "Rows" in dataset:
        raise truncated("the DICOM header announces an image that is not there")
    if keyword is None:
        raise ImageError(
            "this is a DICOM file without an image (a report, plan or directory)",
            code="not_an_image",
            next_step="Leave it out of the data.",
        )
    height_px, width_px = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    require_size(width_px, height_px, max_pixels=max_pixels)
    require_affordable(width_px * height_px * _BYTES_PER_PIXEL)
    photometric = _photometric(dataset)
    num_frames = max(1, int(dataset.get("NumberOfFrames") or 1))
    notes: list[str] = []
    index = frame_index(num_frames, frame)
    if num_frames > 1:
        notes.append(frame_note(num_frames, index, frame, "frame"))
    stored = _pixels(dataset, keyword, num_frames, index)
    pixels: Pixels
    levels = None
    if photometric in _GRAY:
        rules = frame_rules(dataset, index)
        shown = show(stored, rules, window, is_inverted=photometric == "MONOCHROME1")
        pixels, levels = shown.values, shown.summary
        notes.extend(shown.notes)
    else:
        pixels, levels = _colour(stored, dataset, photometric, window)
    facts = ImageFacts(
        format="DICOM",
        width_px=width_px,
        height_px=height_px,
        stored_mode=photometric,
        bits_per_sample=int(dataset.get("BitsStored") or stored.dtype.itemsize * 8),
        num_frames=num_frames,
        frame=index + 1,
        patient_key=_patient_key(dataset),
        levels=levels,
        notes=tuple(notes),
    )
    return Raster(pixels, facts)


def _photometric(dataset: Dataset) -> str:
    """Returns one of the known words; an unknown one is never repeated, it may be anything."""
    found = str(dataset.get("PhotometricInterpretation", ""))
    for known in (*_GRAY, *_COLOUR, _PALETTE):
        if found == known:
            return known
    raise unsupported("a DICOM image of an unknown photometric interpretation")


def _patient_key(dataset: Dataset) -> str | None:
    patient = str(dataset.get("PatientID") or "").strip()
    if not patient:
        return None
    return hashlib.sha256(patient.encode("utf-8", "surrogateescape")).hexdigest()[:_KEY_DIGITS]


def _pixels(dataset: Dataset, keyword: str, num_frames: int, index: int) -> NDArray[Any]:
    """Returns one frame as stored, [H, W] or [H, W, 3], colour as RGB."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array

    syntax = _transfer_syntax(dataset)
    decoder = _attempt(lambda: get_decoder(syntax))
    if isinstance(decoder, _Failed):
        raise unsupported("a DICOM file whose pixels are compressed as video or in an unknown way")
    if not decoder.is_available:
        raise _missing_codec(syntax)
    if not syntax.is_encapsulated:
        _require_pixel_bytes(dataset, keyword, num_frames)
    if syntax in _JPEG_2000:
        refuse_endless_boxes(bytes(dataset[keyword].value or b""))
    frame = _attempt(lambda: pixel_array(dataset, index=index))
    if isinstance(frame, _Failed):
        if issubclass(frame.kind, MemoryError):
            raise _no_memory()
        if _is_beyond_pillow(dataset, syntax) and decoder.missing_dependencies:
            raise _missing_codec(syntax)
        raise corrupt("the compressed DICOM pixels cannot be decoded")
    return np.asarray(frame)


def _is_beyond_pillow(dataset: Dataset, syntax: str) -> bool:
    """Whether Pillow, the codec that is always there, knows only simpler forms of this."""
    bits = int(dataset.get("BitsStored") or 0)
    is_colour = int(dataset.get("SamplesPerPixel") or 1) > 1
    if syntax == _JPEG_12_BIT:
        return bits > 8
    return syntax in _JPEG_2000 and bits > (8 if is_colour else 16)


def _transfer_syntax(dataset: Dataset) -> Any:
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    meta = getattr(dataset, "file_meta", None)
    syntax = None if meta is None else meta.get("TransferSyntaxUID")
    if syntax is not None:
        return syntax
    # Without a header to say so, the way it could be parsed tells how it was written.
    is_implicit, is_little_endian = dataset.original_encoding
    syntax = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
    syntax = syntax if is_little_endian else ExplicitVRBigEndian
    if meta is None:
        from pydicom.dataset import FileMetaDataset

        meta = FileMetaDataset()
        dataset.file_meta = meta
    meta.TransferSyntaxUID = syntax
    return syntax


def _require_pixel_bytes(dataset: Dataset, keyword: str, num_frames: int) -> None:
    bits = int(dataset.get("BitsAllocated") or 0)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    expected = int(dataset.Rows) * int(dataset.Columns) * samples * bits * num_frames // 8
    if keyword == "PixelData" and _is_subsampled(dataset):
        expected = expected * 2 // 3
    if len(dataset[keyword].value or b"") < expected:
        raise truncated("the DICOM pixels end before the image does")


def _is_subsampled(dataset: Dataset) -> bool:
    return str(dataset.get("PhotometricInterpretation", "")) == "YBR_FULL_422"


def _colour(
    stored: NDArray[Any], dataset: Dataset, photometric: str, window: Window
) -> tuple[Pixels, LevelSummary | None]:
    if photometric == _PALETTE:
        from pydicom.pixels.processing import apply_color_lut

        stored = apply_color_lut(stored, dataset)[..., :3]
        if stored.dtype == np.uint16:  # colours of a palette have their full range by definition
            stored = (stored >> 8).astype(np.uint8)
    if stored.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(stored)), None
    bits = int(dataset.get("BitsStored") or 16)
    stretched = stretch(stored, window, kind=LevelKind("DICOM colour", 0.0, 2.0**bits - 1))
    return stretched.values, stretched.summary


def _missing_codec(syntax: str) -> ImageError:
    package, name = _CODECS.get(str(syntax), (_GDCM, "this compression"))
    return ImageError(
        # In the message itself, since a list of bad files shows that and no next step.
        f"these DICOM pixels need a decoder for {name} (pip install {package})",
        code="missing_codec",
    )


def _no_memory() -> ImageError:
    return too_large("there is not enough memory to decode it")
