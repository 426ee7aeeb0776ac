"""B301: an image's answer depends on the other images of its batch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from foveal.linting import Checked, Finding, NotApplicable, Undetermined, lint


def outcome(net: nn.Module, **options: object) -> object:
    return lint(net, select=["B301"], **options).outcomes["B301"]  # type: ignore[arg-type]


def only(net: nn.Module, **options: object) -> Finding:
    found = outcome(net, **options)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    return finding


def test_training_mode_with_learned_statistics_is_an_error(
    net: nn.Sequential, batch: torch.Tensor
) -> None:
    finding = only(net.train(), batch=batch)
    assert (finding.severity, finding.location) == ("error", "1")
    assert finding.fix == "Call model.eval() before predicting."


def test_a_new_network_in_training_mode_is_a_warning(batch: torch.Tensor) -> None:
    new = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    assert only(new, batch=batch).severity == "warning"


def test_one_batch_norm_left_in_training_mode_is_named(
    net: nn.Sequential, batch: torch.Tensor
) -> None:
    net[4].train()
    finding = only(net, batch=batch)
    assert (finding.location, finding.data["num_batch_norms"]) == ("4", 1)


def test_untracked_statistics_are_no_matter_of_eval(batch: torch.Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)).eval()
    assert "track_running_stats=True" in only(net, batch=batch).fix


def test_a_layer_that_subtracts_the_mean_image_is_found(batch: torch.Tensor) -> None:
    class Centres(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            maps = self.conv(images).mean((2, 3))
            return maps - maps.mean(0)

    finding = only(Centres().eval(), batch=batch)
    assert (finding.location, finding.data["num_batch_norms"]) == ("", 0)
    assert "reduces over the batch dimension" in finding.fix


def test_stays_silent_in_evaluation_mode(net: nn.Sequential, batch: torch.Tensor) -> None:
    assert outcome(net, batch=batch) == Checked()


def test_dropout_alone_is_no_dependence_on_the_batch(batch: torch.Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5), nn.Flatten()).train()
    assert outcome(net, batch=batch) == Checked()


def test_batch_norms_belong_to_training(net: nn.Sequential, batch: torch.Tensor) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    assert outcome(net.train(), batch=batch, optimizer=optimizer) == Checked()


class Lambda(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


@pytest.mark.parametrize(
    "last",
    [
        nn.Softmax(dim=0),
        Lambda(lambda x: x - x.mean(0)),
        Lambda(lambda x: x / x.norm()),
        Lambda(lambda x: x.t().reshape(-1, 4)),
    ],
    ids=["softmax", "mean", "norm", "reshape"],
)
def test_mixing_is_an_error_while_training_too(
    net: nn.Sequential, batch: torch.Tensor, last: nn.Module
) -> None:
    mixed = nn.Sequential(net.train(), last)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    found = outcome(mixed, batch=batch, optimizer=optimizer)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert finding.severity == "error"
    assert "mixes the images" in finding.evidence


def test_does_not_apply_without_a_batch(net: nn.Sequential) -> None:
    assert isinstance(outcome(net.train(), input_shape=(3, 32, 32)), NotApplicable)


@pytest.mark.parametrize("same", [False, True])
def test_cannot_tell_without_different_images(
    net: nn.Sequential, batch: torch.Tensor, same: bool
) -> None:
    few = batch[:1].repeat(4, 1, 1, 1) if same else batch[:1]
    assert isinstance(outcome(net.train(), batch=few), Undetermined)


def test_a_model_that_changes_with_each_call_is_not_said_to_mix_images() -> None:
    class Shrinking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.layer.weight.data.mul_(0.9)
            return self.layer(x).mean((2, 3))

    found = outcome(Shrinking().eval(), batch=torch.rand(4, 3, 8, 8))
    assert isinstance(found, Undetermined)
    assert "differently each time" in found.reason
