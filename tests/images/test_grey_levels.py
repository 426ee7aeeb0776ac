"""The window functions and tables against pydicom, and against the standard's own figures."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence

from foveal.images import decode

LEVELS = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def oracle(data: bytes, top: float) -> np.ndarray:
    dataset = pydicom.dcmread(io.BytesIO(data))
    return apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset) / top


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(2048, 4096), (1000, 500), (2047.5, 40), (0, 100)])
def test_each_window_function_agrees_with_pydicom(function, centre, width, dicom):
    data = dicom(
        LEVELS, bits_stored=12, WindowCenter=centre, WindowWidth=width, VOILUTFunction=function
    )
    assert np.allclose(decode(data).pixels, oracle(data, 4095), atol=1e-5)


@pytest.mark.parametrize("function", ["LINEAR", "SIGMOID"])
def test_a_window_of_one_level_is_a_threshold(function, dicom):
    data = dicom(LEVELS, bits_stored=12, WindowCenter=2000, WindowWidth=1, VOILUTFunction=function)
    pixels = decode(data).pixels.ravel()
    assert (pixels[:1990].max() < 1e-6, pixels[2010:].min() > 1 - 1e-6) == (True, True)


def test_the_standards_example():
    # PS3.3 C.11.2.1.2.1, note 3: c = 2048, w = 4096 for 12 bits is the identity.
    from foveal.images.grey_levels import _apply_window

    shown = _apply_window(np.array([0, 1, 2048, 4095]), 2048, 4096, "LINEAR", is_inverted=False)
    assert np.allclose(shown * 4095, [0, 1, 2048, 4095])


def item(first: int, bits: int, entries: list[int]) -> Sequence:
    dataset = Dataset()
    dataset.LUTDescriptor = [len(entries), first, bits]
    dataset.LUTData = entries
    dataset["LUTDescriptor"].VR = dataset["LUTData"].VR = "US"
    return Sequence([dataset])


def test_a_voi_table_agrees_with_pydicom(dicom):
    table = item(100, 12, [min(4095, 3 * i) for i in range(2000)])
    data = dicom(LEVELS, bits_stored=12, VOILUTSequence=table)
    assert np.allclose(decode(data).pixels, oracle(data, 4095), atol=1e-6)


def test_a_voi_table_comes_before_a_window(dicom):
    table = item(0, 12, [4095] * 4096)
    data = dicom(LEVELS, bits_stored=12, VOILUTSequence=table, WindowCenter=1, WindowWidth=2)
    assert np.unique(decode(data).pixels).tolist() == [1.0]


def test_a_modality_table_agrees_with_pydicom(dicom):
    table = item(0, 16, [(i * i) // 300 for i in range(4096)])
    table[0].ModalityLUTType = "US"
    data = dicom(
        LEVELS, bits_stored=12, ModalityLUTSequence=table, WindowCenter=20000, WindowWidth=30000
    )
    assert np.allclose(decode(data).pixels, oracle(data, 65535), atol=1e-5)
