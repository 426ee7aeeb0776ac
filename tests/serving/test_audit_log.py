"""Every answer is in the log before it is given; where it cannot be, it is not given."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import resource
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.serving.live import StartServer

from foveal.errors import UsageError
from foveal.serving.audit_log import AuditLog
from foveal.serving.metrics import Metrics
from foveal.serving.problems import RefusedError


def finish(work: Coroutine[Any, Any, None]) -> None:
    """Runs it in a thread of its own: a browser that is open keeps a loop in the main thread."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def lines_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_a_line_holds_digest_version_and_answer_and_nothing_of_who_asked(
    start: StartServer, run_folder: Path, image: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "logs" / "audit.jsonl"
    server = start(run_folder, "--audit-log", file)
    answer = server.predict(
        image, headers={"User-Agent": "Mrs Example", "X-Patient": "Example^Name"}
    ).json()
    server.predict(b"PK\x03\x04 Example^Name")
    good, bad = lines_of(file)
    assert set(good) == {
        *("time", "task", "run", "run_version", "sha256", "bytes", "status", "label"),
        *("probability", "prediction_set", "unsure", "unlike_training", "novelty"),
    }
    assert good["sha256"] == answer["sha256"] == hashlib.sha256(image).hexdigest()
    assert (good["run_version"], good["label"]) == (answer["run_version"], answer["label"])
    assert (bad["status"], bad["code"]) == (415, "not_an_image")
    assert "Example" not in file.read_text("utf-8")
    assert file.stat().st_mode & 0o077 == 0


def test_a_full_disk_withholds_answers_and_spoils_no_line(
    start: StartServer, run_folder: Path, image: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"

    def limit() -> None:  # the file may grow no further, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))

    server = start(run_folder, "--audit-log", file, preexec_fn=limit)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: server.predict(image), range(20)))
    given = [one for one in found if one.status_code == 200]
    withheld = [one for one in found if one.status_code == 503]
    assert len(given) + len(withheld) == 20
    assert given
    assert withheld
    assert {one.json()["code"] for one in withheld} == {"audit_log"}
    assert all(one.headers["retry-after"] for one in withheld)
    assert len(lines_of(file)) == len(given)
    file.write_bytes(b"")  # room again
    assert server.predict(image).status_code == 200
    assert len(lines_of(file)) == 1


def test_a_log_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    async def write_two() -> None:
        log = AuditLog(tmp_path / "a.jsonl", Metrics())
        await log.write({"n": 1})
        (tmp_path / "a.jsonl").rename(tmp_path / "a.jsonl.1")
        await log.write({"n": 2})
        log.close()

    finish(write_two())
    assert [one["n"] for one in lines_of(tmp_path / "a.jsonl.1")] == [1]
    assert [one["n"] for one in lines_of(tmp_path / "a.jsonl")] == [2]


def test_half_a_line_that_a_crash_left_does_not_spoil_the_next(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"n": 1}\n{"n": ')

    async def write() -> None:
        log = AuditLog(file, Metrics())
        await log.write({"n": 2})
        log.close()

    finish(write())
    assert json.loads(file.read_bytes().splitlines()[-1])["n"] == 2


def test_many_at_once_are_all_written(tmp_path: Path) -> None:
    async def write() -> None:
        log = AuditLog(tmp_path / "a.jsonl", Metrics())
        await asyncio.gather(*(log.write({"n": n}) for n in range(500)))
        log.close()

    finish(write())
    assert {one["n"] for one in lines_of(tmp_path / "a.jsonl")} == set(range(500))


def test_two_servers_do_not_share_a_log(tmp_path: Path) -> None:
    first = AuditLog(tmp_path / "a.jsonl", Metrics())
    with pytest.raises(UsageError, match="cannot be written"):
        AuditLog(tmp_path / "a.jsonl", Metrics())
    first.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has such a device")
def test_what_cannot_be_written_is_a_problem_that_names_it() -> None:
    async def write() -> None:
        log = AuditLog(Path("/dev/full"), Metrics())
        try:
            await log.write({"n": 1})
        finally:
            log.close()

    with pytest.raises(RefusedError, match="audit log") as caught:
        finish(write())
    assert caught.value.status == 503
    assert caught.value.headers["Retry-After"]


def test_a_place_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="cannot be written"):
        AuditLog(tmp_path / "file" / "a.jsonl", Metrics())
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208
