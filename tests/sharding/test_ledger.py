"""A ledger of parts: the rows of plain predict, begun again where it stopped."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from tests.test_published_schemas import faults, published

from foveal.errors import LedgerError, UsageError
from foveal.runs import Classifier
from foveal.sharding import ShardOptions, predict_shards
from foveal.sharding.ledger import LEDGER_NAME, ORIGIN
from foveal.sharding.storage import LocalStorage

Run = Callable[..., Any]
SMALL = ShardOptions(per_shard=8)


def parts(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("part-*"))}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of images in the order in which they are opened."""
    names: list[str] = []
    read = LocalStorage.read

    def count(self: LocalStorage, name: str, *, max_pixels: int) -> bytes:
        names.append(name)
        return read(self, name, max_pixels=max_pixels)

    monkeypatch.setattr(LocalStorage, "read", count)
    return names


def test_parts_read_back_are_the_rows_of_plain_predict(
    foveal: Run, run_folder: Path, many: Path, tmp_path: Path
) -> None:
    plain, sharded = tmp_path / "plain.parquet", tmp_path / "parts"
    assert foveal("predict", run_folder, many, "--out", plain).code == 1
    assert foveal("predict", run_folder, many, "--shards", sharded, "--shard-size", 8).code == 1
    whole, read = parquet.read_table(plain), parquet.read_table(sharded)
    assert read.schema.equals(whole.schema)
    assert read.to_pylist() == whole.to_pylist()
    assert len(parts(sharded)) == 5


def test_paths_are_shown_as_they_were_given(
    foveal: Run, run_folder: Path, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    foveal("predict", run_folder, "many", "--out", "plain.parquet")
    foveal("predict", run_folder, "many", "--shards", "parts")
    shown = parquet.read_table("parts").column("path").to_pylist()
    assert shown == parquet.read_table("plain.parquet").column("path").to_pylist()


def test_the_footer_says_whose_a_part_is_and_which_rows_are_bad(
    classifier: Classifier, many: Path, tmp_path: Path
) -> None:
    predict_shards(classifier, [many], tmp_path / "parts", options=SMALL)
    ledger = json.loads((tmp_path / "parts" / LEDGER_NAME).read_text("utf-8"))
    bad = []
    for number, file in enumerate(sorted((tmp_path / "parts").glob("part-*"))):
        footer = json.loads(parquet.read_metadata(file).metadata[b"foveal"])
        rows = parquet.read_table(file).to_pylist()
        assert footer["shard"] == number
        assert footer["num_rows"] == len(rows)
        assert {key: footer[key] for key in ORIGIN} == {key: ledger[key] for key in ORIGIN}
        assert [one["row"] for one in footer["bad"]] == [
            row for row, one in enumerate(rows) if one["error"] is not None
        ]
        bad += [(Path(one["path"]).name, one["reason"]) for one in footer["bad"]]
    assert bad == [
        ("7.png", "this is text, not an image"),
        ("cut.png", "the file is cut short: a PNG that ends within its IDAT chunk"),
        ("empty.jpg", "the file is empty (0 bytes)"),
    ]


def test_the_ledger_and_its_parts_are_as_published(
    classifier: Classifier, many: Path, tmp_path: Path
) -> None:
    predict_shards(classifier, [many], tmp_path / "parts", options=SMALL)
    ledger = (tmp_path / "parts" / "_ledger.json").read_bytes()
    part = next((tmp_path / "parts").glob("part-*"))
    footer = parquet.read_metadata(part).metadata[b"foveal"]
    for name, text in (("ledger", ledger), ("part", footer)):
        schema = published(name)
        assert [*faults(json.loads(text), schema, schema)] == []


def test_what_is_finished_is_not_opened_again(
    classifier: Classifier, many: Path, tmp_path: Path, opened: list[str]
) -> None:
    out = tmp_path / "parts"
    predict_shards(classifier, [many], out, options=SMALL)
    whole = parts(out)
    (out / "part-000002-of-000005.parquet").unlink()
    opened.clear()
    done = predict_shards(classifier, [many], out)
    assert (done.num_parts, done.num_found, done.num_rows, done.num_bad) == (5, 4, 38, 3)
    assert len(opened) == 8
    assert parts(out) == whole


def test_a_finished_ledger_opens_nothing(
    classifier: Classifier, many: Path, tmp_path: Path, opened: list[str]
) -> None:
    predict_shards(classifier, [many], tmp_path / "parts", options=SMALL)
    opened.clear()
    assert predict_shards(classifier, [many], tmp_path / "parts").num_bad == 3
    assert opened == []


def test_what_a_killed_writer_leaves_is_removed_and_its_shard_made(
    classifier: Classifier, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "parts"
    predict_shards(classifier, [many], out, options=SMALL)
    whole = parts(out)
    (out / "part-000001-of-000005.parquet").unlink()
    (out / ".foveal-0123").write_bytes(b"half a part")
    predict_shards(classifier, [many], out)
    assert parts(out) == whole
    assert list(out.glob(".foveal-*")) == []


def test_a_damaged_part_is_made_again_and_told(
    classifier: Classifier, many: Path, tmp_path: Path
) -> None:
    out = tmp_path / "parts"
    predict_shards(classifier, [many], out, options=SMALL)
    whole = parts(out)
    damaged = out / "part-000003-of-000005.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    done = predict_shards(classifier, [many], out)
    assert done.notes == ("1 part could not be read and is made again.",)
    assert parts(out) == whole


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("model", "the model (there 0000"),
        ("novelty", "what the model takes for unlike its training"),
        ("operating_point", "from which on a class is the label (there 0000"),
        ("preprocessing", "the preprocessing (there 0000"),
    ],
)
def test_a_ledger_of_another_run_is_refused_by_what_differs(
    classifier: Classifier, many: Path, tmp_path: Path, field: str, said: str
) -> None:
    out = tmp_path / "parts"
    predict_shards(classifier, [many], out, options=SMALL)
    ledger = json.loads((out / LEDGER_NAME).read_text("utf-8"))
    (out / LEDGER_NAME).write_text(json.dumps({**ledger, field: "0" * 64}), "utf-8")
    with pytest.raises(LedgerError) as refused:
        predict_shards(classifier, [many], out)
    assert said in refused.value.message
    assert refused.value.message.count("there ") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "a" / "7.png").unlink(), "1 image removed (first a/7.png)"),
        (lambda folder: (folder / "new.png").write_bytes(b"x"), "1 image added (first new.png)"),
        (
            lambda folder: (folder / "b" / "cut.png").write_bytes(b"longer" * 99),
            "1 image changed (first b/cut.png)",
        ),
    ],
)
def test_a_ledger_of_other_images_is_refused_by_what_differs(
    classifier: Classifier, many: Path, tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    predict_shards(classifier, [many], tmp_path / "parts", options=SMALL)
    change(many)
    with pytest.raises(LedgerError) as refused:
        predict_shards(classifier, [many], tmp_path / "parts")
    assert f"What differs is the manifest: {said}." in refused.value.message


def test_the_listing_may_be_kept(classifier: Classifier, many: Path, tmp_path: Path) -> None:
    predict_shards(classifier, [many], tmp_path / "parts", options=SMALL)
    (many / "new.png").write_bytes(b"x")
    keep = dataclasses.replace(SMALL, lists_again=False)
    assert predict_shards(classifier, [many], tmp_path / "parts", options=keep).num_rows == 38


def test_a_part_of_another_ledger_is_refused_by_name(
    classifier: Classifier, many: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "parts", tmp_path / "other"
    predict_shards(classifier, [many], out, options=SMALL)
    (many / "a" / "7.png").unlink()
    predict_shards(classifier, [many], other, options=SMALL)
    name = "part-000001-of-000005.parquet"
    shutil.copy(out / name, other / name)
    with pytest.raises(LedgerError, match=f"{name} is a part of another ledger.*manifest"):
        predict_shards(classifier, [many], other)


def test_two_writers_do_not_meet(classifier: Classifier, many: Path, tmp_path: Path) -> None:
    def write_again(done: int, total: int) -> None:
        with pytest.raises(LedgerError, match="Another process is writing to"):
            predict_shards(classifier, [many], tmp_path / "parts")
        seen.append(done)

    seen: list[int] = []
    predict_shards(classifier, [many], tmp_path / "parts", options=SMALL, progress=write_again)
    assert seen == [0, 8, 16, 24, 32, 38]


def test_other_features_of_a_ledger_are_refused(
    classifier: Classifier, many: Path, tmp_path: Path
) -> None:
    predict_shards(classifier, [many], tmp_path / "parts", options=SMALL)
    for options, said in (
        (ShardOptions(contents="features"), "what the parts hold (there answers, here features)"),
        (ShardOptions(per_shard=9), "images in a shard (there 8, here 9)"),
    ):
        with pytest.raises(LedgerError) as refused:
            predict_shards(classifier, [many], tmp_path / "parts", options=options)
        assert said in refused.value.message


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("many/parts", "lies in the source itself"),
        ("full", "holds other things, such as mine.txt, and no ledger"),
        ("file", "is a file"),
    ],
)
def test_a_folder_that_cannot_be_a_ledger_is_refused(
    classifier: Classifier, many: Path, tmp_path: Path, out: str, said: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as refused:
        predict_shards(classifier, [many], tmp_path / out)
    assert said in refused.value.message


def test_the_command_says_what_there_is(
    foveal: Run, run_folder: Path, many: Path, tmp_path: Path
) -> None:
    words = ("predict", run_folder, many, "--shards", tmp_path / "parts", "--shard-size", 16)
    first, again = foveal(*words), foveal(*words, "--json")
    assert first.code == again.code == 1
    lines = first.out.splitlines()
    assert lines[0] == f"Parts   3 in {tmp_path / 'parts'}"
    assert lines[1:3] == ["Rows    38", "Bad     3 of 38 files could not be used:"]
    assert "         1  the file is empty (0 bytes)" in lines
    told = json.loads(again.out)
    assert (told["num_found"], told["num_rows"], told["num_bad"]) == (3, 38, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "ray"), "--engine needs --shards FOLDER"),
        (("--shard-size", "8"), "--shard-size needs --shards FOLDER"),
        (("--shards", "OUT", "--out", "x.csv"), "give one of them"),
        (("--shards", "OUT", "--address", "auto"), "Add --engine ray."),
        (("--shards", "OUT", "--engine", "spark"), "'spark' is not one of"),
    ],
)
def test_wrong_usage_is_told(
    foveal: Run, run_folder: Path, many: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    named = [tmp_path / "parts" if word == "OUT" else word for word in words]
    outcome = foveal("predict", run_folder, many, *named)
    assert outcome.code == 2
    assert said in outcome.err
