"""Runs are taken up anew without losing a request, or refused by name and left as they were."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.serving.live import Server, StartServer

from foveal.runs.folder import read_manifest, replace_files


@pytest.fixture
def other_run(run_folder: Path, tmp_path: Path) -> Path:
    """The same run with other thresholds for prediction sets, and so another version."""
    import onnx

    folder = shutil.copytree(run_folder, tmp_path / "other" / run_folder.name)
    evaluation = json.loads((folder / "evaluation.json").read_text("utf-8"))
    thresholds = [0.0 for _ in evaluation["prediction_sets"]["thresholds"]]
    evaluation["prediction_sets"]["thresholds"] = thresholds
    model = onnx.load(str(folder / "model.onnx"))
    for one in model.metadata_props:
        if one.key == "foveal":
            said = json.loads(one.value)
            said["set_thresholds"] = thresholds
            one.value = json.dumps(said)
    replace_files(
        folder,
        read_manifest(folder),
        {
            "evaluation.json": json.dumps(evaluation).encode(),
            "model.onnx": model.SerializeToString(),
        },
    )
    return folder


def exchange(first: Path, second: Path) -> None:
    aside = first.with_name(".aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def wait_for(is_so: Callable[[], bool]) -> None:
    for _ in range(200):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come")


def version_of(server: Server) -> str:
    return str(server.client.get("/runs").json()["runs"][0]["version"])


def test_a_run_that_is_written_anew_is_taken_up_without_losing_a_request(
    start: StartServer, run_folder: Path, other_run: Path, image: bytes, tmp_path: Path
) -> None:
    served = shutil.copytree(run_folder, tmp_path / run_folder.name)
    server = start(served)
    sizes = {version_of(server): len(server.predict(image).json()["prediction_set"])}
    ended = threading.Event()
    answers: list[httpx.Response] = []

    def ask() -> None:
        with httpx.Client(base_url=server.address, timeout=60, trust_env=False) as client:
            while not ended.is_set():
                headers = {"Content-Type": "image/png"}
                answers.append(client.post("/predict", content=image, headers=headers))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for one in askers:
        one.start()
    before = version_of(server)
    exchange(served, other_run)
    wait_for(lambda: version_of(server) != before)
    sizes[version_of(server)] = len(server.predict(image).json()["prediction_set"])
    exchange(served, other_run)
    wait_for(lambda: version_of(server) == before)
    ended.set()
    for one in askers:
        one.join()
    assert {one.status_code for one in answers} == {200}
    assert len(sizes) == 2
    assert len(set(sizes.values())) == 2
    for one in answers:  # each by one version as a whole
        content = one.json()
        assert len(content["prediction_set"]) == sizes[content["run_version"]]


def test_an_altered_run_is_not_taken_up_and_the_old_one_answers_on(
    start: StartServer, run_folder: Path, image: bytes, tmp_path: Path
) -> None:
    served = shutil.copytree(run_folder, tmp_path / run_folder.name)
    server = start(served)
    before = server.predict(image).json()
    (served / "evaluation.json").write_bytes(b"{}")
    manifest = json.loads((served / "manifest.json").read_text("utf-8"))
    (served / "manifest.json").write_text(json.dumps(manifest), "utf-8")

    def is_told() -> bool:
        return server.client.get("/runs").json()["runs"][0]["problem"] is not None

    wait_for(is_told)
    assert "altered" in server.client.get("/runs").json()["runs"][0]["problem"]
    assert server.predict(image).json() == before
    shutil.rmtree(served)
    time.sleep(4)
    assert server.predict(image).json() == before
    assert "altered" in server.stop()[1]


def test_runs_in_a_folder_come_and_go(
    start: StartServer, run_folder: Path, other_run: Path, image: bytes, tmp_path: Path
) -> None:
    parent = tmp_path / "runs"
    first = shutil.copytree(run_folder, parent / "first")
    server = start(parent)

    def names() -> list[str]:
        return [one["name"] for one in server.client.get("/runs").json()["runs"]]

    assert names() == ["first"]
    assert server.predict(image).status_code == 200
    other_run.rename(parent / "second")
    wait_for(lambda: names() == ["first", "second"])
    needed = server.predict(image)
    assert (needed.status_code, needed.json()["code"]) == (400, "run_needed")
    answers = [
        server.client.post(
            "/predict", params={"run": name}, content=image, headers={"Content-Type": "image/png"}
        ).json()
        for name in names()
    ]
    assert answers[0]["run_version"] != answers[1]["run_version"]
    assert answers[0]["probabilities"] == answers[1]["probabilities"]
    shutil.rmtree(first)
    wait_for(lambda: names() == ["second"])


@pytest.mark.parametrize("kind", ["altered", "another schema", "unfinished", "no run"])
def test_a_run_that_cannot_be_read_ends_the_start_with_the_reason(
    run_folder: Path, tmp_path: Path, foveal: Callable[..., object], kind: str
) -> None:
    folder = shutil.copytree(run_folder, tmp_path / "run")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    if kind == "altered":
        (folder / "model.onnx").write_bytes(b"x")
    elif kind == "another schema":
        (folder / "manifest.json").write_text(json.dumps({**manifest, "version": 99}), "utf-8")
    elif kind == "unfinished":
        (folder / "manifest.json").unlink()
    else:
        shutil.rmtree(folder)
    shown = foveal("serve", folder, "--port", 0)
    assert shown.code == 3  # type: ignore[attr-defined]
    assert shown.out == ""  # type: ignore[attr-defined]
    said = {
        "altered": "was altered since",
        "another schema": "another version of Foveal",
        "unfinished": "never finished",
        "no run": "There is no run folder",
    }
    assert said[kind] in shown.err  # type: ignore[attr-defined]


def test_two_runs_of_one_name_are_refused(
    run_folder: Path, other_run: Path, foveal: Callable[..., object]
) -> None:
    shown = foveal("serve", run_folder, other_run, "--port", 0)
    assert shown.code == 2  # type: ignore[attr-defined]
    assert "Two runs are called" in shown.err  # type: ignore[attr-defined]
