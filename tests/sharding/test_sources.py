"""Folders, tables, tar archives and URLs; what is bad is a row, what is lost is an error."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from tests.sharding.conftest import png

from foveal.errors import DataError, SourceLostError, UsageError
from foveal.runs import Classifier
from foveal.sharding import ShardOptions, predict_shards
from foveal.sharding.listing import sorted_entries
from foveal.sharding.sources import TableColumns, expand_braces
from foveal.sharding.storage import Entry, LocalStorage

SMALL = ShardOptions(per_shard=8)
Rows = list[tuple[str, str | None]]


def answer(classifier: Classifier, source: Any, out: Path, **options: Any) -> Rows:
    """Path (below the source) and error of each row."""
    given = source if isinstance(source, list) else [source]
    predict_shards(classifier, given, out, options=ShardOptions(per_shard=8, **options))
    table = parquet.read_table(out)
    return list(
        zip(table.column("path").to_pylist(), table.column("error").to_pylist(), strict=True)
    )


def test_a_table_names_images_once_and_what_is_missing_is_a_row(
    classifier: Classifier, many: Path, tmp_path: Path
) -> None:
    lines = ["image,note", "b/3.png,x", "a/10.png,y", "a/2.png,z", "b/3.png,again", "nope/1.png,"]
    (many / "list.csv").write_text("\n".join(lines), "utf-8")
    rows = answer(classifier, many / "list.csv", tmp_path / "parts")
    assert rows == [
        (f"{many}/a/2.png", None),
        (f"{many}/a/10.png", None),
        (f"{many}/b/3.png", None),
        (f"{many}/nope/1.png", "no such file"),
    ]


def test_a_parquet_table_and_a_named_column(
    classifier: Classifier, many: Path, tmp_path: Path
) -> None:
    parquet.write_table(pa.table({"key": ["a/1.png", "a/7.png"]}), many / "list.parquet")
    columns = TableColumns(path_column="key")
    rows = answer(classifier, many / "list.parquet", tmp_path / "parts", columns=columns)
    assert [error for _, error in rows] == [None, "this is text, not an image"]


def test_archives_in_webdataset_layout(
    classifier: Classifier, write_tar: Callable[..., Path], tmp_path: Path
) -> None:
    members = {
        "x/0.png": png(0),
        "x/0.json": b"{}",
        "x/0.cls": b"1",
        "x/1.jpg": b"",
        "y.jpeg": b"?",
    }
    first, second = write_tar("t/s-0.tar", members), write_tar("t/s-1.tar.gz", {"0.png": png(0)})
    rows = answer(classifier, tmp_path / "t", tmp_path / "parts")
    assert rows == [
        (f"{first}/x/0.png", None),
        (f"{first}/x/1.jpg", "the file is empty (0 bytes)"),
        (f"{first}/y.jpeg", "this is text, not an image"),
        (f"{second}/0.png", None),
    ]
    assert len(list((tmp_path / "parts").glob("part-*"))) == 2
    assert answer(classifier, [first, second], tmp_path / "named") == rows


def test_archives_that_webdataset_wrote(classifier: Classifier, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    for number in (8, 9, 10):
        with webdataset.TarWriter(str(tmp_path / f"train-{number:02}.tar")) as writer:
            writer.write({"__key__": "one", "png": png(number), "json": {"label": 1}})
    rows = answer(classifier, f"{tmp_path}/train-{{08..10}}.tar", tmp_path / "parts")
    assert rows == [(f"{tmp_path}/train-{n:02}.tar/one.png", None) for n in (8, 9, 10)]


@pytest.mark.parametrize(
    ("damage", "num_good", "said"),
    [
        (lambda data: data[: 2 * 1024 + 560], 2, "the archive is damaged after 2 images: unexp"),
        (lambda data: data[: 3 * 1024], 3, "the archive is damaged after 3 images: it ends"),
        (lambda data: data[: 2 * 1024], 2, "the archive is damaged after 2 images: it ends"),
        (lambda data: b"hello" * 300, 0, "the archive is damaged at its beginning"),
        (lambda data: b"", 0, "the archive is damaged at its beginning: empty file"),
    ],
)
def test_a_damaged_archive_is_one_row_and_what_stood_before_is_answered(
    classifier: Classifier,
    write_tar: Callable[..., Path],
    tmp_path: Path,
    damage: Callable[[bytes], bytes],
    num_good: int,
    said: str,
) -> None:
    members = {f"{number}.png": png(number) for number in range(3)}  # each a header and a block
    assert all(len(content) <= 512 for content in members.values())
    file = write_tar("s.tar", members)
    file.write_bytes(damage(file.read_bytes()))
    rows = answer(classifier, file, tmp_path / "parts")
    assert [error for _, error in rows[:-1]] == [None] * num_good
    assert rows[-1][0] == str(file)
    assert str(rows[-1][1]).startswith(said)


def test_a_link_in_an_archive_is_a_row(classifier: Classifier, tmp_path: Path) -> None:
    import io
    import tarfile

    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        good = tarfile.TarInfo("../../good.png")
        good.size = len(png(1))
        archive.addfile(good, io.BytesIO(png(1)))
    rows = answer(classifier, tmp_path / "s.tar", tmp_path / "parts")
    assert [error for _, error in rows] == [
        "it is a link or a device in an archive, not a file",
        None,
    ]


@pytest.fixture
def bucket(many: Path) -> str:
    """The images of ``many`` behind a URL, and in an archive there."""
    system = fsspec.filesystem("memory")
    for file in many.rglob("*.*"):
        system.pipe(f"/bucket/photos/{file.relative_to(many)}", file.read_bytes())
    return "memory://bucket"


def test_a_url_gives_the_rows_of_the_folder(
    classifier: Classifier, many: Path, bucket: str, tmp_path: Path
) -> None:
    rows = answer(classifier, f"{bucket}/photos", tmp_path / "remote")
    local = answer(classifier, many, tmp_path / "local")
    assert rows == [(f"{bucket}/photos{path[len(str(many)) :]}", why) for path, why in local]
    again = answer(classifier, f"file://{many}", tmp_path / "file")
    assert [error for _, error in again] == [error for _, error in local]


def test_a_table_and_archives_behind_a_url(
    classifier: Classifier, bucket: str, write_tar: Callable[..., Path], tmp_path: Path
) -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/bucket/photos/list.csv", b"path\na/1.png\nb/gone.png\n")
    rows = answer(classifier, f"{bucket}/photos/list.csv", tmp_path / "table")
    assert rows == [
        (f"{bucket}/photos/a/1.png", None),
        (f"{bucket}/photos/b/gone.png", "no such file"),
    ]
    system.pipe("/bucket/tars/s-0.tar", write_tar("s.tar", {"0.png": png(0)}).read_bytes())
    for source in ("tars", "tars/s-{0..0}.tar", "tars/s-*.tar"):
        rows = answer(classifier, f"{bucket}/{source}", tmp_path / source.replace("/", "-"))
        assert rows == [(f"{bucket}/tars/s-0.tar/0.png", None)]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere", "There is nothing at"),
        ("photo.png", "neither a folder, a table nor a tar archive"),
        ("gopher://host/x", "nothing here reads URLs of the kind gopher"),
        ("memory://nothing/here", "holds no objects"),
        ("s-{9..1}.tar", "a first number that is not above the last"),
        (["a", "b"], "got 2 sources, expected one folder, table or URL"),
    ],
)
def test_what_is_no_source_is_told(
    classifier: Classifier, tmp_path: Path, source: Any, said: str, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(png(1))
    given = source if isinstance(source, list) else [source]
    with pytest.raises(UsageError) as refused:
        predict_shards(classifier, given, tmp_path / "parts")
    assert said in refused.value.message
    assert not (tmp_path / "parts").exists()


def test_an_empty_folder_is_told(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="The source holds no image"):
        predict_shards(classifier, [tmp_path / "empty"], tmp_path / "parts")


def _unmount(many: Path, patch: pytest.MonkeyPatch) -> None:
    many.rename(many.with_name("away"))


def _empty_mount_point(many: Path, patch: pytest.MonkeyPatch) -> None:
    _unmount(many, patch)
    (many / "b").mkdir(parents=True)


def _fails_with(number: int) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def fail(many: Path, patch: pytest.MonkeyPatch) -> None:
        opened = os.open

        def refuse(path: Any, *arguments: Any, **options: Any) -> int:
            if "/many/" in os.fspath(path):
                raise OSError(number, os.strerror(number), path)
            return opened(path, *arguments, **options)

        patch.setattr(os, "open", refuse)

    return fail


@pytest.mark.parametrize(
    "lose",
    [
        _unmount,
        _empty_mount_point,
        _fails_with(errno.ESTALE),
        _fails_with(errno.ETIMEDOUT),
        _fails_with(errno.EHOSTDOWN),
    ],
)
def test_a_share_that_is_lost_is_an_error_and_no_bad_rows(
    classifier: Classifier,
    many: Path,
    tmp_path: Path,
    lose: Callable[[Path, pytest.MonkeyPatch], None],
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "parts"
    predict_shards(classifier, [many], whole, options=SMALL)
    with pytest.MonkeyPatch.context() as patch:

        def lose_in_the_middle(done: int, total: int) -> None:
            if done == 16:
                lose(many, patch)

        with pytest.raises(SourceLostError) as stopped:
            predict_shards(classifier, [many], out, options=SMALL, progress=lose_in_the_middle)
    assert "cannot be read any more" in stopped.value.message
    assert "give the same command again" in str(stopped.value)
    assert len(list(out.glob("part-*"))) == 2
    if (away := many.with_name("away")).exists():
        if many.exists():
            (many / "b").rmdir()
            many.rmdir()
        away.rename(many)
    assert predict_shards(classifier, [many], out, options=SMALL).num_found == 2
    for file in whole.glob("part-*"):
        assert (out / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_one_file_that_cannot_be_read_is_a_row(
    classifier: Classifier,
    many: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
) -> None:
    opened = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if os.fspath(path).endswith("b/3.png"):
            raise OSError(number, os.strerror(number), path)
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    rows = dict(answer(classifier, many, tmp_path / "parts"))
    assert rows[f"{many}/b/3.png"] == f"the file cannot be read: {os.strerror(number)}"
    assert rows[f"{many}/b/4.png"] is None


def test_a_file_that_went_away_is_a_row(classifier: Classifier, many: Path, tmp_path: Path) -> None:
    def remove(done: int, total: int) -> None:
        if done == 0:
            (many / "b" / "3.png").unlink()

    predict_shards(classifier, [many], tmp_path / "parts", options=SMALL, progress=remove)
    rows = parquet.read_table(tmp_path / "parts").to_pylist()
    assert [row["error"] for row in rows if row["path"].endswith("b/3.png")] == ["no such file"]


def test_an_object_store_that_fails_is_an_error(
    classifier: Classifier, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    from foveal.sharding import storage

    monkeypatch.setattr(storage, "_RETRY_SECONDS", (0.0,))
    predict_shards(classifier, [f"{bucket}/photos"], tmp_path / "parts", options=SMALL)
    (tmp_path / "parts" / "part-000001-of-000005.parquet").unlink()

    def fail(*_: Any, **__: Any) -> Any:
        raise ConnectionError("the endpoint cannot be reached")

    monkeypatch.setattr(MemoryFileSystem, "_open", fail)
    with pytest.raises(SourceLostError, match="the endpoint cannot be reached"):
        predict_shards(classifier, [f"{bucket}/photos"], tmp_path / "parts")


def test_the_order_is_natural_whatever_memory_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.sharding import listing

    names = [f"x{n}.png" for n in range(500)]
    shuffled = [Entry(names[(7 * n) % 500]) for n in range(1000)]
    monkeypatch.setattr(listing, "_SORTED_AT_ONCE", 9)
    monkeypatch.setattr(listing, "_MERGED_AT_ONCE", 4)
    assert [one.name for one in sorted_entries(shuffled, tmp_path)] == names
    assert list(tmp_path.iterdir()) == []


def test_hostile_names_are_listed_and_shown(classifier: Classifier, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"a\nb\x1b[31m.png", b"\xff\xfe.png", "한글.png".encode()):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(png(1))
    rows = answer(classifier, folder, tmp_path / "parts")
    assert sorted(path.rpartition("/")[2] for path, _ in rows) == [
        "\\xff\\xfe.png",
        "a\\nb\\x1b[31m.png",
        "한글.png",
    ]
    assert {error for _, error in rows} == {None}


def test_braces_stand_for_many() -> None:
    assert expand_braces("a-{0..1}-{08..09}") == ["a-0-08", "a-0-09", "a-1-08", "a-1-09"]


def test_shards_do_without_torch(run_folder: Path, many: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom foveal.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'sklearn', 'timm', 'ray', 'fsspec'} & set(sys.modules)))"
    )
    words = ["predict", str(run_folder), str(many), "--shards", str(tmp_path / "parts")]
    shown = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert shown.stdout.endswith("\n[]\n")


def test_a_local_place_is_read_as_predict_reads(many: Path) -> None:
    storage = LocalStorage(str(many))
    assert storage.read("a/1.png", max_pixels=100) == (many / "a" / "1.png").read_bytes()
