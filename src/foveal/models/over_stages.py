"""Networks that are read at every stage, and what can stand behind such a reading."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.models.backbone import FeatureNetwork

GAMMA = 2.0
"""Of the RBF kernels: at the mean squared distance of two images a kernel is exp(-2)."""

KERNEL_CHUNK = 1024
"""Support images that are worked on at a time."""


class _Tap:
    """Notes a module's last result. An object and no function, so that a copy has its own."""

    def __init__(self) -> None:
        self.last: Tensor | None = None

    def __call__(self, module: nn.Module, arguments: object, result: Tensor) -> None:
        self.last = result


class StagedNetwork(FeatureNetwork):
    """A network to one vector: the pooled result of each stage, then the features.

    Not for several threads at once, like every PyTorch backend.
    """

    def __init__(self, network: nn.Module, names: tuple[str, ...]) -> None:
        # A copy, because the borrowed network must keep no hooks.
        super().__init__(copy.deepcopy(network))
        self.names = names
        self.taps = [_Tap() for _ in names]
        for tap, name in zip(self.taps, names, strict=True):
            self.network.get_submodule(name).register_forward_hook(tap)

    def maps(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns the result of each stage [N, C, h, w], and the features [N, D]."""
        features = super().forward(images)
        results = []
        for tap in self.taps:
            assert tap.last is not None
            results.append(tap.last)
            tap.last = None
        return results, features

    def forward(self, images: Tensor) -> Tensor:
        """Returns [N, T], stage after stage, the features last."""
        results, features = self.maps(images)
        return torch.cat([*(result.mean((2, 3)) for result in results), features], 1)


class KernelHead(nn.Module):
    """``sharpness * (intercept + k(read, support) @ coefficients)``, an RBF kernel a stage."""

    support: Tensor
    coefficients: Tensor
    intercept: Tensor
    mean: Tensor
    factor: Tensor
    sharpness: Tensor

    def __init__(self, num_support: int, widths: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        self.widths = widths
        num_read = sum(widths)
        for name, shape in (
            ("support", (num_support, num_read)),
            ("coefficients", (num_support, num_classes)),
            ("intercept", (num_classes,)),
            ("mean", (num_read,)),
            ("factor", (num_read,)),
            ("sharpness", ()),
        ):
            self.register_buffer(name, torch.zeros(shape))

    @classmethod
    def of(
        cls,
        *,
        support: NDArray[np.float32],
        coefficients: NDArray[np.float32],
        intercept: NDArray[np.float32],
        mean: NDArray[np.float32],
        factor: NDArray[np.float32],
        sharpness: float,
        widths: tuple[int, ...],
    ) -> KernelHead:
        """Returns the head with these numbers, in evaluation mode; see ``KernelModel``."""
        head = cls(len(support), widths, len(intercept))
        for name, values in (
            ("support", support),
            ("coefficients", coefficients),
            ("intercept", intercept),
            ("mean", mean),
            ("factor", factor),
            ("sharpness", np.float32(sharpness)),
        ):
            getattr(head, name).copy_(torch.tensor(values))
        return head.eval()

    def forward(self, read: Tensor) -> Tensor:
        """Returns logits [N, K] for ``read [N, T]``."""
        parts = torch.split((read - self.mean) * self.factor, list(self.widths), 1)
        scores = self.intercept
        for start in range(0, len(self.support), KERNEL_CHUNK):
            chunk = self.support[start : start + KERNEL_CHUNK]
            support = torch.split(chunk, list(self.widths), 1)
            kernels = []
            for part, own in zip(parts, support, strict=True):
                distance = part.square().sum(1, keepdim=True) + own.square().sum(1)
                distance = (distance - 2 * part @ own.T).clamp_min(0)
                kernels.append((-GAMMA * distance).exp())
            kernel = torch.stack(kernels).mean(0)
            scores = scores + kernel @ self.coefficients[start : start + KERNEL_CHUNK]
        return self.sharpness * scores


class StagedClassifier(nn.Module):
    """A whole classifier that reads every stage: [N, 3, H, W] to logits [N, K].

    ``widths`` are the lengths of what is read of each stage and of the features.
    """

    def __init__(self, staged: StagedNetwork, head: nn.Module, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.staged = staged
        self.head = head
        self.widths = widths

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits."""
        logits: Tensor = self.head(self.staged(images))
        return logits


def head_settings(classifier: StagedClassifier) -> dict[str, Any]:
    """Returns what :func:`build_classifier` needs beside the weights, as JSON values."""
    head = classifier.head
    return {
        "kind": "kernel" if isinstance(head, KernelHead) else "linear",
        "stages": list(classifier.staged.names),
        "widths": list(classifier.widths),
        "num_support": len(head.support) if isinstance(head, KernelHead) else 0,
    }


def build_classifier(
    network: nn.Module, settings: Mapping[str, Any], *, num_classes: int
) -> StagedClassifier:
    """Returns a classifier without weights, as :func:`head_settings` describes it.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: The settings do not describe one.
    """
    stages, widths = tuple(map(str, settings["stages"])), tuple(map(int, settings["widths"]))
    if settings["kind"] not in ("linear", "kernel"):
        raise ValueError(f"no head of the kind {settings['kind']!r} is known")
    head: nn.Module = nn.Linear(sum(widths), num_classes)
    if settings["kind"] == "kernel":
        head = KernelHead(int(settings["num_support"]), widths, num_classes)
    return StagedClassifier(StagedNetwork(network, stages), head, widths)
