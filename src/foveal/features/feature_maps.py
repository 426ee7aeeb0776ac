"""The feature maps themselves, not only their means: what heat maps are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from foveal.errors import ModelError
from foveal.features.onnx_file import export_backbone

if TYPE_CHECKING:
    from foveal.models import Backbone

FeatureMaps = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], ...]]

# The nodes that make one vector of a map, by the exporter's names.
_POOLS = ("GlobalAveragePool", "ReduceMean")
_PASSES = ("Flatten", "Squeeze", "Reshape", "Identity", "Cast")
# Means of the same numbers, summed in another order.
_TOLERANCE = 1e-4


def open_feature_maps(backbone: Backbone, size: tuple[int, int], cache: Path) -> FeatureMaps:
    """Returns a function from images [N, 3, H, W] to feature maps [N, C, h, w], float32.

    There is one tensor for each vector that ``backbone`` gives: of every stage where it has them,
    the last feature map last. The mean of a map over its positions is that vector, so a linear head
    over the features is one over the positions too: ``logit = mean(weight @ map) + bias`` (Zhou et
    al. 2016, equation 2). It runs the ONNX file of the feature backend with one more output, so
    that it costs a forward pass on the fastest path and no second export.

    Args:
        backbone: The network.
        size: Height and width of the input in pixels.
        cache: Folder of the exported files.

    Raises:
        ModelError: The features are not the mean of a feature map, as with a network that
            normalises or bends them after pooling.
    """
    import onnx
    import onnxruntime

    model = onnx.load_from_string(export_backbone(backbone, size, cache))
    pooled = find_pooled(model)
    if pooled is None:
        raise _not_a_mean(backbone)
    for name in pooled:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one call a core: see foveal.features.backends
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run(images: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        return tuple(session.run(pooled, {"images": images}))

    # Noise, for which no two different maps have the same mean by chance.
    images = np.random.default_rng(0).standard_normal((1, 3, *size)).astype(np.float32)
    features, *maps = session.run(["features", *pooled], {"images": images})
    means = [one.mean((2, 3)) for one in maps if one.ndim == 4]
    is_mean = len(means) == len(maps) and sum(map(len, (m[0] for m in means))) == features.shape[1]
    if not is_mean or not np.allclose(
        np.concatenate(means, 1),
        features,
        atol=_TOLERANCE * float(np.abs(features).max() + 1e-12),
    ):
        raise _not_a_mean(backbone)
    return run


def find_pooled(model: Any) -> list[str] | None:
    """Returns the names of what is averaged into the features, going back from the end."""
    makers = {output: node for node in model.graph.node for output in node.output}
    last = makers.get("features")
    parts = list(last.input) if last is not None and last.op_type == "Concat" else ["features"]
    found = [_find_map(makers, name) for name in parts]
    return None if None in found else [name for name in found if name is not None]


def _find_map(makers: dict[str, Any], name: str) -> str | None:
    while (node := makers.get(name)) is not None:
        if node.op_type in _POOLS:
            return str(node.input[0])
        if node.op_type not in _PASSES:
            return None
        name = node.input[0]
    return None


def _not_a_mean(backbone: Backbone) -> ModelError:
    return ModelError(
        f"The features of {backbone.name} are not the mean of its last feature map, so no heat "
        "map follows from the head in closed form.",
        next_step="A backbone that pools and then classifies, such as resnet18, has one.",
    )
