"""Networks that were really trained: here, in a few seconds each, or with published weights."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from foveal.linting.behaviour.input_forms import HALF, IMAGENET, UNIT, Form

SIZE_PX = 48
PRETRAINED_SIZE_PX = 160
NUM_STEPS = 60


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained network, the form of its input, and images that it was not trained on."""

    name: str
    group: str
    network: nn.Module
    form: Form
    pictures: Tensor
    kind: str


def crops(photographs: list[np.ndarray], count: int, size_px: int, *, seed: int) -> Tensor:
    """Returns crops at random ``[N, 3, H, W]`` in [0, 1], ``count`` of each photograph."""
    chance = np.random.default_rng(seed)
    found = []
    for photograph in photographs:
        for _ in range(count):
            side = int(chance.integers(120, 300))
            top, left = (int(chance.integers(0, n - side)) for n in photograph.shape[:2])
            crop = Image.fromarray(photograph[top : top + side, left : left + side])
            found.append(np.asarray(crop.resize((size_px, size_px))))
    return torch.from_numpy(np.stack(found)).float().permute(0, 3, 1, 2) / 255


def read_photographs() -> list[np.ndarray]:
    """Returns the two photographs that scikit-learn brings."""
    from sklearn.datasets import load_sample_images

    return list(load_sample_images().images)


def read_cells(first: int, step: int, size_px: int) -> tuple[Tensor, Tensor]:
    """Returns solar cells ``[N, 3, H, W]`` in [0, 1], and whether each is defective."""
    from elpv_dataset.utils import load_dataset

    images, probabilities, _ = load_dataset()
    small = [
        np.asarray(Image.fromarray(image).resize((size_px, size_px)))
        for image in images[first::step]
    ]
    grey = torch.from_numpy(np.stack(small)).float()[:, None] / 255
    return grey.expand(-1, 3, -1, -1), torch.from_numpy(probabilities[first::step] >= 0.5).long()


def train(pictures: Tensor, labels: Tensor, form: Form, *, seed: int, kernel: int) -> nn.Module:
    """Returns a small network after a few seconds of training."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    channels = 3
    for width, size in ((24, kernel), (32, 3), (48, 3)):
        layers += [nn.Conv2d(channels, width, size, 2, size // 2, bias=False)]
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    inputs = form.write(pictures)
    for _ in range(NUM_STEPS):
        chosen = torch.randint(0, len(inputs), (32,))
        loss = nn.functional.cross_entropy(network(inputs[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def trained_here() -> Iterator[Trained]:
    """Yields the networks that are trained for this."""
    photographs = read_photographs()
    seen = crops(photographs, 80, SIZE_PX, seed=1)
    which = torch.arange(2).repeat_interleave(80)
    unseen = crops(photographs, 6, SIZE_PX, seed=9)
    cells, defects = read_cells(0, 6, SIZE_PX)
    other_cells, _ = read_cells(1, 220, SIZE_PX)
    for form in (HALF, IMAGENET, UNIT):
        for seed in range(3):
            for kernel in (3, 7):
                name = f"{form.name}, seed {seed}, {kernel}×{kernel}"
                network = train(seen, which, form, seed=seed, kernel=kernel)
                yield Trained(name, "trained on photographs", network, form, unseen, "photographs")
                network = train(cells, defects, form, seed=seed, kernel=kernel)
                yield Trained(
                    name, "trained on solar cells", network, form, other_cells, "solar cells"
                )


def pretrained(checkpoints: dict[str, Path]) -> Iterator[Trained]:
    """Yields the pretrained networks that are on this machine."""
    import timm
    import torchvision

    from foveal.models.weights import (
        PACKAGED_WEIGHTS,
        find_packaged,
        read_state_dict,
        rename_by_order,
    )

    networks: list[tuple[str, nn.Module, Form]] = []
    for packaged in PACKAGED_WEIGHTS:
        if (found := find_packaged(packaged.model_name)) is not None:
            network = timm.create_model(packaged.model_name)
            state = read_state_dict(found[1])
            network.load_state_dict(
                rename_by_order(state, network.state_dict(), origin=packaged.package)
            )
            networks.append((packaged.model_name, network, HALF))
    for name, file in checkpoints.items():
        network = torchvision.models.get_model(name, weights=None)
        network.load_state_dict(read_state_dict(file))
        networks.append((f"torchvision {name}", network, IMAGENET))
    photographs = crops(read_photographs(), 4, PRETRAINED_SIZE_PX, seed=0)
    cells = (
        read_cells(0, 330, PRETRAINED_SIZE_PX)[0]
        if importlib.util.find_spec("elpv_dataset")
        else None
    )
    for name, network, form in networks:
        yield Trained(name, name, network.eval(), form, photographs, "photographs")
        if cells is not None:
            yield Trained(name, name, network.eval(), form, cells, "solar cells")
