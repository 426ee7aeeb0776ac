from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.dataset import GroupOptions, scan
from foveal.dataset.reading import read_header
from foveal.dataset.traits import MISSING, find_traits, without_paths
from foveal.errors import UsageError


def write_image(path: Path, seed: int, *, size: tuple[int, int] = (32, 32)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), np.uint8)
    Image.fromarray(noise).save(path)
    return path


def write_table(folder: Path, columns: dict[str, list[str]], num_images: int = 30) -> Path:
    lines = [",".join(("path", "label", *columns))]
    for row in range(num_images):
        write_image(folder / f"{row}.png", row)
        lines.append(",".join((f"{row}.png", "ab"[row % 2], *(c[row] for c in columns.values()))))
    table = folder / "data.csv"
    table.write_text("\n".join(lines))
    return table


def values_of(manifest: object, name: str, *columns: str) -> tuple[str, ...]:
    found = {trait.name: trait for trait in find_traits(manifest, columns)}  # type: ignore[arg-type]
    return found[name].values


def test_a_named_column_parts_the_images(tmp_path: Path) -> None:
    table = write_table(tmp_path, {"sex": ["f", "m", ""] * 10})
    manifest = scan(table, groups=GroupOptions(search="off"))
    assert values_of(manifest, "sex", " Sex ")[:3] == ("f", "m", MISSING)


def test_many_numbers_are_parted_into_quarters(tmp_path: Path) -> None:
    table = write_table(tmp_path, {"age": [str(20 + row) for row in range(29)] + [""]})
    manifest = scan(table, groups=GroupOptions(search="off"))
    found = values_of(manifest, "age", "age")
    assert found[0] == "up to 27"
    assert found[8] == "27 to 34"
    assert found[28] == "above 41"
    assert found[29] == MISSING
    trait = next(one for one in find_traits(manifest, ["age"]) if one.name == "age")
    assert sorted(set(found), key=trait.order) == [
        "up to 27",
        "27 to 34",
        "34 to 41",
        "above 41",
        MISSING,
    ]


def test_rare_words_are_put_together(tmp_path: Path) -> None:
    words = [f"clinic {row % 14}" for row in range(30)]
    manifest = scan(write_table(tmp_path, {"place": words}), groups=GroupOptions(search="off"))
    found = set(values_of(manifest, "place", "place"))
    assert len(found) == 12
    assert "other (3 values)" in found


def test_a_column_of_identifiers_is_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path, {"visit": [f"v{row}x" for row in range(30)]})
    manifest = scan(table, groups=GroupOptions(search="off"))
    with pytest.raises(UsageError, match=r"30 different values for 30 images"):
        find_traits(manifest, ["visit"])


@pytest.mark.parametrize(
    ("wanted", "said"), [("sx", "Did you mean 'sex'"), ("weight", "no other role are 'sex'")]
)
def test_a_column_that_is_not_there_is_answered_with_those_that_are(
    tmp_path: Path, wanted: str, said: str
) -> None:
    manifest = scan(write_table(tmp_path, {"sex": ["f"] * 30}), groups=GroupOptions(search="off"))
    with pytest.raises(UsageError, match=said):
        find_traits(manifest, [wanted])


def test_a_folder_without_a_table_has_no_columns(tmp_path: Path) -> None:
    for row in range(4):
        write_image(tmp_path / "ab"[row % 2] / f"{row}.png", row)
    with pytest.raises(UsageError, match="path,label and the column in one CSV"):
        find_traits(scan(tmp_path), ["sex"])


def test_the_column_that_groups_come_from_can_part_too(tmp_path: Path) -> None:
    table = write_table(tmp_path, {"site": ["x", "y", "z"] * 10})
    manifest = scan(table, groups=GroupOptions(column="site"))
    assert set(values_of(manifest, "site", "site")) == {"x", "y", "z"}


def test_a_folder_parts_the_images_where_it_is_no_class(tmp_path: Path) -> None:
    for row in range(12):
        write_image(tmp_path / "ab"[row % 2] / f"site{row % 3}" / f"{row}.png", row)
    manifest = scan(tmp_path)
    assert set(values_of(manifest, "folder")) == {"site0", "site1", "site2"}
    assert "folder" not in [one.name for one in without_paths(find_traits(manifest))]


def test_class_folders_are_no_subgroups(tmp_path: Path) -> None:
    for row in range(12):
        write_image(tmp_path / "ab"[row % 2] / f"{row}.png", row)
    assert [one.name for one in find_traits(scan(tmp_path))] == ["brightness"]


def test_size_and_format_part_the_images(tmp_path: Path) -> None:
    for row in range(12):
        suffix = "png" if row % 3 else "bmp"
        size = (32, 32) if row < 6 else (48, 40)
        write_image(tmp_path / "ab"[row % 2] / f"{row}.{suffix}", row, size=size)
    manifest = scan(tmp_path)
    assert set(values_of(manifest, "size")) == {"32×32", "48×40"}
    assert set(values_of(manifest, "format")) == {"PNG", "BMP"}


def test_headers_of_photographs_name_the_device_and_nothing_else(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((16, 16, 3), np.uint8))
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0xA431] = "Acme", "Cam 3", "SERIAL-1"
    exif[0x0132] = "broken"
    image.save(tmp_path / "a.jpg", exif=exif)
    header = read_header(tmp_path / "a.jpg", "JPEG")
    assert header.device == (("manufacturer", "Acme"), ("model", "Cam 3"))
    assert header.acquired_seconds is None


def test_headers_of_dicom_give_maker_model_and_view(tmp_path: Path) -> None:
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.Manufacturer, dataset.ManufacturerModelName = "Acme", "X 1"
    dataset.ViewPosition, dataset.PatientName = "PA", "Doe^Jane"
    dataset.StationName, dataset.InstitutionName = "ROOM7", "St. Mary"
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20240301", "101502"
    pydicom.dcmwrite(tmp_path / "a.dcm", dataset, enforce_file_format=True)
    header = read_header(tmp_path / "a.dcm", "DICOM")
    assert header.device == (("manufacturer", "Acme"), ("model", "X 1"), ("view position", "PA"))
    assert header.acquired_seconds == 1709288102.0
