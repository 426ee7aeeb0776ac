"""S120: an activation or dropout between the last layer and the loss."""

from __future__ import annotations

from math import exp, log

from foveal.graph.wiring import SAME_NUMBERS, WEIGHTED, output_op, producer_through
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity
from foveal.linting.losses import (
    KNOWN,
    OF_LOG_PROBABILITIES,
    WITH_SIGMOID,
    WITH_SOFTMAX,
    loss_name,
)
from foveal.linting.rule import Rule

# What an activation can give at most and at least; None is without bound.
RANGES: dict[str, tuple[float | None, float | None]] = {
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu6": (0.0, 6.0),
    "relu": (0.0, None),
    "softplus": (0.0, None),
    "elu": (-1.0, None),
    "selu": (-1.7581, None),
    "gelu": (-0.17, None),
    "silu": (-0.2785, None),
}
_NOT_DROPOUT = SAME_NUMBERS - {"dropout"}


def check(context: LintContext) -> Outcome:
    """Finds outputs whose range an activation limits where the loss expects logits.

    Dropout on the outputs is found with every known loss: it sets answers themselves to zero.
    """
    loss = loss_name(context.loss)
    if loss is None:
        return NotApplicable("no loss was given, so the outputs need not be logits")
    last = output_op(context.graph, through=_NOT_DROPOUT)
    if last is None:
        return NotApplicable("the first output is no result of an operation")
    findings = []
    if last.kind == "dropout":
        layer = producer_through(context.graph, last, SAME_NUMBERS)
        share = last.attributes.get("p")
        if loss in KNOWN and share != 0 and layer is not None and layer.kind in WEIGHTED:
            findings.append(
                Finding(
                    "S120",
                    "warning",
                    last.name,
                    f"{last.name} is dropout on the outputs of {layer.name}: in training it sets "
                    "answers to zero and scales the others up, and the loss judges those.",
                    "Put the dropout before the last layer.",
                    data={"layer": layer.name},
                )
            )
        last = output_op(context.graph, through=SAME_NUMBERS)
    if (
        last is not None
        and last.kind == "activation"
        and last.function in RANGES
        and loss in WITH_SOFTMAX | WITH_SIGMOID | OF_LOG_PROBABILITIES
        and not (last.function == "sigmoid" and loss in WITH_SIGMOID)  # S111
        and loss != "KLDivLoss"
    ):
        num_outputs = last.output_shape[1] if len(last.output_shape) > 1 else 1
        severity, consequence = _consequence(*RANGES[last.function], loss, num_outputs)
        findings.append(
            Finding(
                "S120",
                severity,
                last.name,
                f"{last.name} applies {last.function} to the logits that {loss} expects as they "
                f"are: {consequence}.",
                "End with the linear layer and return its logits.",
                data={"function": last.function, "loss": loss},
            )
        )
    return Checked(tuple(findings))


def _consequence(
    low: float | None, high: float | None, loss: str, num_outputs: int
) -> tuple[Severity, str]:
    if loss in WITH_SIGMOID:
        least = 0.0 if low is None else 1 / (1 + exp(-low))
        most = 1.0 if high is None else 1 / (1 + exp(-high))
        return "error", f"no probability can leave {least:.2f} to {most:.2f}"
    if loss in OF_LOG_PROBABILITIES:
        return "error", "they are no logarithms of probabilities, so the loss means nothing"
    if low is not None and high is not None:
        floor = log(1 + (num_outputs - 1) * exp(low - high))
        return "error", (
            f"over {num_outputs:,} classes the loss cannot fall below {floor:.2f}, even when every "
            "answer is right"
        )
    return "warning", (
        "negative logits are cut off, so a class that is cut for an image learns nothing from it"
    )


RULE = Rule("S120", "activation or dropout on the logits", "error", check, (19,))
