"""Receptive fields beside what others say: published tables, torchscan, and a measurement.

    python -m benchmarks.field_agreement

Published figures are those of google-research/receptive_field (Araujo, Norris and Sim, Distill
2019): field, stride and "effective padding", which is minus the start. Its networks are
TF-Slim's; where torchvision's or timm's differ in padding or in where a stride stands, both
stand in the table, and a network built as TF-Slim builds it. torchscan is asked for the layer
that the field belongs to. The judge of the planted networks is a gradient through PyTorch with
positive weights: the pixels that truly reach a unit. Printed as a part of
``inspect_agreement``, which fails where Foveal is off or a disagreement is unexplained.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Field = tuple[int, int, int]


class SlimUnit(nn.Module):
    """A bottleneck as in TF-Slim: the shortcut of a strided unit is picked, not convolved."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.body = nn.Sequential(
            nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 3, stride, 1), nn.Conv2d(1, 1, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.body(x) + functional.max_pool2d(x, 1, self.stride))


class SlimResNet(nn.Module):
    """The layout of TF-Slim's ResNet v1: a block strides in its last unit; one channel each."""

    def __init__(self, *num_units: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 1, 7, 2, 3)
        self.units = nn.Sequential(
            *(
                SlimUnit(2 if unit == count - 1 and block < 3 else 1)
                for block, count in enumerate(num_units)
                for unit in range(count)
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.pad(self.stem(x), (0, 1, 0, 1))  # "same" pads an even size after it
        result: torch.Tensor = self.units(functional.max_pool2d(x, 3, 2))
        return result


class Branches(nn.Module):
    """A 5x5 and a dilated 3x3 side by side, added."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(3, 4, 5, padding=2)
        self.dilated = nn.Conv2d(3, 4, 3, padding=4, dilation=4)
        self.after = nn.Conv2d(4, 4, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.after(self.wide(x) + self.dilated(x))
        return result


class FunctionalPooling(nn.Module):
    """A pooling without a module between two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 4, 3, padding=1)
        self.after = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.after(functional.avg_pool2d(self.before(x), 2))
        return result


@dataclass(frozen=True, slots=True)
class Published:
    """A network and the figures that Google's library publishes for it."""

    name: str
    make: Callable[[], nn.Module]
    size_px: int
    figures: Field
    why: str = ""


def _torchvision(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import torchvision

        model: nn.Module = torchvision.models.get_model(name, weights=None)
        return model

    return make


def _timm(name: str, **options: Any) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import timm

        model: nn.Module = timm.create_model(name, **options)
        return model

    return make


_STRIDES = (
    "Another network: torchvision strides in the first unit of a block and TF-Slim in the last, "
    "which widens every field above. Built as TF-Slim builds it, the figures are equal."
)
PUBLISHED = (
    Published(
        "alexnet_v2: torchvision alexnet", _torchvision("alexnet"), 224, (195, 32, 64),
        "Another network: torchvision pads the first convolution by 2, TF-Slim by 0.",
    ),
    Published("vgg_16: torchvision vgg16", _torchvision("vgg16"), 224, (212, 32, 90)),
    Published("inception_v3: timm inception_v3", _timm("inception_v3"), 299, (1311, 32, 618)),
    Published("inception_v4: timm inception_v4", _timm("inception_v4"), 299, (2071, 32, 998)),
    Published(
        "inception_resnet_v2: timm inception_resnet_v2", _timm("inception_resnet_v2"), 299,
        (3039, 32, 1482),
    ),
    Published(
        "mobilenet_v1: timm mobilenetv1_100", _timm("mobilenetv1_100"), 224, (315, 32, 126),
        "Another padding: timm pads strided convolutions on both sides, TensorFlow's \"same\" an "
        "even size after it only. With that padding the figures are equal.",
    ),
    Published(
        "mobilenet_v1: the same, padded as TensorFlow pads",
        _timm("mobilenetv1_100", pad_type="same"), 224, (315, 32, 126),
    ),
    Published(
        "resnet_v1_50: torchvision resnet50", _torchvision("resnet50"), 224, (483, 32, 239),
        _STRIDES,
    ),
    Published(
        "resnet_v1_50: TF-Slim's layout", lambda: SlimResNet(3, 4, 6, 3), 256, (483, 32, 239)
    ),
    Published(
        "resnet_v1_101: TF-Slim's layout", lambda: SlimResNet(3, 4, 23, 3), 256, (1027, 32, 511)
    ),
    Published(
        "resnet_v1_152: TF-Slim's layout", lambda: SlimResNet(3, 8, 36, 3), 256, (1507, 32, 751)
    ),
    Published(
        "resnet_v1_200: TF-Slim's layout", lambda: SlimResNet(3, 24, 36, 3), 256, (1763, 32, 879)
    ),
)  # fmt: skip

_LOCAL = (
    "Reports what the last layer alone adds, from its own input: fields are not carried from "
    "layer to layer."
)
PLANTED: tuple[tuple[str, Callable[[], nn.Module], str], ...] = (
    (
        "three 3x3",
        lambda: nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))),
        _LOCAL,
    ),
    (
        "oblong, 3x5",
        lambda: nn.Conv2d(3, 4, (3, 5), padding=(1, 2)),
        "Reads the first axis and gives it for both.",
    ),
    (
        "transposed, 2x2 of stride 2",
        lambda: nn.ConvTranspose2d(3, 4, 2, stride=2),
        "Gives minus the kernel. Each output sees one input.",
    ),
    (
        "adaptive pooling, 32 to 5",
        lambda: nn.AdaptiveAvgPool2d(5),
        "Rounds 32 / 5 up to 7; some windows of PyTorch's span 8.",
    ),
    ("branches, 5x5 beside a dilated 3x3", Branches, _LOCAL),
    ("a pooling without a module", FunctionalPooling, _LOCAL),
)
PLANTED_SIZE_PX = 32


def foveal_field(model: nn.Module, size_px: int) -> tuple[tuple[int, ...], Field]:
    """Returns the field per axis, and ``(field, stride, padding)`` along the first.

    Of the last map that has more than one position, as the tables have it.
    """
    from foveal.graph import receptive_fields, trace

    graph = trace(model, (3, size_px, size_px))
    last = [op for op in graph.ops if len(op.output_shape) == 4 and min(op.output_shape[2:]) > 1][
        -1
    ]
    found = receptive_fields(graph)[last.index]
    assert found.status == "complete", found.reason
    sizes = tuple(int(size or 0) for size in found.size)
    stride, start = found.effective_stride[0], found.start[0]
    assert stride is not None
    assert start is not None
    return sizes, (sizes[0], int(stride), -int(start))


def measured_field(model: nn.Module, size_px: int) -> tuple[int, ...]:
    """Returns the widest field of any unit, measured by gradients through positive weights."""
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.1)
    image = torch.ones(1, 3, size_px, size_px, requires_grad=True)
    output = model(image)
    widest = (0, 0)
    for unit in range(output.shape[2]):
        column = min(unit, output.shape[3] - 1)
        (gradient,) = torch.autograd.grad(
            output[0, :, unit, column].sum(), image, retain_graph=True
        )
        seen = gradient[0].sum(0) > 0
        rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
        spans = (int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)
        widest = (max(widest[0], spans[0]), max(widest[1], spans[1]))
    return widest


def torchscan_field(model: nn.Module, size_px: int) -> float | None:
    """Returns what torchscan says of the last layer that it has a field for."""
    from torchscan import crawl_module

    report = crawl_module(model, args=(torch.zeros(1, 3, size_px, size_px),))
    layers = [layer["metrics"] for layer in report["layers"]]
    said = [metrics["receptive_field"] for metrics in layers if "receptive_field" in metrics]
    known = [item["value"] for item in said if item["status"] == "complete"]
    return known[-1] if known else None


def section() -> tuple[str, list[str]]:
    """Returns the section as Markdown, and what is wrong or unexplained in it."""
    problems = []
    lines = [
        "## Receptive fields",
        "",
        "Field, stride and padding (minus the start) as google-research/receptive_field publishes "
        "them for the networks of TF-Slim, and Foveal's for the last map with more than one "
        "position.",
        "",
        "| network | published | Foveal | why they differ |",
        "|---|--:|--:|---|",
    ]
    for item in PUBLISHED:
        with torch.device("meta"):
            model = item.make().eval()
        _, found = foveal_field(model, item.size_px)
        if found != item.figures and not item.why:
            problems.append(f"the field of {item.name} is {found}, published {item.figures}")
        why = item.why if found != item.figures else ""
        lines.append(f"| {item.name} | {_figures(item.figures)} | {_figures(found)} | {why} |")
    lines += [
        "",
        "Planted networks on 32×32, height and width. The judge is a gradient through PyTorch with "
        "positive weights: the widest span of pixels that reaches a unit.",
        "",
        "| network | judge | Foveal | torchscan | why they differ |",
        "|---|--:|--:|--:|---|",
    ]
    for name, make, why in PLANTED:
        model = make().eval()
        sizes, _ = foveal_field(model, PLANTED_SIZE_PX)
        truth = measured_field(model, PLANTED_SIZE_PX)
        said = torchscan_field(model, PLANTED_SIZE_PX)
        if sizes != truth:
            problems.append(f"the field of {name} is {sizes}, measured {truth}")
        told = "unavailable" if said is None else f"{said:g}"
        lines.append(f"| {name} | {_axes(truth)} | {_axes(sizes)} | {told} | {why} |")
    lines += [
        "",
        "torchinfo and fvcore give no receptive fields. In Google's own tests five networks have "
        "one answer and one, whose branches are not aligned, has none; Foveal's answers are equal "
        "(`tests/graph/test_published_fields.py`).",
    ]
    return "\n".join(lines), problems


def _figures(field: Field) -> str:
    return " / ".join(map(str, field))


def _axes(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))


def main() -> None:
    """Prints the section; exits with 1 where Foveal is off."""
    text, problems = section()
    print(text)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
