"""The store: nothing answered is lost, two terminals are safe, bad files are named and left."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.errors import ProgressError
from foveal.learn.progress import Review
from foveal.learn.store import Merged, Store, default_file

AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def review(identity: str, *, seed: int = 1) -> Review:
    return Review(identity, "s", "t", seed, 1, "hard", True, {"n": "5 é"}, ("m",), AT)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "progress.sqlite"


def test_what_was_added_is_there_for_the_next_one(file: Path) -> None:
    with Store(file) as store:
        store.add(review("a"))
    with Store(file) as store:
        assert store.reviews() == (review("a"),)


def test_it_is_kept_in_the_users_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_file() == tmp_path / "foveal" / "learn" / "progress.sqlite"


def test_an_answer_survives_a_process_that_is_killed(file: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[2])\n"
        "from test_store import review\nfrom foveal.learn.store import Store\n"
        "store = Store(Path(sys.argv[1]))\nstore.add(review('a'))\n"
        "store._open.execute('BEGIN IMMEDIATE')\n"
        "store._insert(store._open, review('half'))\nos.kill(os.getpid(), 9)\n"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", code, str(file), here], check=False)
    assert done.returncode == -9
    with Store(file) as store:
        assert [each.id for each in store.reviews()] == ["a"]


def test_two_terminals_at_once_lose_nothing(file: Path) -> None:
    start = threading.Barrier(4)
    errors: list[BaseException] = []

    def write(name: str) -> None:
        try:
            start.wait()
            with Store(file) as store:
                for number in range(15):
                    store.add(review(f"{name}-{number}"))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with Store(file) as store:
        assert len(store.reviews()) == 60


def test_merging_is_a_union(file: Path) -> None:
    with Store(file) as store:
        store.add(review("a"))
        store.add(review("b"))
        others = [review("b"), review("c"), review("a", seed=9)]
        assert store.merge(others) == Merged(added=1, known=1, different=1)
        assert store.merge(others) == Merged(added=0, known=2, different=1)
        assert [each.seed for each in store.reviews()] == [1, 1, 1]


def test_the_same_id_twice_in_one_file_is_taken_once(file: Path) -> None:
    with Store(file) as store:
        assert store.merge([review("a"), review("a")]) == Merged(added=1, known=1, different=0)


@given(
    st.lists(st.sampled_from("abcdef"), unique=True),
    st.lists(st.sampled_from("abcdef"), unique=True),
)
def test_merging_in_either_order_gives_the_same(first: list[str], second: list[str]) -> None:
    kept = []
    for lists in ((first, second), (second, first)):
        with Store(None) as store:
            for each in lists:
                store.merge(review(identity) for identity in each)
            kept.append(sorted(each.id for each in store.reviews()))
    assert kept[0] == kept[1] == sorted({*first, *second})


def test_a_review_cannot_be_added_twice(file: Path) -> None:
    with Store(file) as store:
        store.add(review("a"))
        with pytest.raises(ProgressError, match="already"):
            store.add(review("a"))


def test_a_newer_version_is_refused_and_left_as_it_is(file: Path) -> None:
    with Store(file) as store:
        store.add(review("a"))
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version=2")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(ProgressError, match="has version 2, and this Foveal reads up to 1"):
        Store(file)
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_named_and_left(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"my thesis\n" * 200)
    with pytest.raises(ProgressError, match=r"progress.sqlite cannot be opened .*not a database"):
        Store(file)
    assert file.read_bytes() == b"my thesis\n" * 200


def test_somebody_elses_database_is_left(file: Path) -> None:
    file.parent.mkdir()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE contacts (name TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(ProgressError, match="a database of something else"):
        Store(file)


def test_a_folder_in_its_place_is_named(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(ProgressError, match="cannot be opened"):
        Store(file)


def test_a_file_where_the_folder_should_be_is_named(file: Path) -> None:
    file.parent.write_text("x")
    with pytest.raises(ProgressError, match="cannot be opened"):
        Store(file)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_named(file: Path) -> None:
    file.parent.mkdir(mode=0o500)
    with pytest.raises(ProgressError, match="XDG_DATA_HOME"):
        Store(file)


def test_a_full_disk_is_named_and_what_was_kept_stays(file: Path) -> None:
    with Store(file) as store:
        store.add(review("a"))
        (pages,) = store._open.execute("PRAGMA page_count").fetchone()
        store._open.execute(f"PRAGMA max_page_count={pages}")
        big = {"n": "x" * 5000}
        many = [Review(f"b{i}", "s", "t", 1, 1, "good", False, big, (), AT) for i in range(20)]
        with pytest.raises(ProgressError, match=r"cannot be written .*full"):
            store.merge(many)
        assert store.reviews() == (review("a"),)


def test_a_damaged_row_is_counted_and_does_not_hide_the_others(file: Path) -> None:
    with Store(file) as store:
        store.add(review("a"))
        store.add(review("b"))
        store._open.execute("UPDATE reviews SET answer = '{' WHERE id = 'a'")
        assert [each.id for each in store.reviews()] == ["b"]
        assert store.damaged == 1


def test_a_sitting_is_kept_until_it_is_dropped(file: Path) -> None:
    with Store(file) as store:
        store.keep_sitting("quiz", {"at": 3})
        store.keep_sitting("quiz", {"at": 4})
    with Store(file) as store:
        assert store.sitting("quiz") == {"at": 4}
        store.drop_sitting("quiz")
        assert store.sitting("quiz") is None


def test_two_terminals_in_one_quiz_keep_the_results_of_both(file: Path) -> None:
    with Store(file) as one, Store(file) as two:
        one.keep_sitting("quiz", {"questions": ["a", "b"], "results": {"a": "good"}})
        two.keep_sitting("quiz", {"questions": ["a", "b"], "results": {"b": "again"}})
        both = {"questions": ["a", "b"], "results": {"a": "good", "b": "again"}}
        assert one.sitting("quiz") == both
        two.keep_sitting("quiz", {"questions": ["c"], "results": {}})
        assert one.sitting("quiz") == {"questions": ["c"], "results": {}}


def test_memory_works_the_same() -> None:
    with Store(None) as store:
        store.add(review("a"))
        assert store.merge([review("a")]) == Merged(0, 1, 0)
