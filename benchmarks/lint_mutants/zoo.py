"""Healthy networks: own ones in the manner of the great families, torchvision's and timm's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

NUM_CLASSES = 10
IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class Net(nn.Module):
    """Features, global average pooling, one linear layer: parts that mutations can reach."""

    def __init__(self, features: nn.Module, num_channels: int) -> None:
        super().__init__()
        self.features = features
        self.pool: nn.Module = nn.AdaptiveAvgPool2d(1)
        self.classifier: nn.Module = nn.Linear(num_channels, NUM_CLASSES)
        self.num_channels = num_channels

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.classifier(self.pool(self.features(images)).flatten(1))
        return result


class Residual(nn.Module):
    """y = relu(F(x) + x), unless the shortcut is taken away."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_norm(before, after, 3, stride), nn.ReLU(), conv_norm(after, after, 3)
        )
        self.shortcut: nn.Module | None = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = conv_norm(before, after, 1, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return self.relu(y if self.shortcut is None else y + self.shortcut(x))


class Inverted(nn.Module):
    """Expand, depthwise, project (MobileNetV2)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        wide = 4 * before
        self.body = nn.Sequential(
            conv_norm(before, wide, 1),
            nn.ReLU6(),
            conv_norm(wide, wide, 3, stride, groups=wide),
            nn.ReLU6(),
            conv_norm(wide, after, 1),
        )
        self.joins = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.joins else y


class Dense(nn.Module):
    """Concatenates what it computes to what it was given (DenseNet)."""

    def __init__(self, before: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(before), nn.ReLU(), nn.Conv2d(before, growth, 3, padding=1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.body(x)], 1)


def conv_norm(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """Returns a convolution without bias and its batch norm."""
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
    )


def small_resnet(width: int, depth: int = 2) -> Net:
    blocks: list[nn.Module] = [conv_norm(3, width, 3), nn.ReLU()]
    channels = width
    for stage in range(3):
        for block in range(depth):
            stride = 2 if stage and block == 0 else 1
            blocks.append(Residual(channels, width << stage, stride))
            channels = width << stage
    return Net(nn.Sequential(*blocks), channels)


def small_vgg(width: int, *, normalised: bool = True) -> Net:
    layers: list[nn.Module] = []
    channels = 3
    for after in (width, width, 0, 2 * width, 2 * width, 0, 4 * width, 4 * width):
        if not after:
            layers.append(nn.MaxPool2d(2))
            continue
        if normalised:
            layers += [conv_norm(channels, after, 3), nn.ReLU()]
        else:
            conv = nn.Conv2d(channels, after, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            layers += [conv, nn.ReLU()]
        channels = after
    return Net(nn.Sequential(*layers), channels)


def small_mobilenet(width: int) -> Net:
    return Net(
        nn.Sequential(
            conv_norm(3, width, 3, 2),
            nn.ReLU6(),
            Inverted(width, width, 1),
            Inverted(width, 2 * width, 2),
            Inverted(2 * width, 2 * width, 1),
            Inverted(2 * width, 4 * width, 2),
            conv_norm(4 * width, 8 * width, 1),
            nn.ReLU6(),
        ),
        8 * width,
    )


def small_densenet(growth: int) -> Net:
    layers: list[nn.Module] = [nn.Conv2d(3, 2 * growth, 3, padding=1, bias=False)]
    channels = 2 * growth
    for stage in range(3):
        for _ in range(3):
            layers.append(Dense(channels, growth))
            channels += growth
        if stage < 2:
            half = channels // 2
            layers += [
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.Conv2d(channels, half, 1, bias=False),
            ]
            layers.append(nn.AvgPool2d(2))
            channels = half
    layers += [nn.BatchNorm2d(channels), nn.ReLU()]
    return Net(nn.Sequential(*layers), channels)


def from_torchvision(name: str) -> nn.Module:
    import torchvision

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torchvision.models.get_model(name, weights=None, num_classes=NUM_CLASSES)  # type: ignore[no-any-return]


def from_timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, pretrained=False, num_classes=NUM_CLASSES)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Healthy:
    """A network that nothing is wrong with, at an input of that size."""

    name: str
    build: Callable[[], nn.Module]
    size_px: int
    is_own: bool = True


@dataclass(slots=True)
class Patient:
    """A model with what ``foveal.lint`` is told beside it; mutations change both."""

    name: str
    model: nn.Module
    size_px: int
    is_own: bool
    options: dict[str, Any] = field(default_factory=dict)


HEALTHY: tuple[Healthy, ...] = (
    Healthy("ResNet 16", lambda: small_resnet(16), 64),
    Healthy("ResNet 24", lambda: small_resnet(24), 64),
    Healthy("ResNet 32, deep", lambda: small_resnet(32, 6), 64),
    Healthy("VGG 16", lambda: small_vgg(16), 64),
    Healthy("VGG 32", lambda: small_vgg(32), 64),
    Healthy("VGG 16, plain", lambda: small_vgg(16, normalised=False), 64),
    Healthy("VGG 24, plain", lambda: small_vgg(24, normalised=False), 64),
    Healthy("MobileNet 16", lambda: small_mobilenet(16), 96),
    Healthy("MobileNet 24", lambda: small_mobilenet(24), 96),
    Healthy("MobileNet 40", lambda: small_mobilenet(40), 96),
    Healthy("DenseNet 12", lambda: small_densenet(12), 64),
    Healthy("DenseNet 24", lambda: small_densenet(24), 64),
    Healthy("torchvision resnet18", lambda: from_torchvision("resnet18"), 128, is_own=False),
    Healthy(
        "torchvision mobilenet_v2", lambda: from_torchvision("mobilenet_v2"), 128, is_own=False
    ),
    Healthy(
        "torchvision shufflenet_v2_x1_0",
        lambda: from_torchvision("shufflenet_v2_x1_0"),
        128,
        is_own=False,
    ),
    Healthy("timm resnet10t", lambda: from_timm("resnet10t"), 128, is_own=False),
    Healthy("timm regnetx_002", lambda: from_timm("regnetx_002"), 128, is_own=False),
    Healthy(
        "timm mobilenetv3_small_050", lambda: from_timm("mobilenetv3_small_050"), 128, is_own=False
    ),
)


def pictures(count: int, size_px: int, *, seed: int = 0) -> Tensor:
    """Returns smooth coloured images ``[N, 3, H, W]`` in [0, 1], reddish as most photos are."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    smooth = nn.functional.interpolate(coarse, size_px, mode="bilinear", align_corners=True)
    grain = 0.15 * torch.randn(count, 3, size_px, size_px, generator=generator)
    tint = torch.tensor([1.1, 0.8, 0.45]).view(3, 1, 1)
    return ((smooth + grain) * tint).clamp(0, 1)


def normalised(images: Tensor) -> Tensor:
    """Returns images in [0, 1] as ImageNet's networks want them."""
    return (images - IMAGENET_MEAN) / IMAGENET_STD


def admit(healthy: Healthy, *, seed: int) -> Patient:
    """Builds a healthy network in evaluation mode."""
    torch.manual_seed(seed)
    return Patient(healthy.name, healthy.build().eval(), healthy.size_px, healthy.is_own)


def settle(patient: Patient, *, num_passes: int = 3) -> Patient:
    """Lets the batch norms learn the statistics of normalised pictures."""
    norms = [m for m in patient.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.train()
    with torch.no_grad():
        for index in range(num_passes if norms else 0):
            for norm in norms:
                norm.momentum = 1 / (index + 1)
            patient.model(normalised(pictures(8, patient.size_px, seed=100 + index)))
    for norm in norms:
        norm.momentum = 0.1
    patient.model.eval()
    return patient


def weather(patient: Patient) -> Patient:
    """Makes weights look trained: filters of different strength, heavy tails, moved norms.

    Stands in for training, which would take minutes a network; then settles batch norms.
    """
    with torch.no_grad():
        for module in patient.model.modules():
            weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
            if not isinstance(weight, nn.Parameter):
                continue
            if weight.dim() > 1:
                strength = torch.exp(0.4 * torch.randn(len(weight), *[1] * (weight.dim() - 1)))
                tails = torch.exp(0.6 * torch.randn_like(weight) - 0.36)
                weight.mul_(strength * tails)
            else:
                weight.mul_(torch.exp(0.1 * torch.randn_like(weight)))
            if isinstance(bias, nn.Parameter):
                bias.add_(0.02 * torch.randn_like(bias))
    return settle(patient)
