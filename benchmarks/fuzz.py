"""``make fuzz``: damaged image files of every format, by the thousand.

Each file is a small sound one with a few bytes changed, moved, lost or taken from another file.
It has to be read or refused by an ``ImageError``; anything else is counted: another exception,
more than two seconds, more than a gigabyte, a process that ended. Every mutation follows from
seed, format and number, so what is found can be made again: ``--show FORMAT NUMBER OUT``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import resource
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SECONDS_ALLOWED = 2.0
BYTES_ALLOWED = 10**9
_CHILD_FILES = 500
_LOST_SECONDS = 60
PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
START, END = "<!-- fuzz -->", "<!-- /fuzz -->"
_EXTREMES = (
    b"\0",
    b"\xff",
    b"\0\0",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
)


def sound_files() -> dict[str, list[bytes]]:
    """A few small files of every format, each of another make."""
    y, x = np.mgrid[:48, :64]
    rgb = np.stack([3 * x, 4 * y, 2 * (x + y)], axis=-1).astype(np.uint8)
    rgb ^= np.random.default_rng(0).integers(0, 16, rgb.shape, np.uint8)
    gray, deep = rgb[..., 0], rgb[..., 1].astype(np.uint16) * 257
    rgba = np.dstack([rgb, rgb[..., :1]])
    frames = [Image.fromarray(rgb[::-1]), Image.fromarray(rgb[:, ::-1])]

    def encode(pixels: Any, name: str, **options: Any) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, name, **options)
        return stream.getvalue()

    several = {"save_all": True, "append_images": frames}
    files = {
        "JPEG": [
            encode(rgb, "JPEG"),
            encode(rgb, "JPEG", progressive=True),
            encode(gray, "JPEG", restart_marker_rows=1),
        ],
        "PNG": [encode(one, "PNG") for one in (rgb, gray, deep, rgba)]
        + [encode(rgb, "PNG", **several)],
        "TIFF": [
            encode(pixels, "TIFF", compression=compression)
            for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")
            for pixels in (rgb, deep)
        ]
        + [
            encode(rgb, "TIFF", compression="jpeg"),
            encode(gray > 99, "TIFF", compression="group4"),
            encode(gray.astype(np.float32), "TIFF"),
            encode(rgb, "TIFF", big_tiff=True),
            encode(rgb, "TIFF", compression="tiff_lzw", **several),
        ],
        "WEBP": [
            encode(rgb, "WEBP"),
            encode(rgba, "WEBP", lossless=True),
            encode(rgb, "WEBP", **several),
        ],
        "BMP": [encode(rgb, "BMP"), encode(gray, "BMP"), encode(gray > 99, "BMP")],
        "GIF": [encode(gray, "GIF"), encode(rgb, "GIF", **several)],
        "DICOM": dicom_files(rgb, deep),
    }
    with contextlib.suppress(KeyError, OSError):  # a Pillow without it
        files["AVIF"] = [encode(rgb, "AVIF"), encode(rgba, "AVIF")]
    return files


def dicom_files(rgb: np.ndarray[Any, Any], deep: np.ndarray[Any, Any]) -> list[bytes]:
    """Plain, deflated, run-length, JPEG and JPEG 2000 DICOM, gray and colour, one and several."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, RLELossless

    def write(pixels: Any, syntax: str, stream: bytes | None = None, frames: int = 1) -> bytes:
        one = Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
        one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        one.PatientID, one.Modality = "x", "CT"
        one.Rows, one.Columns = pixels.shape[:2]
        one.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
        one.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
        one.PlanarConfiguration = 0
        one.BitsAllocated = one.BitsStored = 8 * pixels.dtype.itemsize
        one.HighBit, one.PixelRepresentation = one.BitsStored - 1, 0
        one.RescaleSlope, one.RescaleIntercept = 1, -1024
        one.WindowCenter, one.WindowWidth = 40, 400
        one.NumberOfFrames = frames
        one.PixelData = pixels.tobytes() * frames
        if syntax == RLELossless:
            one.compress(RLELossless)
        elif stream is not None:
            one.PixelData = encapsulate([stream])
            one["PixelData"].is_undefined_length = True
            one["PixelData"].VR = "OB"
        if syntax != RLELossless:
            one.file_meta.TransferSyntaxUID = UID(syntax)
        target = io.BytesIO()
        one.save_as(target, enforce_file_format=True)
        return target.getvalue()

    def coded(pixels: Any, name: str) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, name)
        return stream.getvalue()

    gray = np.ascontiguousarray(rgb[..., 0])
    return [
        write(deep, "1.2.840.10008.1.2"),
        write(deep, "1.2.840.10008.1.2.1", frames=3),
        write(rgb, "1.2.840.10008.1.2.1"),
        write(deep, "1.2.840.10008.1.2.1.99"),
        write(deep, str(RLELossless)),
        write(gray, "1.2.840.10008.1.2.4.50", coded(gray, "JPEG")),
        write(gray, "1.2.840.10008.1.2.4.90", coded(gray, "JPEG2000")),
    ]


def mutate(files: dict[str, list[bytes]], name: str, number: int, *, seed: int = 0) -> bytes:
    """Returns damaged file ``number`` of a format; the same for the same seed."""
    chance = random.Random(f"{seed} {name} {number}")
    data = bytearray(chance.choice(files[name]))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(data))
        # Headers and directories lie at the ends, and most of what can go wrong with them.
        if chance.random() < 0.5:
            at = min(len(data) - 1, int(chance.expovariate(1 / 64)))
            at = at if chance.random() < 0.7 else len(data) - 1 - at
        kind = chance.randrange(8)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at] = chance.randrange(256)
        elif kind in (2, 3):
            word = chance.choice(_EXTREMES)
            data[at : at + len(word)] = word
        elif kind == 4:
            del data[at : at + chance.choice((1, 2, 4, 16, 200))]
        elif kind == 5:
            length = chance.choice((1, 2, 4, 16, 200))
            data[at:at] = data[max(0, at - length) : at] * chance.choice((1, 2, 50))
        elif kind == 6:
            data = data[: max(1, at)]
        else:
            other = chance.choice(files[chance.choice(sorted(files))])
            start = chance.randrange(len(other))
            length = chance.choice((2, 8, 64, 400))
            data[at : at + length] = other[start : start + length]
        if not data:
            data = bytearray(b"\0")
    # Nearly every damaged PNG is refused for its checksums; an attacker would make them right.
    return _with_checksums(data) if name == "PNG" and chance.random() < 0.7 else bytes(data)


def _with_checksums(data: bytearray) -> bytes:
    position = 8
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            break
        data[end : end + 4] = zlib.crc32(data[position + 4 : end]).to_bytes(4, "big")
        position = end + 4
    return bytes(data)


def outcome_of(data: bytes) -> str:
    """Returns ``"read"``, ``"refused"`` or the name of an exception that should not be."""
    from foveal.errors import ImageError
    from foveal.images import decode

    try:
        decoded = decode(data)
    except ImageError:
        return "refused"
    except Exception as error:
        return f"exception {type(error).__name__}: {error}"[:200]
    pixels = decoded.pixels
    sound = pixels.size > 0 and (pixels.dtype == np.uint8 or bool(np.isfinite(pixels).all()))
    return "read" if sound else "exception: pixels that are no numbers"


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _worker_peak_bytes() -> int:
    """Of the processes that decode: those that ended, and the one that waits for the next."""
    from foveal.images import guarded

    peaks = [resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024]
    for worker in guarded._idle:
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{worker._process.pid}/status").read_text().splitlines()
            peaks.append(1024 * int(next(x for x in lines if x.startswith("VmHWM")).split()[1]))
    return max(peaks)


def run_child(name: str, first: int, seed: int) -> None:
    """Tries files one after the other and prints a line for each."""
    files = sound_files()
    outcome_of(files[name][0])
    for number in range(first, first + _CHILD_FILES):
        data = mutate(files, name, number, seed=seed)
        print(json.dumps({"begun": number}), flush=True)
        signal.alarm(_LOST_SECONDS)  # ends this process where a file never comes back
        start = time.perf_counter()
        outcome = outcome_of(data)
        signal.alarm(0)
        line = {
            "number": number,
            "outcome": outcome,
            "seconds": time.perf_counter() - start,
            "bytes": max(_peak_bytes(), _worker_peak_bytes()),
        }
        print(json.dumps(line), flush=True)


def run(minutes: float, seed: int) -> dict[str, Any]:
    """Fuzzes all formats in turn until the time is over, and returns counts by format."""
    counts: dict[str, Any] = {
        name: {
            "files": 0,
            "outcomes": Counter(),
            "slow": 0,
            "large": 0,
            "lost": 0,
            "slowest": 0.0,
            "peak": 0,
            "examples": [],
        }
        for name in sound_files()
    }
    deadline = time.monotonic() + 60 * minutes
    first = 0
    while time.monotonic() < deadline:
        for name, count in counts.items():
            if time.monotonic() >= deadline:
                break
            _run_batch(name, first, seed, count)
        first += _CHILD_FILES
    return counts


def _run_batch(name: str, first: int, seed: int, count: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "benchmarks.fuzz", "--child", name, str(first)]
    done = subprocess.run([*command, "--seed", str(seed)], capture_output=True, text=True)
    begun = None
    for text in done.stdout.splitlines():
        line = json.loads(text)
        if "begun" in line:
            begun = line["begun"]
            continue
        begun = None
        count["files"] += 1
        word = line["outcome"].split()[0].rstrip(":")
        count["outcomes"][word] += 1
        is_slow, is_large = line["seconds"] > SECONDS_ALLOWED, line["bytes"] > BYTES_ALLOWED
        count["slow"] += is_slow
        count["large"] += is_large
        count["slowest"] = max(count["slowest"], line["seconds"])
        count["peak"] = max(count["peak"], line["bytes"])
        if is_slow or is_large or word == "exception":
            count["examples"].append(line)
    if begun is not None:
        count["files"] += 1
        count["lost"] += 1
        count["examples"].append({"number": begun, "outcome": f"process ended {done.returncode}"})
    if done.returncode and begun is None:
        raise RuntimeError(done.stderr)


def table(counts: dict[str, Any], *, minutes: float, seed: int) -> str:
    """Returns the counts as Markdown."""
    total = sum(count["files"] for count in counts.values())
    lines = [
        f"`make fuzz MINUTES={minutes:g}`, seed {seed}: {total:,} damaged files.",
        "",
        "| format | files | read | refused | other exceptions | over 2 s | over 1 GB | "
        "process ended | slowest, s | peak, MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, one in counts.items():
        found = one["outcomes"]
        lines.append(
            f"| {name} | {one['files']:,} | {found['read']:,} | {found['refused']:,} | "
            f"{found['exception']} | {one['slow']} | {one['large']} | {one['lost']} | "
            f"{one['slowest']:.2f} | {one['peak'] / 1e6:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    parser.add_argument("--show", nargs=3, metavar=("FORMAT", "NUMBER", "OUT"))
    parser.add_argument("--child", nargs=2, metavar=("FORMAT", "FIRST"))
    asked = parser.parse_args()
    if asked.child:
        run_child(asked.child[0], int(asked.child[1]), asked.seed)
        return
    if asked.show:
        name, number, out = asked.show
        Path(out).write_bytes(mutate(sound_files(), name, int(number), seed=asked.seed))
        return
    counts = run(asked.minutes, asked.seed)
    text = table(counts, minutes=asked.minutes, seed=asked.seed)
    print(text)
    for name, count in counts.items():
        for example in count["examples"][:10]:
            print(f"{name} {example}")
    if asked.write:
        page = PAGE.read_text("utf-8")
        before, after = page.split(START)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{START}\n{text}\n{END}{after}", "utf-8")
    if any(count["examples"] for count in counts.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
