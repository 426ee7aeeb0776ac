"""Finds the class scores among the tensors that a network returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from foveal.errors import ModelError
from foveal.graph import Graph
from foveal.graph.nested_tensors import Path, path_text, tensors_with_paths
from foveal.layers.endings import EndingWatch, is_scores

# By which name the scores go among other outputs, the likeliest first.
_NAMES = [
    "logits",
    "logit",
    "class_logits",
    "cls_logits",
    "scores",
    "score",
    "out",
    "output",
    "outputs",
    "pred",
    "preds",
    "prediction",
    "predictions",
    "probs",
    "probabilities",
    "prob",
    "classes",
    "cls",
    "y_hat",
    "y",
]


def with_scores_alone(graph: Graph, model: nn.Module, images: Tensor) -> Graph:
    """Returns the graph with the class scores as its only output.

    Args:
        graph: Of the model.
        model: As ``predicting`` lends it; run on one image where it has several outputs.
        images: At least one.

    Raises:
        ModelError: It returns no scores [N, K], or several and it cannot be told which.
    """
    if len(graph.outputs) < 2:
        return graph
    watch = EndingWatch(1)
    with torch.no_grad(), watch:
        result = call_network(model, images[:1])
    path = path_text(find_scores(model, result, watch, 1)[0])
    return replace(graph, outputs=tuple(one for one in graph.outputs if one.path == path))


def call_network(model: Callable[[Tensor], object], given: Tensor) -> Any:
    """Calls the model; weights made in inference mode, which autograd refuses, as copies."""
    if not isinstance(model, nn.Module):
        return model(given)
    tensors = (*model.named_parameters(), *model.named_buffers())
    copies = {name: tensor.clone() for name, tensor in tensors if tensor.is_inference()}
    return functional_call(model, copies, (given,)) if copies else model(given)


def find_scores(
    model: Callable[[Tensor], object], result: Any, watch: EndingWatch, num_images: int
) -> tuple[Path, Tensor]:
    """Returns the scores among what the model returned, and the way to them.

    By name; else what no other output is computed from, so that features are passed over; of
    several such the first.
    """
    everything = list(tensors_with_paths(result))
    found = [(path, tensor) for path, tensor in everything if is_scores(tensor, num_images)]
    if not found:
        raise _no_scores(model, everything, num_images)
    if len(found) == 1:
        return found[0]
    for name in _NAMES:
        for path, tensor in found:
            if path and _field(result, path).lower() == name:
                return path, tensor
    last = [
        (path, tensor)
        for path, tensor in found
        if not any(watch.comes_from(other, tensor) for _, other in found if other is not tensor)
        and "aux" not in _field(result, path).lower()
    ]
    if last:
        return last[0]
    shapes = ", ".join(f"{path_text(path)} {tuple(tensor.shape)}" for path, tensor in found)
    raise ModelError(
        f"{type(model).__name__} returns several tensors that could be the class scores: {shapes}.",
        next_step="Wrap it in a module that returns the class scores alone.",
    )


def _field(result: Any, path: Path) -> str:
    """Returns the name of an output: a key, or the field of a named tuple or dataclass."""
    if not path:
        return ""
    kind, key = path[-1]
    for _, step in path[:-1]:
        result = result[step] if not hasattr(result, str(step)) else getattr(result, str(step))
    names = getattr(result, "_fields", None)
    if kind == "item" and names is not None and isinstance(key, int):
        return str(names[key])
    return str(key)


def _no_scores(
    model: Callable[[Tensor], object], everything: list[tuple[Path, Tensor]], num_images: int
) -> ModelError:
    shapes = ", ".join(f"{path_text(path)} {tuple(t.shape)}".strip() for path, t in everything)
    what = f"of shape {shapes}" if shapes else "no tensor"
    step = "Explain a classifier, or wrap the model so that it returns class scores."
    if any(t.ndim == 4 and len(t) == num_images for _, t in everything):
        step = (
            "It gives a score for each position: wrap it in a module that averages them, as in "
            "model(x).mean((2, 3)), or that takes one position."
        )
    return ModelError(
        f"{type(model).__name__} returned {what} for {num_images} images; expected one score a "
        f"class: ({num_images}, K).",
        next_step=step,
    )
