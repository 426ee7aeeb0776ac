from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from foveal.errors import RunError, RunExistsError
from foveal.files import exchange
from foveal.runs import atomic_folder, claim_folder
from foveal.runs.folder import MANIFEST_NAME


def make_run(folder: Path, text: str = "old") -> Path:
    folder.mkdir()
    (folder / MANIFEST_NAME).write_text(text)
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_was_written_takes_the_place(tmp_path: Path) -> None:
    with claim_folder(tmp_path / "run", overwrite=False) as partial:
        (partial / "a.txt").write_text("a")
    assert names(tmp_path / "run") == {"a.txt"}


def test_nothing_else_remains(tmp_path: Path) -> None:
    with claim_folder(tmp_path / "run", overwrite=False):
        pass
    assert names(tmp_path) == {"run"}


def test_missing_parents_are_made(tmp_path: Path) -> None:
    with claim_folder(tmp_path / "runs" / "deep" / "run", overwrite=False):
        pass
    assert (tmp_path / "runs" / "deep" / "run").is_dir()


def test_parents_made_for_a_run_that_failed_go_with_it(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="no data"),
        claim_folder(tmp_path / "runs" / "deep" / "run", overwrite=False),
    ):
        raise ValueError("no data")
    assert names(tmp_path) == set()


def test_while_it_is_written_the_folder_is_not_there(tmp_path: Path) -> None:
    with claim_folder(tmp_path / "run", overwrite=False):
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def work() -> None:
        with claim_folder(tmp_path / "run", overwrite=False) as partial:
            (partial / "a.txt").write_text("a")
            raise error

    with pytest.raises(error):
        work()
    assert names(tmp_path) == set()


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with claim_folder(tmp_path / "run", overwrite=False) as partial:
        (partial / "a.txt").write_text("a")
    assert names(tmp_path / "run") == {"a.txt"}


def test_an_existing_run_is_not_touched(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    with (
        pytest.raises(RunExistsError, match="exists already") as raised,
        claim_folder(tmp_path / "run", overwrite=False),
    ):
        pass
    assert raised.value.next_step is not None
    assert "--overwrite" in raised.value.next_step


def test_overwriting_replaces_a_run(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    with claim_folder(tmp_path / "run", overwrite=True) as partial:
        (partial / MANIFEST_NAME).write_text("new")
    assert (tmp_path / "run" / MANIFEST_NAME).read_text() == "new"
    assert names(tmp_path) == {"run"}


def test_overwriting_keeps_the_old_run_until_the_end(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    with pytest.raises(ValueError, match="oh"), claim_folder(tmp_path / "run", overwrite=True):
        raise ValueError("oh")
    assert (tmp_path / "run" / MANIFEST_NAME).read_text() == "old"


def test_overwriting_leaves_alone_what_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "precious.jpg").write_text("x")
    with (
        pytest.raises(RunExistsError, match="is no run folder"),
        claim_folder(tmp_path / "photos", overwrite=True),
    ):
        pass
    assert names(tmp_path / "photos") == {"precious.jpg"}


def test_overwriting_through_a_link_keeps_what_it_leads_to(tmp_path: Path) -> None:
    make_run(tmp_path / "first")
    (tmp_path / "latest").symlink_to("first")
    with claim_folder(tmp_path / "latest", overwrite=True) as partial:
        (partial / MANIFEST_NAME).write_text("new")
    assert (tmp_path / "first" / MANIFEST_NAME).read_text() == "old"
    assert (tmp_path / "latest" / MANIFEST_NAME).read_text() == "new"


def test_at_every_moment_of_a_replacement_a_reader_finds_a_whole_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    if not exchange(make_run(tmp_path / "a"), make_run(tmp_path / "b")):
        pytest.skip("this file system cannot exchange")
    found: set[str | None] = set()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            try:
                found.add((run / MANIFEST_NAME).read_text())
            except OSError:
                found.add(None)

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(100):
        with claim_folder(run, overwrite=True) as partial:
            (partial / MANIFEST_NAME).write_text("new")
    is_over.set()
    reader.join()
    assert found <= {"old", "new"}


def test_without_an_exchange_the_folder_is_replaced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_folder, "exchange", lambda first, second: False)
    make_run(tmp_path / "run")
    with claim_folder(tmp_path / "run", overwrite=True) as partial:
        (partial / MANIFEST_NAME).write_text("new")
    assert (tmp_path / "run" / MANIFEST_NAME).read_text() == "new"
    assert names(tmp_path) == {"run"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("target", ["nowhere", "empty", "photos"])
def test_a_link_that_leads_to_no_run_is_refused_before_the_work(
    tmp_path: Path, target: str, overwrite: bool
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("x")
    (tmp_path / "run").symlink_to(target)
    with (
        pytest.raises(RunExistsError, match="is a link that leads"),
        claim_folder(tmp_path / "run", overwrite=overwrite),
    ):
        pytest.fail("the work began")
    assert names(tmp_path) == {"empty", "photos", "run"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", [".", "", "../here"])
def test_the_current_folder_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, overwrite: bool
) -> None:
    here = make_run(tmp_path / "here")
    monkeypatch.chdir(here)
    with (
        pytest.raises(RunExistsError, match="is the folder that this command runs in"),
        claim_folder(Path(name), overwrite=overwrite),
    ):
        pytest.fail("the work began")
    assert names(tmp_path) == {"here"}


def test_a_folder_that_is_being_written_is_refused(tmp_path: Path) -> None:
    with (
        claim_folder(tmp_path / "run", overwrite=False),
        pytest.raises(RunExistsError, match="Another process is writing"),
        claim_folder(tmp_path / "run", overwrite=True),
    ):
        pass


def test_being_refused_does_not_disturb_the_other(tmp_path: Path) -> None:
    with claim_folder(tmp_path / "run", overwrite=False) as partial:
        (partial / "a.txt").write_text("a")
        with pytest.raises(RunExistsError), claim_folder(tmp_path / "run", overwrite=False):
            pass
    assert names(tmp_path / "run") == {"a.txt"}


def test_of_many_at_once_one_gets_the_folder(tmp_path: Path) -> None:
    everyone_tried = threading.Barrier(8)

    def attempt(number: int) -> bool:
        try:
            with claim_folder(tmp_path / "run", overwrite=False) as partial:
                (partial / "who.txt").write_text(str(number))
                everyone_tried.wait(30)
        except RunExistsError:
            everyone_tried.wait(30)
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(8)))
    assert sum(won) == 1
    assert (tmp_path / "run" / "who.txt").read_text() == str(won.index(True))


def test_a_folder_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    with (
        pytest.raises(RunExistsError, match="appeared while this run was working"),
        claim_folder(tmp_path / "run", overwrite=False),
    ):
        make_run(tmp_path / "run", "other")
    assert (tmp_path / "run" / MANIFEST_NAME).read_text() == "other"


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from foveal.runs.atomic_folder import claim_folder\n"
        "with claim_folder(pathlib.Path(sys.argv[1]), overwrite=False) as partial:\n"
        "    (partial / 'half.bin').write_bytes(b'x')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], check=False)
    assert names(tmp_path) == {".run.partial", ".run.lock"}
    with claim_folder(tmp_path / "run", overwrite=False) as partial:
        assert names(partial) == set()
    assert names(tmp_path) == {"run"}


def test_a_replacement_that_was_killed_half_way_is_undone(tmp_path: Path) -> None:
    make_run(tmp_path / ".run.old")  # moved aside, and then the power went
    with (
        pytest.raises(RunExistsError, match="exists already"),
        claim_folder(tmp_path / "run", overwrite=False),
    ):
        pass
    assert (tmp_path / "run" / MANIFEST_NAME).read_text() == "old"


def test_a_replaced_run_that_was_not_removed_is_removed(tmp_path: Path) -> None:
    make_run(tmp_path / ".run.old")
    make_run(tmp_path / "run", "new")
    with claim_folder(tmp_path / "run", overwrite=True):
        pass
    assert names(tmp_path) == {"run"}


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(RunError, match=r"file/run cannot be created: (Not a directory|File exists)"),
        claim_folder(tmp_path / "file" / "run", overwrite=False),
    ):
        pass


def test_without_permission_another_place_is_proposed() -> None:
    # Not tmp_path: nobody may enter it, whom root has to become here to be refused.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        with (
            _as_nobody(),
            pytest.raises(RunError, match="cannot be created: Permission denied") as raised,
            claim_folder(Path(folder) / "run", overwrite=False),
        ):
            pass
        assert raised.value.next_step == "Choose a path you may write to with --out."


@contextmanager
def _as_nobody() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
