"""Receptive fields of whole networks: published tables, and gradients measured in PyTorch."""

from __future__ import annotations

from fractions import Fraction

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional

from foveal.graph import ReceptiveField, cut, receptive_fields, trace


def last_map(model: nn.Module, size: int = 224) -> ReceptiveField:
    graph = trace(model, (3, size, size))
    maps = [op for op in graph.ops if len(op.output_shape) == 4 and min(op.output_shape[2:]) > 1]
    return receptive_fields(graph)[maps[-1].index]


def torchvision_model(name: str) -> nn.Module:
    settings = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    with torch.device("meta"):
        return torchvision.models.get_model(name, weights=None, **settings).eval()


@pytest.mark.parametrize(
    ("name", "size", "stride"),
    [
        ("vgg16", 212, 32),
        ("resnet18", 435, 32),
        ("resnet34", 899, 32),
        ("resnet50", 427, 32),
        ("resnet101", 971, 32),
        ("resnet152", 1451, 32),
        ("alexnet", 195, 32),
    ],
)
def test_fields_are_as_published(name, size, stride):
    field = last_map(torchvision_model(name))

    assert field.size == (size, size)
    assert field.effective_stride == (stride, stride)
    assert field.is_global == (False, False)


def test_the_published_padding_of_vgg16():
    assert last_map(torchvision_model("vgg16")).start == (-90, -90)


# --- against gradients --------------------------------------------------------------------


STOPPERS = ("ReLU6", "Hardtanh", "LayerNorm", "LayerNorm2d")


def make_positive(model: nn.Module) -> nn.Module:
    """Lets every path count: positive weights, and nothing that saturates or subtracts.

    The model may come from the meta device, where building it takes no time.
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child).__name__ in STOPPERS:
                setattr(module, name, nn.Identity())
            elif isinstance(child, nn.MaxPool2d):
                settings = (child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(module, name, nn.AvgPool2d(*settings))
    model = model.to_empty(device="cpu").double().eval()
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        # Averages rather than sums, or dozens of layers would leave the range of floats.
        size = tensor[0].numel() if tensor.dim() > 1 else 1
        is_zero = name.endswith(("bias", "running_mean", "num_batches_tracked"))
        nn.init.constant_(tensor, 0.0 if is_zero else 1.0 / size)
    return model


def measured(model: nn.Module, size: int, unit: tuple[int, int]) -> tuple[set[int], set[int]]:
    image = torch.ones(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    output = model(image)
    (gradient,) = torch.autograd.grad(output[0, :, unit[0], unit[1]].sum(), image)
    seen = gradient[0].sum(0) > 0
    return set(seen.any(1).nonzero().flatten().tolist()), set(
        seen.any(0).nonzero().flatten().tolist()
    )


def claimed(model: nn.Module, size: int, unit: tuple[int, int]) -> tuple[set[int], set[int]]:
    field = receptive_fields(trace(model, (3, size, size)))[-1]
    assert field.status == "complete", field.reason
    sets = []
    for axis in range(2):
        found = field.fields[axis]
        assert found is not None
        sets.append({p for p in found.positions(unit[axis]).elements() if 0 <= p < size})
    return sets[0], sets[1]


class Branches(nn.Module):
    """Branches of different depth and dilation, a shortcut and a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(
            nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(2, 2, (5, 1), padding=(2, 0))
        )
        self.right = nn.Conv2d(3, 2, 3, padding=4, dilation=4)
        self.down = nn.Conv2d(7, 4, (3, 2), stride=(2, 3))

    def forward(self, x):
        return self.down(torch.cat([self.left(x), self.right(x), x], dim=1))


class UpAndDown(nn.Module):
    """A U-Net's shape: pooling, transposed convolution, resizing, a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 2, 3, padding=1)
        self.inside = nn.Conv2d(2, 2, 3, padding=1)
        self.up = nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x):
        x = self.enter(x)
        y = self.inside(functional.avg_pool2d(x, 4))
        y = functional.interpolate(self.up(y), scale_factor=2, mode="nearest")
        return x + y


class SpaceToDepth(nn.Module):
    """Moves 2 x 2 windows into channels by reshaping, then convolves."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(12, 2, 3, padding=1)

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4)
        return self.conv(x.reshape(n, 4 * c, h // 2, w // 2))


class ChannelsLast(nn.Module):
    """Works on (N, H, W, C) in between, and on tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 4, 4, stride=4)
        self.linear = nn.Linear(4, 4)
        self.mix = nn.Conv2d(4, 4, 3, padding=1, groups=4)

    def forward(self, x):
        x = self.linear(self.enter(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        n, c, h, w = x.shape
        tokens = self.linear(x.flatten(2).transpose(1, 2))
        return self.mix(tokens.transpose(1, 2).reshape(n, c, h, w))


class Slices(nn.Module):
    """Every second pixel, in four flavours, as YOLO's focus layer does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(12, 2, 3)

    def forward(self, x):
        parts = [x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]
        return self.conv(functional.pad(torch.cat(parts, 1), (1, 2, 0, 1)))


class Shuffles(nn.Module):
    """Pixel shuffle up, pixel unshuffle down, channel groups mixed."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 8, 3, padding=1, stride=2)
        self.leave = nn.Conv2d(8, 2, 3, padding=1)

    def forward(self, x):
        x = functional.pixel_shuffle(self.enter(x), 2)
        x = functional.pixel_unshuffle(functional.pixel_unshuffle(x, 1), 2)
        n, c, h, w = x.shape
        return self.leave(x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))


class Antialiased(nn.Module):
    """Resizes with a filter that widens with the factor, to a half, two thirds and back."""

    def __init__(self, mode: str = "bilinear") -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.after = nn.Conv2d(4, 4, 3, padding=1)
        self.mode = mode

    def forward(self, x):
        x = functional.interpolate(self.before(x), scale_factor=0.5, mode=self.mode, antialias=True)
        x = functional.interpolate(x, (8, 9), mode=self.mode, antialias=True)
        return self.after(functional.interpolate(x, (16, 16), mode=self.mode, antialias=True))


class AlignedCorners(nn.Module):
    """A U-Net whose way up keeps the corners in place, so that it drifts against the skip."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(4, 4, 3, padding=1, stride=2)
        self.middle = nn.Conv2d(8, 4, 3, padding=1)
        self.end = nn.Conv2d(7, 2, 3, padding=1)

    def forward(self, x):
        size = {"scale_factor": 2, "mode": "bilinear", "align_corners": True}
        high = self.down(x)
        low = functional.interpolate(self.deep(high), **size)
        low = self.middle(torch.cat([high, low], 1))
        return self.end(torch.cat([x, functional.interpolate(low, **size)], 1))


class Unpools(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 4, 3, padding=1)
        self.between = nn.Conv2d(4, 4, 3, padding=1)
        self.after = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        x, indices = functional.max_pool2d(self.before(x), 2, return_indices=True)
        return self.after(functional.max_unpool2d(self.between(x), indices, 2))


class Modulates(nn.Module):
    """Scales the weights by something fixed, and folds the batch into the groups (StyleGAN2)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(1, 6, 3, 3, 3))
        self.scale = nn.Linear(3, 3)

    def forward(self, x):
        n, c, height, width = x.shape
        scale = self.scale(x.new_ones(n, c)).view(n, 1, c, 1, 1)
        weight = (self.weight * scale).view(n * 6, c, 3, 3)
        x = functional.conv2d(x.reshape(1, n * c, height, width), weight, padding=1, groups=n)
        return x.view(n, 6, height, width)


class Broadcasts(nn.Module):
    """Adds weights of a higher rank than the map, then takes the new axis away again."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.heads = nn.Parameter(torch.rand(5, 1, 4, 1, 1))
        self.end = nn.Conv2d(20, 2, 3, padding=1)

    def forward(self, x):
        x = self.conv(x) + self.heads
        return self.end(x.permute(1, 0, 2, 3, 4).flatten(1, 2))


@pytest.mark.parametrize(
    "make",
    [
        *(Branches, UpAndDown, SpaceToDepth, ChannelsLast, Slices, Shuffles, Antialiased),
        *(AlignedCorners, Modulates, Broadcasts),
    ],
)
@pytest.mark.parametrize("unit", [(3, 3), (5, 4)])
def test_a_unit_sees_what_the_gradient_says(make, unit):
    model = make_positive(make())

    assert claimed(model, 48, unit) == measured(model, 48, unit)


@pytest.mark.parametrize(
    ("name", "point", "size"),
    [
        ("alexnet", "features.12", 256),
        ("googlenet", "inception3a", 128),
        ("mnasnet0_5", "layers.9", 128),
        ("mobilenet_v2", "features.6", 128),
        ("regnet_x_400mf", "trunk_output.block2", 96),
        ("resnet18", "layer2", 128),
        ("resnet50", "layer1", 64),
        ("shufflenet_v2_x0_5", "stage2", 128),
        ("squeezenet1_1", "features.7", 128),
        ("vgg11", "features.10", 96),
        ("timm:convnext_atto", "stages.1", 160),
        ("timm:cspresnet50", "stages.0", 64),
        ("timm:dla34", "level2", 96),
        ("timm:ghostnet_100", "blocks.2", 96),
        ("timm:repvgg_a0", "stages.1", 96),
        ("timm:res2net50_26w_4s", "layer1", 96),
        ("timm:selecsls42", "features.2", 96),
        ("timm:tf_efficientnet_lite0", "blocks.2", 96),
        ("timm:vovnet39a", "stages.0", 96),
        ("timm:xception41", "blocks.2", 96),
    ],
)
def test_published_networks_see_what_the_gradient_says(name, point, size):
    with torch.device("cpu" if "regnet" in name else "meta"):
        if name.startswith("timm:"):
            model = timm.create_model(name.removeprefix("timm:")).eval()
        else:
            settings = {"init_weights": False} if name == "googlenet" else {}
            model = torchvision.models.get_model(name, weights=None, **settings).eval()
    prefix, _ = cut(model, trace(model, (3, size, size)), point)
    prefix = make_positive(prefix)
    graph = trace(prefix, (3, size, size))
    (field, same) = receptive_fields(graph)[-1].fields
    assert field is not None
    # The field fits into the image: what the edges cut off would prove nothing.
    assert field.size < size
    unit = graph.outputs[0].shape[-1] // 2
    seen = {p for p in field.positions(unit).elements() if 0 <= p < size}

    assert same == field
    assert measured(prefix, size, (unit, unit)) == (seen, seen)


# --- what is global, what is unknown ------------------------------------------------------


class SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 5, padding=2)
        self.gate = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "new"), [(48, 24), (45, 17), (40, 33), (20, 50), (64, 9)])
def test_every_unit_of_an_antialiased_resize_sees_what_the_gradient_says(mode, size, new):
    class Resizes(nn.Module):
        def forward(self, x):
            return functional.interpolate(x, (new, new), mode=mode, antialias=True)

    field = receptive_fields(trace(Resizes(), (1, size, size)))[-1].fields[0]
    assert field is not None
    image = torch.ones(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    output = Resizes()(image)
    for unit in range(new):
        (gradient,) = torch.autograd.grad(output[0, 0, unit].sum(), image, retain_graph=True)
        seen = set((gradient[0, 0].abs().sum(1) > 1e-12).nonzero().flatten().tolist())
        assert {p for p in field.positions(unit).elements() if 0 <= p < size} == seen


def test_unpooling_sees_what_pooling_and_its_neighbours_see():
    field = receptive_fields(trace(Unpools(), (3, 16, 16)))[-1]

    # Pooled cells see 2 + 2 pixels, three of them 2 + 2 * 2 + 2; a unit of the last layer
    # reads two cells at least.
    assert (field.status, field.size) == ("complete", (10, 10))
    assert field.effective_stride == (1, 1)


def test_weights_made_from_the_whole_picture_leave_the_local_field():
    class Modulated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(1, 6, 4, 3, 3))
            self.style = nn.Linear(4, 4)

        def forward(self, x):
            n, c, height, width = x.shape
            style = self.style(x.mean((2, 3))).view(n, 1, c, 1, 1)
            weight = (self.weight * style).view(n * 6, c, 3, 3)
            x = functional.conv2d(x.reshape(1, n * c, height, width), weight, padding=1, groups=n)
            return x.view(n, 6, height, width)

    field = receptive_fields(trace(Modulated(), (4, 16, 16)))[-1]

    assert (field.status, field.size, field.is_global) == ("complete", (3, 3), (True, True))


def test_a_fourier_transform_sees_everything():
    class Mixes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)
            self.weight = nn.Parameter(torch.rand(3, 16, 9, dtype=torch.cfloat))

        def forward(self, x):
            x = self.conv(x)
            return x + torch.fft.irfft2(torch.fft.rfft2(x, norm="ortho") * self.weight)

    field = receptive_fields(trace(Mixes(), (3, 16, 16)))[-1]

    assert (field.status, field.size, field.is_global) == ("complete", (3, 3), (True, True))


@pytest.mark.parametrize(
    "make",
    [
        lambda x: functional.grid_sample(
            x, functional.affine_grid(torch.eye(2, 3)[None], x.shape, align_corners=False)
        ),
        lambda x: torchvision.ops.deform_conv2d(x, x[:, :2], torch.ones(3, 3, 1, 1)),
    ],
)
@pytest.mark.filterwarnings("ignore:Default grid_sample")
def test_places_that_are_computed_are_not_guessed_at(make):
    class Samples(nn.Module):
        def forward(self, x):
            return make(x)

    graph = trace(Samples(), (3, 16, 16))
    field = receptive_fields(graph)[-1]

    assert graph.macs.status == "complete"
    assert field.status == "unavailable"
    assert "positions that are computed" in field.reason


def test_the_best_of_each_row_reads_the_row():
    class Best(nn.Module):
        def forward(self, x):
            return x.topk(4, -1)[0], torch.norm(x, 2, 1), torch.max(x, x * 2)

    rows, norms, larger = (
        receptive_fields(trace(Best(), (3, 16, 16)))[index] for index in (0, 1, 3)
    )

    assert rows.is_global == (False, True)
    assert (norms.size, norms.is_global) == ((1, 1), (False, False))
    assert (larger.size, larger.status) == ((1, 1), "complete")


def test_a_recurrent_layer_over_a_row_reads_it_all_both_ways_alone():
    class Rows(nn.Module):
        def __init__(self, *, both: bool) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4, batch_first=True, bidirectional=both)

        def forward(self, x):
            return self.rnn(x.transpose(1, 2))[0]

    both = receptive_fields(trace(Rows(both=True), torch.Size((1, 3, 16))))[-1]
    one = receptive_fields(trace(Rows(both=False), torch.Size((1, 3, 16))))[-1]

    assert (both.status, both.is_global) == ("complete", (True,))
    assert one.status == "unavailable"
    assert "all that came before" in one.reason


def test_squeeze_and_excitation_is_global_beside_its_local_field():
    field = receptive_fields(trace(SqueezeExcite(), (3, 16, 16)))[-1]

    assert (field.size, field.is_global) == ((5, 5), (True, True))


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        # A pooling window over the whole map, as in old squeeze-and-excitation.
        (nn.AvgPool2d(16, stride=1), ("complete", (True, True), (1, 1))),
        (nn.AvgPool2d(16), ("complete", (True, True), (1, 1))),
        # The middle of the image alone, read from everywhere: no field that moves along.
        (nn.Conv2d(3, 3, 9, stride=9), ("unavailable", (False, False), (None, None))),
    ],
)
def test_one_place_that_is_read_from_everywhere(pool, expected):
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = pool

        def forward(self, x):
            return x * self.pool(x)

    field = receptive_fields(trace(Gated(), (3, 16, 16)))[-1]

    assert (field.status, field.is_global, field.size) == expected


def test_pooling_one_axis_is_global_along_that_axis_alone():
    class Strip(nn.Module):
        def forward(self, x):
            return functional.adaptive_avg_pool2d(x, (None, 1)) + x

    field = receptive_fields(trace(Strip(), (3, 16, 16)))[-1]

    assert field.is_global == (False, True)


def test_a_global_pool_of_a_single_place_is_not_global():
    model = nn.Sequential(nn.Conv2d(3, 4, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    field = receptive_fields(trace(model, (3, 8, 8)))[-1]

    assert (field.size, field.is_global) == ((8, 8), (False, False))


def test_attention_over_the_whole_map_is_global():
    graph = trace(timm.create_model("vit_tiny_patch16_224"), (3, 224, 224))
    fields = receptive_fields(graph)

    assert fields[graph.op("patch_embed.proj").index].size == (16, 16)
    assert fields[graph.op("blocks.0.attn.proj").index].is_global == (True, True)


def test_attention_in_windows_is_not_guessed_at():
    with torch.device("meta"):
        model = timm.create_model("swin_tiny_patch4_window7_224")
    graph = trace(model, (3, 224, 224))

    field = receptive_fields(graph)[graph.op("layers.0.blocks.0.attn.proj").index]

    assert (field.status, field.size) == ("unavailable", (None, None))
    assert "meet in groups" in field.reason


def test_flattening_into_a_linear_layer_is_global():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))

    assert receptive_fields(trace(model, (3, 8, 8)))[-1].is_global == (True, True)


def test_branches_of_unlike_strides_are_not_guessed_at():
    class Skewed(nn.Module):
        def forward(self, x):
            return x[..., :4, :4] + functional.avg_pool2d(x, 2)

    field = receptive_fields(trace(Skewed(), (3, 8, 8)))[-1]

    assert field.status == "unavailable"
    assert "different strides" in field.reason


def test_non_square_layers_have_a_field_per_axis():
    model = nn.Sequential(nn.Conv2d(3, 4, (7, 1), stride=(2, 1)), nn.Conv2d(4, 4, (1, 5)))

    field = receptive_fields(trace(model, (3, 32, 32)))[-1]

    assert (field.size, field.effective_stride) == ((7, 5), (2, 1))


def test_one_dimensional_networks_have_one_axis():
    model = nn.Sequential(nn.Conv1d(3, 4, 5), nn.MaxPool1d(2))

    field = receptive_fields(trace(model, torch.Size((1, 3, 32))))[-1]

    assert (field.axes, field.size) == (("w",), (5 + 1,))


def test_enlarging_halves_the_stride():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Upsample(scale_factor=4))

    field = receptive_fields(trace(model, (3, 17, 17)))[-1]

    assert (field.size, field.effective_stride) == ((3, 3), (Fraction(1, 2), Fraction(1, 2)))


def test_stacked_dilations_show_their_holes():
    model = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=2, dilation=2) for _ in range(3)))

    (field, _) = receptive_fields(trace(model, (3, 32, 32)))[-1].fields

    assert field is not None
    assert (field.size, field.pixels_seen, field.has_holes) == (13, 7, True)


def test_tables_are_no_pictures():
    field = receptive_fields(trace(nn.Linear(4, 2), (1, 4)))[-1]

    assert (field.status, field.axes) == ("unavailable", ())
