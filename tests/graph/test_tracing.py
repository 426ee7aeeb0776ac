"""What a graph says about small networks that can be read at a glance."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional

from foveal.errors import UsageError
from foveal.graph import Graph, Source, trace


def names(graph: Graph) -> list[str]:
    return [op.name for op in graph.ops]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.act(self.norm(self.conv(x)))
        y += x
        return self.act(y)


def test_ops_come_in_order_with_qualified_names():
    graph = trace(nn.Sequential(Residual(), Residual()), (4, 8, 8))

    assert names(graph) == [
        "0.conv",
        "0.norm",
        "0.act",
        "0.add",
        "0.act#2",
        "1.conv",
        "1.norm",
        "1.act",
        "1.add",
        "1.act#2",
    ]


def test_wiring_follows_values_through_in_place_operations():
    graph = trace(Residual(), (4, 8, 8))

    assert [op.input_indices for op in graph.ops] == [(-1,), (0,), (1,), (2, -1), (3,)]
    assert [op.is_inplace for op in graph.ops] == [False, False, True, True, True]


def test_the_module_behind_an_op_is_named():
    graph = trace(nn.Sequential(Residual()), (4, 8, 8))

    add = graph.op("0.add")
    assert (add.kind, add.module_path, add.module_type) == ("add", "0", "Residual")


def test_convolution_attributes_are_one_number_per_axis():
    conv = nn.Conv2d(4, 8, (3, 5), stride=(1, 2), padding=(1, 2), dilation=(2, 1), groups=2)

    (op,) = trace(nn.Sequential(conv), (4, 20, 20)).ops

    assert dict(op.attributes) == {
        "kernel": (3, 5),
        "stride": (1, 2),
        "padding": ((1, 1), (2, 2)),
        "dilation": (2, 1),
        "groups": 2,
        "in_channels": 4,
        "out_channels": 8,
        "bias": True,
    }
    assert op.parameters == ("0.weight", "0.bias")


def test_padding_same_is_spelt_out_with_its_odd_zero():
    conv = nn.Conv2d(1, 1, (4, 3), padding="same")

    (op,) = trace(nn.Sequential(conv), (1, 9, 9)).ops

    assert op.attributes["padding"] == ((1, 2), (1, 1))
    assert op.output_shape == (1, 1, 9, 9)


def test_reflected_padding_is_an_op_of_its_own():
    conv = nn.Conv2d(1, 1, 3, padding=(1, 2), padding_mode="reflect")

    pad, op = trace(nn.Sequential(conv), (1, 9, 9)).ops

    # Pairs begin with the last dimension, as in F.pad.
    assert (pad.name, pad.attributes["padding"], pad.attributes["mode"]) == (
        "0.pad",
        ((2, 2), (1, 1)),
        "reflect",
    )
    assert (op.name, op.attributes["padding"]) == ("0", ((0, 0), (0, 0)))


def test_transposed_convolution_attributes():
    conv = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)

    (op,) = trace(nn.Sequential(conv), (4, 7, 7)).ops

    wanted = {"output_padding": (1, 1), "in_channels": 4, "out_channels": 6, "groups": 2}
    assert wanted.items() <= op.attributes.items()
    assert op.output_shape == (1, 6, 14, 14)


def test_pooling_attributes():
    pool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)

    (op,) = trace(pool, (4, 10, 10)).ops

    assert dict(op.attributes) == {
        "kernel": (3, 3),
        "stride": (2, 2),
        "padding": ((1, 1), (1, 1)),
        "dilation": (1, 1),
        "ceil_mode": True,
    }
    assert op.output_shape == pool(torch.zeros(1, 4, 10, 10)).shape


class Functions(nn.Module):
    """Uses nothing but functions and methods."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(6, 3, 3, 3))

    def forward(self, x):
        y = functional.conv2d(x, self.kernel, padding=1)
        a, b = y.chunk(2, dim=1)
        y = torch.cat([a * torch.sigmoid(b), a - 1], dim=1)
        y = functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        y = functional.pad(y, (0, 1, 2, 3))[:, :, 1:, ::2]
        return y.mean([2, 3]).flatten(1).softmax(-1)


def test_functions_count():
    graph = trace(Functions(), (3, 8, 8))

    assert [(op.name, op.kind) for op in graph.ops] == [
        ("conv2d", "conv"),
        ("chunk", "split"),
        ("sigmoid", "activation"),
        ("mul", "mul"),
        ("sub", "sub"),
        ("cat", "concat"),
        ("interpolate", "interpolate"),
        ("pad", "pad"),
        ("getitem", "slice"),
        ("mean", "global_pool"),
        ("flatten", "flatten"),
        ("softmax", "softmax"),
    ]
    assert graph.op("mul").inputs == (Source("op", 1, 0), Source("op", 2))
    assert graph.op("sigmoid").inputs == (Source("op", 1, 1),)
    assert graph.op("conv2d").parameters == ("kernel",)
    assert graph.op("getitem").attributes["index"] == (
        ("slice", None, None, None),
        ("slice", None, None, None),
        ("slice", 1, None, None),
        ("slice", None, None, 2),
    )


def test_operators_and_functions_of_one_meaning_have_one_name():
    class Sums(nn.Module):
        def forward(self, x):
            y = x + x
            y = 1 + y
            y += x
            y = torch.add(y, x)
            y = y.add_(x)
            return torch.ops.aten.add.Tensor(y, x)

    graph = trace(Sums(), (1, 2, 2))

    assert names(graph) == ["add", "add#2", "add#3", "add#4", "add#5", "add#6"]
    assert {op.kind for op in graph.ops} == {"add"}


@pytest.mark.parametrize(
    ("call", "dims"),
    [
        (lambda x: x.permute(0, 2, 3, 1), (0, 2, 3, 1)),
        (lambda x: x.transpose(-1, 1), (0, 3, 2, 1)),
        (lambda x: torch.movedim(x, 1, -1), (0, 2, 3, 1)),
        (lambda x: x.mT, (0, 1, 3, 2)),
        (lambda x: torch.swapaxes(x, 0, 1), (1, 0, 2, 3)),
    ],
)
def test_every_spelling_of_a_permutation_is_read(call, dims):
    class Permutes(nn.Module):
        def forward(self, x):
            return call(x)

    (op,) = trace(Permutes(), (3, 4, 5)).ops

    assert (op.kind, op.attributes["dims"]) == ("permute", dims)


class ManyInAndOut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, left, right, *, scale):
        y = self.conv(left) + self.conv(right)
        return {"sum": y, "parts": (y * scale, left)}


def test_several_inputs_and_outputs_keep_their_places():
    graph = trace(ManyInAndOut(), {"left": (3, 8, 8), "right": (3, 8, 8), "scale": (1, 4, 1, 1)})

    assert [(item.name, item.shape) for item in graph.inputs] == [
        ("left", (1, 3, 8, 8)),
        ("right", (1, 3, 8, 8)),
        ("scale", (1, 4, 1, 1)),
    ]
    assert [(item.path, item.source) for item in graph.outputs] == [
        ("['sum']", Source("op", 2)),
        ("['parts'][0]", Source("op", 3)),
        ("['parts'][1]", Source("input", 0)),
    ]
    assert graph.op("mul").inputs == (Source("op", 2), Source("input", 2))


def test_a_module_called_twice_is_listed_twice_with_its_weights_once():
    graph = trace(ManyInAndOut(), {"left": (3, 8, 8), "right": (3, 8, 8), "scale": (1, 4, 1, 1)})

    assert names(graph)[:2] == ["conv", "conv#2"]
    weight = graph.parameter("conv.weight")
    assert (weight.op_indices, weight.is_shared) == ((0, 1), True)
    assert graph.parameter_count == 3 * 4 + 4


def test_tied_weights_have_one_entry_with_both_names():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight

    graph = trace(model, (1, 4))

    weight = graph.parameter("1.weight")
    assert (weight.name, weight.other_names, weight.is_shared) == ("0.weight", ("1.weight",), True)
    assert graph.ops[1].parameters == ("0.weight", "1.bias")
    assert graph.parameter_count == sum(p.numel() for p in model.parameters())


def test_an_unused_parameter_has_no_users():
    model = Residual()
    model.forgotten = nn.Linear(2, 2)

    graph = trace(model, (4, 8, 8))

    assert graph.parameter("forgotten.weight").op_indices == ()


def test_frozen_parameters_are_not_trainable():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 1, 1))
    model[0].requires_grad_(False)

    graph = trace(model, (1, 4, 4))

    assert (graph.trainable_parameter_count, graph.parameter_count) == (2 + 1, 2 + 2 + 2 + 1)


class Standardised(nn.Module):
    """A weight that is computed from parameters in every forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.gain = nn.Parameter(torch.ones(3, 1, 1, 1))

    def forward(self, x):
        weight = (self.conv.weight - self.conv.weight.mean()) * self.gain
        return functional.conv2d(x, weight, self.conv.bias)


def test_computation_on_weights_alone_is_folded_into_their_user():
    (op,) = trace(Standardised(), (2, 8, 8)).ops

    assert (op.kind, op.attributes["computed_weight"]) == ("conv", True)
    assert op.parameters == ("conv.weight", "gain", "conv.bias")


def test_a_write_to_a_part_reaches_readers_of_the_whole():
    class Writes(nn.Module):
        def forward(self, x):
            y = x * 2
            part = y[:, :1]
            part.relu_()
            return y + 1

    graph = trace(Writes(), (3, 4, 4))

    relu, add = graph.op("relu"), graph.op("add")
    assert add.inputs == (Source("op", relu.index),)
    # The rest of y is still what the multiplication made.
    assert graph.op("mul").index in relu.input_indices


def test_writing_into_a_constant_makes_it_an_activation():
    class Pads(nn.Module):
        def forward(self, x):
            canvas = torch.zeros(x.shape[0], 3, 6, 6)
            canvas[:, :, 1:5, 1:5] = x
            return canvas.sum()

    graph = trace(Pads(), (3, 4, 4))

    assert [(op.name, op.kind) for op in graph.ops] == [("setitem", "assign"), ("sum", "reduce")]
    assert graph.ops[1].inputs == (Source("op", 0),)


def test_writing_into_a_view_of_a_constant_reaches_the_constant():
    class Pads(nn.Module):
        def forward(self, x):
            canvas = torch.zeros(1, 3, 6, 6)
            inner = canvas[:, :, 1:5, 1:5]
            inner.copy_(x)
            outer = canvas[:, :1]
            return outer * 2

    graph = trace(Pads(), (3, 4, 4))

    assert names(graph) == ["copy", "getitem", "mul"]
    assert [op.input_indices for op in graph.ops] == [(-1,), (0,), (1,)]


def test_dropout_is_kept_apart_from_its_input_in_evaluation():
    class Block(nn.Module):
        def forward(self, x):
            y = x * 2
            return y + functional.dropout(y, 0.5, training=False)

    graph = trace(Block(), (1, 2, 2))

    assert graph.op("add").input_indices == (0, 1)


def test_modes_decide_what_runs():
    class Auxiliary(nn.Module):
        def forward(self, x):
            return (x, x * 2) if self.training else x * 3

    model = Auxiliary()

    assert len(trace(model, (1, 2, 2), mode="train").outputs) == 2
    assert len(trace(model, (1, 2, 2), mode="eval").outputs) == 1
    assert trace(model, (1, 2, 2)).modes == "train"


def test_training_batch_norm_needs_no_second_image():
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4)).train()

    graph = trace(model, (4, 8, 8))

    assert graph.op("1").attributes["training"] is True


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_inputs_have_the_dtype_of_the_weights(dtype):
    graph = trace(nn.Conv2d(3, 4, 1).to(dtype), (3, 8, 8))

    name = str(dtype).removeprefix("torch.")
    assert (graph.inputs[0].dtype, graph.ops[0].dtype) == (name, name)


def test_a_batch_size_may_be_given():
    graph = trace(nn.Conv2d(3, 4, 1), (5, 3, 8, 8))

    assert graph.ops[0].output_shape == (5, 4, 8, 8)


def test_code_that_asks_for_the_device_gets_the_models():
    class Asks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(4))

        def forward(self, x):
            assert x.device == self.table.device
            assert not x.is_meta
            positions = torch.arange(4, device=x.device)
            return x.to(x.device) + self.table[positions]

    graph = trace(Asks(), (1, 2, 4))

    assert graph.op("add").parameters == ("table",)


def test_constants_that_forward_makes_have_values():
    class Counts(nn.Module):
        def forward(self, x):
            steps = torch.linspace(1, 3, 3)
            for step in steps.tolist():
                x = x * step
            return x

    assert len(trace(Counts(), (1, 2, 2)).ops) == 3


def test_a_graph_can_be_pickled_and_compared():
    graph = trace(Residual(), (4, 8, 8))

    assert pickle.loads(pickle.dumps(graph)) == graph


def test_attributes_are_read_only():
    graph = trace(Residual(), (4, 8, 8))

    with pytest.raises(TypeError, match="does not support item assignment"):
        graph.ops[0].attributes["kernel"] = (1, 1)


def test_a_wrong_name_is_answered_with_near_ones():
    graph = trace(Residual(), (4, 8, 8))

    with pytest.raises(UsageError, match=r"no operation named 'cnv'.*\n.*conv"):
        graph.op("cnv")
    with pytest.raises(UsageError, match=r"no parameter named 'conv.wieght'.*\n.*conv.weight"):
        graph.parameter("conv.wieght")


@pytest.mark.parametrize("shape", [(), (3, 0, 4), (3, "a", 4)])
def test_a_shape_that_is_none_is_refused(shape):
    with pytest.raises(UsageError, match="expected positive whole numbers"):
        trace(Residual(), shape)


class Applies(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "bounds"),
    [
        (nn.ReLU6(), {"low": 0.0, "high": 6.0}),
        (functional.hardtanh, {"low": -1.0, "high": 1.0}),
        (lambda x: x.clamp(-2, 3), {"low": -2.0, "high": 3.0}),
        (lambda x: torch.clip(x, max=3), {"high": 3.0}),
        (lambda x: x.clamp_min_(0.5), {"low": 0.5}),
        (lambda x: x.clamp(min=x.mean()), {}),
        (torch.exp, {}),
    ],
)
def test_what_cuts_values_off_says_where(function, bounds):
    graph = trace(Applies(function), (3, 4, 4))
    assert dict(graph.ops[-1].attributes) == bounds
