"""The window of deep images comes from those that are trained on."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.dataset import audit, choose_grey_window, scan


@pytest.fixture
def split(tmp_path: Path) -> Path:
    for part, share in (("train", 0.25), ("test", 1.0)):
        for label in "ab":
            folder = tmp_path / part / label
            folder.mkdir(parents=True)
            for number in range(3):
                random = np.random.default_rng([number, ord(label), len(part)])
                levels = (random.uniform(0, share, (20, 20)) * 65535).astype(np.uint16)
                stream = io.BytesIO()
                Image.fromarray(levels).save(stream, "PNG")
                (folder / f"{number}.png").write_bytes(stream.getvalue())
    return tmp_path


def test_tested_images_have_no_part_in_it(split: Path) -> None:
    (fixed,) = choose_grey_window(scan(split)).window.fixed
    assert fixed.high == pytest.approx(0.25 * 65535, rel=0.02)


def test_without_the_given_split_all_have(split: Path) -> None:
    (fixed,) = choose_grey_window(scan(split), keeps_split=False).window.fixed
    assert fixed.high == pytest.approx(65535, rel=0.02)


def test_the_audit_says_the_levels_and_where_they_come_from(split: Path) -> None:
    (finding,) = [one for one in audit(scan(split)).findings if one.code == "D016"]
    assert "one window for all, from level" in finding.detail
    assert "percentiles 0.5 and 99.5 of the training images, labels unseen" in finding.detail


def test_pictures_that_differ_in_brightness_alone_are_no_copies(tmp_path: Path) -> None:
    for label, share in (("dim", 0.25), ("bright", 1.0)):
        (tmp_path / label).mkdir()
        levels = np.random.default_rng(0).integers(0, 1024, (40, 40)) * int(share * 64)
        Image.fromarray(levels.astype(np.uint16)).save(tmp_path / label / "1.png")
    one, other = scan(tmp_path).records
    assert one.pixel_digest != other.pixel_digest
