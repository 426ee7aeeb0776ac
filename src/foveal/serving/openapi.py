"""The description of the API: OpenAPI 3.1, with an example for every answer."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from typing import Any

from foveal.schema import json_schema
from foveal.serving import metrics, outputs, problems
from foveal.serving.bodies import ANY_IMAGE, IMAGE_TYPES
from foveal.serving.open_inference import OUTPUTS

_ANSWER = {
    "schema": "foveal.serve.answer",
    "version": 1,
    "run": "photos",
    "run_version": "5f1c6a0e9d3b7c42",
    "sha256": "0f343b0931126a20f133d67c2b018a3b7f6a5c6d4e9f8a7b6c5d4e3f2a1b0c9d",
    "label": "defective",
    "probability": 0.83,
    "prediction_set": ["defective"],
    "unsure": False,
    "unlike_training": False,
    "novelty": 1.04,
    "probabilities": {"defective": 0.83, "functional": 0.17},
}
_EXPLANATION = {
    **_ANSWER,
    "schema": "foveal.serve.explanation",
    "maps": [{"class": "defective", "values": [[0.4, 1.9], [0.1, 0.2]]}],
    "cell_centres_px": {"rows": [31.0, 63.0], "columns": [31.0, 63.0]},
    "input_size_px": [96, 96],
}
_RUNS = {
    "schema": "foveal.serve.runs",
    "version": 1,
    "runs": [
        {
            "name": "photos",
            "version": "5f1c6a0e9d3b7c42",
            "class_names": ["defective", "functional"],
            "accuracy": {"estimate": 0.86, "low": 0.83, "high": 0.89},
            "judged_on": "500 images, each judged by a model that had not seen it",
            "operating_point": None,
            "notes": [],
            "problem": None,
        }
    ],
}
_INFER = {
    "id": "1",
    "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["iVBORw0KGgo..."]}],
    "outputs": [{"name": "label"}, {"name": "probabilities"}],
}
_INFERRED = {
    "model_name": "photos",
    "model_version": "5f1c6a0e9d3b7c42",
    "id": "1",
    "outputs": [
        {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["defective"]},
        {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": [0.83, 0.17]},
    ],
}
_PROBLEM = {
    "title": "Content Too Large",
    "status": 413,
    "detail": "the image has 120,000,000 pixels, more than the 89,478,485 allowed",
    "code": "too_large",
    "next_step": "Make it smaller, or use a machine with more memory.",
}

# Why, by status; every operation has those of the gate.
_REASONS = {
    400: "The request cannot be understood.",
    401: "The token is missing or another one.",
    403: "The host or the page that asks is a foreign one.",
    404: "There is no such run, version or map.",
    408: "The body came too slowly.",
    413: "The body has too many bytes, or the image too many pixels.",
    415: "The body is no image of a kind that is read, or its media type is missing.",
    422: "The image is empty, damaged or cut short.",
    503: "The server has too much to do, is about to end, or cannot write its audit log.",
    504: "The answer took longer than allowed.",
}
_GATE = (400, 401, 403)
_IMAGE = (*_GATE, 404, 408, 413, 415, 422, 503, 504)

_RUN = {
    "name": "run",
    "in": "query",
    "schema": {"type": "string"},
    "description": "Name of the run; needed where the server has several.",
}
_CLASS = {
    "name": "class",
    "in": "query",
    "schema": {"type": "array", "items": {"type": "string"}},
    "style": "form",
    "explode": True,
    "description": "Classes to map, or all; the predicted one where none is named.",
}


@cache
def describe_api() -> dict[str, Any]:
    """Returns the description of every address."""
    components: dict[str, Any] = {}
    answer = _component(components, "serve.answer", outputs.ServedAnswer)
    explanation = _component(components, "serve.explanation", outputs.ServedExplanation)
    runs = _component(components, "serve.runs", outputs.RunsListed)
    components |= {"Problem": _problem_schema(), "Infer": _infer_schema()}
    components["Error"] = {
        "type": "object",
        "properties": {"error": {"type": "string"}},
        "required": ["error"],
    }
    image = {
        "required": True,
        "description": "The bytes of one image file, as they are.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in IMAGE_TYPES
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Foveal",
            "version": version("foveal"),
            "description": "Answers of finished runs: label, calibrated probability, prediction "
            "set, and whether an image is unlike those of the training.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{}, {"bearer": []}, {"basic": []}],
        "paths": {
            "/": _page("The page for people", "A page that asks this server.", [_RUN]),
            "/offline": _page(
                "The page that answers in the browser",
                "What foveal export --to page writes; it may connect to nothing.",
                [_RUN],
            ),
            "/runs": {"get": _operation("List the runs", _ok(runs, _RUNS), _GATE)},
            "/predict": {
                "post": {
                    **_operation("Answer for an image", _ok(answer, _ANSWER), _IMAGE),
                    "parameters": [_RUN],
                    "requestBody": image,
                }
            },
            "/explain": {
                "post": {
                    **_operation("Show where it looks", _ok(explanation, _EXPLANATION), _IMAGE),
                    "parameters": [_RUN, _CLASS],
                    "requestBody": image,
                }
            },
            "/metrics": {
                "get": _operation(
                    "Metrics for Prometheus",
                    {
                        "description": "The text format of Prometheus.",
                        "content": {
                            metrics.MEDIA_TYPE: {
                                "schema": {"type": "string"},
                                "example": 'foveal_requests_total{route="/predict"} 1\n',
                            }
                        },
                    },
                    _GATE,
                )
            },
            "/openapi.json": {
                "get": _operation("This description", _ok({"type": "object"}, {}), _GATE)
            },
            **_open_inference(),
        },
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _open_inference() -> dict[str, Any]:
    found: dict[str, Any] = {
        "/v2": {"get": _v2("Name and version", {"name": "foveal", "version": version("foveal")})},
        "/v2/health/live": {"get": _v2("Whether it lives", {"live": True})},
        "/v2/health/ready": {"get": _v2("Whether it answers", {"ready": True}, (503,))},
    }
    metadata = {
        "name": "photos",
        "versions": ["5f1c6a0e9d3b7c42"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": one.name, "datatype": one.datatype, "shape": [-1, 2][: 1 + one.is_by_class]}
            for one in OUTPUTS
        ],
    }
    for is_versioned in (False, True):
        names = ("model", "version") if is_versioned else ("model",)
        path = "/v2/models/{model}" + ("/versions/{version}" if is_versioned else "")
        parameters = {
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in names
            ]
        }
        length = {
            "name": "Inference-Header-Content-Length",
            "in": "header",
            "schema": {"type": "string"},
            "description": "Bytes of the JSON, where raw elements follow it.",
        }
        found[path] = {"get": _v2("What a run takes and gives", metadata, (404,)), **parameters}
        found[f"{path}/ready"] = {
            "get": _v2("Whether a run answers", {"name": "photos", "ready": True}, (404,)),
            **parameters,
        }
        infer = _v2("Answer for images", _INFERRED, (404, 408, 413, 415, 422, 503, 504))
        # With raw outputs the JSON stands in front of them.
        infer["responses"]["200"]["content"][ANY_IMAGE] = {
            "schema": {"type": "string", "format": "binary"}
        }
        infer["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Infer"},
                    "example": _INFER,
                },
                ANY_IMAGE: {"schema": {"type": "string", "format": "binary"}},
            },
        }
        infer["parameters"] = [length]
        found[f"{path}/infer"] = {"post": infer, **parameters}
    return found


def _component(components: dict[str, Any], name: str, kind: Any) -> dict[str, Any]:
    """Adds a schema with what it refers to, and returns a reference to it."""
    text = json.dumps(json_schema(name, kind)).replace("#/$defs/", "#/components/schemas/")
    schema = json.loads(text)
    components |= schema.pop("$defs", {})
    del schema["$schema"]
    components[kind.__name__] = schema
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _operation(summary: str, answer: dict[str, Any], statuses: tuple[int, ...]) -> dict[str, Any]:
    refused = {
        str(status): {
            "description": _REASONS[status],
            **(
                {"headers": {"Retry-After": {"schema": {"type": "integer"}}}}
                if status == 503
                else {}
            ),
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": {**_PROBLEM, "status": status},
                }
            },
        }
        for status in statuses
    }
    return {"summary": summary, "responses": {"200": answer, **refused}}


def _v2(summary: str, example: dict[str, Any], further: tuple[int, ...] = ()) -> dict[str, Any]:
    operation = _operation(summary, _ok({"type": "object"}, example), (*_GATE, *further))
    for status, answer in operation["responses"].items():
        if status != "200":
            answer["content"]["application/json"] = {
                "schema": {"$ref": "#/components/schemas/Error"},
                "example": {"error": _PROBLEM["detail"]},
            }
    if further == (503,):
        operation["responses"]["503"]["content"]["application/json"] = {
            "schema": {"type": "object"},
            "example": {"ready": False},
        }
    return operation


def _ok(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {
        "description": "The answer.",
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def _page(summary: str, description: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    answer = {
        "description": description,
        "content": {"text/html; charset=utf-8": {"schema": {"type": "string"}}},
    }
    return {
        "get": {
            **_operation(summary, answer, (*_GATE, 404, 503)),
            "parameters": parameters,
        }
    }


def _problem_schema() -> dict[str, Any]:
    return {
        "description": "Why a request was refused (RFC 9457).",
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string", "description": "A stable word for programs."},
            "next_step": {"type": ["string", "null"]},
        },
        "required": ["title", "status", "detail", "code", "next_step"],
        "additionalProperties": False,
    }


def _infer_schema() -> dict[str, Any]:
    return {
        "description": "A request of the Open Inference Protocol; files are base64 in JSON.",
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "inputs": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"const": "image"},
                        "datatype": {"const": "BYTES"},
                        "shape": {
                            "type": "array",
                            "items": {"type": "integer", "minimum": 1, "maximum": 64},
                            "minItems": 1,
                            "maxItems": 1,
                        },
                        "data": {
                            "type": "array",
                            "items": {"type": "string", "contentEncoding": "base64"},
                        },
                    },
                    "required": ["name", "datatype", "shape", "data"],
                },
            },
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"enum": [one.name for one in OUTPUTS]}},
                    "required": ["name"],
                },
            },
        },
        "required": ["inputs"],
    }
