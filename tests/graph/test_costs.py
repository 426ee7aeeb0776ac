"""MACs against published figures and other counters."""

from __future__ import annotations

import logging
import warnings

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional

from foveal.graph import trace


def on_meta(name: str) -> nn.Module:
    settings = {
        # Its published size leaves the auxiliary classifiers out.
        "googlenet": {"init_weights": False, "aux_logits": False},
        "inception_v3": {"init_weights": False},
    }.get(name, {})
    with torch.device("meta"):
        return torchvision.models.get_model(name, weights=None, **settings).eval()


PUBLISHED = [
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "mnasnet1_0",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
    "vgg16",
    "vit_b_16",
    "wide_resnet50_2",
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_macs_are_those_that_torchvision_publishes(name):
    meta = torchvision.models.get_model_weights(name).DEFAULT
    size = meta.transforms().crop_size[0]

    graph = trace(on_meta(name), (3, size, size))

    # Published in thousands of millions, rounded to three places.
    assert round(graph.macs.value / 1e9, 3) == pytest.approx(meta.meta["_ops"], abs=0.0011)
    assert graph.parameter_count == meta.meta["num_params"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["resnet50", "tf_efficientnet_lite0", "efficientnet_b0", "convnext_tiny"]
)
def test_macs_of_products_equal_those_of_fvcore(name):
    """fvcore also counts norms (2 to 5 an element) and pooling; products are the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        model = timm.create_model(name).eval()
        logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
        counted = FlopCountAnalysis(model, torch.zeros(1, 3, 64, 64)).by_operator()
    products = sum(counted[key] for key in ("conv", "linear", "matmul", "einsum", "addmm", "bmm"))

    graph = trace(model, (3, 64, 64))

    assert graph.macs.value == pytest.approx(products, rel=0.005)
    assert graph.macs.value == products


@pytest.mark.parametrize("name", ["resnet50", "convnext_tiny", "vit_b_16"])
def test_macs_are_half_of_what_pytorchs_own_counter_says(name):
    from torch.utils.flop_counter import FlopCounterMode

    model = on_meta(name)
    image = torch.empty(1, 3, 224, 224, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)

    assert trace(model, (3, 224, 224)).macs.value * 2 == counter.get_total_flops()


class Runs(nn.Module):
    def __init__(self, call) -> None:
        super().__init__()
        self.call = call

    def forward(self, *inputs):
        return self.call(*inputs)


@pytest.mark.parametrize(
    ("call", "shapes", "macs"),
    [
        (torch.matmul, [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        (torch.bmm, [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        (lambda a, b: a @ b, [(7, 1, 3, 4), (1, 6, 4, 5)], 7 * 6 * 3 * 4 * 5),
        (
            lambda a, b: torch.einsum("nchw,nkc->nkhw", a, b),
            [(2, 3, 4, 5), (2, 6, 3)],
            2 * 3 * 4 * 5 * 6,
        ),
        (
            lambda a, b: torch.einsum("...ij,...jk", a, b),
            [(2, 7, 3, 4), (2, 7, 4, 5)],
            2 * 7 * 3 * 4 * 5,
        ),
        (
            functional.scaled_dot_product_attention,
            [(2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 6)],
            2 * 3 * 5 * 7 * (8 + 6),
        ),
    ],
)
def test_macs_of_products_are_counted_by_hand(call, shapes, macs):
    graph = trace(Runs(call), [torch.Size(shape) for shape in shapes])

    assert graph.macs.value == macs


def test_multi_head_attention_counts_its_projections():
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x)[0]

    graph = trace(Attends(), torch.Size((1, 5, 8)))

    projections = 4 * 5 * 8 * 8
    assert graph.macs.value == projections + 2 * (5 * 5 * 4) * 2
    assert [op.kind for op in graph.ops if op.macs.value] == ["attention"]


def test_macs_scale_with_the_batch():
    model = nn.Conv2d(3, 4, 3)

    assert trace(model, (5, 3, 8, 8)).macs.value == 5 * trace(model, (3, 8, 8)).macs.value


def test_transposed_convolution_macs_follow_the_input():
    graph = trace(nn.ConvTranspose2d(8, 4, 2, stride=2), (8, 5, 5))

    assert graph.macs.value == 8 * 5 * 5 * 2 * 2 * 4


def test_normalisation_and_activations_have_none():
    model = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2))

    assert trace(model, (4, 8, 8)).macs.value == 0


# --- what the vocabulary has beyond convolutions ---------------------------------------------


class Calls(nn.Module):
    def __init__(self, step, *layers: nn.Module, **held: torch.Tensor) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.step = step
        for name, tensor in held.items():
            setattr(self, name, nn.Parameter(tensor))

    def forward(self, x):
        return self.step(self, x)


def test_learned_queries_are_attended_to_in_rows_and_totals_of_their_own():
    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.queries = nn.Embedding(10, 8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.norm = nn.LayerNorm(8)
            self.cross = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            q = self.queries.weight.expand(len(x), -1, -1)
            q = self.norm(q + self.attention(q, q, q)[0])
            return self.cross(q, x, x)[0]

    graph = trace(Decoder(), torch.Size((1, 6, 8)))
    own = graph.op("attention")

    # Three projections in, two products of 10 x 10 over 8 features, one projection out.
    assert own.macs.value == 3 * 10 * 8 * 8 + 2 * 10 * 10 * 8 + 10 * 8 * 8
    assert own.inputs[0].kind == "weights"
    assert own.input_indices == ()
    assert graph.shape_of(own.inputs[0]) == own.input_shapes[0]
    assert "queries.weight" in own.parameters
    assert graph.op("norm").input_indices != ()
    between = 10 * 8 * 8 + 2 * 6 * 8 * 8 + 2 * 10 * 6 * 8 + 10 * 8 * 8
    assert graph.macs.value == own.macs.value + between


def counted(model: nn.Module, shape: tuple[int, ...]) -> int:
    """What PyTorch counts in a real pass, where no fused kernel hides the products."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    was_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            torch.no_grad(),
            FlopCounterMode(display=False) as counter,
            sdpa_kernel(SDPBackend.MATH),
        ):
            model(torch.rand(shape))
    finally:
        torch.backends.mha.set_fastpath_enabled(was_fast)
    return int(counter.get_total_flops()) // 2


OPERATIONS = [
    (lambda m, x: functional.conv2d(x, m.layers[0](m.z).view(4, 3, 3, 3)), (3, 8, 8)),
    (lambda m, x: functional.conv2d(x, (m.left @ m.right).view(4, 3, 3, 3)), (3, 8, 8)),
    (lambda m, x: torch.einsum("bchw,dc,ed->behw", x, m.five, m.seven), (3, 8, 8)),
    (lambda m, x: torch.einsum("bchw,bcdw,bkhw->bhdk", x, x, x), (3, 8, 8)),
    (lambda m, x: torch.tensordot(x, m.five, dims=([1], [1])), (3, 8, 8)),
    (lambda m, x: torch.fft.irfft2(torch.fft.rfft2(x)) + torch.fft.fft(x, dim=1).real, (3, 8, 8)),
    (lambda m, x: functional.max_unpool2d(*functional.max_pool2d(x, 2, return_indices=True), 2),
     (3, 8, 8)),
    (lambda m, x: torch.complex(x, x).angle() + torch.view_as_real(torch.polar(x, x))[..., 0],
     (3, 8, 8)),
    (lambda m, x: functional.fold(functional.unfold(x, 2, stride=2), (8, 8), 2, stride=2),
     (3, 8, 8)),
    (lambda m, x: functional.scaled_dot_product_attention(x, x[:, :1], x[:, :1]), (3, 8, 8)),
    (lambda m, x: functional.pixel_shuffle(m.layers[1](x), 2), (3, 8, 8)),
]  # fmt: skip


@pytest.mark.parametrize(("step", "shape"), OPERATIONS)
@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_operations_cost_what_pytorchs_own_counter_says(step, shape):
    model = Calls(
        step,
        nn.Linear(6, 108),
        nn.Conv2d(3, 12, 3, padding=1),
        z=torch.rand(6),
        left=torch.rand(4, 5),
        right=torch.rand(5, 27),
        five=torch.rand(5, 3),
        seven=torch.rand(7, 5),
    ).eval()

    graph = trace(model, shape)

    assert (graph.macs.status, graph.macs.value) == ("complete", counted(model, (1, *shape)))


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("is_bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_recurrent_layers_apply_every_matrix_at_every_step(layer, is_bidirectional, num_layers):
    model = layer(5, 4, num_layers, bidirectional=is_bidirectional)
    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[layer]
    ways = 2 if is_bidirectional else 1
    by_layer = [5, *(ways * 4 for _ in range(num_layers - 1))]

    graph = trace(model, torch.Size((6, 2, 5)))

    expected = sum(6 * 2 * ways * gates * 4 * (width + 4) for width in by_layer)
    assert (graph.macs.status, graph.macs.value) == ("complete", expected)
    assert [op.kind for op in graph.ops if op.macs.value] == ["recurrent"]


def test_a_projected_lstm_and_cells_count_their_matrices():
    projected = trace(nn.LSTM(5, 8, proj_size=3), torch.Size((6, 2, 5)))
    lstm, gru = trace(nn.LSTMCell(5, 4), (2, 5)), trace(nn.GRUCell(5, 4), (2, 5))

    assert projected.macs.value == 6 * 2 * (4 * 8 * (5 + 3) + 8 * 3)
    assert (lstm.macs.value, gru.macs.value) == (2 * 4 * 4 * (5 + 4), 2 * 3 * 4 * (5 + 4))


@pytest.mark.parametrize("has_mask", [False, True])
def test_a_deformable_convolution_costs_what_a_plain_one_does(has_mask):
    layer = torchvision.ops.DeformConv2d(4, 6, 3, padding=1, stride=2, groups=2)

    def step(m, x):
        offset = x[:, :1, ::2, ::2].expand(-1, 18, -1, -1)
        return m.layers[0](x, offset, offset[:, :9] if has_mask else None)

    graph = trace(Calls(step, layer), (4, 8, 8))
    op = graph.op("layers.0")

    assert op.macs.value == 6 * (4 // 2) * 3 * 3 * 4 * 4
    assert (op.kind, op.attributes["stride"], op.attributes["groups"]) == ("deform_conv", (2, 2), 2)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.ConvTranspose1d(3, 4, 5, 3, output_padding=1), (3, 16)),
        (nn.ConvTranspose3d(3, 4, 3, 2, output_padding=1), (3, 5, 6, 7)),
        (nn.utils.parametrizations.orthogonal(nn.Conv2d(3, 8, 3)), (3, 8, 8)),
        (nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 8, 3)), (3, 16)),
        (nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 8, 3)), (3, 8, 8)),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), torch.Size((2, 6, 8))),
    ],
)
def test_layers_cost_what_pytorchs_own_counter_says(layer, shape):
    layer.eval()
    whole = shape if isinstance(shape, torch.Size) else (1, *shape)

    assert trace(layer, shape).macs.value == counted(layer, whole)
