"""From bytes to a network's input in a process that may die, whatever the format.

``Preprocessing.apply`` decodes JPEG and PNG in the process that asks. A server cannot afford that:
what one picture takes of time and memory would be taken from everybody else's.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foveal.errors import FovealError
from foveal.images.formats import format_of
from foveal.images.guarded import cpu_seconds, give_back, refusal, take_worker
from foveal.images.preprocessing import Preprocessing

# Over what decoding may take: resizing what was decoded.
_RESIZING_SECONDS: Final = 2.0


class WorkerLostError(FovealError):
    """The process was killed from outside, or none could be started; the file is not to blame.

    Attributes:
        was_at_work: Whether it had been given the file.
    """

    was_at_work = False


class TooLateError(FovealError):
    """The time that the caller allowed was over first."""


def prepare_guarded(
    data: bytes, preprocessing: Preprocessing, *, seconds: float
) -> NDArray[np.float32]:
    """Returns ``preprocessing.apply(data)``, worked out in a process of its own.

    Args:
        data: The whole file.
        preprocessing: How it becomes the network's input.
        seconds: Of the clock; then the process is ended.

    Returns:
        ``float32`` [3, H, W], read-only.

    Raises:
        ImageError: As ``apply`` raises it; ``corrupt`` where the decoder crashed.
        TooLateError: The time was over.
        WorkerLostError: The process was killed from outside, or could not be started.
    """
    form = format_of(data)
    worker = take_worker()
    if worker is None:
        raise WorkerLostError("no process could be started to decode in")
    allowed = cpu_seconds(data) if form.is_guarded(data) else seconds
    options = {
        "preprocessing": preprocessing.to_json(),
        "cpu_seconds": _RESIZING_SECONDS + allowed,
    }
    expected = (3, preprocessing.height_px, preprocessing.width_px)
    try:
        header, body = worker.ask(options, data, seconds=seconds)
        if "code" not in header:
            if tuple(header["shape"]) != expected or len(body) != 4 * math.prod(expected):
                raise ValueError(header["shape"])
            pixels = np.frombuffer(body, "<f4").reshape(expected)
    except (EOFError, OSError, ValueError, KeyError, TypeError):
        ended = worker.end()
        if worker.is_late:
            raise TooLateError("decoding took longer than allowed") from None
        if worker.was_killed:
            lost = WorkerLostError("the process that decoded it was killed")
            lost.was_at_work = True
            raise lost from None
        raise ended from None
    except BaseException:
        worker.kill()
        raise
    give_back(worker)
    if "code" in header:
        raise refusal(header)
    return pixels
