"""B306: the same batch, twice in a row, gets different answers."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from foveal.draw.numbers import percent
from foveal.graph.borrowing import fully_borrowed
from foveal.linting.behaviour.passes import images_of, reason_not_to_run, run
from foveal.linting.behaviour.watching import Call, watching
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome, Severity
from foveal.linting.rule import Rule

_MAX_REPEATED = 8
# Relative; parallel sums may differ in the last digits from run to run.
_TOLERANCE = 1e-4
Cause = Literal["chance", "state"]


def check(context: LintContext) -> Outcome:
    """Runs the batch twice in the present mode and compares."""
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    if context.optimizer is not None and context.model.training:
        return _dropout_in_evaluation(context)
    images = images_of(context, at_most=_MAX_REPEATED)
    with fully_borrowed(context.model) as model:
        first, second = run(model, images), run(model, images)
        if _change(first, second) <= _TOLERANCE:
            return Checked()
        cause, place = _trace_difference(model, images)
    return Checked((_finding(context.model, _change(first, second), cause, place),))


def _dropout_in_evaluation(context: LintContext) -> Outcome:
    """Looks for functional dropout that evaluation mode does not switch off.

    A model that is being trained may draw what it likes while it trains, and other draws in
    evaluation mode may be meant (a variational autoencoder); dropout is not.
    """
    found: list[str] = []

    def see(call: Call) -> None:
        before = call.arguments[0] if "dropout" in call.function and call.arguments else None
        if isinstance(before, Tensor) and before.shape == call.result.shape:
            changed = torch.ne(call.result, before)
            found.extend([call.place] if bool(changed.any()) else [])

    images = images_of(context, at_most=2)
    with fully_borrowed(context.model) as model:
        for module in model.modules():
            module.training = False
        with watching(model, see):
            run(model, images)
    if not found:
        return Checked()
    return Checked(
        (
            Finding(
                code="B306",
                severity="warning",
                place=found[0],
                evidence=(
                    f"{found[0]!r} drops values in evaluation mode too: eval() does not switch "
                    "it off, so every prediction will depend on chance."
                ),
                fix="Write F.dropout(x, p, training=self.training), or use nn.Dropout.",
                data={"num_places": len(found)},
            ),
        )
    )


def _change(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return float("inf")
    # Where both are not a number the answer is at least the same; B305 speaks of that.
    both = torch.isfinite(one) & torch.isfinite(other)
    if not bool(both.any()):
        return 0.0
    size = float(torch.maximum(one[both].abs().max(), other[both].abs().max()))
    return float((one - other)[both].abs().max()) / size if size > 0 else 0.0


def _trace_difference(model: nn.Module, images: Tensor) -> tuple[Cause, str]:
    """Returns whether chance or a memory does it, and the first call that differs."""
    state = torch.get_rng_state()
    sums: list[list[tuple[str, float]]] = []
    for _ in range(2):
        noted: list[tuple[str, float]] = []

        def see(call: Call, noted: list[tuple[str, float]] = noted) -> None:
            if not call.result.is_complex():
                noted.append((call.place, float(call.result.double().sum())))

        with watching(model, see):
            run(model, images)
        sums.append(noted)
    torch.set_rng_state(state)
    one = run(model, images)
    torch.set_rng_state(state)
    cause: Cause = "chance" if _change(one, run(model, images)) <= _TOLERANCE else "state"
    for (place, value), (_, other) in zip(*sums, strict=False):
        if abs(value - other) > _TOLERANCE * max(abs(value), abs(other), 1e-12):
            return cause, place
    return cause, ""


def _finding(model: nn.Module, change: float, cause: Cause, place: str) -> Finding:
    severity: Severity = "warning" if model.training else "error"
    path = place.partition("#")[0]
    module = dict(model.named_modules()).get(path)
    if cause == "state":
        what = "also with the same random state: the model remembers earlier calls"
        fix = "Let forward write no buffers or attributes when the model is not training."
    elif model.training:
        what = "and the model is in training mode"
        fix = "Call model.eval() before predicting."
    elif module is not None and module.training:
        what = f"and {path!r} alone is in training mode"
        fix = f"Call eval() on the whole model, or on {path!r}, before predicting."
    else:
        what = "although the model is in evaluation mode"
        fix = "Give F.dropout training=self.training; draw no random numbers in evaluation mode."
    return Finding(
        code="B306",
        severity=severity,
        place=place,
        evidence=(
            f"The same images answered differently twice in a row, by {percent(change, digits=1)} "
            f"of the largest output, {what}."
            + (f" The first result that differs is that of {place!r}." if place else "")
        ),
        fix=fix,
        data={"largest_change": change, "cause": cause},
    )


RULE = Rule("B306", "different answers to the same input", "error", check, topics=(27,))
