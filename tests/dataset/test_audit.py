from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from foveal.dataset import Duplicates, ImageRecord, Problem, audit, scan
from foveal.dataset.audit import CHECKS
from foveal.dataset.file_checks import predictability

PLAIN = ImageRecord(
    "x.png",
    label="a",
    width_px=100,
    height_px=80,
    stored_mode="RGB",
    bits_per_sample=8,
    format="PNG",
    grey_mean=0.5,
    grey_std=0.2,
    size_bytes=1000,
)


def records(label: str, count: int, **fields: object) -> list[ImageRecord]:
    """Plain images of one class."""
    return [
        dataclasses.replace(PLAIN, path=f"{label}/{i}.png", label=label, **fields)
        for i in range(count)
    ]


@pytest.fixture
def found(as_manifest):
    """Audits records and returns the findings of one code."""

    def run(code: str, items: list[ImageRecord], duplicates: Duplicates | None = None, **fields):
        result = audit(as_manifest(items, **fields), duplicates=duplicates or Duplicates())
        return [finding for finding in result.findings if finding.code == code]

    return run


def test_plain_data_with_groups_have_no_finding_but_the_note(as_manifest):
    items = [
        dataclasses.replace(record, group=f"g{i % 10}")
        for i, record in enumerate(records("a", 40) + records("b", 40))
    ]
    result = audit(as_manifest(items, group_source="column 'group'"), duplicates=Duplicates())
    assert result.findings == ()
    assert result.num_groups == 10


def test_bad_files_are_counted_by_reason(found):
    bad = [
        dataclasses.replace(r, problem=Problem("truncated", "it ends too early"))
        for r in records("c", 3)
    ]
    bad += [dataclasses.replace(PLAIN, path="d\n.png", problem=Problem("missing", "it is gone"))]
    first, second = found("D001", [*records("a", 2), *bad])
    assert first.title == "3 files cut short"
    assert (first.num_affected, first.paths) == (3, ("c/0.png", "c/1.png", "c/2.png"))
    assert second.paths == (r"d\n.png",)


def test_only_the_first_few_paths_are_shown(found):
    bad = [
        dataclasses.replace(r, problem=Problem("corrupt", "it is damaged"))
        for r in records("c", 25)
    ]
    (finding,) = found("D001", bad)
    assert len(finding.paths) == 10
    assert finding.num_affected == 25


def test_exact_duplicates(found):
    (finding,) = found("D002", records("a", 5), Duplicates(exact=((0, 1, 2),)))
    assert finding.title == "2 exact duplicates"
    assert finding.paths == ("a/0.png = a/1.png = a/2.png",)


def test_near_duplicates_tell_of_those_under_two_labels_first(found):
    items = [*records("a", 3), *records("b", 3)]
    (finding,) = found("D003", items, Duplicates(near=((0, 1), (2, 3))))
    assert finding.title == "2 sets of near duplicates"
    assert "1 set of them carries more than one label" in finding.detail
    assert finding.paths == ("a/2.png = b/0.png", "a/0.png = a/1.png")


def test_the_same_picture_under_two_labels_is_an_error(put, data, draw):
    image = draw(1)
    put("a/1.png", image)
    put("b/2.png", image)
    put("a/3.png", 3)
    put("b/4.png", 4)
    (finding,) = [f for f in audit(scan(data)).findings if f.code == "D004"]
    assert finding.severity == "error"
    assert finding.paths == ("a/1.png = b/2.png",)


@pytest.mark.parametrize(
    ("large", "small", "severity"), [(20, 19, None), (60, 20, "info"), (200, 20, "warning")]
)
def test_imbalance(found, large, small, severity):
    findings = found("D005", [*records("a", large), *records("b", small)])
    assert [finding.severity for finding in findings] == ([severity] if severity else [])


def test_imbalance_says_what_the_commonest_class_would_score(found):
    (finding,) = found("D005", [*records("a", 30), *records("b", 10)])
    assert "right in 75% of cases" in finding.detail


@pytest.mark.parametrize(
    ("count", "severity"), [(1, "error"), (2, "warning"), (9, "warning"), (10, None)]
)
def test_tiny_classes(found, count, severity):
    findings = found("D006", [*records("a", 20), *records("b", count)])
    assert [finding.severity for finding in findings] == ([severity] if severity else [])


@pytest.mark.parametrize("names", [[], ["a"]])
def test_fewer_than_two_classes_is_an_error(found, names):
    (finding,) = found("D007", [record for name in names for record in records(name, 5)])
    assert finding.severity == "error"


@pytest.mark.parametrize(
    ("names", "num_sets"),
    [
        (("Cat", "cat"), 1),
        (("red_car", "red car"), 1),
        (("1", "1.0"), 1),
        (("cat", "dog"), 0),
        (("+", "-"), 0),
    ],
)
def test_class_names_in_two_spellings(found, names, num_sets):
    findings = found("D008", [record for name in names for record in records(name, 3)])
    assert len(findings) == num_sets


def test_mixed_sizes(found):
    items = [*records("a", 3), *records("b", 1, width_px=50)]
    (finding,) = found("D009", items)
    assert "Widths from 50 to 100 px" in finding.detail
    assert "75% are 100x80" in finding.detail


def test_mixed_modes_show_the_odd_ones(found):
    items = [*records("a", 3), *records("b", 1, stored_mode="L")]
    (finding,) = found("D010", items)
    assert finding.detail.startswith("RGB, 8 bit: 3; L, 8 bit: 1.")
    assert finding.paths == ("b/0.png",)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("file format", {"format": "JPEG"}),
        ("pixel mode", {"stored_mode": "L"}),
        ("image size", {"width_px": 640}),
    ],
)
def test_a_stored_form_that_tells_the_class_is_an_error(found, name, other):
    (finding,) = found("D011", [*records("a", 20), *records("b", 20, **other)])
    assert finding.severity == "error"
    assert finding.title == f"The {name} gives the class away"
    assert "predicts the class in 100% of images" in finding.detail
    assert "would reach 50%" in finding.detail


def test_a_stored_form_that_hints_at_the_class_is_a_warning(found):
    items = [*records("a", 50), *records("b", 20), *records("b", 30, format="JPEG")]
    (finding,) = found("D011", items)
    assert finding.severity == "warning"


def test_forms_that_are_mixed_alike_in_all_classes_are_no_shortcut(found):
    items = [
        record
        for name in "ab"
        for record in (*records(name, 15), *records(name, 15, format="JPEG"))
    ]
    assert found("D011", items) == []


def test_sizes_that_all_differ_are_no_shortcut(found):
    items = [
        dataclasses.replace(record, width_px=100 + i)
        for i, record in enumerate([*records("a", 40), *records("b", 40)])
    ]
    assert found("D011", items) == []


def test_predictability_leaves_each_image_out():
    # Of value x: classes 0, 0, 1. Without itself each 0 sees {0, 1} and answers 0, right
    # twice; the 1 sees {0, 0} and is wrong. Of y: one image, which sees nothing and is
    # answered with the commonest class of all, 0, wrongly.
    accuracy, _ = predictability(["x", "x", "x", "y"], np.array([0, 0, 1, 1]))
    assert accuracy == 2 / 4


def test_predictability_has_the_p_value_of_the_chi_squared_test():
    # 30 of 40 against 10 of 40: chi-squared = 80 (30·30 - 10·10)² / 40⁴ = 20, one degree of
    # freedom, p = 7.744e-6 (tables).
    values = ["x"] * 40 + ["y"] * 40
    labels = np.array([0] * 30 + [1] * 10 + [0] * 10 + [1] * 30)
    assert predictability(values, labels)[1] == pytest.approx(7.744e-6, rel=1e-3)


def test_blank_images(put, data):
    put("a/blank.png", Image.new("L", (40, 40), 200))
    put("a/good.png", 1)
    put("b/good.png", 2)
    (finding,) = [f for f in audit(scan(data)).findings if f.code == "D012"]
    assert finding.paths == ("a/blank.png",)


def split_records() -> list[ImageRecord]:
    return [
        *records("a", 4, split="train", group="p1"),
        *records("b", 4, split="train", group="p2"),
        *(dataclasses.replace(r, path=f"t{r.path}") for r in records("a", 2, split="test")),
        *(
            dataclasses.replace(r, path=f"t{r.path}", group="p2")
            for r in records("b", 2, split="test")
        ),
    ]


def test_copies_on_both_sides_of_a_split_are_an_error(found):
    copies = Duplicates(exact=((0, 1),), near=((2, 8), (3, 4)))
    (finding,) = found("D013", split_records(), copies)
    assert finding.severity == "error"
    assert finding.title == "1 image on both sides of the given split"
    assert finding.paths == ("a/2.png = ta/0.png",)


def test_copies_without_splits_do_not_leak(found):
    assert found("D013", records("a", 3), Duplicates(exact=((0, 1),))) == []


def test_groups_on_both_sides_of_a_split_are_an_error(found):
    (finding,) = found("D014", split_records())
    assert finding.severity == "error"
    assert finding.detail.startswith("p2: 2 images of val and test")


def test_a_class_in_a_single_group_is_an_error(found):
    items = [*records("a", 5, group="g1"), *records("b", 5, group="g2")]
    (finding,) = found("D015", items)
    assert finding.severity == "error"
    assert finding.num_affected == 10


def test_a_few_pure_groups_are_a_warning(found):
    items = [
        dataclasses.replace(record, group=f"{record.label}{i % 3}")
        for name in "ab"
        for i, record in enumerate(records(name, 9))
    ]
    (finding,) = found("D015", items)
    assert finding.severity == "warning"


def test_groups_that_span_the_classes_do_not_give_them_away(found):
    items = [
        dataclasses.replace(record, group=f"g{i % 2}")
        for name in "ab"
        for i, record in enumerate(records(name, 20))
    ]
    assert found("D015", items) == []


def test_many_pure_groups_are_as_patients_are(found):
    items = [
        dataclasses.replace(record, group=f"{name}{i // 2}")
        for name in "ab"
        for i, record in enumerate(records(name, 20))
    ]
    assert found("D015", items) == []


def test_deep_images_are_said_to_be_windowed(found):
    (finding,) = found("D016", records("a", 2, bits_per_sample=16))
    assert finding.severity == "info"
    assert "Stored with 16 bits" in finding.detail


def test_notes_of_the_decoder_are_passed_on(put, data, draw):
    put("a/moving.gif", draw(1), save_all=True, append_images=[draw(2)])
    put("b/2.png", 3)
    (finding,) = [f for f in audit(scan(data)).findings if f.code == "D017"]
    assert finding.paths == ("a/moving.gif",)
    assert "middle" in finding.detail


@pytest.mark.parametrize(
    ("size", "total", "is_large"), [(51, 5000, True), (50, 5000, False), (12, 100, True)]
)
def test_a_very_large_set_of_near_duplicates_is_doubted(found, size, total, is_large):
    chained = Duplicates(near=(tuple(range(size)),))
    assert bool(found("D018", records("a", total), chained)) is is_large


def test_a_class_of_which_nothing_is_left_is_an_error(found):
    lost = [
        dataclasses.replace(r, problem=Problem("corrupt", "it is damaged")) for r in records("c", 2)
    ]
    (finding,) = found("D019", [*records("a", 2), *lost])
    assert finding.severity == "error"
    assert finding.detail == "The classifier will not know c."


def test_notes_of_the_scan_are_passed_on(found):
    (finding,) = found("D020", records("a", 2), notes=("The folder 'x' holds no files.",))
    assert finding.detail == "The folder 'x' holds no files."


@pytest.mark.parametrize(("split", "severity"), [("train", "error"), ("test", "warning")])
def test_a_split_without_a_class(found, split, severity):
    other = "test" if split == "train" else "train"
    items = [
        *records("a", 3, split=other),
        *records("b", 3, split=other),
        *(dataclasses.replace(r, path=f"x{r.path}") for r in records("a", 3, split=split)),
    ]
    (finding,) = found("D021", items)
    assert finding.severity == severity
    assert finding.title == f"The split '{split}' lacks 1 class"


def test_missing_groups_are_mentioned(found):
    (finding,) = found("D022", records("a", 2))
    assert "except for near copies, which are kept together" in finding.detail
    assert found("D022", records("a", 2), group_source="groups.csv") == []


def test_approximate_groups_are_mentioned(found):
    sure = {"group_source": "groups.csv"}
    assert found("D023", records("a", 2), **sure) == []
    (finding,) = found("D023", records("a", 2), **sure, groups_are_approximate=True)
    assert "groups.csv" in finding.detail


def test_errors_come_first(as_manifest):
    items = [*records("a", 60), *records("b", 5, format="JPEG")]
    severities = [finding.severity for finding in audit(as_manifest(items)).findings]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert len(set(severities)) == 3


def test_the_figures_are_those_of_the_usable_images(as_manifest):
    bad = dataclasses.replace(PLAIN, path="bad.png", problem=Problem("corrupt", "it is damaged"))
    items = [*records("a", 3), *records("b", 2, format="JPEG", group="g"), bad]
    result = audit(as_manifest(items), duplicates=Duplicates(near=((0, 1),)))
    assert (result.num_images, result.num_bad, result.num_groups) == (5, 1, 3)
    assert (result.class_names, result.class_counts) == (("a", "b"), (3, 2))
    assert result.formats == (("PNG", 3), ("JPEG", 2))
    assert result.sizes == (("100x80", 5),)
    assert result.total_bytes == 5000


def test_an_audit_survives_json(as_manifest):
    items = [*records("a", 3, split="train"), *records("b", 2, split="test")]
    value = audit(as_manifest(items)).to_json()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert value["split_counts"] == {"train": 3, "test": 2}
    assert {"code", "severity", "title", "detail", "fix", "paths"} <= set(value["findings"][0])


def test_hostile_names_are_printable_in_every_finding(put, data):
    for name in ("caf\udce9\n", "<script>"):
        put("x/1.png", 1)
        (data / "x").rename(data / name)
    (data / "<script>/b\x1b[31m.png").write_bytes(b"")
    text = json.dumps(audit(scan(data)).to_json(), ensure_ascii=False)
    text.encode("utf-8")
    assert "\x1b" not in text


def test_an_empty_data_set_can_be_audited(as_manifest):
    result = audit(as_manifest([]))
    assert [finding.code for finding in result.findings] == ["D007"]


def test_every_check_names_its_code_first_thing():
    codes = [check.__doc__.split(":")[0] for check in CHECKS]
    assert codes == sorted(codes)
    assert len(set(codes)) == len(codes)


def test_images_without_labels_are_counted_where_no_class_is_there(put, data):
    for number in range(3):
        put(f"{number}.png", number)
    (finding,) = [one for one in audit(scan(data)).findings if one.code == "D007"]
    assert "no labelled images, and 3 images without a label" in finding.detail


@pytest.mark.parametrize("column", ["camera", "site", "Scanner", "hospital"])
def test_a_camera_that_goes_with_one_class_is_warned_of(put, data, column):
    rows = [f"path,label,{column}"]
    for number in range(12):
        put(f"{number}.png", number)
        rows.append(f"{number}.png,{'ab'[number % 2]},{column}-{number % 2}")
    (data / "t.csv").write_text("\n".join(rows), "utf-8")
    (finding,) = [one for one in audit(scan(data / "t.csv")).findings if one.code == "D026"]
    assert finding.severity == "warning"
    assert column.casefold() in finding.title.casefold()


def test_a_second_label_is_no_camera(put, data):
    rows = ["path,label,name"]
    for number in range(12):
        put(f"{number}.png", number)
        rows.append(f"{number}.png,{number % 2},{('healthy', 'ill')[number % 2]}")
    (data / "t.csv").write_text("\n".join(rows), "utf-8")
    assert "D026" not in {one.code for one in audit(scan(data / "t.csv")).findings}
