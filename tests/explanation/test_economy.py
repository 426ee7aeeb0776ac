"""What is not computed: traces that are known, layers behind the map, gradients before it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.explanation import Explainer, explain
from foveal.graph import trace


class Counted(nn.Module):
    """Notes each forward pass, outside of itself."""

    def __init__(self, model: nn.Module, passes: list[int]) -> None:
        super().__init__()
        self.model = model
        self._note = passes.append

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._note(len(x))
        return self.model(x)


@pytest.mark.parametrize("method", ["cam", "grad-cam"])
def test_an_explainer_traces_once_for_each_size(net, images, method):
    passes: list[int] = []
    explainer = Explainer(Counted(net, passes))

    for batch in (images, images[:2], images[:, :, :, :8], images[:, :, :, 2:]):
        explainer.explain(batch, classes=[0, 1], method=method)

    assert passes == [1, 3, 2, 1, 3, 3]


def test_a_given_graph_spares_the_tracing(net, images):
    passes: list[int] = []
    model = Counted(net, passes)
    graph = trace(model, (3, 12, 10), mode="eval")
    passes.clear()

    explain(model, images, graph=graph)

    assert passes == [3]


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 3, 12, 10)])
def test_a_graph_of_another_size_is_not_used(net, images, shape):
    expected = explain(net, images)[0][0].values.shape

    assert explain(net, images, graph=trace(net, shape))[0][0].values.shape == expected


def seen_by(module: nn.Module) -> list[bool]:
    """Whether each result of a module is differentiated; empty while it does not run."""
    seen: list[bool] = []
    module.register_forward_hook(lambda module, args, result: seen.append(result.requires_grad))
    return seen


def test_in_closed_form_nothing_behind_the_map_runs(net, images):
    explainer = Explainer(net)
    explainer.explain(images)
    seen = seen_by(net.classifier)

    explainer.explain(images, classes="all", method="grad-cam++")

    assert seen == []


def test_only_what_is_behind_the_layer_is_differentiated(flat_net, images):
    explainer = Explainer(flat_net)
    explainer.explain(images)
    before, behind = seen_by(flat_net.features[3]), seen_by(flat_net.classifier[0])

    explainer.explain(images, classes="all")

    assert (before, behind) == ([False], [True])
