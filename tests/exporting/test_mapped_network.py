"""Networks small enough that every map is known by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from foveal.exporting.mapped_network import with_maps

WEIGHT = np.array([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]], np.float32)
BIAS = np.array([0.25, -3.0], np.float32)


def network(*, pool: str = "GlobalAveragePool", between: str | None = None) -> bytes:
    """Images [N, 3, 2, 2] are their own features, which are pooled and weighed."""
    last = "flat" if between else "features"
    nodes = [
        helper.make_node("Identity", ["images"], ["map"]),
        helper.make_node(pool, ["map"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], [last], axis=1),
        *([helper.make_node(between, ["flat"], ["features"])] if between else []),
        helper.make_node(
            "Gemm", ["features", "weight", "bias"], ["logits"], transB=1, alpha=1.0, beta=1.0
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 2, 2])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(WEIGHT, "weight"), numpy_helper.from_array(BIAS, "bias")],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def averaged_views() -> bytes:
    """The same network, whose features are the mean of those of the image and of its double."""
    model = onnx.load_from_string(network())
    nodes = list(model.graph.node)
    nodes[2].output[0] = "one"
    views = [
        helper.make_node("Add", ["one", "one"], ["two"]),
        helper.make_node("Unsqueeze", ["one", "first"], ["one.row"]),
        helper.make_node("Unsqueeze", ["two", "first"], ["two.row"]),
        helper.make_node("Concat", ["one.row", "two.row"], ["views"], axis=0),
        helper.make_node("ReduceMean", ["views"], ["features"], axes=[0], keepdims=0),
    ]
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "first"))
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:3], *views, *nodes[3:]])
    return model.SerializeToString()


def run(content: bytes, images: Any, *names: str) -> Any:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(list(names), {"images": images})


def test_a_map_is_the_heads_weights_at_every_place() -> None:
    mapped = with_maps(network(), (2, 2))
    images = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    logits, maps = run(mapped.content, images, "logits", "maps")
    assert mapped.reason is None
    # Class 0 is channel 0 minus channel 2, which is 8 more everywhere.
    assert maps[0, 0].tolist() == [[-8, -8], [-8, -8]]
    assert maps[0, 1].tolist() == [
        [0.5 * 0 + 2 * 4, 0.5 * 1 + 2 * 5],
        [0.5 * 2 + 2 * 6, 0.5 * 3 + 2 * 7],
    ]
    assert (maps.mean((2, 3)) + BIAS).tolist() == logits.tolist()


@pytest.mark.parametrize(
    "content",
    [network(between="Relu"), network(pool="GlobalMaxPool"), averaged_views()],
    ids=["something bends the features", "another pooling", "several views"],
)
def test_a_network_without_such_maps_is_left_as_it_is(content: bytes) -> None:
    mapped = with_maps(content, (2, 2))
    assert mapped.content == content
    assert mapped.reason == "the answer is not a linear head on the mean of one feature map"


def test_a_mean_over_the_two_last_axes_is_a_pooling_too() -> None:
    model = onnx.load_from_string(network())
    mean = helper.make_node("ReduceMean", ["map"], ["pooled"], axes=[-2, -1], keepdims=1)
    model.graph.node[1].CopyFrom(mean)
    mapped = with_maps(model.SerializeToString(), (2, 2))
    assert mapped.reason is None
    images = np.ones((1, 3, 2, 2), np.float32)
    assert run(mapped.content, images, "maps")[0][0, 1].tolist() == [[2.5, 2.5], [2.5, 2.5]]


def test_a_head_that_scales_is_not_taken_for_a_plain_one() -> None:
    model = onnx.load_from_string(network())
    for setting in model.graph.node[-1].attribute:
        if setting.name == "alpha":
            setting.f = 2.0
    assert with_maps(model.SerializeToString(), (2, 2)).reason is not None
