"""The host program's switches are respected and left as found."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
from PIL import ImageFile

from foveal.images import decode
from foveal.images.quarantine import quarantine


def test_warnings_stay_inside():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quarantine():
            warnings.warn("from a decoder", UserWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="from the host"):
            warnings.warn("from the host", UserWarning, stacklevel=1)


def test_another_threads_warnings_pass():
    inside, done = threading.Event(), threading.Event()

    def decode_slowly():
        with quarantine():
            inside.set()
            done.wait(5)

    worker = threading.Thread(target=decode_slowly)
    worker.start()
    inside.wait(5)
    with pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", UserWarning, stacklevel=1)
    done.set()
    worker.join()


def test_the_filters_do_not_grow():
    with warnings.catch_warnings():
        for _ in range(5):
            warnings.simplefilter("default")
            with quarantine():
                pass
        before = len(warnings.filters)
        for _ in range(5):
            with quarantine():
                pass
        assert len(warnings.filters) == before


def test_nested_quarantines_end_with_the_outer_one():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quarantine():
            with quarantine():
                pass
            warnings.warn("still inside", UserWarning, stacklevel=1)


def test_leniency_is_off_inside_and_back_after(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with quarantine(), quarantine():
        assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_leniency_comes_back_after_an_error(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ZeroDivisionError), quarantine():
        _ = 1 / 0
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_leniency_comes_back_when_the_last_thread_leaves(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    barrier = threading.Barrier(4)
    seen: list[bool] = []

    def work():
        with quarantine():
            barrier.wait(5)
            seen.append(ImageFile.LOAD_TRUNCATED_IMAGES)
            barrier.wait(5)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [False] * 4
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_strictness_is_left_alone():
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    with quarantine():
        pass
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_picture_that_pillow_warns_about_says_nothing(tiff, capfd):
    data = bytearray(tiff(np.zeros((4, 4), np.uint8)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode(bytes(data), max_pixels=16)
    assert capfd.readouterr() == ("", "")
