"""How precise the linter is away from classification: sound networks of many tasks, all rules.

    python -m benchmarks.lint_tasks [NAME ...] [--write]

Segmentation, detection, generation, super-resolution, embeddings, attention and networks as
people write them by hand, each with a batch, labels, a loss and an optimizer as its recipe has
them where the task allows it. Every network is sound: an error or warning is true and explained
in ``EXPLAINED``, or it fails the command. ``--write`` puts the page into docs/lint-tasks.md.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.lint_mutants import zoo
from foveal.linting import LintReport, lint

PAGE = Path(__file__).parents[1] / "docs" / "lint-tasks.md"
Options = dict[str, Any]


# --------------------------------------------------------------------------- parts


def conv(before: int, after: int, kernel: int = 3, stride: int = 1, **options: Any) -> nn.Conv2d:
    options.setdefault("padding", kernel // 2)
    return nn.Conv2d(before, after, kernel, stride, **options)


def block(before: int, after: int, stride: int = 1, **options: Any) -> nn.Sequential:
    layer = conv(before, after, 3, stride, bias=False, **options)
    return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, *, gate_first: bool = False) -> None:
        super().__init__()
        self.down, self.up = conv(channels, channels // 4, 1), conv(channels // 4, channels, 1)
        self.gate_first = gate_first

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))
        return gate * x if self.gate_first else x * gate


class UNet(nn.Module):
    """Ronneberger et al. 2015, in small."""

    def __init__(self, before: int, after: int, width: int = 8, *, upsample: str = "transposed"):
        super().__init__()
        self.down = nn.ModuleList([block(before, width), block(width, 2 * width)])
        self.middle = block(2 * width, 4 * width)
        self.upsample = upsample
        self.raise_ = nn.ModuleList(
            nn.ConvTranspose2d(high, low, 2, 2) if upsample == "transposed" else conv(high, low, 1)
            for high, low in ((4 * width, 2 * width), (2 * width, width))
        )
        self.up = nn.ModuleList([block(4 * width, 2 * width), block(2 * width, width)])
        self.last = conv(width, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for layer in self.down:
            x = layer(x)
            kept.append(x)
            x = F.max_pool2d(x, 2)
        x = self.middle(x)
        for rise, layer in zip(self.raise_, self.up, strict=True):
            if self.upsample == "bilinear":
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = layer(torch.cat([rise(x), kept.pop()], 1))
        result: Tensor = self.last(x)
        return result


class DeepLab(nn.Module):
    """Dilated stages and atrous pyramid pooling (Chen et al. 2017), gates among them."""

    def __init__(self, num_classes: int, *, gate_first: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            block(3, 16, 2), block(16, 32, 2), SqueezeExcite(32, gate_first=gate_first)
        )
        self.pyramid = nn.ModuleList(
            [block(32, 16)]
            + [nn.Sequential(conv(32, 16, 3, padding=d, dilation=d), nn.ReLU()) for d in (1, 2, 3)]
        )
        self.pooled = conv(32, 16, 1)
        self.head = nn.Sequential(block(80, 32), SqueezeExcite(32, gate_first=gate_first))
        self.last = conv(32, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[2:]
        x = self.body(x)
        pooled = F.relu(self.pooled(F.adaptive_avg_pool2d(x, 1))).expand(-1, -1, *x.shape[2:])
        x = self.head(torch.cat([*(branch(x) for branch in self.pyramid), pooled], 1))
        return F.interpolate(self.last(x), size=size, mode="bilinear", align_corners=False)


class FCN(nn.Module):
    """Scores of two depths added (Long et al. 2015)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.low, self.high = block(3, 16, 2), block(16, 32, 2)
        self.score_low, self.score_high = conv(16, num_classes, 1), conv(32, num_classes, 1)
        self.up = nn.ConvTranspose2d(num_classes, num_classes, 4, 2, 1, bias=False)
        self.last = nn.ConvTranspose2d(num_classes, num_classes, 4, 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        low = self.low(x)
        high = self.score_high(self.high(low))
        result: Tensor = self.last(self.up(high) + self.score_low(low))
        return result


class SegNet(nn.Module):
    """Unpooling with the indices of the pooling (Badrinarayanan et al. 2017)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.down, self.up, self.last = block(3, 16), block(16, 16), conv(16, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x, indices = F.max_pool2d(self.down(x), 2, return_indices=True)
        result: Tensor = self.last(self.up(F.max_unpool2d(x, indices, 2)))
        return result


class Pyramid(nn.Module):
    """A feature pyramid with the extra level of LastLevelMaxPool (Lin et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([block(3, 16, 2), block(16, 32, 2), block(32, 64, 2)])
        self.inner = nn.ModuleList(conv(c, 16, 1) for c in (16, 32, 64))
        self.outer = nn.ModuleList(conv(16, 16) for _ in range(3))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        top = self.inner[2](maps[2])
        levels = [self.outer[2](top)]
        for index in (1, 0):
            top = self.inner[index](maps[index]) + F.interpolate(top, scale_factor=2.0)
            levels.insert(0, self.outer[index](top))
        levels.append(F.max_pool2d(levels[-1], 1, 2))
        return {str(index): level for index, level in enumerate(levels)}


class Retina(nn.Module):
    """Two heads over a pyramid (Lin et al. 2017b)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Pyramid()
        self.classes = nn.Sequential(conv(16, 16), nn.ReLU(), conv(16, 9 * 4))
        self.boxes = nn.Sequential(conv(16, 16), nn.ReLU(), conv(16, 9 * 4))
        nn.init.constant_(self.classes[2].bias, -4.6)

    def forward(self, x: Tensor) -> dict[str, list[Tensor]]:
        levels = list(self.body(x).values())
        return {
            "logits": [self.classes(level) for level in levels],
            "boxes": [self.boxes(level) for level in levels],
        }


class Yolo(nn.Module):
    """One grid, boxes and classes in one tensor (Redmon et al. 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(
                layer
                for c in ((3, 16), (16, 32), (32, 64))
                for layer in (block(*c), nn.MaxPool2d(2))
            )
        )
        self.head = conv(64, 5 + 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(x)).flatten(2).transpose(1, 2)
        return result


class DistributionFocal(nn.Module):
    """Box edges as the mean of a softmax over bins (Li et al. 2020), by a frozen convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(block(3, 16, 2), block(16, 32, 2), conv(32, 4 * 8, 1))
        self.mean = nn.Conv2d(8, 1, 1, bias=False).requires_grad_(False)
        self.mean.weight.data.copy_(torch.arange(8.0).view(1, 8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        bins = self.body(x).flatten(2).unflatten(1, (4, 8)).transpose(1, 2).softmax(1)
        result: Tensor = self.mean(bins).flatten(1, 2)
        return result


class CenterNet(nn.Module):
    """Heat maps of centres and sizes beside them (Zhou et al. 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = UNet(3, 16)
        self.heat, self.size = conv(16, 3, 1), conv(16, 2, 1)
        nn.init.constant_(self.heat.bias, -2.19)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.body(x))
        return torch.sigmoid(self.heat(x)), self.size(x)


class Queries(nn.Module):
    """Learned queries attend to a map (Carion et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(block(3, 16, 2), block(16, 32, 2), block(32, 32, 2))
        self.queries = nn.Parameter(torch.randn(6, 32))
        self.decoder = nn.TransformerDecoderLayer(32, 4, 64, batch_first=True)
        self.classes, self.boxes = nn.Linear(32, 5), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        memory = self.body(x).flatten(2).transpose(1, 2)
        found = self.decoder(self.queries.expand(len(x), -1, -1), memory)
        return {"logits": self.classes(found), "boxes": torch.sigmoid(self.boxes(found))}


class Generator(nn.Module):
    """DCGAN's generator (Radford et al. 2016) from images of noise."""

    def __init__(self, kernel: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(16, 64, 4, 1, 0, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            nn.ConvTranspose2d(64, 32, kernel, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, kernel, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, kernel, 2, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x)
        return result


def discriminator(norm: str = "batch") -> nn.Module:
    layers: list[nn.Module] = [conv(3, 16, 4, 2, padding=1), nn.LeakyReLU(0.2)]
    for before, after in ((16, 32), (32, 64)):
        if norm == "spectral":
            layers += [
                nn.utils.parametrizations.spectral_norm(conv(before, after, 4, 2, padding=1))
            ]
        elif norm == "instance":
            layers += [conv(before, after, 4, 2, padding=1), nn.InstanceNorm2d(after)]
        else:
            layers += [conv(before, after, 4, 2, padding=1, bias=False), nn.BatchNorm2d(after)]
        layers += [nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(64, 1, 4), nn.Flatten(0))


class VAE(nn.Module):
    """Kingma and Welling 2014: mean and variance, a draw, the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(conv(3, 16, 3, 2), nn.ReLU(), conv(16, 32, 3, 2), nn.ReLU())
        self.mean, self.variance = nn.Linear(2048, 8), nn.Linear(2048, 8)
        self.decode = nn.Sequential(
            nn.Linear(8, 2048), nn.ReLU(), nn.Unflatten(1, (32, 8, 8)),
            nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.encode(x).flatten(1)
        mean, variance = self.mean(x), self.variance(x)
        noise = torch.randn_like(mean) if self.training else torch.zeros_like(mean)
        return self.decode(mean + noise * torch.exp(variance / 2)), mean, variance


def vae_loss(result: tuple[Tensor, Tensor, Tensor], images: Tensor) -> Tensor:
    picture, mean, variance = result
    divergence = -0.5 * (1 + variance - mean.square() - variance.exp()).sum(1).mean()
    return F.mse_loss(picture, images, reduction="sum") / len(images) + divergence


class VectorQuantised(nn.Module):
    """Straight-through gradients past a dictionary (van den Oord et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(conv(3, 16, 4, 2, padding=1), nn.ReLU(), conv(16, 8, 1))
        self.book = nn.Embedding(32, 8)
        self.decode = nn.Sequential(conv(8, 16), nn.ReLU(), nn.ConvTranspose2d(16, 3, 4, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        found = self.encode(x).permute(0, 2, 3, 1)
        nearest = torch.cdist(found.flatten(0, 2), self.book.weight).argmin(1)
        chosen = self.book(nearest).view_as(found)
        through = found + (chosen - found).detach()
        result: Tensor = self.decode(through.permute(0, 3, 1, 2))
        return result


class Denoiser(nn.Module):
    """A small diffusion network: zero-started last convolutions, group norm (Ho et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = conv(3, 16)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(4, 16), nn.SiLU(), conv(16, 16), nn.GroupNorm(4, 16), nn.SiLU(),
                nn.Dropout(0.1), conv(16, 16),
            )
            for _ in range(3)
        )  # fmt: skip
        for part in self.blocks:
            nn.init.zeros_(part[-1].weight)
        self.last = nn.Sequential(nn.GroupNorm(4, 16), nn.SiLU(), conv(16, 3))
        nn.init.zeros_(self.last[-1].weight)
        nn.init.zeros_(self.last[-1].bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for part in self.blocks:
            x = x + part(x)
        result: Tensor = self.last(x)
        return result


class Coupling(nn.Module):
    """An affine coupling of a flow (Dinh et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(conv(6, 32), nn.ReLU(), conv(32, 12))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = F.pixel_unshuffle(x, 2).chunk(2, 1)
        scale, shift = self.net(kept).chunk(2, 1)
        scale = torch.tanh(scale)
        return torch.cat([kept, changed * scale.exp() + shift], 1), scale.flatten(1).sum(1)


class AdaIN(nn.Module):
    """Style by the statistics of a second image within the batch's own (Huang 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(conv(3, 16), nn.ReLU(), conv(16, 16), nn.ReLU())
        self.style = nn.Linear(16, 32)
        self.decode = nn.Sequential(conv(16, 16), nn.ReLU(), conv(16, 3))

    def forward(self, x: Tensor) -> Tensor:
        found = self.encode(x)
        scale, shift = self.style(found.mean((2, 3))).chunk(2, 1)
        normal = F.instance_norm(found)
        result: Tensor = self.decode(normal * (1 + scale[..., None, None]) + shift[..., None, None])
        return result


class Residuals(nn.Module):
    """EDSR (Lim et al. 2017): residual blocks without norms, pixel shuffle."""

    def __init__(self, scale: int = 2) -> None:
        super().__init__()
        self.first = conv(3, 16)
        self.body = nn.ModuleList(
            nn.Sequential(conv(16, 16), nn.ReLU(), conv(16, 16)) for _ in range(4)
        )
        self.up = nn.Sequential(conv(16, 16 * scale**2), nn.PixelShuffle(scale), conv(16, 3))

    def forward(self, x: Tensor) -> Tensor:
        first = x = self.first(x)
        for part in self.body:
            x = x + 0.1 * part(x)
        result: Tensor = self.up(x + first)
        return result


class DenseResidual(nn.Module):
    """RDN's dense blocks (Zhang et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = conv(3, 16)
        self.dense = nn.ModuleList(conv(16 + 8 * index, 8) for index in range(3))
        self.fuse = conv(16 + 24, 16, 1)
        self.up = nn.Sequential(conv(16, 12), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        maps = [x]
        for layer in self.dense:
            maps.append(F.relu(layer(torch.cat(maps, 1))))
        result: Tensor = self.up(self.fuse(torch.cat(maps, 1)) + x)
        return result


class Interpolated(nn.Module):
    """What is learned is added to the image enlarged (VDSR, Kim et al. 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(conv(3, 32), nn.ReLU(), conv(32, 32), nn.ReLU(), conv(32, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)
        result: Tensor = x + self.layers(x)
        return result


class Neck(nn.Module):
    """An embedding behind a batch norm; classes in training (Luo et al. 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(block(3, 16, 2), block(16, 32, 2), nn.AdaptiveAvgPool2d(1))
        self.neck = nn.BatchNorm1d(32)
        self.neck.bias.requires_grad_(False)
        self.head = nn.Linear(32, 10, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.neck(self.body(x).flatten(1))
        result: Tensor = self.head(x) if self.training else F.normalize(x)
        return result


class Cosine(nn.Module):
    """Cosine to learned prototypes (Wang et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(block(3, 16, 2), block(16, 32, 2), nn.AdaptiveAvgPool2d(1))
        self.prototypes = nn.Parameter(torch.randn(10, 32))

    def forward(self, x: Tensor) -> Tensor:
        x = F.normalize(self.body(x).flatten(1))
        return 16.0 * x @ F.normalize(self.prototypes).t()


class Siamese(nn.Module):
    """Predictor and a projection without gradient (Chen and He 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(block(3, 16, 2), block(16, 32, 2), nn.AdaptiveAvgPool2d(1))
        self.project = nn.Sequential(
            nn.Linear(32, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Linear(32, 32, bias=False), nn.BatchNorm1d(32, affine=False),
        )  # fmt: skip
        self.predict = nn.Sequential(
            nn.Linear(32, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 32)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = self.project(self.body(x).flatten(1))
        return self.predict(found), found.detach()


def siamese_loss(result: tuple[Tensor, Tensor], _labels: Tensor) -> Tensor:
    return -F.cosine_similarity(*result).mean()


class Teacher(nn.Module):
    """A frozen copy beside the student (Grill et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.student, self.teacher = zoo.small_resnet(8), zoo.small_resnet(8)
        self.teacher.load_state_dict(self.student.state_dict())
        self.teacher.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            target = self.teacher(x)
        return self.student(x), target


class Netvlad(nn.Module):
    """Soft assignment to clusters (Arandjelovic et al. 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(block(3, 16, 2), block(16, 32, 2))
        self.assign = conv(32, 4, 1)
        self.centres = nn.Parameter(torch.rand(4, 32))
        self.head = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x).flatten(2)
        weights = self.assign(x.unflatten(2, (-1, 8))).flatten(2).softmax(1)
        found = torch.einsum("nkp,ncp->nkc", weights, x) - weights.sum(2)[..., None] * self.centres
        result: Tensor = self.head(F.normalize(found, dim=2).flatten(1))
        return result


class Patches(nn.Module):
    """A small vision transformer (Dosovitskiy et al. 2021); its head begins at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 32, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 32))
        self.position = nn.Parameter(0.02 * torch.randn(1, 65, 32))
        layer = nn.TransformerEncoderLayer(
            32, 4, 64, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        result: Tensor = self.head(self.norm(self.body(x))[:, 0])
        return result


class Mixer(nn.Module):
    """Layers over positions, then over channels (Tolstikhin et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 32, 4, 4)
        self.norms = nn.ModuleList(nn.LayerNorm(32) for _ in range(5))
        self.positions = nn.ModuleList(
            nn.Sequential(nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 64)) for _ in range(2)
        )
        self.channels = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32)) for _ in range(2)
        )
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        for index in range(2):
            x = x + self.positions[index](self.norms[2 * index](x).transpose(1, 2)).transpose(1, 2)
            x = x + self.channels[index](self.norms[2 * index + 1](x))
        result: Tensor = self.head(self.norms[4](x).mean(1))
        return result


class Experts(nn.Module):
    """A soft mixture: a softmax over experts weighs their answers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(block(3, 16, 2), block(16, 32, 2), nn.AdaptiveAvgPool2d(1))
        self.gate = nn.Linear(32, 3)
        self.experts = nn.ModuleList(nn.Linear(32, 10) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x).flatten(1)
        weights = self.gate(x).softmax(1)
        answers = torch.stack([expert(x) for expert in self.experts], 1)
        return (weights[..., None] * answers).sum(1)


class Transformed(nn.Module):
    """A spatial transformer that begins at the identity (Jaderberg et al. 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.locate = nn.Sequential(
            conv(3, 8, 7), nn.MaxPool2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(512, 6)
        )
        nn.init.zeros_(self.locate[-1].weight)
        self.locate[-1].bias.data.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))
        self.net = zoo.small_vgg(8)

    def forward(self, x: Tensor) -> Tensor:
        where = F.affine_grid(self.locate(x).view(-1, 2, 3), list(x.shape), align_corners=False)
        result: Tensor = self.net(F.grid_sample(x, where, align_corners=False))
        return result


class Counting(nn.Module):
    """Density maps whose sum is the count, by dilated convolutions (CSRNet, Li et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(block(3, 16), nn.MaxPool2d(2), block(16, 32))
        self.back = nn.Sequential(
            conv(32, 32, 3, padding=2, dilation=2), nn.ReLU(), conv(32, 16), nn.ReLU(),
            conv(16, 1, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.back(self.front(x))
        return result


class Depth(nn.Module):
    """Disparity by a sigmoid at several scales (Godard et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.middle, self.up = block(3, 16, 2), block(16, 16), block(16, 16)
        self.coarse, self.fine = conv(16, 1), conv(16, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.middle(self.down(x))
        fine = self.up(F.interpolate(x, scale_factor=2.0))
        return {"0": torch.sigmoid(self.fine(fine)), "1": torch.sigmoid(self.coarse(x))}


class Keypoints(nn.Module):
    """Soft argmax over heat maps: softmax over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.last = nn.Sequential(block(3, 16, 2), block(16, 16)), conv(16, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        heat = self.last(self.body(x))
        share = heat.flatten(2).softmax(2).view_as(heat)
        x_axis, y_axis = (torch.linspace(0, 1, size) for size in heat.shape[:1:-1])
        return torch.stack([(share.sum(2) * x_axis).sum(2), (share.sum(3) * y_axis).sum(2)], 2)


class Auxiliary(nn.Module):
    """A second head in training alone (Szegedy et al. 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high = block(3, 16, 2), block(16, 32, 2)
        self.side, self.head = nn.Linear(16, 10), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Any:
        low = self.low(x)
        answer = self.head(self.high(low).mean((2, 3)))
        return (answer, self.side(low.mean((2, 3)))) if self.training else answer


def auxiliary_loss(result: Any, labels: Tensor) -> Tensor:
    if isinstance(result, tuple):
        return F.cross_entropy(result[0], labels) + 0.3 * F.cross_entropy(result[1], labels)
    return F.cross_entropy(result, labels)


class Frozen(nn.Module):
    """A body under no_grad and a new head, whose parameters alone the optimizer holds."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(block(3, 16, 2), block(16, 32, 2), nn.AdaptiveAvgPool2d(1))
        self.body.requires_grad_(False)
        for module in self.body.modules():
            if isinstance(module, nn.Conv2d):
                # As training leaves filters: some grown, some shrunk.
                module.weight.mul_(torch.exp(torch.randn(len(module.weight), 1, 1, 1)))
        self.body.eval()
        self.head = nn.Linear(32, 10)

    def train(self, mode: bool = True) -> Frozen:
        super().train(mode)
        self.body.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.body(x).flatten(1)
        result: Tensor = self.head(x)
        return result


class Standardised(nn.Conv2d):
    """Weights are standardised before use (Qiao et al. 2019)."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = weight / (weight.std((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class LeNet(nn.Module):
    """As tutorials write it (LeCun et al. 1998)."""

    def __init__(self, activation: Callable[[Tensor], Tensor] = F.relu) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.activation(self.conv1(x)), 2)
        x = F.max_pool2d(self.activation(self.conv2(x)), 2).view(-1, 400)
        result: Tensor = self.fc3(self.activation(self.fc2(self.activation(self.fc1(x)))))
        return result


class Mnist(nn.Module):
    """PyTorch's own first example: dropout, log-softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout1(F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)).flatten(1)
        return F.log_softmax(self.fc2(self.dropout2(F.relu(self.fc1(x)))), dim=1)


class Shared(nn.Module):
    """One convolution used three times."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.head = conv(3, 16), conv(16, 16), nn.Linear(16, 10)
        self.norms = nn.ModuleList(nn.BatchNorm2d(16) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        for norm in self.norms:
            x = F.relu(norm(self.again(x)) + x)
        result: Tensor = self.head(x.mean((2, 3)))
        return result


class Listed(nn.Module):
    """A plain list of layers that are registered as well, to walk through them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = block(3, 16, 2), block(16, 16), nn.Linear(16, 10)
        self.order = [self.first, self.second]

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.order:
            x = layer(x)
        result: Tensor = self.head(x.mean((2, 3)))
        return result


class Scheduled(nn.Module):
    """Drops whole branches by chance in training (Huang et al. 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = block(3, 16, 2), nn.Linear(16, 10)
        self.branches = nn.ModuleList(
            nn.Sequential(conv(16, 16, bias=False), nn.BatchNorm2d(16)) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for branch in self.branches:
            if self.training and torch.rand(()) < 0.2:
                continue
            x = F.relu(x + branch(x))
        result: Tensor = self.head(x.mean((2, 3)))
        return result


# --------------------------------------------------------------------------- the table


def pictures(channels: int = 3, size: int = 32, num: int = 16) -> Tensor:
    coarse = torch.rand(num, channels, 4, 4)
    smooth = F.interpolate(coarse, size, mode="bilinear", align_corners=False)
    return (smooth + 0.1 * torch.randn(num, channels, size, size)).clamp(0, 1)


def normal(num: int = 16, channels: int = 3, size: int = 32) -> Tensor:
    return (pictures(channels, size, num) - 0.5) / 0.25


def trained_by(
    model: nn.Module, loss: Any, labels: Tensor, batch: Tensor | None = None, **settings: Any
) -> tuple[nn.Module, Options]:
    """Returns the network with batch, labels, loss and AdamW or what ``settings`` say."""
    kind = settings.pop("optimizer", torch.optim.AdamW)
    settings.setdefault("lr", 1e-3)
    held = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return model, {
        "batch": normal() if batch is None else batch,
        "labels": labels,
        "loss": loss,
        "optimizer": kind(held, **settings),
    }


def shaped(model: nn.Module, channels: int = 3, size: int = 224) -> tuple[nn.Module, Options]:
    return model, {"input_shape": (channels, size, size)}


def with_batch(model: nn.Module, batch: Tensor | None = None) -> tuple[nn.Module, Options]:
    return model.eval(), {"batch": normal() if batch is None else batch}


def torchvision_model(name: str) -> nn.Module:
    import torchvision

    model: nn.Module = torchvision.models.get_model(name, weights=None, weights_backbone=None)
    return model


def timm_model(name: str, **settings: Any) -> nn.Module:
    import timm

    model: nn.Module = timm.create_model(name, pretrained=False, **settings)
    return model


class FirstOutput(nn.Module):
    """Returns what a segmentation network of torchvision calls ``out``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.model(x)["out"]
        return result


def masks(num_classes: int, size: int = 32) -> Tensor:
    return torch.randint(num_classes, (16, size, size))


def classes(num: int = 10) -> Tensor:
    return torch.arange(16) % num


SGD = torch.optim.SGD
CE = nn.CrossEntropyLoss
Maker = Callable[[], tuple[nn.Module, Options]]
# Task, name, what is linted.
NETWORKS: tuple[tuple[str, str, Maker], ...] = (
    ("segmentation", "U-Net, transposed", lambda: trained_by(UNet(3, 5), CE(), masks(5))),
    ("segmentation", "U-Net, bilinear", lambda: trained_by(
        UNet(3, 5, upsample="bilinear"), CE(), masks(5))),
    ("segmentation", "U-Net, one class", lambda: trained_by(
        UNet(3, 1), nn.BCEWithLogitsLoss(), (torch.rand(16, 1, 32, 32) > 0.8).float())),
    ("segmentation", "U-Net, nothing to be seen", lambda: trained_by(
        UNet(3, 1), nn.BCEWithLogitsLoss(), torch.zeros(16, 1, 32, 32))),
    ("segmentation", "U-Net, ignored border", lambda: trained_by(
        UNet(3, 5), CE(ignore_index=255), masks(5).index_fill(2, torch.arange(4), 255))),
    ("segmentation", "DeepLab, x * gate", lambda: trained_by(
        DeepLab(5, gate_first=False), CE(), masks(5), optimizer=SGD, lr=0.01, momentum=0.9)),
    ("segmentation", "DeepLab, gate * x", lambda: trained_by(
        DeepLab(5, gate_first=True), CE(), masks(5))),
    ("segmentation", "FCN", lambda: trained_by(FCN(5), CE(), masks(5))),
    ("segmentation", "SegNet", lambda: trained_by(SegNet(5), CE(), masks(5))),
    *(("segmentation", f"torchvision {name}", lambda name=name: shaped(torchvision_model(name)))
      for name in ("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "fcn_resnet50")),
    ("detection", "feature pyramid", lambda: shaped(Pyramid())),
    ("detection", "feature pyramid with a batch", lambda: with_batch(Pyramid())),
    ("detection", "RetinaNet", lambda: with_batch(Retina())),
    ("detection", "YOLO", lambda: trained_by(Yolo(), nn.MSELoss(), torch.rand(16, 16, 9))),
    ("detection", "distribution focal", lambda: trained_by(
        DistributionFocal(), nn.L1Loss(), 7 * torch.rand(16, 4, 64))),
    ("detection", "CenterNet", lambda: with_batch(CenterNet())),
    ("detection", "queries", lambda: with_batch(Queries())),
    *(("detection", f"torchvision {name}'s body", lambda name=name: shaped(
        torchvision_model(name).backbone, size=320))
      for name in ("retinanet_resnet50_fpn", "ssdlite320_mobilenet_v3_large")),
    ("generation", "DCGAN generator", lambda: with_batch(Generator(), torch.randn(16, 16, 1, 1))),
    ("generation", "DCGAN discriminator", lambda: trained_by(
        discriminator(), nn.BCEWithLogitsLoss(), classes(2).float(), lr=2e-4, betas=(0.5, 0.999))),
    ("generation", "Wasserstein critic", lambda: trained_by(
        discriminator("instance"), lambda out, y: (out * (2 * y - 1)).mean(), classes(2).float(),
        lr=1e-4, betas=(0.0, 0.9))),
    ("generation", "spectral norm", lambda: trained_by(
        discriminator("spectral"), nn.BCEWithLogitsLoss(), classes(2).float(), lr=2e-4)),
    ("generation", "variational autoencoder", lambda: trained_by(VAE(), vae_loss, pictures(),
                                                                 pictures())),
    ("generation", "autoencoder", lambda: trained_by(nn.Sequential(
        conv(3, 16, 3, 2), nn.ReLU(), conv(16, 8, 3, 2), nn.ReLU(),
        nn.ConvTranspose2d(8, 16, 2, 2), nn.ReLU(), nn.ConvTranspose2d(16, 3, 2, 2), nn.Sigmoid()),
        nn.MSELoss(), *(lambda x: (x, x))(pictures()))),
    ("generation", "VQ-VAE", lambda: trained_by(
        VectorQuantised(), nn.MSELoss(), *(lambda x: (x, x))(normal()))),
    ("generation", "diffusion", lambda: trained_by(Denoiser(), nn.MSELoss(), torch.randn(
        16, 3, 32, 32), lr=2e-4)),
    ("generation", "flow", lambda: with_batch(Coupling())),
    ("generation", "adaptive instance norm", lambda: trained_by(AdaIN(), nn.L1Loss(), normal())),
    ("super-resolution", "SRCNN", lambda: trained_by(nn.Sequential(
        conv(3, 64, 9), nn.ReLU(), conv(64, 32, 1), nn.ReLU(), conv(32, 3, 5)), nn.MSELoss(),
        *(lambda x: (x, x))(pictures()))),
    ("super-resolution", "ESPCN", lambda: trained_by(nn.Sequential(
        conv(3, 64, 5), nn.Tanh(), conv(64, 32), nn.Tanh(), conv(32, 12), nn.PixelShuffle(2)),
        nn.MSELoss(), pictures(size=64), pictures())),
    ("super-resolution", "EDSR", lambda: trained_by(
        Residuals(), nn.L1Loss(), pictures(size=64), pictures(), lr=1e-4)),
    ("super-resolution", "EDSR ×3", lambda: shaped(Residuals(3), size=48)),
    ("super-resolution", "RDN", lambda: trained_by(
        DenseResidual(), nn.L1Loss(), pictures(size=64), pictures(), lr=1e-4)),
    ("super-resolution", "VDSR", lambda: trained_by(
        Interpolated(), nn.MSELoss(), pictures(size=64), pictures())),
    ("super-resolution", "DnCNN", lambda: trained_by(nn.Sequential(
        conv(3, 32), nn.ReLU(), *(part for _ in range(4) for part in block(32, 32)), conv(32, 3)),
        nn.MSELoss(), 0.1 * torch.randn(16, 3, 32, 32), pictures())),
    ("embeddings", "batch norm neck, trained", lambda: trained_by(Neck(), CE(), classes())),
    ("embeddings", "batch norm neck, in use", lambda: with_batch(Neck())),
    ("embeddings", "linear and batch norm", lambda: shaped(nn.Sequential(
        block(3, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 16, bias=False),
        nn.BatchNorm1d(16)))),
    ("embeddings", "ArcFace's end", lambda: with_batch(nn.Sequential(
        block(3, 16, 2), block(16, 16, 2), nn.BatchNorm2d(16), nn.Dropout(0.4), nn.Flatten(),
        nn.Linear(1024, 32), nn.BatchNorm1d(32)))),
    ("embeddings", "cosine prototypes", lambda: trained_by(Cosine(), CE(), classes())),
    ("embeddings", "SimSiam", lambda: trained_by(
        Siamese(), siamese_loss, classes(), optimizer=SGD, lr=0.05, momentum=0.9)),
    ("embeddings", "student and teacher", lambda: with_batch(Teacher())),
    ("embeddings", "NetVLAD", lambda: trained_by(Netvlad(), CE(), classes())),
    *(("embeddings", f"timm {name}", lambda name=name: shaped(
        timm_model(name, num_classes=0)))
      for name in ("resnet18", "mobilenetv3_small_050", "test_vit")),
    *(("features", f"timm {name}", lambda name=name: shaped(timm_model(
        name, features_only=True)))
      for name in ("resnet10t", "mobilenetv3_small_050", "test_convnext", "regnetx_002")),
    ("handwritten", "vision transformer", lambda: trained_by(Patches(), CE(), classes())),
    ("handwritten", "mixer", lambda: trained_by(Mixer(), CE(), classes())),
    ("handwritten", "mixture of experts", lambda: trained_by(Experts(), CE(), classes())),
    ("handwritten", "spatial transformer", lambda: trained_by(Transformed(), CE(), classes())),
    ("handwritten", "counting", lambda: trained_by(
        Counting(), nn.MSELoss(), torch.rand(16, 1, 16, 16))),
    ("handwritten", "depth", lambda: with_batch(Depth())),
    ("handwritten", "keypoints", lambda: trained_by(
        Keypoints(), nn.SmoothL1Loss(), torch.rand(16, 5, 2))),
    ("handwritten", "auxiliary head", lambda: trained_by(Auxiliary(), auxiliary_loss, classes())),
    ("handwritten", "head on a frozen body", lambda: trained_by(Frozen(), CE(), classes())),
    ("handwritten", "weight standardisation", lambda: trained_by(nn.Sequential(
        Standardised(3, 16, 3), nn.GroupNorm(4, 16), nn.ReLU(), Standardised(16, 16, 3),
        nn.GroupNorm(4, 16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)),
        CE(), classes())),
    ("handwritten", "LeNet", lambda: trained_by(
        LeNet(), CE(), classes(), optimizer=SGD, lr=1e-3, momentum=0.9)),
    ("handwritten", "LeNet, tanh", lambda: trained_by(
        LeNet(torch.tanh), CE(), classes(), optimizer=SGD, lr=0.01)),
    ("handwritten", "MNIST", lambda: trained_by(
        Mnist(), nn.NLLLoss(), classes(), normal(channels=1, size=28),
        optimizer=torch.optim.Adadelta, lr=1.0)),
    ("handwritten", "shared layers", lambda: trained_by(Shared(), CE(), classes())),
    ("handwritten", "layers also in a list", lambda: trained_by(Listed(), CE(), classes())),
    ("handwritten", "stochastic depth", lambda: trained_by(Scheduled(), CE(), classes())),
    ("handwritten", "yes or no, [N]", lambda: trained_by(nn.Sequential(
        block(3, 16, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0)),
        nn.BCEWithLogitsLoss(), classes(2).float())),
    ("handwritten", "several labels", lambda: trained_by(
        zoo.small_resnet(8), nn.BCEWithLogitsLoss(pos_weight=torch.full((10,), 3.0)),
        (torch.rand(16, 10) > 0.7).float())),
    ("handwritten", "sigmoids and BCELoss", lambda: trained_by(
        nn.Sequential(zoo.small_resnet(8), nn.Sigmoid()), nn.BCELoss(),
        (torch.rand(16, 10) > 0.7).float())),
    ("handwritten", "mixup", lambda: trained_by(
        zoo.small_resnet(8), CE(label_smoothing=0.1),
        0.7 * F.one_hot(classes(), 10).float() + 0.3 * F.one_hot(classes().flip(0), 10).float())),
    ("handwritten", "class weights", lambda: trained_by(
        zoo.small_resnet(8), CE(weight=torch.linspace(0.1, 3, 10)), classes())),
    ("handwritten", "amounts", lambda: trained_by(nn.Sequential(
        block(3, 16, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 1)),
        nn.MSELoss(), 50 + 10 * torch.randn(16, 1), optimizer=torch.optim.Adam)),
    ("handwritten", "bytes, normalised inside", lambda: trained_by(nn.Sequential(
        nn.BatchNorm2d(3), *zoo.small_vgg(8).features, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(32, 10)), CE(), classes(), 255 * pictures())),
    *(("recipes", f"{name}, SGD {rate}", lambda make=make, rate=rate: trained_by(
        make(), CE(), classes(), optimizer=SGD, lr=rate, momentum=0.9, weight_decay=5e-4))
      for name, make in (("ResNet", lambda: zoo.small_resnet(16)),
                         ("VGG", lambda: zoo.small_vgg(16)),
                         ("plain VGG", lambda: zoo.small_vgg(16, normalised=False)),
                         ("MobileNet", lambda: zoo.small_mobilenet(16)))
      for rate in ((0.1, 0.01) if name != "plain VGG" else (0.01, 0.001))),
    *(("recipes", f"ResNet, {kind.__name__}", lambda kind=kind, rate=rate: trained_by(
        zoo.small_resnet(16), CE(), classes(), optimizer=kind, lr=rate))
      for kind, rate in ((torch.optim.Adam, 1e-3), (torch.optim.Adam, 1e-2),
                         (torch.optim.RMSprop, 1e-3), (torch.optim.Adagrad, 1e-2),
                         (torch.optim.NAdam, 2e-3), (torch.optim.LBFGS, 1e-1))),
)  # fmt: skip
# By code and name: why an error or warning there is true.
EXPLAINED: dict[tuple[str, str], str] = {
    ("S108", "torchvision deeplabv3_mobilenet_v3_large"): (
        "Its dilations of 12, 24 and 36 reach beyond a map of 14×14; the paper itself says that "
        "such a kernel degenerates to 1×1 (Chen et al. 2017, section 3.3)."
    ),
    ("S112", "torchvision deeplabv3_mobilenet_v3_large"): (
        "Its head drops half of the values before a convolution and a batch norm, which shifts "
        "the variance between training and evaluation (Li et al. 2019)."
    ),
    ("S112", "ArcFace's end"): (
        "Dropout, a linear layer and a batch norm in a row, as published; the variance shifts."
    ),
    ("S102", "MNIST"): (
        "98% of its weights are in the layer behind the flattened map; it is so in PyTorch's "
        "example too."
    ),
}


def examine(make: Maker) -> LintReport:
    """Builds one network and lints it with every rule."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, options = make()
        return lint(model, **options)


def main(arguments: list[str] | None = None) -> None:
    """Runs all networks or those named; exit code 1 when a finding is not explained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    rows, unexplained, unclear = [], [], Counter[str]()
    for task, name, make in NETWORKS:
        if options.names and not any(word in name for word in options.names):
            continue
        began = time.perf_counter()
        report = examine(make)
        seconds = time.perf_counter() - began
        loud = [finding for finding in report.findings if finding.severity != "info"]
        unclear.update(report.undetermined.keys())
        unexplained += [
            f"{finding.code} {name} {finding.location}: {finding.evidence}"
            for finding in loud
            if (finding.code, name) not in EXPLAINED
        ]
        if options.names:
            for code, reason in report.undetermined.items():
                print(f"{name}: {code}: {reason}", file=sys.stderr)
        checked = len(report.outcomes) - len(report.undetermined)
        found = ", ".join(sorted({finding.code for finding in loud})) or "–"
        rows.append((task, name, checked, len(report.undetermined), found, seconds))
        if sys.stderr.isatty():
            print(f"\r{name:50}", end="", file=sys.stderr)
    text = page(rows, len(unexplained), unclear)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    for line in unexplained:
        print(f"unexplained: {line}", file=sys.stderr)
    if unexplained:
        sys.exit(1)


def page(
    rows: list[tuple[str, str, int, int, str, float]], num_unexplained: int, unclear: Counter[str]
) -> str:
    """Returns the survey as Markdown."""
    loud = sum(row[4] != "–" for row in rows)
    tasks = ", ".join(f"{count} {task}" for task, count in Counter(r[0] for r in rows).items())
    lines = [
        "# Precision: the linter on sound networks of other tasks",
        "",
        "Made by `python -m benchmarks.lint_tasks --write`. Every network here is sound. Each is",
        "linted by every rule; where the task has one, with a batch, labels, loss and optimizer as",
        "its recipe has them, so that the rules over behaviour and training run as well.",
        "",
        f"**{len(rows)} networks ({tasks}): "
        f"{loud} with an error or warning, {num_unexplained} of these findings not explained.**",
        "",
        "| task | network | rules that could tell | could not | errors and warnings |",
        "|---|---|--:|--:|---|",
    ]
    lines += [
        f"| {task} | {name} | {checked} | {unknown} | {found} |"
        for task, name, checked, unknown, found, _ in rows
    ]
    lines += ["", "Could not tell, by rule: "]
    told = [f"{code} {count}" for code, count in sorted(unclear.items())]
    lines[-1] += (", ".join(told) or "none") + "."
    if EXPLAINED:
        lines += ["", "| rule | network | why it is true |", "|---|---|---|"]
        lines += [f"| {code} | {name} | {why} |" for (code, name), why in EXPLAINED.items()]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
