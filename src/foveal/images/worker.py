"""A process that decodes what cannot be judged from its header, within limits of time and memory.

DICOM is read by Python code that follows whatever lengths it finds, and compressed TIFF and
AVIF by large libraries. Here the kernel counts: processor time by a timer, memory by an
address space that cannot grow. What goes beyond ends this process and no other.

The two processes speak in messages of a JSON header and raw bytes. Nothing that could run is
ever read back from a process that a hostile file may have taken over.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import IO, Any, Final

import numpy as np
from PIL import Image

from foveal.errors import ImageError
from foveal.images.cost import MAX_WORKING_BYTES
from foveal.images.faults import too_large
from foveal.images.formats import format_of
from foveal.images.guarded import Request, become_worker
from foveal.images.levels import LevelKind, LevelSummary
from foveal.images.pixels import ImageFacts, Pixels, Raster
from foveal.images.preprocessing import Preprocessing

_HEADER_BYTES: Final = 8
_MAX_HEADER_BYTES: Final = 1 << 20
_MAX_BODY_BYTES: Final = 1 << 31
# Over what the imports have taken: the file itself, what decoding takes, and further imports.
_MEMORY_BYTES: Final = MAX_WORKING_BYTES + (64 << 20)


def write_message(stream: IO[bytes], header: Mapping[str, Any], body: bytes) -> None:
    """Writes one message; raises ``OSError`` where the other side is gone."""
    text = json.dumps({**header, "num_bytes": len(body)}).encode()
    stream.write(len(text).to_bytes(_HEADER_BYTES, "big") + text)
    stream.write(body)
    stream.flush()


def read_message(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Reads one message.

    Raises:
        EOFError: The other side is gone, or says something else.
    """
    length = int.from_bytes(_exactly(stream, _HEADER_BYTES), "big")
    if length > _MAX_HEADER_BYTES:
        raise EOFError
    header = json.loads(_exactly(stream, length))
    num_bytes = int(header["num_bytes"])
    if not 0 <= num_bytes <= _MAX_BODY_BYTES:
        raise EOFError
    return header, _exactly(stream, num_bytes)


def _exactly(stream: IO[bytes], num_bytes: int) -> bytes:
    content = stream.read(num_bytes)
    if len(content) < num_bytes:
        raise EOFError
    return content


def raster_message(raster: Raster) -> tuple[dict[str, Any], bytes]:
    """Returns a decoded image as a message."""
    pixels = raster.pixels
    header: dict[str, Any] = {"facts": dataclasses.asdict(raster.facts)}
    if isinstance(pixels, Image.Image):
        return {**header, "mode": pixels.mode, "size": pixels.size}, pixels.tobytes()
    array = np.ascontiguousarray(pixels, "<f4")
    return {**header, "shape": array.shape}, array.tobytes()


def raster_of(header: Mapping[str, Any], body: bytes) -> Raster:
    """Returns the decoded image that a message holds.

    Raises:
        ValueError: It does not fit together.
        KeyError, TypeError: Likewise.
    """
    facts = dict(header["facts"])
    facts["notes"] = tuple(facts["notes"])
    if facts["levels"] is not None:
        levels = facts["levels"]
        stated = levels["stated"]
        facts["levels"] = LevelSummary(
            LevelKind(**levels["kind"]),
            tuple(levels["quantiles"]),
            None if stated is None else (stated[0], stated[1]),
        )
    pixels: Pixels
    if "mode" in header:
        if header["mode"] not in ("L", "RGB"):
            raise ValueError(header["mode"])
        pixels = Image.frombytes(header["mode"], tuple(header["size"]), body)
    else:
        pixels = np.frombuffer(body, "<f4").reshape(header["shape"]).astype(np.float32, copy=False)
    return Raster(pixels, ImageFacts(**facts))


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Decodes what is asked for until the requests end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    become_worker()
    _limit_memory()
    write_message(answers, {"ready": True}, b"")
    while True:
        try:
            header, data = read_message(requests)
        except EOFError:
            return
        _warm_up(data)
        _start_timer(header["cpu_seconds"])
        answer, body = _answer(header, data)
        _start_timer(0)
        write_message(answers, answer, body)


def _answer(header: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    from foveal.images.decoding import decode_here

    try:
        if "preprocessing" in header:
            return _prepared(header["preprocessing"], data)
        return raster_message(decode_here(data, Request.from_json(header["request"])))
    except ImageError as error:
        refused = error
    except (MemoryError, RecursionError):
        refused = too_large("there is not enough memory to decode it")
    return {
        "code": refused.code,
        "message": refused.message,
        "next_step": refused.next_step,
    }, b""


def _prepared(settings: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    pixels = Preprocessing.from_json(settings).apply(data)
    return {"shape": pixels.shape}, pixels.astype("<f4", copy=False).tobytes()


def _warm_up(data: bytes) -> None:
    """Imports what decoding will need, outside of any file's time."""
    with contextlib.suppress(ImageError):
        if format_of(data).decoder == "dicom":
            import pydicom.pixels.decoders.base
            import pydicom.pixels.utils  # noqa: F401


def _start_timer(cpu_seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        # Its signal ends the process, also within a library that never comes back.
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)


def _limit_memory() -> None:
    try:
        import resource

        pages = int(open("/proc/self/statm").read().split()[0])  # noqa: SIM115, PTH123
    except (ImportError, OSError, ValueError):
        return  # elsewhere the parent's clock and the checks of headers have to do
    allowed = pages * resource.getpagesize() + _MEMORY_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        allowed = min(allowed, hard)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))


def main() -> None:
    """Serves on stdin and stdout; what a library prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    requests = os.fdopen(os.dup(0), "rb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    sys.setrecursionlimit(1000)
    serve(requests, answers)
