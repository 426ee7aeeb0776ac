"""Each frame of a file as an image of one group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.dataset import GroupOptions, list_images, scan
from foveal.images import decode, read_content


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(2):
            random = np.random.default_rng([number, ord(label)])
            pages = [Image.fromarray(random.integers(0, 256, (20, 20), np.uint8)) for _ in range(3)]
            file = tmp_path / label / f"{number}.tif"
            pages[0].save(file, save_all=True, append_images=pages[1:])
    Image.fromarray(random.integers(0, 256, (20, 20), np.uint8)).save(tmp_path / "a" / "9.png")
    return tmp_path


def test_a_file_stands_for_its_middle_frame_unless_asked(stacks: Path) -> None:
    assert [one.path for one in scan(stacks).records][:3] == ["a/0.tif", "a/1.tif", "a/9.png"]


def test_each_frame_is_an_image_of_its_file(stacks: Path) -> None:
    manifest = scan(stacks, frames="each")
    assert [one.path for one in manifest.records[:3]] == [f"a/0.tif/frame-{n}" for n in (1, 2, 3)]
    assert [one.group for one in manifest.records[:3]] == ["a/0.tif"] * 3
    assert len(manifest.usable) == 13
    assert manifest.group_source == "the file that frames come from"
    alone = next(one for one in manifest.records if one.path == "a/9.png")
    assert alone.group is None


def test_frames_differ_in_digest_and_pixels(stacks: Path) -> None:
    records = scan(stacks, frames="each").records[:3]
    assert len({one.digest for one in records}) == 3
    assert len({one.pixel_digest for one in records}) == 3


def test_the_path_of_a_frame_leads_to_its_pixels(stacks: Path) -> None:
    file = stacks / "a" / "0.tif"
    by_path = decode(f"{file}/frame-3").pixels
    assert np.array_equal(by_path, decode(file, frame=3).pixels)
    assert read_content(f"{file}/frame-3").digest != read_content(file).digest


def test_groups_that_are_known_stay(stacks: Path) -> None:
    manifest = scan(stacks, frames="each", groups=GroupOptions(regex=r"/(\d)\."))
    assert {one.group for one in manifest.records} == {"0", "1", "9"}


def test_a_number_is_the_frame_of_every_file(stacks: Path) -> None:
    third = scan(stacks, frames=3).records[0]
    assert third.pixel_digest == scan(stacks, frames="each").records[2].pixel_digest


def test_one_frame_can_be_named_for_prediction(stacks: Path) -> None:
    listed = list_images([stacks / "a" / "0.tif" / "frame-2", stacks / "a" / "9.png" / "frames"])
    assert [one.problem is None for one in listed.records] == [True, False]
    assert str(listed.resolve(listed.records[0])).endswith("0.tif/frame-2")
