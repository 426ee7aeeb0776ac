"""T412: a learning rate out of any sensible range."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER, group_value, held_parameters
from foveal.linting.weights.stored import has_signs_of_training


@dataclass(frozen=True, slots=True)
class Range:
    """Rates that somebody may mean.

    Attributes:
        lowest: For a network that begins with new weights.
        lowest_tuning: For one that is trained already.
        highest: Beyond it hardly any network trains.
    """

    lowest: float
    lowest_tuning: float
    highest: float


# Steps of SGD have the size of rate times gradient; those of Adam and its relatives the size
# of the rate, whatever the gradient: 0.1 is more than the weights of an ordinary layer.
# Adadelta's rate is a factor around 1.
RANGES: dict[str, Range] = {
    "SGD": Range(1e-5, 1e-8, 0.9),
    "Adam": Range(1e-6, 1e-9, 0.05),
    "AdamW": Range(1e-6, 1e-9, 0.05),
    "NAdam": Range(1e-6, 1e-9, 0.05),
    "RAdam": Range(1e-6, 1e-9, 0.05),
    "Adamax": Range(1e-6, 1e-9, 0.1),
    "RMSprop": Range(1e-6, 1e-9, 0.1),
    "Adagrad": Range(1e-5, 1e-8, 1.0),
    "Adadelta": Range(5e-3, 1e-4, 10.0),
}
# So many times beyond the highest is an error.
_HOPELESS = 5
_USUAL_BATCH = 256
# Momentum m adds up 1 / (1 - m) steps in one direction. 0.1 to 0.5 with 0.9 is usual, up to 5.
HIGHEST_SUMMED = 9.0


def check(context: LintContext) -> Outcome:
    """Compares each group's rate with what its optimizer can use.

    A scheduler's ``initial_lr`` counts where it is higher, so a warm-up is no finding.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    name = optimizer_name(context.optimizer)
    if name is None:
        return NotApplicable(f"no range is known for {type(context.optimizer).__name__}")
    usual = RANGES[name]
    # Rates grow with the batch (Goyal et al. 2017 take 3.2 for 8,192 images).
    highest_rate = usual.highest * max(1.0, _batch_size(context) / _USUAL_BATCH)
    is_trained = bool(context.is_pretrained) or (
        context.has_values and has_signs_of_training(context)
    )
    lowest = usual.lowest_tuning if is_trained else usual.lowest
    held = held_parameters(context)
    findings = []
    rates = [_rate(context, index) for index in range(len(context.optimizer.param_groups))]
    highest = max((rate for rate in rates if rate is not None), default=0.0)
    for index, rate in enumerate(rates):
        # Zero and below is T409's; a group may be slow beside another that is not.
        if rate is None or not rate > 0 or (rate < lowest <= highest):
            continue
        summed = _summed(context, index)
        if lowest <= rate <= highest_rate:
            if summed is not None and rate * summed > HIGHEST_SUMMED * highest_rate / usual.highest:
                findings.append(_too_fast_in_sum(context, index, rate, summed))
            continue
        is_high = rate > highest_rate
        severity: Severity = "error" if rate >= _HOPELESS * highest_rate else "warning"
        steps = "steps undo what is learned" if is_high else "thousands of steps change nothing"
        findings.append(
            Finding(
                "T412",
                severity,
                next((e.name for e in held if e.group_index == index and e.name), ""),
                f"A learning rate of {rate:g} is far {'above' if is_high else 'below'} what {name} "
                f"is used with on {'trained' if is_trained else 'new'} weights "
                f"({lowest:g} to {highest_rate:g}): {steps}.",
                f"Begin with {_USUAL[name]}.",
                data={"lr": rate, "lowest": lowest, "highest": highest_rate},
            )
        )
    return Checked(tuple(findings))


_USUAL = dict.fromkeys(RANGES, "0.001") | {
    "SGD": "0.01 to 0.1 (a tenth to a hundredth for trained weights)",
    "Adagrad": "0.01",
    "Adadelta": "1",
}


def optimizer_name(optimizer: object) -> str | None:
    """Returns which of PyTorch's optimizers it is or derives from, if its rates are known."""
    for base in type(optimizer).__mro__:
        if base.__name__ in RANGES and base.__module__.startswith("torch.optim"):
            return base.__name__
    return None


def _summed(context: LintContext, index: int) -> float | None:
    """Returns how many steps of SGD in one direction momentum adds up; None where it has none."""
    assert context.optimizer is not None
    momentum = group_value(context, index, "momentum")
    if optimizer_name(context.optimizer) != "SGD" or not momentum or not 0 < momentum < 1:
        return None
    dampening = group_value(context, index, "dampening") or 0.0
    return (1 - dampening) / (1 - momentum)


def _too_fast_in_sum(context: LintContext, index: int, rate: float, summed: float) -> Finding:
    assert context.optimizer is not None
    held = held_parameters(context)
    momentum = context.optimizer.param_groups[index]["momentum"]
    return Finding(
        "T412",
        "warning",
        next((e.name for e in held if e.group_index == index and e.name), ""),
        f"A learning rate of {rate:g} with a momentum of {momentum:g} moves as a rate of "
        f"{rate * summed:g} would: momentum adds up {summed:,.0f} steps.",
        "Give momentum=0.9, or divide the rate by as much as momentum adds up more.",
        data={"lr": rate, "momentum": momentum, "summed": rate * summed},
    )


def _batch_size(context: LintContext) -> int:
    stated = (context.settings or {}).get("batch_size")
    return int(stated) if stated is not None else 0 if context.batch is None else len(context.batch)


def _rate(context: LintContext, index: int) -> float | None:
    assert context.optimizer is not None
    if not context.optimizer.param_groups[index]["params"]:
        return None
    rate = group_value(context, index, "lr")
    planned = group_value(context, index, "initial_lr")
    return rate if rate is None or planned is None else max(rate, planned)


RULE = Rule("T412", "a learning rate out of any sensible range", "error", check, topics=(10,))
