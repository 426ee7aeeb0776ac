"""The Open Inference Protocol, asked by NVIDIA's own client and by hand."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serving.live import Server
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from foveal.runs import Classifier


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as one:
        yield one


def asked(files: list[bytes], shape: list[int] | None = None) -> list[Any]:
    one = triton.InferInput("image", shape or [len(files)], "BYTES")
    one.set_data_from_numpy(np.array(files, object).reshape(shape or [len(files)]))
    return [one]


def test_server_and_model_are_live_and_ready(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("shapes")
    assert not client.is_model_ready("nowhere")
    version = client.get_model_metadata("shapes")["versions"][0]
    assert client.is_model_ready("shapes", version)
    assert client.get_server_metadata()["name"] == "foveal"


def test_metadata_says_what_is_taken_and_given(client: Any, classifier: Classifier) -> None:
    found = client.get_model_metadata("shapes")
    assert found["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    shapes = {one["name"]: one["shape"] for one in found["outputs"]}
    assert shapes["probabilities"] == [-1, len(classifier.class_names)]
    assert shapes["label"] == [-1]


@pytest.mark.parametrize("is_binary", [True, False, None])
def test_answers_are_those_of_predict(
    client: Any, classifier: Classifier, shapes: Path, is_binary: bool | None
) -> None:
    files = [one.read_bytes() for one in sorted(shapes.glob("*/00[0-2].png"))]
    expected = classifier.predict(files)
    names = ("label", "probabilities", "logits", "prediction_set", "unsure", "unlike_training")
    outputs = None
    if is_binary is not None:
        outputs = [
            triton.InferRequestedOutput(name, binary_data=is_binary) for name in (*names, "novelty")
        ]
    found = client.infer("shapes", asked(files), outputs=outputs, request_id="7")
    assert found.get_response()["id"] == "7"
    labels = [one.decode() if isinstance(one, bytes) else one for one in found.as_numpy("label")]
    assert labels == [one.label for one in expected]
    probabilities = found.as_numpy("probabilities")
    assert probabilities.shape == (len(files), len(classifier.class_names))
    for field, cast in (("probabilities", np.float32), ("logits", np.float32)):
        wanted = np.array([getattr(one, field) for one in expected], cast)
        assert np.array_equal(found.as_numpy(field), wanted)
    assert found.as_numpy("novelty").tolist() == [one.novelty for one in expected]
    assert found.as_numpy("unsure").tolist() == [one.is_unsure for one in expected]
    inside = found.as_numpy("prediction_set")
    for row, one in zip(inside, expected, strict=True):
        members = [name for name, is_in in zip(classifier.class_names, row, strict=True) if is_in]
        assert tuple(members) == one.prediction_set


def test_a_batch_of_columns_is_taken_too(client: Any, image: bytes) -> None:
    found = client.infer("shapes", asked([image, image], [2, 1]))
    assert found.as_numpy("label").shape == (2,)


def test_json_holds_files_in_base64(server: Server, classifier: Classifier, image: bytes) -> None:
    content = {
        "inputs": [
            {
                "name": "image",
                "datatype": "BYTES",
                "shape": [1],
                "data": [base64.b64encode(image).decode()],
            }
        ],
        "outputs": [{"name": "probabilities"}],
    }
    found = server.client.post("/v2/models/shapes/infer", json=content).json()
    (output,) = found["outputs"]
    assert output["data"] == list(classifier.predict(image)[0].probabilities)


def test_an_image_that_cannot_be_read_is_named_by_its_place(client: Any, image: bytes) -> None:
    with pytest.raises(InferenceServerException, match=r"image\[1\].*PDF") as caught:
        client.infer("shapes", asked([image, b"%PDF-1.7"]))
    assert caught.value.status() == "415"


def good(image: bytes) -> dict[str, Any]:
    data = base64.b64encode(image).decode()
    return {"name": "image", "datatype": "BYTES", "shape": [1], "data": [data]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "images"}, "expected image"),
        ({"datatype": "FP32"}, "expected image of 'BYTES'"),
        ({"shape": [2]}, "expected 2"),
        ({"shape": [0]}, "shape"),
        ({"shape": [True]}, "shape"),
        ({"shape": [10**9]}, "64"),
        ({"shape": [1, 3, 4]}, "shape"),
        ({"shape": None}, "shape"),
        ({"data": ["$$$"]}, "base64"),
        ({"data": [7]}, "base64"),
        ({"data": None}, "list"),
        ({"parameters": {"binary_data_size": 10}}, "binary_data_size"),
        ({"parameters": {"binary_data_size": -1}}, "binary_data_size"),
    ],
)
def test_what_does_not_follow_the_protocol_is_refused_with_what_was_expected(
    server: Server, image: bytes, changes: dict[str, Any], said: str
) -> None:
    content = {"inputs": [{**good(image), **changes}]}
    found = server.client.post("/v2/models/shapes/infer", json=content)
    assert found.status_code in (400, 413)
    assert said in found.json()["error"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'{"inputs": []}', b"\xff", b"[" * 9999]
)
def test_what_is_no_request_is_refused(server: Server, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    found = server.client.post("/v2/models/shapes/infer", content=body, headers=headers)
    assert found.status_code == 400
    assert "expected" in found.json()["error"]


@pytest.mark.parametrize("length", ["-1", "x", "99999999", "5", "0"])
def test_a_length_that_does_not_fit_is_refused(server: Server, image: bytes, length: str) -> None:
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": length,
    }
    found = server.client.post("/v2/models/shapes/infer", content=image, headers=headers)
    assert found.status_code == 400
