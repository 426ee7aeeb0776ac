"""Opens every image once and writes down what later steps need, with few in memory at a time.

When an image was taken, and by which device, EXIF and DICOM say; file dates do not.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from foveal.dataset.fingerprints import fingerprint
from foveal.dataset.manifest import ImageRecord, Problem, ProblemCode
from foveal.errors import ImageError
from foveal.images import FrameChoice, LevelSummary, decode, read_content
from foveal.images.frames import split_frame_path
from foveal.images.quarantine import quarantine
from foveal.text import printable

# Large JPEGs are decoded at a scale where both sides keep this many pixels at least: every
# byte is still read, so truncation shows, at a fraction of the cost.
REDUCED_PX = 512

_IN_FLIGHT_PER_WORKER = 3

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ReadImage:
    """A record with its contents filled in, and the patient's hash where there is one."""

    record: ImageRecord
    patient_key: str | None = None


def read_images(
    root: Path,
    records: Sequence[ImageRecord],
    *,
    num_workers: int,
    progress: Progress | None = None,
    frame: FrameChoice = "middle",
) -> tuple[ReadImage, ...]:
    """Reads the images of all records that have no problem yet; order is kept.

    An image that cannot be read comes back with its problem. At most a few images a worker
    are in memory at once, however many there are.

    Args:
        root: The folder that the records' paths start from.
        records: Without contents.
        num_workers: Threads that decode.
        progress: Called with (images done, images in all), from the calling thread.
        frame: Which of several frames is read.
    """
    readings: list[ReadImage] = []
    for reading in _stream(root, records, max(1, num_workers), frame):
        readings.append(reading)
        if progress is not None:
            progress(len(readings), len(records))
    return tuple(readings)


def _stream(
    root: Path, records: Sequence[ImageRecord], num_workers: int, frame: FrameChoice
) -> Iterator[ReadImage]:
    executor = ThreadPoolExecutor(num_workers, thread_name_prefix="foveal-scan")
    in_flight: deque[Future[ReadImage]] = deque()
    try:
        for record in records:
            in_flight.append(executor.submit(read_image, root, record, frame=frame))
            if len(in_flight) >= num_workers * _IN_FLIGHT_PER_WORKER:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()
    finally:
        # On Ctrl-C nothing new is begun; the images in hand are left to finish by themselves.
        executor.shutdown(wait=False, cancel_futures=True)


def read_image(root: Path, record: ImageRecord, *, frame: FrameChoice = "middle") -> ReadImage:
    """Decodes one image and fills its record in; a record with a problem comes back as it is."""
    if record.problem is not None:
        return ReadImage(record)
    path = root / record.path
    try:
        content = read_content(path)
        decoded = decode(content, reduce_to_px=(REDUCED_PX, REDUCED_PX), frame=frame)
    except ImageError as error:
        problem = Problem(cast(ProblemCode, error.code), error.message)
        return ReadImage(dataclasses.replace(record, problem=problem))
    prints = fingerprint(decoded.pixels)
    facts = decoded.facts
    header = read_header(path, facts.format)
    filled = dataclasses.replace(
        record,
        digest=content.digest,
        pixel_digest=_pixel_digest(prints.pixel_digest, facts.levels),
        size_bytes=len(content.data),
        width_px=facts.width_px,
        height_px=facts.height_px,
        stored_mode=facts.stored_mode,
        bits_per_sample=facts.bits_per_sample,
        format=facts.format,
        perceptual_hash=prints.perceptual_hash,
        signature=prints.signature,
        grey_mean=prints.grey_mean,
        grey_std=prints.grey_std,
        acquired_seconds=header.acquired_seconds,
        levels=facts.levels,
        notes=facts.notes,
        header=header.device,
    )
    return ReadImage(filled, facts.patient_key)


def _pixel_digest(of_windowed: str, levels: LevelSummary | None) -> str:
    """Returns the digest of an image: two that differ in brightness alone are not the same."""
    if levels is None:
        return of_windowed
    ends = f"{of_windowed} {levels.quantiles[0]!r} {levels.quantiles[-1]!r}"
    return hashlib.sha256(ends.encode()).hexdigest()


_EXIF_FOLDER = 0x8769
_TAKEN, _SUBSECONDS, _CHANGED = 0x9003, 0x9291, 0x0132
_DICOM_PAIRS = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)
# Name, DICOM keyword, EXIF tag. Serial numbers, stations and institutions identify: never read.
_DEVICE: tuple[tuple[str, str, int | None], ...] = (
    ("manufacturer", "Manufacturer", 0x010F),
    ("model", "ManufacturerModelName", 0x0110),
    ("view position", "ViewPosition", None),
)
_MAX_DEVICE_LETTERS = 40


@dataclass(frozen=True, slots=True)
class Header:
    """What a file's header says beside its pixels.

    Attributes:
        acquired_seconds: When the image was taken, in seconds since 1970 on the camera's clock;
            ``None`` where the file does not say.
        device: Pairs of name and value, of those that are given.
    """

    acquired_seconds: float | None = None
    device: tuple[tuple[str, str], ...] = ()


def read_header(path: Path, format_name: str) -> Header:
    """Returns when and by which device the image was taken, as far as the file says.

    Args:
        path: A file that was decoded before.
        format_name: What it was decoded as, such as ``"JPEG"``.
    """
    whole = split_frame_path(str(path))
    path = path if whole is None else Path(whole[0])
    try:
        with quarantine():
            return _read_dicom(path) if format_name == "DICOM" else _read_exif(path)
    except Exception:  # a broken tag costs the header, not the image
        return Header()


def _read_exif(path: Path) -> Header:
    from PIL import Image

    with Image.open(path) as image:
        tags: Any = image.getexif()
        if not tags:
            return Header()
        inner = tags.get_ifd(_EXIF_FOLDER)
        taken = str(inner.get(_TAKEN) or tags.get(_CHANGED) or "")
        device = [(name, tags.get(tag)) for name, _, tag in _DEVICE if tag is not None]
        return Header(_moment(taken, inner.get(_SUBSECONDS)), _given(device))


def _read_dicom(path: Path) -> Header:
    import pydicom

    wanted = ["AcquisitionDateTime", *(name for pair in _DICOM_PAIRS for name in pair)]
    wanted += [keyword for _, keyword, _ in _DEVICE]
    header = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=wanted)
    device = _given([(name, header.get(keyword)) for name, keyword, _ in _DEVICE])
    whole = str(header.get("AcquisitionDateTime") or "")
    if len(whole) >= 14:
        return Header(_moment(whole), device)
    for day, time in _DICOM_PAIRS:
        if header.get(day) and header.get(time):
            return Header(_moment(f"{header.get(day)}{header.get(time)}"), device)
    return Header(None, device)


def _given(device: Sequence[tuple[str, object]]) -> tuple[tuple[str, str], ...]:
    shown = (
        (name, printable(str(value or "")).strip()[:_MAX_DEVICE_LETTERS]) for name, value in device
    )
    return tuple((name, value) for name, value in shown if value)


def _moment(text: str, subseconds: object = None) -> float | None:
    """Returns the time that a tag holds; a broken one costs the time alone."""
    try:
        return _seconds(text, subseconds)
    except (ValueError, OverflowError):
        return None


def _seconds(text: str, subseconds: object = None) -> float | None:
    """Reads ``2024:03:01 10:15:02`` and ``20240301101502.250`` alike."""
    digits = re.sub(r"\D", "", text.split(".", 1)[0].split("+", 1)[0])
    if len(digits) < 14 or digits.startswith("0000"):
        return None
    moment = datetime.datetime.strptime(digits[:14], "%Y%m%d%H%M%S").replace(tzinfo=datetime.UTC)
    rest = str(subseconds or "") or (text.split(".", 1)[1] if "." in text else "")
    behind = re.match(r"\d+", rest)
    return moment.timestamp() + (float(f"0.{behind.group()}") if behind else 0.0)
