"""B307: layers that no gradient reaches."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("B307")


BATCH = torch.rand(4, 3, 16, 16)


class Net(nn.Module):
    """Two convolutions and a head; ``between`` works on the map between the first two."""

    def __init__(self, between: Callable[[torch.Tensor], torch.Tensor] = torch.relu) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.head = nn.Linear(8, 4)
        self.between = between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.between(self.first(x))).relu().mean((2, 3)))


def trained(net: nn.Module) -> object:
    held = [parameter for parameter in net.parameters() if parameter.requires_grad]
    return outcome(net, batch=BATCH, optimizer=torch.optim.SGD(held, lr=0.1))


@pytest.mark.parametrize(
    ("between", "reach"),
    [
        (lambda x: x.detach(), "cut"),
        (lambda x: x.data, "cut"),
        (lambda x: torch.from_numpy(x.detach().numpy()), "cut"),
        (torch.round, "zero"),
        (torch.sign, "zero"),
    ],
)
def test_a_cut_is_an_error_at_the_last_layer_before_it(
    between: Callable[[torch.Tensor], torch.Tensor], reach: str
) -> None:
    found = trained(Net(between))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.severity, finding.location, finding.data["reach"]) == ("error", "first", reach)


def test_a_layer_that_is_never_called_is_a_warning() -> None:
    net = Net()
    net.third = nn.Conv2d(8, 8, 3)
    found = trained(net)
    assert isinstance(found, Checked)
    assert [(f.severity, f.location) for f in found.findings] == [("warning", "third")]


def test_without_an_optimizer_in_evaluation_mode_it_is_an_information() -> None:
    assert severities(Net(lambda x: x.detach()).eval(), batch=BATCH) == ["info"]


def test_stays_silent_on_branches_that_begin_at_zero() -> None:
    net = Net()
    nn.init.zeros_(net.second.weight)
    nn.init.zeros_(net.head.weight)
    assert trained(net) == Checked()


def test_stays_silent_on_a_frozen_body_and_on_what_the_optimizer_does_not_hold() -> None:
    net = Net(lambda x: x.detach())
    net.first.requires_grad_(False)
    assert trained(net) == Checked()
    other = Net(lambda x: x.detach())
    held = [*other.second.parameters(), *other.head.parameters()]
    assert outcome(other, batch=BATCH, optimizer=torch.optim.SGD(held, lr=0.1)) == Checked()


def test_stays_silent_on_a_straight_through_estimator() -> None:
    assert trained(Net(lambda x: x + (torch.round(x) - x).detach())) == Checked()


def test_stays_silent_where_another_output_reaches_the_layer() -> None:
    class TwoHeads(Net):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:  # type: ignore[override]
            first = self.first(x)
            rest = self.second(first.detach()).mean((2, 3))
            return {"rest": self.head(rest), "map": first}

    assert trained(TwoHeads()) == Checked()


def test_not_applicable_without_a_batch() -> None:
    assert isinstance(outcome(Net(), input_shape=(3, 16, 16)), NotApplicable)
