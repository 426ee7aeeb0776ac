"""When an image was taken, by its own account: EXIF and DICOM say so, file dates do not."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

from foveal.images.frames import split_frame_path
from foveal.images.quarantine import quarantine

_EXIF_FOLDER = 0x8769
_TAKEN, _SUBSECONDS, _CHANGED = 0x9003, 0x9291, 0x0132
_DICOM_PAIRS = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)


def read_acquisition(path: Path, format_name: str) -> float | None:
    """Returns when the image was taken, in seconds since 1970 on the camera's clock.

    Args:
        path: A file that was decoded before.
        format_name: What it was decoded as, such as ``"JPEG"``.

    Returns:
        ``None`` where the file does not say.
    """
    whole = split_frame_path(str(path))
    path = path if whole is None else Path(whole[0])
    try:
        with quarantine():
            return _read_dicom(path) if format_name == "DICOM" else _read_exif(path)
    except Exception:  # a broken tag costs the time, not the image
        return None


def _read_exif(path: Path) -> float | None:
    from PIL import Image

    with Image.open(path) as image:
        tags: Any = image.getexif()
        if not tags:
            return None
        inner = tags.get_ifd(_EXIF_FOLDER)
        return _seconds(str(inner.get(_TAKEN) or tags.get(_CHANGED) or ""), inner.get(_SUBSECONDS))


def _read_dicom(path: Path) -> float | None:
    import pydicom

    wanted = ["AcquisitionDateTime", *(name for pair in _DICOM_PAIRS for name in pair)]
    header = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=wanted)
    whole = str(header.get("AcquisitionDateTime") or "")
    if len(whole) >= 14:
        return _seconds(whole)
    for day, time in _DICOM_PAIRS:
        if header.get(day) and header.get(time):
            return _seconds(f"{header.get(day)}{header.get(time)}")
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
