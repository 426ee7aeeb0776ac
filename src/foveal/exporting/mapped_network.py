"""A run's ONNX file with the class activation maps as one more output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foveal.features.feature_maps import find_pooled

# Means of the same numbers, summed in another order.
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class MappedNetwork:
    """The ONNX file; ``reason`` says why it has no maps, ``None`` where it has."""

    content: bytes
    reason: str | None


def with_maps(content: bytes, size: tuple[int, int]) -> MappedNetwork:
    """Adds the output ``maps`` [N, K, h, w]: the mean of each, plus the bias, is its logit.

    The average over positions and the linear head may change their order (Zhou et al. 2016,
    equation 2), so the maps are the head's weights applied to every position of what is averaged.
    That is tried on noise before it is believed.

    Args:
        content: ``model.onnx`` of a run.
        size: Height and width of the input in pixels.
    """
    import onnx

    model = onnx.load_from_string(content)
    pooled = find_pooled(model)
    head = next((node for node in model.graph.node if "logits" in node.output), None)
    is_pooled = pooled is not None and len(pooled) == 1 and _is_over_positions(model, pooled[0])
    if not is_pooled or pooled is None or head is None or not _is_linear(head):
        return MappedNetwork(
            content, "the answer is not a linear head on the mean of one feature map"
        )
    _append_maps(model, pooled[0], head)
    mapped = model.SerializeToString()
    if not _agrees(mapped, _bias(model, head), size):
        return MappedNetwork(content, "the maps of this network do not add up to its answers")
    return MappedNetwork(mapped, None)


def _is_over_positions(model: Any, pooled: str) -> bool:
    """Whether what is averaged is averaged over its positions alone, and not over views."""
    for node in model.graph.node:
        if node.op_type == "ReduceMean" and node.input[0] == pooled:
            axes = [one.ints for one in node.attribute if one.name == "axes"]
            return len(axes) == 1 and set(axes[0]) in ({2, 3}, {-2, -1})
    return True


def _is_linear(node: Any) -> bool:
    """Whether a node is ``features @ weight.T + bias`` as the exporter writes it."""
    if node.op_type != "Gemm" or len(node.input) != 3 or node.input[0] != "features":
        return False
    settings = {
        one.name: one.i if one.name.startswith("trans") else one.f for one in node.attribute
    }
    return settings == {"alpha": 1.0, "beta": 1.0, "transB": 1}


def _append_maps(model: Any, pooled: str, head: Any) -> None:
    """Writes a convolution of one position: the head's weight [K, D] as a kernel [K, D, 1, 1]."""
    from onnx import TensorProto, helper, numpy_helper

    axes = numpy_helper.from_array(np.array([2, 3], np.int64), "foveal.map_axes")
    model.graph.initializer.append(axes)
    model.graph.node.extend(
        (
            helper.make_node("Unsqueeze", [head.input[1], axes.name], ["foveal.map_kernel"]),
            helper.make_node("Conv", [pooled, "foveal.map_kernel"], ["maps"]),
        )
    )
    shape = ["batch", None, None, None]
    model.graph.output.append(helper.make_tensor_value_info("maps", TensorProto.FLOAT, shape))


def _bias(model: Any, head: Any) -> Any:
    from onnx import numpy_helper

    stored = next(one for one in model.graph.initializer if one.name == head.input[2])
    return numpy_helper.to_array(stored)


def _agrees(content: bytes, bias: Any, size: tuple[int, int]) -> bool:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).standard_normal((1, 3, *size)).astype(np.float32)
    logits, maps = session.run(["logits", "maps"], {"images": images})
    scale = float(np.abs(logits).max() + 1e-12)
    return bool(np.allclose(maps.mean((2, 3)) + bias, logits, atol=_TOLERANCE * max(scale, 1.0)))
