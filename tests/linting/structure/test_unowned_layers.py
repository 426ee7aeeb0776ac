"""S119: layers that the model does not own."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked

outcome, severities = of_rule("S119")


class Holding(nn.Module):
    def __init__(self, blocks: object) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = blocks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        blocks = self.blocks.values() if isinstance(self.blocks, dict) else self.blocks
        for block in blocks:  # type: ignore[attr-defined]
            x = block(x)
        return x


def blocks() -> list[nn.Module]:
    return [nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()]


BATCH = torch.rand(2, 3, 8, 8)


@pytest.mark.parametrize(
    ("held", "path"),
    [
        (blocks(), "blocks[0].weight"),
        (tuple(blocks()), "blocks[0].weight"),
        ({"a": blocks()[0]}, "blocks['a'].weight"),
    ],
)
def test_layers_in_a_plain_container_are_an_error(held: object, path: str) -> None:
    found = outcome(Holding(held), batch=BATCH)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    # 4 * 4 * 9 weights and 4 biases.
    assert (finding.location, finding.data["num_weights"]) == (path, 148)
    assert finding.severity == "error"


def test_without_a_batch_it_is_a_warning() -> None:
    assert severities(Holding(blocks()), input_shape=(3, 8, 8)) == ["warning"]


def test_a_layer_made_in_every_pass_is_an_error() -> None:
    class Fresh(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.Conv2d(3, 4, 3)(self.stem(x))

    found = outcome(Fresh(), batch=BATCH)
    assert isinstance(found, Checked)
    assert [finding.severity for finding in found.findings] == ["error"]
    assert "anew in every pass" in found.findings[0].evidence


def test_a_global_layer_is_an_error() -> None:
    outside = nn.Conv2d(4, 4, 3)

    class Borrows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return outside(self.stem(x))

    assert severities(Borrows(), batch=BATCH) == ["error"]
    both = [*Borrows().parameters(), *outside.parameters()]
    optimizer = torch.optim.SGD(both, lr=0.1)
    assert severities(Borrows(), batch=BATCH, optimizer=optimizer) == []


@pytest.mark.parametrize("held", [nn.ModuleList(blocks()), nn.Sequential(*blocks())])
def test_stays_silent_on_registered_layers(held: nn.Module) -> None:
    assert outcome(Holding(held), batch=BATCH) == Checked()


def test_stays_silent_on_a_list_of_layers_that_are_registered_elsewhere() -> None:
    net = Holding([])
    net.first = nn.Conv2d(4, 4, 3)
    net.blocks = [net.first]
    assert outcome(net, batch=BATCH) == Checked()


def test_stays_silent_on_a_frozen_teacher() -> None:
    teacher = nn.Conv2d(4, 4, 3).requires_grad_(False)
    assert outcome(Holding([teacher]), batch=BATCH) == Checked()


def test_stays_silent_on_images_that_forward_differentiates_by() -> None:
    class Energy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x.clone().requires_grad_())

    assert outcome(Energy(), batch=BATCH) == Checked()


class Multiplying(nn.Module):
    """Convolves with a tensor that is a plain attribute."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = weight
        self.head = nn.Linear(len(weight), 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(nn.functional.conv2d(x, self.weight).mean((2, 3)))


def drawn(draw: object) -> torch.Tensor:
    torch.manual_seed(0)
    return draw(8, 3, 3, 3)  # type: ignore[operator]


@pytest.mark.parametrize("draw", [torch.randn, lambda *size: 0.2 * torch.rand(size) - 0.1])
def test_fires_on_a_plain_tensor_drawn_at_random(draw: object) -> None:
    assert severities(Multiplying(drawn(draw)), batch=BATCH) == ["warning"]


def test_stays_silent_on_filters_made_by_a_formula() -> None:
    positions = torch.arange(8.0)
    waves = torch.cos(torch.pi / 8 * (positions[None, :] + 0.5) * positions[:, None])
    cosines = torch.einsum("ai,bj->abij", waves, waves).reshape(64, 1, 8, 8)
    blur = torch.tensor([1.0, 2, 1])
    blur = (blur[:, None] * blur).expand(8, 3, 3, 3) / 16
    assert outcome(Multiplying(blur.clone()), batch=BATCH) == Checked()
    assert outcome(Multiplying(cosines), batch=torch.rand(2, 1, 16, 16)) == Checked()


def test_stays_silent_on_random_features_in_a_buffer() -> None:
    class Buffered(Multiplying):
        def __init__(self, weight: torch.Tensor) -> None:
            super().__init__(weight)
            del self.weight
            self.register_buffer("weight", weight)

    assert outcome(Buffered(drawn(torch.randn)), batch=BATCH) == Checked()


@pytest.mark.parametrize("keep", [lambda w: [w], lambda w: {"w": w}, lambda w: (w, None)])
def test_fires_on_plain_tensors_in_lists_and_dictionaries(keep: object) -> None:
    class Listed(Multiplying):
        def __init__(self, weight: torch.Tensor) -> None:
            super().__init__(weight)
            self.kept = keep(weight)  # type: ignore[operator]
            del self.weight

        @property
        def weight(self) -> torch.Tensor:
            return self.kept["w"] if isinstance(self.kept, dict) else self.kept[0]

        @weight.setter
        def weight(self, value: torch.Tensor) -> None:
            self.first = value

        @weight.deleter
        def weight(self) -> None:
            del self.first

    assert severities(Listed(drawn(torch.randn)), batch=BATCH) == ["warning"]
