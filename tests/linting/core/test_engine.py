"""Running rules: outcomes, order, failures, and the model left as found."""

from __future__ import annotations

import copy

import pytest
import torch
import torchvision
from torch import nn

import foveal
from foveal.errors import UsageError
from foveal.linting import (
    CannotTellError,
    Checked,
    Finding,
    LintContext,
    NotApplicable,
    Rule,
    Undetermined,
    lint,
)
from foveal.linting.engine import run_rules
from foveal.models import open_network


def rule(code: str, outcome: object) -> Rule:
    def check(context: LintContext) -> object:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return Rule(code, "a title", "error", check)  # type: ignore[arg-type]


def finding(code: str, severity: str) -> Finding:
    return Finding(code, severity, "", "evidence", "fix")  # type: ignore[arg-type]


CONTEXT = LintContext(nn.Conv2d(3, 8, 3), (3, 8, 8))


def test_findings_come_gravest_first_then_by_code() -> None:
    rules = [
        rule("S1", Checked((finding("S1", "info"), finding("S1", "error")))),
        rule("S0", Checked((finding("S0", "error"),))),
    ]
    report = run_rules(rules, CONTEXT)
    order = [(item.severity, item.code) for item in report.findings]
    assert order == [("error", "S0"), ("error", "S1"), ("info", "S1")]


def test_a_rule_that_crashes_could_not_tell_and_the_others_go_on() -> None:
    rules = [rule("S1", ZeroDivisionError("by zero")), rule("S2", Checked())]
    report = run_rules(rules, CONTEXT)
    assert report.outcomes["S1"] == Undetermined("the rule failed with ZeroDivisionError: by zero")
    assert report.outcomes["S2"] == Checked()


def test_a_fact_that_is_not_to_be_had_is_the_reason() -> None:
    report = run_rules([rule("S1", CannotTellError("no graph"))], CONTEXT)
    assert report.undetermined == {"S1": "no graph"}


def test_json_tells_the_three_outcomes_apart() -> None:
    rules = [
        rule("S1", Checked((finding("S1", "info"),))),
        rule("S2", NotApplicable("no norm")),
        rule("S3", Undetermined("no graph")),
    ]
    assert run_rules(rules, CONTEXT).to_json()["outcomes"] == {
        "S1": {"outcome": "checked", "num_findings": 1},
        "S2": {"outcome": "not applicable", "reason": "no norm"},
        "S3": {"outcome": "undetermined", "reason": "no graph"},
    }


def test_a_model_that_cannot_be_traced_is_undetermined_not_clean() -> None:
    class Branches(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2 if x.mean() > 0 else x

    report = lint(Branches(), input_shape=(3, 8, 8), select=["S105"])
    assert "S105" in report.undetermined


def test_a_model_without_convolution_needs_an_input_shape() -> None:
    report = lint(nn.Linear(3, 3), select=["S101"])
    assert report.input_shape is None
    assert "no 2-d convolution" in report.undetermined["S101"]


def test_the_shape_is_taken_from_the_batch() -> None:
    report = lint(nn.Conv2d(3, 8, 3), batch=torch.zeros(2, 3, 40, 48), select=["S101"])
    assert (report.input_shape, report.input_source) == ((3, 40, 48), "the batch")


def test_the_shape_is_guessed_from_the_first_convolution() -> None:
    assert lint(nn.Conv2d(1, 8, 3), select=["S101"]).input_shape == (1, 224, 224)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("input_shape", (1, 40, 48)),
        ("pretrained_cfg", {"input_size": [1, 40, 48]}),
        ("default_cfg", {"input_size": (1, 40, 48)}),
    ],
)
def test_the_shape_is_what_the_model_says(said: str, value: object) -> None:
    model = nn.Conv2d(1, 8, 3)
    setattr(model, said, value)
    assert lint(model, select=["S101"]).input_shape == (1, 40, 48)
    assert open_network(model).input_shape == (1, 40, 48)


def test_what_is_no_shape_of_an_image_is_not_taken_for_one() -> None:
    model = nn.Conv2d(1, 8, 3)
    model.pretrained_cfg = {"input_size": (40, 48)}  # type: ignore[assignment]
    assert lint(model, select=["S101"]).input_shape == (1, 224, 224)


def test_the_model_is_left_as_it_was_found() -> None:
    model = torchvision.models.resnet18()
    model.layer1.eval()
    model.fc.weight.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    modes = {name: module.training for name, module in model.named_modules()}
    random_state = torch.get_rng_state()
    lint(model, input_shape=(3, 64, 64), select=["S", "W"])
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert torch.equal(torch.get_rng_state(), random_state)
    assert not model.fc.weight.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("select", "expected"),
    [(["S101"], {"S101"}), (["s10"], {f"S10{n}" for n in range(1, 10)}), (["W201,"], None)],
)
def test_select_takes_codes_and_their_beginnings(
    select: list[str], expected: set[str] | None
) -> None:
    if expected is None:
        with pytest.raises(UsageError, match="no lint rule 'W201,'"):
            lint(nn.Conv2d(3, 8, 3), select=select)
    else:
        assert set(lint(nn.Conv2d(3, 8, 3), select=select).outcomes) == expected


def test_ignore_takes_families() -> None:
    report = lint(nn.Conv2d(3, 8, 3), select=["S101", "W201"], ignore=["weights"])
    assert set(report.outcomes) == {"S101"}


@pytest.mark.parametrize("shape", [(3, 0, 8), (3, -1, 8), (3.5, 8, 8)])
def test_an_input_shape_that_is_none_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"expected positive whole numbers"):
        lint(nn.Conv2d(3, 8, 3), input_shape=shape)


def test_a_single_image_is_no_batch() -> None:
    with pytest.raises(UsageError, match=r"expected \(N, C, H, W\)"):
        lint(nn.Conv2d(3, 8, 3), batch=torch.zeros(3, 8, 8))


def test_the_package_is_called_like_its_function() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    report = foveal.lint(net, input_shape=(3, 8, 8), select=["S101"])
    assert report.findings[0].code == "S101"
    assert foveal.linting.fix(net, report.findings[0])[0].bias is None


def test_a_finding_cannot_be_altered() -> None:
    with pytest.raises(TypeError):
        finding("S101", "info").data["new"] = 1  # type: ignore[index]


class ClampsItsWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 2)
        self.mean = torch.zeros(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.conv.weight.clamp_(-0.01, 0.01)
            self.fc.weight.data = self.fc.weight.data * 0.5
        result = self.fc(self.conv(x).mean((2, 3)))
        self.mean.mul_(0.9).add_(result.detach().mean(0), alpha=0.1)
        return result


def spectral() -> nn.Module:
    layer = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 8, 3))
    return nn.Sequential(layer, nn.ReLU(), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.LazyLinear(2))


@pytest.mark.parametrize("make", [ClampsItsWeights, spectral])
def test_values_and_memories_are_as_found_whatever_forward_writes(make) -> None:
    model = make().train()
    batch = torch.rand(4, 3, 16, 16)
    model(batch[:1])
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    if isinstance(model, ClampsItsWeights):
        tensors["mean"] = model.mean

    def state() -> dict[str, object]:
        return {
            name: (tensor.tolist(), tensor.untyped_storage()._cdata, tensor._version)
            for name, tensor in tensors.items()
        }

    before = state()
    lint(model, batch=batch, labels=torch.tensor([0, 1, 0, 1]))

    assert state() == before
