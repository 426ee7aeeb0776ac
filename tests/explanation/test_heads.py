"""One function finds the logits: through every method and the verdict, for every head."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveal.errors import ModelError, UsageError
from foveal.explanation import explain, judge_map
from foveal.explanation.requests import names_of_classes
from foveal.layers import logits_of, predicting, stream_logits

sys.path.insert(0, str(Path(__file__).parent))
from heads import HEADS, METHODS, Body, make_head, true_logits, true_probabilities

NAMES = tuple(row[0] for row in HEADS)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NAMES)
def test_logits_and_probabilities_are_the_true_ones(name: str, images: Tensor) -> None:
    net, kind = make_head(name)

    with predicting(net) as lent:
        found = stream_logits(lent, iter(images), batch_size=1, total=2)

    assert found.kind == kind
    np.testing.assert_allclose(found.values, true_logits(net, images), atol=1e-4)
    expected = true_probabilities(net, kind, images)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_map_and_verdict_agree_about_the_logit(name: str, method: str, images: Tensor) -> None:
    net, kind = make_head(name)
    if method == "cam" and ("mean" in name or "positions" in name):
        method = "grad-cam"  # more than a linear layer follows its average

    ((heat_map,),) = explain(net, images[:1], classes=0, method=method)
    verdict = judge_map(net, images[0], heat_map)

    logit = true_logits(net, images)[0, 0].item()
    assert heat_map.logit == pytest.approx(logit, abs=1e-4)
    assert verdict.level != "refuted", verdict.sentence
    if method == "cam":
        assert verdict.checks[0].status == "passed"
        assert verdict.checks[0].reference == pytest.approx(logit, abs=1e-4)
    chance = true_probabilities(net, kind, images)[0, 0].item()
    assert f"{chance:.0%}" in verdict.sentence or f"{chance:.1%}" in verdict.sentence


@pytest.mark.parametrize("method", METHODS)
def test_no_is_the_answer_of_an_output_that_says_so(method: str, images: Tensor) -> None:
    net, _ = make_head("one sigmoid")
    with torch.no_grad():
        net.fc.bias.fill_(-4.0 - float(net.logits(images).max()))

    ((no,), _) = explain(net, images, method=method)
    ((yes,), _) = explain(net, images, method=method, classes=0)

    assert (no.class_index, yes.class_index) == (1, 0)
    assert no.logit == pytest.approx(-yes.logit, abs=1e-5)
    if method in ("cam", "grad-cam", "hirescam", "occlusion"):
        np.testing.assert_allclose(no.signed, -yes.signed, atol=1e-5)
    assert "The answer 'healthy'" in judge_map(
        net, images[0], no, class_names=["healthy", "ill"]
    ).sentence.replace("the answer", "The answer")


def test_the_yes_of_one_output_has_the_second_of_two_names(images: Tensor) -> None:
    net, _ = make_head("one output")
    with torch.no_grad():
        net.fc.bias.fill_(3.0 - float(net.logits(images).min()))

    ((heat_map,), _) = explain(net, images)

    sentence = judge_map(net, images[0], heat_map, class_names=["healthy", "cancer"]).sentence
    assert "'cancer'" in sentence
    assert "'healthy'" not in sentence


@pytest.mark.parametrize(
    ("names", "kind", "count", "message"),
    [
        (["a", "b", "c"], "yes or no", 2, "got 3 class names, expected 2"),
        (["a"], "exclusive", 3, "got 1 class names, expected 3"),
        (["a", "b", "c", "d"], "independent", 3, "got 4 class names, expected 3"),
    ],
)
def test_names_of_another_number_are_refused(names, kind, count, message) -> None:
    with pytest.raises(UsageError, match=message):
        names_of_classes(names, kind, count)


def test_each_image_may_have_a_class_of_its_own(images: Tensor) -> None:
    net, _ = make_head("logits")
    for method in METHODS:
        first, second = explain(net, images, classes=[[2], [0, 1]], method=method)
        assert [one.class_index for one in first] == [2]
        assert [one.class_index for one in second] == [0, 1]
        (alone,) = explain(net, images[1:], classes=1, method=method)[0]
        if method != "input-gradients":  # whose noise is drawn image after image
            np.testing.assert_allclose(second[1].values, alone.values, atol=1e-5)
    labels = torch.tensor([2, 0])
    assert [m.class_index for (m,) in explain(net, images, classes=labels[:, None])] == [2, 0]


@pytest.mark.parametrize("classes", [[[0]], [[0], [1], [2]], [[0], []], [[0], [7]], [[0], 1]])
def test_rows_of_classes_that_do_not_fit_are_refused(classes, images: Tensor) -> None:
    with pytest.raises(UsageError):
        explain(make_head("logits")[0], images, classes=classes)


def test_logits_of_independent_labels_can_be_said_to_be_such(images: Tensor) -> None:
    net, _ = make_head("logits")
    (heat_map,) = explain(net, images, classes=1)[0]

    verdict = judge_map(net, images[0], heat_map, labels="independent")

    assert f"from {true_logits(net, images)[0, 1].sigmoid().item():.0%}" in verdict.sentence
    assert verdict.sentence.startswith("Label 1, which is not given,")


def test_labels_against_what_the_network_says_are_refused(images: Tensor) -> None:
    with pytest.raises(UsageError, match="makes exclusive probabilities"):
        logits_of(make_head("softmax")[0], images, labels="independent")


def test_compiled_code_that_may_return_probabilities_is_refused() -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(12, 1), nn.Sigmoid()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's word that scripting is deprecated
        scripted = torch.jit.script(plain)
    with pytest.raises(ModelError, match="whether the network returns logits or probabilities"):
        logits_of(scripted, torch.randn(2, 3, 2, 2))


def test_a_softmax_over_one_output_is_refused(images: Tensor) -> None:
    class One(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))[:, :1].softmax(1)

    with pytest.raises(ModelError, match="softmax over one output"):
        logits_of(One(), images)


def test_a_score_for_each_place_is_refused_with_what_to_do(images: Tensor) -> None:
    with pytest.raises(ModelError, match="score for each position"):
        explain(nn.Conv2d(3, 4, 3).eval(), images, method="occlusion")


def test_a_gate_is_no_probability(images: Tensor) -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return self.fc((y * y.mean((2, 3), keepdim=True).sigmoid()).mean((2, 3)))

    net = Gated().eval()
    assert torch.equal(logits_of(net, images).values, net(images))


@pytest.mark.parametrize(
    "end", [nn.functional.hardsigmoid, lambda z: 1 / (1 + torch.exp(-z))], ids=["hard", "written"]
)
def test_other_sigmoids_make_independent_labels(end, images: Tensor) -> None:
    net = Body(4, lambda f, z: end(z)).eval()
    (heat_map,) = explain(net, images[:1], classes=1, method="occlusion")[0]
    with torch.no_grad():
        probability = net(images[:1])[0, 1]
    assert heat_map.logit == pytest.approx(probability.logit().item(), abs=1e-4)
