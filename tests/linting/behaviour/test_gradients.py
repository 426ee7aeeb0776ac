"""B304: vanishing or exploding gradients."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, Undetermined, lint


def outcome(net: nn.Module, **options: object) -> object:
    return lint(net, select=["B304"], **options).outcomes["B304"]  # type: ignore[arg-type]


def plain(activation: type[nn.Module], *, gain: float = 1.0, depth: int = 12) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 8, 3, padding=1)]
    for _ in range(depth):
        layers += [activation(), nn.Conv2d(8, 8, 3, padding=1)]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data.mul_(gain)
    return net


def test_sigmoids_starve_the_first_layers(batch: torch.Tensor) -> None:
    found = outcome(plain(nn.Sigmoid, gain=0.3), batch=batch)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert "vanish" in finding.evidence
    assert finding.data["ratio"] < 1e-3
    assert finding.data["factor_per_layer"] < 1


def test_large_weights_blow_all_gradients_up(batch: torch.Tensor) -> None:
    found = outcome(plain(nn.ReLU, gain=10.0), batch=batch)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.severity, "explode" in finding.evidence) == ("error", True)
    assert finding.data["typical_relative_norm"] > 1e4


def test_small_weights_before_batch_norms_blow_the_first_gradients_up(batch: torch.Tensor) -> None:
    # Batch norm undoes the scale of a weight, so its gradient grows as the weight shrinks.
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 8, 3)]
    for _ in range(30):
        layers += [nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    for layer in net[:10]:
        if isinstance(layer, nn.Conv2d):
            layer.weight.data.mul_(1e-4)
    found = outcome(net, batch=batch)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert "explode" in finding.evidence
    assert finding.data["ratio"] > 1e4


def test_a_gradient_that_is_no_number_is_an_error(batch: torch.Tensor) -> None:
    class Root(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sqrt(x * 0)

    net = nn.Sequential(*plain(nn.ReLU)[:-1], Root(), nn.Linear(8, 4))
    found = outcome(net, batch=batch)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.severity, finding.data["num_broken"]) == ("error", 13)


def test_stays_silent_on_a_well_begun_stack(batch: torch.Tensor) -> None:
    assert outcome(plain(nn.ReLU), batch=batch) == Checked()


def test_branches_that_begin_at_zero_are_no_finding(batch: torch.Tensor) -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.scale = nn.Conv2d(8, 8, 3, padding=1), nn.Parameter(torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.scale * self.conv(x)

    blocks = [Branch() for _ in range(6)]
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )
    assert outcome(net, batch=batch) == Checked()


def test_does_not_apply_to_three_layers(net: nn.Sequential, batch: torch.Tensor) -> None:
    assert isinstance(outcome(net, batch=batch), NotApplicable)


def test_cannot_tell_when_the_end_begins_at_zero(batch: torch.Tensor) -> None:
    net = plain(nn.ReLU)
    for layer in net[-12:]:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.zeros_(layer.weight)
    assert isinstance(outcome(net, batch=batch), Undetermined)


def test_the_given_loss_and_labels_are_used(batch: torch.Tensor) -> None:
    seen: list[torch.Tensor] = []

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(labels)
        return nn.functional.cross_entropy(outputs, labels)

    labels = torch.arange(16) % 4
    outcome(plain(nn.ReLU), batch=batch, labels=labels, loss=loss)
    assert torch.equal(seen[0], labels)


def test_branches_that_begin_small_by_design_are_open() -> None:
    class Scaled(nn.Module):
        """The head hears of the stem through a branch alone, as in class attention."""

        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3)
            self.layers = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(6))
            self.scale = nn.Parameter(torch.full((8,), 1e-5))
            self.token = nn.Parameter(torch.randn(8))
            self.head = nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.stem(x)
            for layer in self.layers:
                x = x + torch.relu(layer(x))
            return self.head(self.token + self.scale * x.mean((2, 3)))

    torch.manual_seed(0)
    assert outcome(Scaled(), batch=torch.rand(4, 3, 16, 16)) == Checked()
