from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.dataset import GroupOptions, reading, scan
from foveal.dataset.reading import read_images
from foveal.errors import DataError, UsageError


def codes(manifest):
    return {record.path: record.problem.code for record in manifest.bad}


def test_a_good_image_has_its_facts(put, data):
    path = put("cat/1.png", 1)
    record = scan(data).usable[0]
    assert record.path == "cat/1.png"
    assert record.label == "cat"
    assert record.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record.size_bytes == path.stat().st_size
    assert (record.width_px, record.height_px) == (120, 100)
    assert (record.format, record.stored_mode, record.bits_per_sample) == ("PNG", "L", 8)
    levels = np.asarray(Image.open(path)) / 255
    assert record.grey_mean == pytest.approx(levels.mean())
    assert record.grey_std == pytest.approx(levels.std())


def test_labels_follow_the_natural_order_of_the_classes(put, data):
    for name in ("class10", "class2", "class1"):
        put(f"{name}/1.png", 1)
    manifest = scan(data)
    assert manifest.class_names == ("class1", "class2", "class10")
    assert manifest.labels.tolist() == [0, 1, 2]


def test_every_kind_of_bad_file_is_named_and_set_aside(put, data, tmp_path):
    good = put("a/good.png", 1)
    put("b/good.jpg", 2)
    (data / "a/empty.png").touch()
    (data / "a/text.jpg").write_text("this is no image")
    (data / "a/short.png").write_bytes(good.read_bytes()[:-200])
    (data / "a/notes.txt").write_text("notes")
    (data / "a/clip.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(100))
    (data / "a/gone.png").symlink_to(data / "nowhere.png")
    (tmp_path / "out.png").write_bytes(good.read_bytes())
    (data / "a/out.png").symlink_to(tmp_path / "out.png")
    os.mkfifo(data / "a/pipe.png")
    (data / "a/.DS_Store").write_bytes(b"junk")
    put("loose.png", 3)
    manifest = scan(data)
    assert [record.path for record in manifest.usable] == ["a/good.png", "b/good.jpg"]
    assert codes(manifest) == {
        "a/clip.mp4": "not_an_image",
        "a/empty.png": "empty_file",
        "a/gone.png": "missing",
        "a/notes.txt": "not_an_image",
        "a/out.png": "outside_folder",
        "a/pipe.png": "unreadable",
        "a/short.png": "truncated",
        "a/text.jpg": "not_an_image",
        "loose.png": "missing_label",
    }


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
def test_a_file_cut_anywhere_is_set_aside(put, data, share, suffix):
    path = put(f"a/1.{suffix}", 1)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    put("b/2.png", 2)
    assert len(scan(data).bad) == 1


def test_hostile_names_are_read_like_any_other(put, data):
    names = [
        "a\nb.png",
        "🙂.png",
        "<script>alert(1)</script>.png".replace("/", ""),
        "caf\udce9.png",
    ]
    for number, name in enumerate(names):
        put("plain/x.png", number).rename(data / "plain" / name)
    assert {record.path for record in scan(data).usable} == {f"plain/{name}" for name in names}


def test_names_that_differ_in_case_are_two_images(put, data):
    put("a/Cell.png", 1)
    put("a/cell.png", 2)
    assert len({record.digest for record in scan(data).usable}) == 2


def test_sixteen_bits_keep_their_picture(data, draw):
    (data / "a").mkdir()
    shallow = np.asarray(draw(1))
    Image.fromarray(shallow.astype(np.uint16) * 16).save(data / "a/twelve.png")  # 12 of 16 bits
    record = scan(data).usable[0]
    assert record.bits_per_sample == 16
    assert 0.2 < record.grey_mean < 0.8
    assert record.grey_std > 0.1


def test_a_table_is_scanned_from_its_folder(put, data):
    put("x/1.png", 1)
    put("x/2.png", 2)
    table = data / "labels.csv"
    table.write_text("path,label,group\nx/2.png,b,g\nx/1.png,a,g\nx/3.png,a,h\n")
    manifest = scan(table)
    assert manifest.layout == "table"
    assert [record.path for record in manifest.usable] == ["x/2.png", "x/1.png"]
    assert manifest.labels.tolist() == [1, 0]
    assert manifest.group_source == "column 'group'"
    assert codes(manifest) == {"x/3.png": "missing"}


def test_given_splits_are_kept(put, data):
    put("train/a/1.png", 1)
    put("test/a/2.png", 2)
    assert {record.split for record in scan(data).usable} == {"train", "test"}


def test_dicom_images_are_grouped_by_patient_without_naming_one(data):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    (data / "a").mkdir()
    for number, patient in enumerate(["MEIER^ANNA 4711", "MEIER^ANNA 4711", "OTHER 1"]):
        dataset = Dataset()
        dataset.PatientID = dataset.PatientName = patient
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        dataset.SOPInstanceUID = generate_uid()
        dataset.Rows = dataset.Columns = 16
        dataset.SamplesPerPixel = 1
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit = 15
        dataset.PixelRepresentation = 0
        dataset.PhotometricInterpretation = "MONOCHROME2"
        levels = np.random.default_rng(number).integers(0, 4000, (16, 16))
        dataset.PixelData = levels.astype(np.uint16).tobytes()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.save_as(data / f"a/{number}.dcm", enforce_file_format=True)
    manifest = scan(data)
    first, second, third = (record.group for record in manifest.usable)
    assert first == second != third
    assert manifest.group_source == "DICOM PatientID (hashed)"
    assert "MEIER" not in repr(manifest)
    assert "4711" not in repr(manifest)
    # Nor the hash: whoever hashes every number of that many digits would find this one.
    assert hashlib.sha256(b"OTHER 1").hexdigest()[:16] not in repr(manifest)


def test_progress_counts_every_record_once(put, data):
    for number in range(5):
        put(f"a/{number}.png", number)
    seen: list[tuple[int, int]] = []
    scan(data, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 5) for done in range(1, 6)]


def test_the_number_of_workers_changes_nothing(put, data):
    for number in range(7):
        put(f"a/{number}.png", number)
    assert scan(data, num_workers=1) == scan(data, num_workers=4)


def test_few_images_are_in_memory_at_once(put, data, monkeypatch):
    for number in range(30):
        put(f"a/{number}.png", Image.new("L", (2, 2)))
    ahead: list[int] = []
    started, lock = [0], threading.Lock()
    real = reading.read_image

    def counted(root, record, **options):
        with lock:
            started[0] += 1
        return real(root, record, **options)

    monkeypatch.setattr(reading, "read_image", counted)
    scan(data, num_workers=2, progress=lambda done, total: ahead.append(started[0] - done))
    assert max(ahead) <= 2 * 3


def test_ctrl_c_begins_no_further_image(put, data, monkeypatch):
    for number in range(30):
        put(f"a/{number}.png", Image.new("L", (2, 2)))
    started: list[str] = []
    real = reading.read_image

    def counted(root, record, **options):
        started.append(record.path)
        return real(root, record, **options)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "read_image", counted)
    with pytest.raises(KeyboardInterrupt):
        scan(data, num_workers=2, progress=interrupt)
    assert len(started) <= 2 * 3 + 2


def test_a_file_that_vanishes_while_it_is_read_is_set_aside(put, data):
    record = scan(put("a/1.png", 1).parent.parent).records[0]
    (data / "a/1.png").unlink()
    blank = type(record)(record.path, label="a")
    (read,) = read_images(data, [blank], num_workers=1)
    assert read.record.problem.code == "missing"


def test_nothing_there_offers_what_is(put, data):
    put("cats/1.png", 1)
    with pytest.raises(DataError, match=r"nothing at .*\n?Did you mean cats\?"):
        scan(data / "cat")


def test_an_image_is_no_data_set(put):
    with pytest.raises(UsageError, match="neither a folder nor a table"):
        scan(put("a/1.png", 1))


def test_a_broken_group_expression_is_found_before_anything_is_read(data):
    with pytest.raises(UsageError, match="not a regular expression"):
        scan(data / "not-there", groups=GroupOptions(regex="("))


def test_an_empty_folder_has_an_empty_manifest(data):
    manifest = scan(data)
    assert manifest.records == ()
    assert manifest.class_names == ()


def test_a_relative_path_is_made_absolute(put, data, monkeypatch):
    put("a/1.png", 1)
    monkeypatch.chdir(data.parent)
    manifest = scan(Path("data/../data"))
    assert manifest.root == data
    assert manifest.resolve(manifest.usable[0]).is_file()
