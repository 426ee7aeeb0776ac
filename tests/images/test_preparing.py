"""The network's input, worked out in another process: the same numbers, and who is to blame."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest

from foveal.errors import ImageError
from foveal.images import Preprocessing, guarded
from foveal.images.formats import FORMATS
from foveal.images.preparing import TooLateError, WorkerLostError, prepare_guarded

SETTINGS = Preprocessing(32, 48, fit="pad")


@pytest.fixture
def files(encode, tiff, dicom, picture) -> dict[str, bytes]:
    deep = (np.arange(40 * 30, dtype=np.uint16) * 50).reshape(40, 30)
    ordinary = {name: encode(picture, name) for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP")}
    return {
        **ordinary,
        "DICOM": dicom(deep, Modality="CT", RescaleIntercept=-1024, RescaleSlope=1),
        "TIFF": tiff(deep, compression=8),
    }


def test_numbers_are_those_of_the_same_work_here(files):
    for kind, data in files.items():
        there = prepare_guarded(data, SETTINGS, seconds=60)
        assert np.array_equal(there, SETTINGS.apply(data)), kind


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n1234", b"\xff\xd8\xff\xe0"])
def test_errors_are_those_of_the_same_work_here(data):
    with pytest.raises(ImageError) as there:
        prepare_guarded(data, SETTINGS, seconds=60)
    with pytest.raises(ImageError) as here:
        SETTINGS.apply(data)
    assert (there.value.code, str(there.value)) == (here.value.code, str(here.value))


def test_more_pixels_than_allowed_are_refused_by_the_header(encode):
    data = encode(np.zeros((200, 300, 3), np.uint8), "PNG")
    with pytest.raises(ImageError) as caught:
        prepare_guarded(data, replace(SETTINGS, max_pixels=59_999), seconds=60)
    assert caught.value.code == "too_large"


def test_what_is_killed_at_work_is_not_held_against_the_file(files, monkeypatch):
    worker = guarded.take_worker()
    os.kill(worker.pid, signal.SIGSTOP)
    monkeypatch.setattr(guarded, "_idle", [worker])
    timer = threading.Timer(0.3, os.kill, (worker.pid, signal.SIGKILL))
    timer.start()
    with pytest.raises(WorkerLostError):
        prepare_guarded(files["PNG"], SETTINGS, seconds=60)
    timer.join()


def test_what_takes_longer_than_allowed_is_ended(files, monkeypatch):
    worker = guarded.take_worker()
    os.kill(worker.pid, signal.SIGSTOP)
    monkeypatch.setattr(guarded, "_idle", [worker])
    with pytest.raises(TooLateError):
        prepare_guarded(files["PNG"], SETTINGS, seconds=0.2)
    assert not worker.is_alive()


def test_every_format_has_a_media_type_of_its_own():
    kinds = [kind for one in FORMATS for kind in one.media_types]
    assert all(one.media_types for one in FORMATS)
    assert len(set(kinds)) == len(kinds)
