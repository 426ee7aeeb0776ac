from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from foveal.errors import RunAlteredError, RunIncompleteError
from foveal.runs.folder import MANIFEST_NAME, read_manifest, seal, verify_files


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(b"abc")
    seal(tmp_path, {"seed": 7})
    return tmp_path


def test_the_manifest_has_every_files_digest(run: Path) -> None:
    # FIPS 180-2, appendix B.1: SHA-256 of "abc".
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert read_manifest(run)["files"] == {"a.bin": {"sha256": digest, "bytes": 3}}


def test_the_manifest_has_the_facts(run: Path) -> None:
    assert read_manifest(run)["seed"] == 7


def test_untouched_files_pass(run: Path) -> None:
    verify_files(run, read_manifest(run), ("a.bin",))


def test_an_altered_file_is_named(run: Path) -> None:
    (run / "a.bin").write_bytes(b"abd")
    with pytest.raises(RunAlteredError, match=r"a\.bin was altered since the run was written"):
        verify_files(run, read_manifest(run), ("a.bin",))


def test_a_missing_file_is_named(run: Path) -> None:
    (run / "a.bin").unlink()
    with pytest.raises(RunAlteredError, match=r"a\.bin is missing from the run"):
        verify_files(run, read_manifest(run), ("a.bin",))


def test_a_file_that_the_manifest_does_not_know_is_not_trusted(run: Path) -> None:
    (run / "b.bin").write_bytes(hashlib.sha256().digest())
    with pytest.raises(RunAlteredError, match=r"b\.bin is missing"):
        verify_files(run, read_manifest(run), ("b.bin",))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunIncompleteError, match=r"There is no run folder .*nope"):
        read_manifest(tmp_path / "nope")


def test_an_unfinished_folder_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(RunIncompleteError, match="was never finished"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"files": []}', "\xff"])
def test_a_manifest_that_is_none_is_recognised(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST_NAME).write_text(text, "latin-1")
    with pytest.raises(RunIncompleteError, match="is not a run's manifest"):
        read_manifest(tmp_path)


def test_a_run_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_text(json.dumps({"foveal_run": 99, "files": {}}))
    with pytest.raises(
        RunIncompleteError, match=r"it has run format 99; this version reads foveal\.run version 2"
    ):
        read_manifest(tmp_path)
