"""What people write today to serve a classifier, with the run's own preprocessing and weights.

``python -m benchmarks.peers.servers KIND RUN PORT``. Every one answers ``POST /predict`` with the
bytes of an image by a JSON list of calibrated probabilities. LitServe takes no raw bodies: it is
sent what its documentation shows, base64 in JSON.
"""

from __future__ import annotations

import base64
import os
import sys
from typing import Any

import fastapi
import litserve
import uvicorn

import foveal


class API(litserve.LitAPI):
    """A run for LitServe, which makes one in each of its worker processes."""

    folder = ""

    def setup(self, device: str) -> None:
        self.answer = _torch_answer(self.folder)

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe reads the hints
        return base64.b64decode(request["image"])

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        return inputs

    def unbatch(self, output: list[Any]) -> list[Any]:
        return output

    def predict(self, x: list[bytes]) -> list[list[float]]:
        return self.answer(x)

    def encode_response(self, output: list[float]) -> list[float]:
        return output


def fastapi_torch(run: str, port: int) -> None:
    """A plain FastAPI handler over PyTorch, as tutorials have it."""
    answer = _torch_answer(run)
    app = fastapi.FastAPI()

    @app.post("/predict")
    def predict(body: bytes = fastapi.Body(media_type="image/png")) -> list[float]:
        return answer([body])[0]

    uvicorn.run(app, port=port, log_level="warning")


def fastapi_onnx(run: str, port: int) -> None:
    """A plain FastAPI handler over the run's ONNX file: what Foveal's own Python API gives."""
    classifier = foveal.load(run)
    app = fastapi.FastAPI()

    @app.post("/predict")
    def predict(body: bytes = fastapi.Body(media_type="image/png")) -> list[float]:
        return list(classifier.predict(body)[0].probabilities)

    uvicorn.run(app, port=port, log_level="warning")


def litserve_torch(run: str, port: int) -> None:
    """LitServe over PyTorch with its batching, one worker a core."""
    api = API(max_batch_size=8, batch_timeout=0.005)
    api.folder = run
    server = litserve.LitServer(
        api,
        accelerator="cpu",
        workers_per_device=len(os.sched_getaffinity(0)),
        track_requests=False,
    )
    server.run(port=port, generate_client_file=False, log_level="warning")


def _torch_answer(run: str) -> Any:
    import torch

    torch.set_num_threads(1)  # requests run beside each other
    classifier = foveal.load(run)
    network = classifier.network().module.eval()

    def answer(files: list[bytes]) -> list[list[float]]:
        inputs = [torch.from_numpy(classifier.preprocessing.apply(one)) for one in files]
        with torch.inference_mode():
            logits = network(torch.stack(inputs))
        return (logits / classifier.temperature).softmax(1).tolist()

    return answer


KINDS = {
    "fastapi-torch": fastapi_torch,
    "fastapi-onnx": fastapi_onnx,
    "litserve-torch": litserve_torch,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
