"""The Open Inference Protocol, version 2, with its binary extension, over HTTP.

A model is a run. Its input ``image`` [N] of ``BYTES`` holds whole image files: raw bytes in the
binary form, base64 in JSON. So preprocessing stays where it is everywhere else. Source:
https://github.com/open-inference/open-inference-protocol and Triton's ``binary_data`` extension.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from foveal.serving.answering import Answered
from foveal.serving.bodies import ANY_IMAGE, read_body, require_plain, require_type
from foveal.serving.problems import RefusedError
from foveal.serving.served_run import ServedRun
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.serving.application import Service

INPUT: Final = "image"
_MAX_IMAGES: Final = 64
_LENGTH_HEADER: Final = "inference-header-content-length"

Values = NDArray[Any] | list[str]


@dataclass(frozen=True, slots=True)
class _Output:
    """One output of every run."""

    name: str
    datatype: str
    is_by_class: bool
    read: Callable[[Answered], Any]


_DTYPES: Final = {"FP32": "<f4", "FP64": "<f8", "BOOL": "?"}
OUTPUTS: Final = (
    _Output("label", "BYTES", False, lambda one: one.prediction.label),
    _Output("probabilities", "FP32", True, lambda one: one.prediction.probabilities),
    _Output("logits", "FP32", True, lambda one: one.prediction.logits),
    _Output(
        "prediction_set",
        "BOOL",
        True,
        lambda one: [
            name in one.prediction.prediction_set for name in one.run.classifier.class_names
        ],
    ),
    _Output("unsure", "BOOL", False, lambda one: one.prediction.is_unsure),
    _Output("unlike_training", "BOOL", False, lambda one: one.prediction.is_unlike_training),
    _Output("novelty", "FP64", False, lambda one: one.prediction.novelty),
)


@dataclass(frozen=True, slots=True)
class OpenInference:
    """The routes below ``/v2``."""

    service: Service

    def routes(self) -> tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...]:
        """Returns method, address and function of each."""
        model = "/v2/models/{model}"
        versioned = f"{model}/versions/{{version}}"
        return (
            ("GET", "/v2", self._server),
            ("GET", "/v2/health/live", self._live),
            ("GET", "/v2/health/ready", self._ready),
            ("GET", model, self._metadata),
            ("GET", versioned, self._metadata),
            ("GET", f"{model}/ready", self._model_ready),
            ("GET", f"{versioned}/ready", self._model_ready),
            ("POST", f"{model}/infer", self._infer),
            ("POST", f"{versioned}/infer", self._infer),
        )

    async def _server(self, request: Request) -> Response:
        return _json(
            {
                "name": "foveal",
                "version": version("foveal"),
                "extensions": ["binary_tensor_data"],
            }
        )

    async def _live(self, request: Request) -> Response:
        return _json({"live": True})

    async def _ready(self, request: Request) -> Response:
        is_ready = self.service.admission.is_open and bool(self.service.shelf.runs)
        return _json({"ready": is_ready}, status=200 if is_ready else 503)

    async def _metadata(self, request: Request) -> Response:
        run = self._run(request)
        num_classes = len(run.classifier.class_names)
        outputs: list[dict[str, Any]] = [
            {
                "name": one.name,
                "datatype": one.datatype,
                "shape": [-1, num_classes] if one.is_by_class else [-1],
            }
            for one in OUTPUTS
        ]
        for one in outputs:
            if one["shape"][1:]:
                one["parameters"] = {"labels": json.dumps(run.classifier.class_names)}
        return _json(
            {
                "name": run.name,
                "versions": [run.version],
                "platform": "onnxruntime_onnx",
                "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
                "outputs": outputs,
            }
        )

    async def _model_ready(self, request: Request) -> Response:
        run = self._run(request)
        return _json({"name": run.name, "ready": True})

    async def _infer(self, request: Request) -> Response:
        run = self._run(request)
        length = request.headers.get(_LENGTH_HEADER)
        require_plain(request)
        if length is None:  # Triton's clients state no type where raw elements follow
            require_type(request, ("application/json",))
        service = self.service
        with service.admission.admit() as ticket:
            body = await read_body(request, ticket, service.settings)
            asked = _Asked.read(body, length)
            del body
            answers = await _all_answered(
                [service.answering.answer(run, data) for data in asked.images]
            )
        return asked.response(run, answers)

    def _run(self, request: Request) -> ServedRun:
        run = self.service.shelf.named(request.path_params["model"])
        wanted = request.path_params.get("version")
        if wanted is not None and wanted != run.version:
            raise RefusedError(
                404,
                "unknown_version",
                f"{run.name} has version {run.version}, not {printable(wanted)[:40]}.",
                next_step="Ask without a version, or for the one that is served.",
            )
        return run


async def _all_answered(asked: Sequence[Awaitable[Answered]]) -> list[Answered]:
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    for position, outcome in enumerate(outcomes):
        if isinstance(outcome, RefusedError):
            message = f"{INPUT}[{position}]: {outcome.message}"
            raise RefusedError(
                outcome.status,
                outcome.code,
                message,
                next_step=outcome.next_step,
                headers=outcome.headers,
            )
        if isinstance(outcome, BaseException):
            raise outcome
    return [one for one in outcomes if isinstance(one, Answered)]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that was read.

    Attributes:
        id: Given back as it came.
        images: Whole files.
        outputs: Each wanted output, and whether as raw bytes behind the JSON.
    """

    id: str | None
    images: list[bytes]
    outputs: list[tuple[_Output, bool]]

    @classmethod
    def read(cls, body: bytes, length: str | None) -> _Asked:
        """Reads a request.

        Raises:
            RefusedError: 400, it does not follow the protocol.
        """
        num_bytes = len(body) if length is None else _length(length, len(body))
        try:
            content = json.loads(body[:num_bytes])
        except (ValueError, RecursionError):
            raise _bad("the body is no JSON", "a JSON object with inputs") from None
        if not isinstance(content, dict):
            raise _bad(f"got {type(content).__name__}", "a JSON object with inputs")
        identity = content.get("id")
        if identity is not None and not isinstance(identity, str):
            raise _bad(f"id: got {type(identity).__name__}", "text")
        images = _images(content.get("inputs"), body[num_bytes:])
        parameters = content.get("parameters") or {}
        is_binary = isinstance(parameters, dict) and parameters.get("binary_data_output") is True
        return cls(identity, images, _wanted(content.get("outputs"), is_binary=is_binary))

    def response(self, run: ServedRun, answers: list[Answered]) -> Response:
        """Returns what was asked for."""
        described, raw = [], []
        for output, is_binary in self.outputs:
            read = [output.read(one) for one in answers]
            shape = [len(answers)]
            if output.is_by_class:
                shape.append(len(run.classifier.class_names))
            one: dict[str, Any] = {
                "name": output.name,
                "datatype": output.datatype,
                "shape": shape,
            }
            if is_binary:
                packed = _packed(output, read)
                one["parameters"] = {"binary_data_size": len(packed)}
                raw.append(packed)
            elif output.datatype == "BYTES":
                one["data"] = read
            else:
                # As the protocol has it: flat, in row-major order.
                one["data"] = np.asarray(read).reshape(-1).tolist()
            described.append(one)
        content: dict[str, Any] = {"model_name": run.name, "model_version": run.version}
        if self.id is not None:
            content["id"] = self.id
        content["outputs"] = described
        if not raw:
            return _json(content)
        head = json.dumps(content, ensure_ascii=False).encode()
        return Response(
            head + b"".join(raw),
            headers={"Inference-Header-Content-Length": str(len(head))},
            media_type=ANY_IMAGE,
        )


def _images(inputs: Any, raw: bytes) -> list[bytes]:
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise _bad("inputs", f"a list of one input called {INPUT}")
    given = inputs[0]
    if given.get("name") != INPUT or given.get("datatype") != "BYTES":
        got = f"{str(given.get('name'))[:40]!r} of {str(given.get('datatype'))[:20]!r}"
        raise _bad(f"inputs[0]: got {printable(got)}", f"{INPUT} of 'BYTES'")
    shape = given.get("shape")
    # Triton's own clients send [N] or, for models with batches, [N, 1].
    if not isinstance(shape, list) or not shape or shape[1:] not in ([], [1]):
        raise _bad(f"inputs[0].shape: got {str(shape)[:40]}", "[N]")
    num_images = shape[0]
    if not isinstance(num_images, int) or isinstance(num_images, bool) or num_images < 1:
        raise _bad(f"inputs[0].shape: got {str(shape)[:40]}", "[N], with N from 1 on")
    if num_images > _MAX_IMAGES:
        raise RefusedError(
            413,
            "too_many_images",
            f"The request holds {num_images:,} images, more than the {_MAX_IMAGES} allowed.",
            next_step="Send them in several requests.",
        )
    parameters = given.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    images = _from_json(given.get("data")) if size is None else _from_raw(raw, size)
    if len(images) != num_images:
        raise _bad(f"inputs[0]: got {len(images)} elements", f"{num_images}, as the shape says")
    return images


def _from_raw(raw: bytes, size: Any) -> list[bytes]:
    if not isinstance(size, int) or isinstance(size, bool) or size != len(raw):
        raise _bad(f"binary_data_size: got {str(size)[:20]}", f"{len(raw)}, the bytes that came")
    images, offset = [], 0
    while offset < len(raw):
        if offset + 4 > len(raw):
            raise _bad("the raw elements are cut short", "four bytes of length before each")
        (length,) = struct.unpack_from("<I", raw, offset)
        offset += 4
        if offset + length > len(raw):
            raise _bad("the raw elements are cut short", f"{length:,} bytes of element")
        images.append(raw[offset : offset + length])
        offset += length
    return images


def _from_json(data: Any) -> list[bytes]:
    if not isinstance(data, list) or len(data) > _MAX_IMAGES:
        raise _bad("inputs[0].data", f"a list of up to {_MAX_IMAGES} files in base64")
    images = []
    for position, one in enumerate(data):
        if isinstance(one, list) and len(one) == 1:
            one = one[0]
        try:
            images.append(base64.b64decode(one, validate=True))
        except (binascii.Error, ValueError, TypeError):
            raise _bad(f"inputs[0].data[{position}]", "an image file in base64") from None
    return images


def _wanted(outputs: Any, *, is_binary: bool) -> list[tuple[_Output, bool]]:
    if outputs is None or outputs == []:
        return [(one, is_binary) for one in OUTPUTS]
    if not isinstance(outputs, list):
        raise _bad("outputs", "a list")
    known = {one.name: one for one in OUTPUTS}
    wanted = []
    for position, one in enumerate(outputs):
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or name not in known:
            raise _bad(
                f"outputs[{position}]: got {printable(str(name))[:40]!r}",
                f"one of {', '.join(known)}",
            )
        parameters = one.get("parameters")
        own = parameters.get("binary_data") if isinstance(parameters, dict) else None
        wanted.append((known[name], is_binary if own is None else own is True))
    return wanted


def _packed(output: _Output, values: list[Any]) -> bytes:
    if output.datatype == "BYTES":
        encoded = [one.encode() for one in values]
        return b"".join(struct.pack("<I", len(one)) + one for one in encoded)
    return np.ascontiguousarray(values, _DTYPES[output.datatype]).tobytes()


def _length(text: str, num_bytes: int) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:12]) <= num_bytes):
        raise _bad(
            f"Inference-Header-Content-Length: got {printable(text)[:20]!r}",
            f"a number up to {num_bytes}",
        )
    return int(text)


def _bad(got: str, expected: str) -> RefusedError:
    return RefusedError(
        400,
        "protocol",
        f"{got}; expected {expected}.",
        next_step="GET /v2/models/NAME says what a run takes and gives.",
    )


def _json(content: Any, *, status: int = 200) -> Response:
    from foveal.serving.application import json_response

    return json_response(content, status=status)
