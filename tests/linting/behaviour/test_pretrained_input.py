"""B302 on a network that was really trained, and on real pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from foveal.linting import lint
from foveal.models import load_backbone

elpv = pytest.importorskip("elpv_dataset.utils")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lite0() -> nn.Module:
    return load_backbone("tf_efficientnet_lite0").network


@pytest.fixture(scope="module")
def cells() -> torch.Tensor:
    """Sixteen solar cells from all over the data set, in [0, 1]."""
    images, _, _ = elpv.load_dataset()
    chosen = [np.asarray(Image.fromarray(image).resize((224, 224))) for image in images[::164]]
    grey = torch.from_numpy(np.stack(chosen)).float()[:, None] / 255
    return grey.expand(-1, 3, -1, -1).contiguous()


@pytest.fixture(scope="module")
def photographs() -> torch.Tensor:
    """Cut-outs of two photographs in colour, in [0, 1]."""
    from sklearn.datasets import load_sample_images

    cuts = [
        np.asarray(Image.fromarray(photo[top : top + 300, left : left + 300]).resize((224, 224)))
        for photo in load_sample_images().images
        for top in (0, 60, 120)
        for left in (0, 170, 340)
    ]
    return torch.from_numpy(np.stack(cuts)).float().permute(0, 3, 1, 2) / 255


def halves(images: torch.Tensor) -> torch.Tensor:
    return (images - 0.5) / 0.5


def imagenet(images: torch.Tensor) -> torch.Tensor:
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return (images - mean) / std


def named(net: nn.Module, batch: torch.Tensor, **options: object) -> list[tuple[str, str]]:
    """Returns what the batch is said to be and what it should be; empty where neither is told."""
    report = lint(net, batch=batch, select=["B302"], **options)  # type: ignore[arg-type]
    return [(str(f.data["given"]), str(f.data["fitting"])) for f in report.findings]


def wrong_forms(images: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "0–255": 255 * images,
        "0–1, not normalised": images,
        "normalised with ImageNet's mean and std": imagenet(images),
        "0–255, normalised as if it were 0–1": halves(255 * images),
    }


def test_right_preparation_is_silent_under_every_rule_on_behaviour(
    lite0: nn.Module, cells: torch.Tensor
) -> None:
    report = lint(lite0, batch=halves(cells), select=["behaviour"])
    assert report.findings == ()
    assert report.undetermined == {}


@pytest.mark.parametrize("given", list(wrong_forms(torch.zeros(1, 3, 1, 1))))
def test_every_wrong_preparation_of_photographs_is_named(
    lite0: nn.Module, photographs: torch.Tensor, given: str
) -> None:
    batch = wrong_forms(photographs)[given]
    assert named(lite0, batch) == [(given, "mean and std of 0.5")]


@pytest.mark.parametrize("given", list(wrong_forms(torch.zeros(1, 3, 1, 1))))
def test_of_foreign_pictures_it_is_named_where_the_makers_state_the_form(
    lite0: nn.Module, cells: torch.Tensor, given: str
) -> None:
    """Without their word a wrong form is told of solar cells only where the scale is wrong."""
    batch = wrong_forms(cells)[given]
    stated = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    assert named(lite0, batch, expected_input=stated) == [(given, "mean and std of 0.5")]
    assert {fitting for _, fitting in named(lite0, batch)} <= {"mean and std of 0.5"}


@pytest.mark.parametrize(
    "strange", ["dark", "pale", "bright", "inverted", "tinted", "turned", "posterised"]
)
def test_strange_pictures_rightly_prepared_are_not_accused(
    lite0: nn.Module, photographs: torch.Tensor, strange: str
) -> None:
    tint = torch.tensor([0.2, 0.6, 0.8]).view(3, 1, 1)
    images = {
        "dark": 0.2 * photographs,
        "pale": 0.5 + 0.2 * (photographs - 0.5),
        "bright": 0.6 + 0.4 * photographs,
        "posterised": (3 * (photographs - 0.5) + 0.5).clamp(0, 1),
        "inverted": 1 - photographs,
        "tinted": tint * photographs,
        "turned": photographs.flip(1),
    }[strange]
    assert named(lite0, halves(images)) == []
