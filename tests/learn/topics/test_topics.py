"""The table of topics: nothing promised is missing, and everything named is there."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
import torch
from torch import nn

from foveal.errors import UsageError
from foveal.learn.drills import templates_of
from foveal.learn.labs import LABS
from foveal.learn.quiz import questions_of
from foveal.learn.topics import TOPICS, Topic, find_topic
from foveal.learn.topics.by_hand import ascend, correlate, folded_batch_norm, grad_cam, pooled
from foveal.learn.topics.known_networks import (
    bottleneck_weights,
    resnet18_backbone,
    vgg16_convolutions,
    vgg16_linear_layers,
)
from foveal.linting import RULES

# What the course promises for each topic: Engine, Lab, Drill, Quiz.
PROMISED = {
    1: "LQ", 2: "EDQ", 3: "ELQ", 4: "EDQ", 5: "EDQ", 6: "ELQ", 7: "EDQ", 8: "LQ", 9: "ELDQ",
    10: "ELQ", 11: "EQ", 12: "ELDQ", 13: "ELQ", 14: "ELQ", 15: "ELDQ", 16: "ELQ", 17: "EDQ",
    18: "ELDQ", 19: "EDQ", 20: "EDQ", 21: "LDQ", 22: "ELQ", 23: "EDQ", 24: "ELQ", 25: "EQ",
    26: "ELQ", 27: "ELQ",
}  # fmt: skip
ACTIVITIES = {"E": "engine", "L": "lab", "D": "drill", "Q": "quiz"}

each_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: str(topic.number))


def test_there_are_twenty_seven_each_once() -> None:
    assert sorted(topic.number for topic in TOPICS) == list(range(1, 28))


@each_topic
def test_a_topic_has_what_the_course_promises(topic: Topic) -> None:
    assert topic.activities == tuple(ACTIVITIES[letter] for letter in PROMISED[topic.number])
    if "engine" in topic.activities:
        assert topic.engine
    if "lab" in topic.activities:
        assert topic.lab
    assert len(questions_of(topic.number)) >= 2


@each_topic
def test_a_topic_with_drills_has_drills(topic: Topic) -> None:
    if "drill" in topic.activities:
        assert templates_of(topic.number)


@each_topic
def test_a_lab_that_is_named_is_there(topic: Topic) -> None:
    assert not topic.lab or topic.lab in {name for name, _ in LABS}


@each_topic
def test_every_engine_function_can_be_called(topic: Topic) -> None:
    for name in topic.engine:
        module, _, attribute = name.rpartition(".")
        assert callable(getattr(importlib.import_module(module), attribute))


@each_topic
def test_rules_are_those_that_name_the_topic(topic: Topic) -> None:
    named = sorted(rule.code for rule in RULES if topic.number in rule.topics)
    assert sorted(topic.rules) == named


@each_topic
def test_the_text_is_complete(topic: Topic) -> None:
    assert len(topic.fact) > 150
    assert len(topic.misconceptions) >= 2
    assert topic.paper
    assert topic.example().count("```") % 2 == 0


@each_topic
def test_an_example_fits_into_eighty_columns(topic: Topic) -> None:
    blocks = topic.example().split("```")[1::2]
    assert all(len(line) <= 76 for block in blocks for line in block.splitlines())
    figure = topic.figure()
    if figure is not None:
        assert all(len(line) <= 76 for line in figure.text.splitlines())
        assert figure.alternative


def test_drawings_show_what_the_examples_say() -> None:
    drawn = {number: find_topic(number).figure() for number in (5, 12, 15)}
    counts = {
        number: figure.text.splitlines()[-1].count("■")
        for number, figure in drawn.items()
        if figure is not None
    }
    assert counts == {5: 7, 12: 7, 15: 11}


def test_the_walk_of_the_kernel_is_the_layers() -> None:
    figure = find_topic(2).figure()
    assert figure is not None
    layer = nn.Conv1d(1, 1, 3, stride=2, padding=1, bias=False)
    nn.init.ones_(layer.weight)
    positions = layer(torch.zeros(1, 1, 6)).shape[2]
    rows = figure.text.splitlines()[1:]
    assert len(rows) == positions
    for position, row in enumerate(rows):
        x = torch.zeros(1, 1, 6, requires_grad=True)
        layer(x)[0, 0, position].backward()
        assert x.grad is not None
        cells = row[12:].ljust(15)[2:14:2]  # without the padding
        assert [cell == "■" for cell in cells] == (x.grad[0, 0] != 0).tolist()


def test_pages_do_not_wait_for_torch() -> None:
    code = (
        "import sys\nfrom foveal.learn.topics import TOPICS\n"
        "from foveal.learn.quiz import QUESTIONS\n"
        "for topic in TOPICS:\n    topic.example()\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_topic_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="got topic 28, expected a number from 1 to 27"):
        find_topic(28)


# The examples' own arithmetic, held against torch and against the networks themselves.


def test_correlate_is_what_conv1d_does() -> None:
    row, kernel = (3, 1, 4, 1, 5, 9, 2), (2, 7, 1)
    x, w = torch.tensor([[row]]).float(), torch.tensor([[kernel]]).float()
    assert list(correlate(row, kernel)) == nn.functional.conv1d(x, w).flatten().tolist()


def test_pooled_is_what_max_pool_does() -> None:
    row = (3, 1, 4, 1, 5, 9, 2)
    expected = nn.functional.max_pool1d(torch.tensor([[row]]).float(), 2).flatten().tolist()
    assert list(pooled(row, 2)) == expected


def test_grad_cam_by_hand_is_the_engines() -> None:
    from foveal.explanation import Explainer

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(3, 2, 2, stride=2),
        nn.Flatten(),
        nn.Linear(8, 2),
    ).eval()
    image = torch.rand(1, 1, 4, 4)
    maps = net[1](net[0](image)).detach().requires_grad_()
    net[4](net[3](net[2](maps)))[0, 1].backward()
    assert maps.grad is not None
    flat = [tuple(channel.flatten().tolist()) for channel in maps.detach()[0]]
    slopes = [tuple(channel.flatten().tolist()) for channel in maps.grad[0]]
    _, mine = grad_cam(flat, slopes)
    ((theirs,),) = Explainer(net).explain(image, classes=1, method="grad-cam", layer="1")
    torch.testing.assert_close(
        torch.tensor(mine).reshape(4, 4), torch.as_tensor(theirs.values).float(), rtol=1e-4,
        atol=1e-6,
    )  # fmt: skip


def test_the_folded_line_is_batch_norm_in_evaluation() -> None:
    layer = nn.BatchNorm1d(1, eps=0.0).eval()
    for tensor, value in (
        (layer.weight.data, 1.7), (layer.bias.data, -0.3),
        (layer.running_mean, 2.5), (layer.running_var, 3.0),
    ):  # fmt: skip
        assert tensor is not None
        tensor.fill_(value)
    slope, intercept = folded_batch_norm(scale=1.7, shift=-0.3, mean=2.5, variance=3.0)
    assert float(layer(torch.tensor([[4.0]])).detach()) == pytest.approx(slope * 4 + intercept)


def test_ascent_follows_the_gradient() -> None:
    kernel = torch.tensor([1.0, 0.0, -1.0])
    picture = torch.tensor([0.1, -0.2, 0.3], requires_grad=True)
    for _ in range(5):
        (gradient,) = torch.autograd.grad((kernel * picture).sum(), picture)
        picture = (picture + 0.5 * gradient).detach().requires_grad_()
    mine = ascend((1.0, 0.0, -1.0), (0.1, -0.2, 0.3), steps=5, rate=0.5)
    assert picture.tolist() == pytest.approx(mine)


def test_published_networks_have_the_parameters_that_the_pages_say() -> None:
    from foveal.models import build

    with torch.device("meta"):
        vgg, resnet, deep = build("vgg16"), build("resnet18"), build("resnet50")
    parts = dict(vgg.named_children())
    assert _count(parts["features"]) == vgg16_convolutions()
    assert _count(parts["classifier"]) == sum(vgg16_linear_layers())
    assert _count(resnet) == resnet18_backbone() + 512 * 1000 + 1000
    block = deep.get_submodule("layer1.1")
    weights = [m.weight.numel() for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert tuple(weights) == bottleneck_weights(256, 64)


def test_the_cifar_page_is_the_network() -> None:
    from foveal.inspection import inspect
    from foveal.models import build

    page = find_topic(19).example()
    ops = inspect(build("cifar_net"), input_shape=(3, 32, 32)).ops
    shapes = {"×".join(map(str, row.op.output_shape[1:])) for row in ops}
    for shape in ("32×32×32", "32×16×16", "64×16×16", "64×8×8", "128×8×8", "128×1×1"):
        assert shape in page
        assert shape in shapes


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
