from __future__ import annotations

import pytest

from foveal.dataset import list_images, scan_unlabelled
from foveal.errors import UsageError


def paths(manifest):
    return [record.path for record in manifest.records]


def test_files_keep_the_order_asked_for(put, data):
    first, second = put("b.png", 1), put("a.png", 2)
    assert paths(list_images([first, str(second)])) == ["b.png", "a.png"]


def test_folders_are_read_in_natural_order_and_in_depth(put, data):
    for name in ("x/10.png", "x/9.png", "x/deep/er/1.png"):
        put(name, 1)
    assert paths(list_images([data])) == ["9.png", "10.png", "deep/er/1.png"]


def test_patterns_are_expanded(put, data, monkeypatch):
    put("day1/1.png", 1)
    put("day2/sub/2.png", 2)
    put("day2/3.jpg", 3)
    monkeypatch.chdir(data)
    assert paths(list_images(["day*/**/*.png"])) == ["day1/1.png", "day2/sub/2.png"]


def test_a_file_that_is_called_like_a_pattern_is_a_file(put, data):
    put("a[1].png", 1)
    assert paths(list_images([data / "a[1].png"])) == ["a[1].png"]


def test_an_image_named_twice_is_listed_once(put, data):
    path = put("a.png", 1)
    assert paths(list_images([path, data, path])) == ["a.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.png", "no such file"), ("*.gif", "no file matches the pattern")],
)
def test_a_request_that_leads_nowhere_is_answered(put, data, name, message):
    put("a.png", 1)
    manifest = list_images([data / "a.png", data / name])
    assert [r.problem and r.problem.code for r in manifest.records] == [None, "missing"]
    assert message in manifest.records[1].problem.message


def test_the_root_holds_everything(put, data):
    one, two = put("x/1.png", 1), put("y/z/2.png", 2)
    manifest = list_images([one, two])
    assert manifest.root == data
    assert [manifest.resolve(record) for record in manifest.records] == [one, two]


def test_a_named_link_is_followed_and_a_found_one_is_not(put, data, tmp_path):
    target = put("1.png", 1).rename(tmp_path / "outside.png")
    (data / "folder").mkdir()
    (data / "folder/link.png").symlink_to(target)
    named = list_images([data / "folder/link.png"])
    found = list_images([data / "folder"])
    assert named.records[0].problem is None
    assert found.records[0].problem.code == "outside_folder"


def test_listing_opens_nothing(data):
    (data / "broken.png").write_bytes(b"")
    assert list_images([data]).records[0].problem is None


def test_scanning_reads(put, data):
    put("a.png", 1)
    (data / "broken.png").write_bytes(b"")
    manifest = scan_unlabelled([data])
    assert manifest.records[0].width_px == 120
    assert manifest.records[1].problem.code == "empty_file"
    assert manifest.usable == ()  # usable for training means labelled


def test_no_path_is_wrong_usage():
    with pytest.raises(UsageError, match="No image was named"):
        list_images([])
