"""Where tracing cannot follow: the graph ends there and says so."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.errors import TraceError
from foveal.graph import Graph, cut_points, head, receptive_fields, trace


class Stops(nn.Module):
    def __init__(self, step) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.step = step

    def forward(self, x):
        return self.step(self.conv(x))


def trace_step(step) -> Graph:
    return trace(nn.Sequential(Stops(step)), (3, 8, 8))


def branches(x):
    return x * 2 if x.mean() > 0 else x


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (branches, "depends on the values in an image"),
        (lambda x: x * x.max().item(), "depends on the values in an image"),
        (lambda x: x[x > 0], "selects elements by a mask"),
        (lambda x: torch.nonzero(x), "depends on the values in an image"),
        (lambda x: torch.masked_select(x, x > 0), "depends on the values in an image"),
        (lambda x: x.detach().numpy(), "depends on the values in an image"),
        (lambda x: range(int(x.sum())), "depends on the values in an image"),
    ],
)
def test_what_depends_on_values_ends_the_graph(step, reason):
    graph = trace_step(step)

    assert graph.status == "partial"
    assert reason in graph.reason
    assert graph.ops[0].name == "0.conv"
    assert graph.outputs == ()


def test_the_place_is_named_with_module_file_and_line():
    graph = trace_step(branches)

    assert "'0' (Stops)" in graph.stopped_at
    assert "test_obstacles.py line" in graph.stopped_at
    assert "x.mean() > 0" in graph.stopped_at


def test_totals_of_a_partial_graph_are_lower_bounds():
    graph = trace_step(branches)

    assert (graph.macs.status, graph.macs.value) == ("partial", 6 * 6 * 4 * 3 * 3 * 3)
    assert graph.macs.reason == graph.reason


def test_a_graph_without_any_op_is_unavailable():
    class Asks(nn.Module):
        def forward(self, x):
            return x if x.item() else -x

    graph = trace(Asks(), (1, 1, 1))

    assert (graph.status, graph.macs.value) == ("unavailable", None)


@pytest.mark.parametrize("ask", [cut_points, head])
def test_what_needs_the_whole_graph_refuses_a_part(ask):
    with pytest.raises(TraceError, match="tracing stopped at"):
        ask(trace_step(branches))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_compiled_code_is_not_guessed_at():
    scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3)))
    model = nn.Sequential(nn.ReLU(), scripted)

    graph = trace(model, (3, 8, 8))

    assert graph.status == "partial"
    assert "compiled code" in graph.reason


def test_values_of_weights_may_be_read():
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(2.0))

        def forward(self, x):
            return x * self.scale.item()

    assert trace(Reads(), (1, 2, 2)).status == "complete"


def test_values_of_weights_on_the_meta_device_are_not_there():
    with torch.device("meta"):
        scale = nn.Parameter(torch.empty(()))

    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, x):
            return x * self.scale.item()

    graph = trace(Reads(), (1, 2, 2))

    assert "values of a weight" in graph.reason


def test_a_model_cannot_swallow_the_stop():
    def step(x):
        try:
            return x * x.max().item()
        except Exception:
            return x

    assert trace_step(step).status == "partial"


def test_an_unknown_op_leaves_its_figures_open():
    graph = trace_step(lambda x: torch.cdist(x, x).abs())

    op = next(op for op in graph.ops if op.kind == "other")
    assert (op.macs.status, op.macs.value) == ("unavailable", None)
    assert "cdist" in op.macs.reason
    assert graph.macs.status == "partial"
    assert graph.status == "complete"
    field = receptive_fields(graph)[op.index]
    assert (field.status, field.size) == ("unavailable", (None, None))
    assert "cdist" in field.reason


def test_a_function_from_elsewhere_is_unknown_though_its_name_is_not():
    from foveal.graph.vocabulary import KIND_BY_NAME, function_name

    def relu(x):
        return x

    relu.__module__ = "somebody.elses"

    assert function_name(relu) not in KIND_BY_NAME


def test_lazy_modules_are_named():
    with pytest.raises(TraceError, match=r"'0.weight' of Sequential belongs to a lazy module"):
        trace(nn.Sequential(nn.LazyConv2d(4, 3)), (3, 8, 8))
