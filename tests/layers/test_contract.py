"""Every consumer of a layer accepts and refuses the same names, and leaves the model as found.

The list of consumers runs over the same names of the same networks. Whoever reaches a layer in
a way of their own fails here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.layers.networks import NETWORKS, images, make
from torch import nn

from foveal.errors import FovealError
from foveal.explanation import METHODS, explain, judge_map
from foveal.inspection import (
    effective_receptive_field,
    gradient_flow,
    inspect,
    measure_equivariance,
)
from foveal.models.surgery import separate
from foveal.visualisation import Ascent, Channel, maximise

Consumer = Callable[[nn.Module, str], Any]
SIZE = (3, 48, 48)


def _maps(method: str) -> Consumer:
    return lambda model, name: explain(model, images(1), classes=0, method=method, layer=name)


def _randomised(model: nn.Module, name: str) -> Any:
    """The verdict's test with random weights, of a map at that layer."""

    def again(net: nn.Module, some: torch.Tensor, classes: Any) -> Any:
        found = explain(net, some, classes=classes[0], method="grad-cam", layer=name)
        return [row[0] for row in found]

    image = images(1)
    map_ = again(model, image, [0])[0]
    return judge_map(model, image[0], map_, effort="full", remake=again)


def _effective(model: nn.Module, name: str) -> Any:
    return effective_receptive_field(model, inspect(model, SIZE), at=name, num_images=1)


def _equivariance(model: nn.Module, name: str) -> Any:
    table = inspect(model, SIZE)
    return measure_equivariance(
        model, table, images(1).numpy(), at=name, shifts_px=(1,), borders="keep"
    )


# All of these look at a map of any layer.
CONSUMERS: dict[str, Consumer] = {
    # CAM itself is defined at one layer alone.
    **{
        one.name: _maps(one.name)
        for one in METHODS
        if one.looks_at == "layer" and one.name != "cam"
    },
    "auto": _maps("auto"),
    "effective receptive field": _effective,
    "equivariance": _equivariance,
    "gradient flow": lambda model, name: gradient_flow(model, images(2), at=(name,)),
    "visualisation": lambda model, name: maximise(
        model, Channel(name, 0), ascent=Ascent(size_px=48, num_steps=1)
    ),
}
# Surgery replaces modules, and a function's result is none.
MODULES_ALONE: dict[str, Consumer] = {"surgery": lambda model, name: separate(model, [name])}

ACCEPTED = [
    ("resnet18", "layer3"),
    ("resnet18", "layer3.0.add"),
    ("resnet18", "layer3.0.conv1"),
    ("resnet18", "layer3.0.relu#2"),
    ("resnet18", "layer2.0.downsample"),
    ("functional", "first"),
    ("functional", "max_pool2d"),
    ("functional", "relu#2"),
    ("two branches", "left"),
    ("two branches", "cat"),
    ("two branches", "shared"),
    ("two branches", "shared#2"),
    ("two branches", "alias"),
    ("twice", "block"),
    ("twice", "block.0#2"),
    ("untraceable", "first"),
    ("untraceable", "second"),
]
NO_LAYER = [
    ("resnet18", "layer3.0.ad", "ResNet has neither operation nor module named 'layer3.0.ad'."),
    ("resnet18", "layer3.0.add#7", "neither operation nor module named 'layer3.0.add#7'."),
    ("functional", "secnd", "Functional has neither operation nor module named 'secnd'."),
    ("functional", "", "Functional has neither operation nor module named ''."),
    ("functional", "unused", "no operation runs in 'unused' of Functional"),
    ("two branches", "lef", "TwoBranches has neither operation nor module named 'lef'."),
    ("untraceable", "secnd", "Untraceable has no module named 'secnd', and of its operations none"),
    ("untraceable", "relu", "Untraceable has no module named 'relu', and of its operations none"),
]
# Equivariance asks besides where the units are, which is not known behind the end of tracing.
NEEDS_MORE = {("equivariance", "untraceable", "second")}


def _state(model: nn.Module) -> dict[str, Any]:
    """Everything of a model that a borrower could leave changed."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "values": {name: (t.data_ptr(), t._version, t.clone()) for name, t in tensors.items()},
        "gradients": {name: t.grad for name, t in tensors.items()},
        "requires": {name: t.requires_grad for name, t in tensors.items()},
        "modes": {name: module.training for name, module in model.named_modules()},
        "hooks": {
            name: (list(module._forward_hooks.items()), list(module._forward_pre_hooks))
            for name, module in model.named_modules()
        },
        "attributes": {name: sorted(vars(module)) for name, module in model.named_modules()},
    }


def _require_as_found(model: nn.Module, before: dict[str, Any], random_state: Any) -> None:
    after = _state(model)
    for key in ("requires", "modes", "hooks", "attributes"):
        assert after[key] == before[key], key
    for name, (pointer, version, values) in before["values"].items():
        now = after["values"][name]
        assert (now[0], now[1]) == (pointer, version), name
        assert torch.equal(now[2], values), name
        assert after["gradients"][name] is before["gradients"][name], name
    assert torch.equal(torch.get_rng_state(), random_state)


def _outcome(consumer: Consumer, network: str, name: str) -> FovealError | None:
    """Returns the refusal, if there was one; whatever came of it, the model is as found."""
    model = make(network)
    before, random_state = _state(model), torch.get_rng_state()
    try:
        consumer(model, name)
    except FovealError as error:
        return error
    finally:
        _require_as_found(model, before, random_state)
    return None


@pytest.mark.parametrize(("network", "name"), ACCEPTED)
def test_what_one_consumer_accepts_all_accept(network, name):
    refused = {
        consumer: str(error)
        for consumer, call in CONSUMERS.items()
        if (consumer, network, name) not in NEEDS_MORE
        and (error := _outcome(call, network, name)) is not None
    }
    assert refused == {}


@pytest.mark.parametrize(("network", "name", "words"), NO_LAYER)
def test_all_refuse_a_wrong_name_in_the_same_words(network, name, words):
    found = {consumer: str(_outcome(call, network, name)) for consumer, call in CONSUMERS.items()}
    assert len(set(found.values())) == 1, found
    assert words in found["grad-cam"]


@pytest.mark.parametrize(
    ("network", "name", "near"),
    [
        ("resnet18", "layer3.0.ad", "Did you mean layer3.0.add or "),
        ("functional", "secnd", "Did you mean second?"),
        ("two branches", "lef", "Did you mean left?"),
        ("untraceable", "secnd", "Did you mean second?"),
    ],
)
def test_near_names_are_offered_once_each(network, name, near):
    error = _outcome(CONSUMERS["visualisation"], network, name)
    assert error is not None
    assert near in (error.next_step or "")
    offered = (error.next_step or "").removeprefix("Did you mean ").rstrip("?").split(" or ")
    assert len(offered) == len(set(offered))


def test_all_that_look_at_maps_refuse_a_vector_in_the_same_words():
    look_at_maps = set(CONSUMERS) - {"gradient flow", "visualisation"}
    found = {str(_outcome(CONSUMERS[one], "resnet18", "fc")) for one in look_at_maps}
    assert found == {
        "layer 'fc' has no map: its result is (1, 4), expected [N, C, h, w] with more than one "
        "position.\nThe last layer with a map is 'layer4.1.relu#2' (2 x 2)."
    }


@pytest.mark.parametrize("network", NETWORKS)
def test_surgery_finds_modules_by_the_same_paths(network):
    names = {"resnet18": "layer3.0.conv1", "two branches": "left", "twice": "block.0"}
    surgery = MODULES_ALONE["surgery"]
    assert _outcome(surgery, network, names.get(network, "first")) is None
    error = _outcome(surgery, network, "frst")
    assert error is not None
    assert error.message == f"{type(make(network)).__name__} has no module named 'frst'."


@pytest.mark.parametrize("network", ["functional", "two branches"])
def test_the_verdict_with_random_weights_leaves_the_model_as_found(network):
    name = {"functional": "relu#2", "two branches": "cat"}[network]
    assert _outcome(_randomised, network, name) is None


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_an_error_in_the_middle_of_the_pass_leaves_the_model_as_found(consumer):
    model = make("functional")

    def fail(module: nn.Module, args: Any, result: torch.Tensor) -> None:
        with torch._C.DisableTorchFunction():  # while tracing, tensors pretend to be on the CPU
            is_traced = result.is_meta
        if not is_traced:
            module.weight.data.add_(1)
            raise RuntimeError("in the middle")

    model.second.register_forward_hook(fail)
    before, random_state = _state(model), torch.get_rng_state()
    with pytest.raises(RuntimeError, match="in the middle"):
        CONSUMERS[consumer](model, "relu#2")
    _require_as_found(model, before, random_state)


class Locked(nn.Module):
    """Holds what cannot be copied, so it is lent itself."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.conv, self.linear = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.conv.bias.add_(1)
        return self.linear(self.conv(x).relu().amax((2, 3)))


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_model_that_cannot_be_copied_and_writes_to_itself_is_as_found(consumer):
    torch.manual_seed(0)
    model = Locked()
    before, random_state = _state(model), torch.get_rng_state()
    CONSUMERS[consumer](model, "relu")
    _require_as_found(model, before, random_state)


def test_two_threads_look_at_one_model_at_once():
    model = make("two branches")
    expected = CONSUMERS["grad-cam"](model, "cat")[0][0].signed
    found: list[Any] = []

    def look() -> None:
        gradient_flow(model, images(2), at=("shared",))
        found.append(CONSUMERS["grad-cam"](model, "cat")[0][0].signed)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [bool((one == expected).all()) for one in found] == [True] * 3


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_compiled_network_has_the_names_of_the_one_it_wraps(consumer):
    model = torch.compile(make("functional"))
    assert CONSUMERS[consumer](model, "relu#2") is not None
    assert CONSUMERS[consumer](model, "_orig_mod.second") is not None


def test_the_default_map_of_a_compiled_network_is_measured():
    model = torch.compile(make("functional"))
    found = effective_receptive_field(model, inspect(model, SIZE), num_images=1)
    plain = make("functional")
    expected = effective_receptive_field(plain, inspect(plain, SIZE), num_images=1)
    assert (found.op_name, found.theoretical) == (expected.op_name, expected.theoretical)
