"""The memory that decoding takes stays below what is estimated before."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from foveal.errors import ImageError
from foveal.images.cost import MAX_WORKING_BYTES, bytes_per_pixel, require_affordable
from foveal.images.formats import FORMATS

PROGRAM = """
import sys
from foveal.images import decode
decode(sys.argv[2])

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

before = peak()
decoded = decode(sys.argv[1])
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("PNG", "1"),
        ("PNG", "L"),
        ("PNG", "LA"),
        ("PNG", "P"),
        ("PNG", "RGB"),
        ("PNG", "RGBA"),
        ("PNG", "I;16"),
        ("PNG16", "RGB"),
        ("PNG16", "RGBA"),
        ("TIFF", "F"),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("WEBP", "RGB"),
    ],
)
def test_no_kind_of_picture_takes_more_than_is_estimated(name, mode, tmp_path, encode, png16):
    side = 3000
    row = np.random.default_rng(0).integers(0, 256, (1, side), np.uint8)
    levels = np.repeat(row, side, axis=0)
    if name == "PNG16":
        channels = len(mode)
        data = png16(np.repeat(levels[..., None].astype(np.uint16) * 257, channels, axis=-1))
    elif mode == "I;16":
        data = encode(levels.astype(np.uint16) * 257, "PNG")
    elif mode == "F":
        data = encode(levels.astype(np.float32), "TIFF")
    else:
        data = encode(Image.fromarray(levels).convert(mode), name)
    (tmp_path / "large").write_bytes(data)
    (tmp_path / "small.png").write_bytes(encode(np.zeros((600, 600, 3), np.uint8), "PNG"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "large", tmp_path / "small.png"],
        capture_output=True,
        text=True,
        check=True,
    )
    with Image.open(tmp_path / "large") as image:
        bits = 16 if name == "PNG16" else 8
        kind = name.removesuffix("16")
        each = bytes_per_pixel(
            image, bits=bits, is_composed=next(f.is_composed for f in FORMATS if f.name == kind)
        )
    slack = 40 << 20  # the file itself, bands, libraries loaded on first use
    assert int(done.stdout) <= each * side * side + slack


def test_what_is_beyond_the_limit_is_refused_with_both_figures():
    require_affordable(MAX_WORKING_BYTES)
    with pytest.raises(
        ImageError, match=r"about 2\.5 GB of memory, more than the 0\.8 GB"
    ) as caught:
        require_affordable(2_500_000_000)
    assert caught.value.code == "too_large"
