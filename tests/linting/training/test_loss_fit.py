"""T410: a loss that outputs and labels do not fit."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import BATCH, CLASSES, of_rule, small
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("T410")


ONE_HOT = nn.functional.one_hot(CLASSES, 4)
CE, BCE = nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss()


def with_tail(num_outputs: int, *tail: nn.Module) -> nn.Module:
    return nn.Sequential(*small(num_outputs), *tail)


def told(net: nn.Module, labels: torch.Tensor, loss: object) -> str:
    found = outcome(net, batch=BATCH, labels=labels, loss=loss)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    return f"{finding.evidence} {finding.fix}"


@pytest.mark.parametrize(
    ("num_outputs", "labels", "loss", "words"),
    [
        (4, CLASSES + 1, CE, "Labels begin at 0"),
        (2, CLASSES, CE, "go from 0 to 3 and the model has 2 outputs"),
        (4, CLASSES - 1, CE, "Class indices begin at 0"),
        (4, CLASSES.float(), CE, "labels.long()"),
        (4, CLASSES[:, None], CE, "labels.squeeze(1)"),
        (4, ONE_HOT, CE, "labels.argmax(1)"),
        (4, ONE_HOT.float() + ONE_HOT.roll(1, 1), CE, "several classes may be right"),
        (4, torch.full((8,), -100), CE, "nothing is left to learn"),
        (1, torch.zeros(8, dtype=torch.long), CE, "a single output"),
        (1000, CLASSES, CE, "classes that are not there"),
        (4, CLASSES, nn.NLLLoss(), "logarithms of probabilities"),
        (4, CLASSES[:4], CE, "8 images and labels of shape [4]"),
        (1, (CLASSES % 2).float(), BCE, "not of one shape"),
        (1, CLASSES[:, None] % 2, BCE, "labels.float()"),
        (1, 2.0 * (CLASSES[:, None] % 2) - 1, BCE, "as 0 and 1"),
        (1, (CLASSES[:, None] % 2).float(), nn.BCELoss(), "expects probabilities"),
        (1, torch.rand(8), nn.MSELoss(), "broadcast to [8, 8]"),
        (1, torch.rand(8), nn.functional.l1_loss, "broadcast to [8, 8]"),
        (4, CLASSES, nn.MSELoss(), "class 3 is not three times class 1"),
        (4, CLASSES, nn.CrossEntropyLoss(reduction="none"), "backward() needs one"),
    ],
)
def test_fires_with_what_to_do(
    num_outputs: int, labels: torch.Tensor, loss: object, words: str
) -> None:
    assert words in told(small(num_outputs), labels, loss)


def test_labels_beyond_the_last_activation_are_an_error() -> None:
    assert "50% of the labels" in told(
        with_tail(1, nn.ReLU()), torch.tensor([1.0, -1.0] * 4)[:, None], nn.MSELoss()
    )


def test_what_a_loss_raises_is_told_in_its_own_words() -> None:
    def refuse(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        raise ValueError("no such class")

    assert "refuse raises ValueError on this batch: no such class" in told(small(), CLASSES, refuse)


def test_softmax_inside_a_loss_is_found_by_its_bounds() -> None:
    def twice(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs.softmax(1), labels)

    # Perfect answers keep ln(1 + 3 / e), undecided ones have ln 4.
    assert "perfect logits 0.74 and undecided ones 1.39" in told(small(), CLASSES, twice)


def test_the_batch_dimension_is_to_be_kept() -> None:
    assert "returns [32] for 8 images" in told(with_tail(4, nn.Flatten(0)), CLASSES, CE)


@pytest.mark.parametrize(
    ("net", "labels", "loss"),
    [
        (small(), CLASSES, CE),
        (small(), ONE_HOT.float(), CE),
        (small(), CLASSES, nn.CrossEntropyLoss(label_smoothing=0.1)),
        (small(), CLASSES.clone().index_fill(0, torch.tensor([0]), -100), CE),
        (small(), ONE_HOT.float(), BCE),
        (with_tail(4, nn.LogSoftmax(1)), CLASSES, nn.NLLLoss()),
        (with_tail(1, nn.Sigmoid()), (CLASSES[:, None] % 2).float(), nn.BCELoss()),
        (with_tail(1, nn.Flatten(0)), torch.rand(8), nn.MSELoss()),
        (small(1), torch.randn(8, 1), nn.SmoothL1Loss()),
        (small(1000), torch.arange(8) * 100, CE),
        (small(), CLASSES, lambda outputs, y: nn.functional.cross_entropy(outputs, y) ** 2),
    ],
)
def test_stays_silent_where_they_fit(net: nn.Module, labels: torch.Tensor, loss: object) -> None:
    assert outcome(net, batch=BATCH, labels=labels, loss=loss) == Checked()


def test_not_applicable_without_labels() -> None:
    assert isinstance(outcome(small(), batch=BATCH, loss=CE), NotApplicable)


EVEN = (torch.arange(9) % 3).float()[:, None]
NINE = torch.rand(9, 3, 16, 16)


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.L1Loss()])
def test_distances_of_logits_to_one_hot_classes(loss: nn.Module) -> None:
    assert severities(small(), batch=BATCH, labels=ONE_HOT.float(), loss=loss) == ["warning"]


def test_distances_to_vectors_that_are_no_classes_are_sound() -> None:
    labels = torch.rand(8, 4)
    assert severities(small(), batch=BATCH, labels=labels, loss=nn.MSELoss()) == []


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (EVEN, ["warning"]),
        (EVEN + 1, []),  # ratings begin at 1
        (EVEN / 2, []),
        (torch.tensor([0.0, 0, 0, 0, 1, 1, 2, 3, 0])[:, None], []),  # counts
        ((torch.arange(9) % 2).float()[:, None], []),
    ],
)
def test_squared_error_on_classes_in_disguise(labels: torch.Tensor, expected: list[str]) -> None:
    assert severities(small(1), batch=NINE, labels=labels, loss=nn.MSELoss()) == expected


@pytest.mark.parametrize("loss", [nn.SoftMarginLoss(), nn.HingeEmbeddingLoss()])
def test_margins_take_minus_one_and_one(loss: nn.Module) -> None:
    labels = (torch.arange(8) % 2).float()[:, None]
    assert severities(small(1), batch=BATCH, labels=labels, loss=loss) == ["error"]
    assert severities(small(1), batch=BATCH, labels=2 * labels - 1, loss=loss) == []


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1.0, 0, 0, 0], ["warning"]),
        ([0.0, 1, 1, 1], []),
        ([-1.0, 1, 1, 1], ["error"]),
        ([0.1, 1, 5, 1], []),
    ],
)
def test_class_weights(weights: list[float], expected: list[str]) -> None:
    loss = nn.CrossEntropyLoss(weight=torch.tensor(weights))
    assert severities(small(), batch=BATCH, labels=CLASSES, loss=loss) == expected


@pytest.mark.parametrize(
    ("smoothing", "expected"), [(0.1, []), (0.2, []), (0.6, ["warning"]), (1.0, ["error"])]
)
def test_label_smoothing(smoothing: float, expected: list[str]) -> None:
    loss = nn.CrossEntropyLoss(label_smoothing=smoothing)
    assert severities(small(), batch=BATCH, labels=CLASSES, loss=loss) == expected


class MeanOfAxis(nn.Module):
    """Averages tokens over an axis; eight images of eight tokens hide which one it is."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.tokens, self.head, self.axis = nn.Conv2d(3, 6, 4, (4, 8)), nn.Linear(6, 4), axis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.tokens(x).flatten(2).transpose(1, 2)
        answers: torch.Tensor = self.head(tokens.mean(self.axis))
        return answers


@pytest.mark.parametrize(("axis", "expected"), [(0, ["error"]), (1, [])])
def test_rows_that_are_as_many_as_images_by_chance(axis: int, expected: list[str]) -> None:
    assert severities(MeanOfAxis(axis), batch=BATCH, labels=CLASSES, loss=CE) == expected


SEVERAL = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]] * 4)


@pytest.mark.parametrize(
    ("tail", "labels", "expected"),
    [
        (nn.Softmax(1), SEVERAL, ["error"]),
        (nn.Softmax(1), torch.eye(4).repeat(2, 1), ["warning"]),
        (nn.Sigmoid(), SEVERAL, []),
    ],
)
def test_softmax_for_several_right_answers(
    tail: nn.Module, labels: torch.Tensor, expected: list[str]
) -> None:
    found = severities(with_tail(4, tail), batch=BATCH, labels=labels, loss=nn.BCELoss())
    assert found == expected


def python_number(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    return nn.functional.cross_entropy(outputs, labels).item()


def test_a_loss_that_is_a_python_number_has_no_gradient() -> None:
    assert "has no gradient" in told(small(), CLASSES, python_number)
