"""B305: outputs that are not finite."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, Finding, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    return lint(net, select=["B305"], **options).outcomes["B305"]  # type: ignore[arg-type]


def only(net: nn.Module, **options: object) -> Finding:
    found = outcome(net, **options)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    return finding


def test_the_first_layer_and_its_weight_are_named(net: nn.Sequential, batch: torch.Tensor) -> None:
    with torch.no_grad():
        net[3].weight[0, 0, 0, 0] = float("nan")
    finding = only(net, batch=batch)
    assert (finding.severity, finding.location) == ("error", "3")
    assert "'3.weight' itself is not finite" in finding.evidence


def test_a_function_is_named_after_the_module_that_calls_it(batch: torch.Tensor) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            maps = self.conv(images)
            return torch.log(maps - maps.amax() - 1).mean((2, 3))

    finding = only(Net(), batch=batch)
    assert (finding.location, finding.data["function"]) == ("log", "log")


def test_overflow_of_half_precision_says_so() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    with torch.no_grad():
        net[0].weight.fill_(60_000)
    finding = only(net.half(), batch=torch.ones(2, 3, 4, 4, dtype=torch.float16))
    assert "float16 ends at 65,504" in finding.evidence


def test_a_broken_batch_is_the_finding(net: nn.Sequential, batch: torch.Tensor) -> None:
    batch[0, 0, 0, :2] = float("inf")
    finding = only(net, batch=batch)
    assert (finding.location, finding.data["num_values"]) == ("", 2)


def test_stays_silent_on_numbers(net: nn.Sequential, batch: torch.Tensor) -> None:
    assert outcome(net, batch=batch) == Checked()


def test_masks_inside_are_no_finding(batch: torch.Tensor) -> None:
    class Masks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            scores = self.conv(images).flatten(2)
            return scores.masked_fill(scores < 0, float("-inf")).softmax(-1).nan_to_num()

    assert outcome(Masks(), batch=batch) == Checked()


def test_does_not_apply_on_the_meta_device(batch: torch.Tensor) -> None:
    with torch.device("meta"):
        net = nn.Sequential(nn.Conv2d(3, 4, 3))
    assert isinstance(outcome(net, batch=batch), NotApplicable)
