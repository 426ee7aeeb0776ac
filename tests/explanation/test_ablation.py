from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveal.errors import UsageError
from foveal.explanation import HeatMap, ablation_maps


class Network(nn.Module):
    """Two convolutions, then a pooled head of the given kind."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, 3, padding=1)
        self.second = nn.Conv2d(5, 6, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.act(self.second(self.first(images).relu())))


def _linear() -> Network:
    torch.manual_seed(0)
    return Network(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)))


def _mlp() -> Network:
    torch.manual_seed(0)
    layers = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    return Network(nn.Sequential(*layers))


def _images(count: int = 1) -> Tensor:
    return torch.randn(count, 3, 8, 10, generator=torch.Generator().manual_seed(1))


def _by_loops(model: Network, image: Tensor, index: int) -> np.ndarray:
    """Zeroes one channel after another with a hook, as in the definition."""
    kept: list[Tensor] = []

    def run(channel: int | None) -> float:
        def zero(_: nn.Module, __: object, result: Tensor) -> Tensor:
            result = result.clone()
            if channel is not None:
                result[:, channel] = 0
            kept.append(result)
            return result

        handle = model.act.register_forward_hook(zero)
        with torch.no_grad():
            logit = float(model(image[None])[0, index])
        handle.remove()
        return logit

    logit = run(None)
    features = kept[0][0]
    total = np.zeros(features.shape[1:])
    for channel in range(len(features)):
        total += (logit - run(channel)) / abs(logit) * features[channel].numpy()
    return total


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("make", [_linear, _mlp], ids=["closed form", "by passes"])
def test_map_is_channels_weighed_by_what_the_logit_loses(make, index: int):
    model, (image,) = make(), _images()
    ((found,),) = ablation_maps(model, image[None], classes=index)
    assert np.allclose(found.signed, _by_loops(model, image, index), atol=1e-5)


def test_a_linear_head_needs_no_passes():
    calls: list[tuple[int, int]] = []
    ablation_maps(_linear(), _images(2), progress=lambda *call: calls.append(call))
    assert calls == []


def test_another_head_costs_one_pass_a_channel():
    calls: list[tuple[int, int]] = []
    ablation_maps(_mlp(), _images(2), progress=lambda *call: calls.append(call))
    assert calls[-1] == (2 * 6, 2 * 6)


def test_all_classes_come_at_once():
    model = _linear()
    (found,) = ablation_maps(model, _images(), classes="all")
    alone = [ablation_maps(model, _images(), classes=index)[0][0] for index in range(4)]
    assert [one.signed.tolist() for one in found] == [one.signed.tolist() for one in alone]


def test_an_earlier_layer_is_looked_at_by_name():
    model, (image,) = _linear(), _images()
    ((found,),) = ablation_maps(model, image[None], classes=0, layer="first")
    assert found.layer == "first"
    assert found.signed.shape == (8, 10)


def test_the_layer_chosen_is_what_the_head_pools():
    found: HeatMap = ablation_maps(_linear(), _images())[0][0]
    assert (found.layer, found.layer_reason.startswith("It is the last map: ")) == ("act", True)


def test_a_layer_without_a_map_is_refused():
    with pytest.raises(UsageError, match=r"no map: .* expected \[N, C, h, w\]"):
        ablation_maps(_mlp(), _images(), layer="head.3")


def test_a_layer_that_does_not_exist_is_refused_with_near_names():
    with pytest.raises(UsageError, match="Did you mean second"):
        ablation_maps(_linear(), _images(), layer="secnd")
