"""The server answers as ``foveal predict`` does, to the last digit."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.serving.live import Server

from foveal.runs import Classifier
from foveal.runs.prediction_rows import describe

ASKED = ("run", "run_version", "sha256", "schema", "version")


def answer_of(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in ASKED}


def expected_of(classifier: Classifier, data: bytes) -> dict[str, Any]:
    (prediction,) = classifier.predict(data)
    row = describe(prediction, classifier.class_names)
    assert row.pop("error") is None
    del row["path"]
    return row


def encoded(picture: Any, name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, name, **options)
    return stream.getvalue()


def files(write_dicom: Callable[..., Path], folder: Path) -> dict[str, tuple[str, bytes]]:
    random = np.random.default_rng(0)
    gray = random.integers(0, 256, (90, 70), np.uint8)
    colour = random.integers(0, 256, (200, 240, 3), np.uint8)
    deep = random.integers(0, 4096, (50, 60), np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6
    dicom = write_dicom(folder / "x.dcm", gray).read_bytes()
    return {
        "gray PNG": ("image/png", encoded(gray, "PNG")),
        "16-bit PNG": ("image/png", encoded(deep, "PNG")),
        "palette PNG": (
            "image/png",
            encoded(np.asarray(Image.fromarray(colour).quantize(16)), "PNG"),
        ),
        "JPEG": ("image/jpeg", encoded(colour, "JPEG")),
        "turned JPEG": ("image/jpeg; charset=x", encoded(colour, "JPEG", exif=exif)),
        "WebP": ("image/webp", encoded(colour, "WEBP")),
        "GIF": ("image/gif", encoded(gray, "GIF")),
        "BMP": ("image/bmp", encoded(colour, "BMP")),
        "deflated TIFF": ("image/tiff", encoded(deep, "TIFF", compression="tiff_deflate")),
        "DICOM": ("application/dicom", dicom),
        "DICOM of no stated kind": ("application/octet-stream", dicom),
        "AVIF": ("IMAGE/AVIF", encoded(colour, "AVIF")),
    }


def test_every_format_is_answered_as_by_predict(
    server: Server, classifier: Classifier, write_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    for kind, (media_type, data) in files(write_dicom, tmp_path).items():
        found = server.predict(data, media_type)
        assert found.status_code == 200, (kind, found.text)
        assert answer_of(found.json()) == expected_of(classifier, data), kind


def test_answers_do_not_depend_on_what_is_asked_beside(
    server: Server, classifier: Classifier, shapes: Path
) -> None:
    files = sorted(shapes.glob("*/*.png"))[:24]
    expected = [expected_of(classifier, one.read_bytes()) for one in files]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda one: server.predict(one.read_bytes()).json(), files))
    assert [answer_of(one) for one in found] == expected


def test_an_answer_names_its_schema_run_and_file(
    server: Server, run_folder: Path, image: bytes
) -> None:
    import hashlib

    content = server.predict(image).json()
    assert [*content][:2] == ["schema", "version"]
    assert content["schema"] == "foveal.serve.answer"
    assert content["run"] == run_folder.name
    assert content["sha256"] == hashlib.sha256(image).hexdigest()


@pytest.mark.parametrize("wanted", [(), ("cross", "circle"), ("all",)])
def test_a_map_adds_up_to_the_logit(
    server: Server, classifier: Classifier, image: bytes, wanted: tuple[str, ...]
) -> None:
    import onnx
    from onnx import numpy_helper

    found = server.client.post(
        "/explain",
        params=[("class", name) for name in wanted],
        content=image,
        headers={"Content-Type": "image/png"},
    )
    content = found.json()
    assert found.status_code == 200
    (prediction,) = classifier.predict(image)
    names = [one["class"] for one in content["maps"]]
    expected = {(): [prediction.label], ("all",): list(classifier.class_names)}
    assert names == expected.get(wanted, list(wanted))
    model = onnx.load(str(classifier.folder / "model.onnx"))
    head = next(node for node in model.graph.node if "logits" in node.output)
    bias = numpy_helper.to_array(
        next(one for one in model.graph.initializer if one.name == head.input[2])
    )
    for one in content["maps"]:
        place = classifier.class_names.index(one["class"])
        total = float(np.mean(one["values"])) + float(bias[place])
        assert total == pytest.approx(prediction.logits[place], abs=1e-4)
    assert len(content["cell_centres_px"]["rows"]) == len(content["maps"][0]["values"])


def test_the_runs_are_listed_with_what_is_known_of_them(
    server: Server, classifier: Classifier
) -> None:
    (run,) = server.client.get("/runs").json()["runs"]
    assert run["class_names"] == list(classifier.class_names)
    assert run["accuracy"]["estimate"] == classifier.evidence.metrics.accuracy.estimate
    assert run["problem"] is None
    assert (
        run["version"]
        == server.predict(encoded(np.zeros((9, 9), np.uint8), "PNG")).json()["run_version"]
    )


def test_metrics_count_what_was_asked(server: Server, image: bytes) -> None:
    def counted() -> float:
        line = 'foveal_requests_total{route="/predict",status="200"} '
        text = server.client.get("/metrics").text
        return sum(float(one[len(line) :]) for one in text.splitlines() if one.startswith(line))

    before = counted()
    server.predict(image)
    assert counted() == before + 1


def test_json_of_predict_and_of_the_server_agree(
    foveal: Callable[..., Any], server: Server, run_folder: Path, shapes: Path
) -> None:
    file = shapes / "stripes" / "003.png"
    shown = json.loads(foveal("predict", run_folder, file, "--json").out)["predictions"][0]
    found = server.predict(file.read_bytes()).json()
    assert {key: found[key] for key in shown if key in found} == {
        key: value for key, value in shown.items() if key in found
    }
