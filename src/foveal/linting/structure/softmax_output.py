"""S111: a softmax before a loss that has its own."""

from __future__ import annotations

from math import e, log

from foveal.graph import Op
from foveal.graph.wiring import SAME_NUMBERS, output_op
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity
from foveal.linting.losses import OF_LOG_PROBABILITIES, WITH_SIGMOID, WITH_SOFTMAX, loss_name
from foveal.linting.rule import Rule


def check(context: LintContext) -> Outcome:
    """Finds outputs that are probabilities where the loss expects logits.

    Cross-entropy in PyTorch is log-softmax and negative log-likelihood in one. On
    probabilities it can no longer come near zero.
    """
    last = output_op(context.graph, through=SAME_NUMBERS)
    if last is None:
        return NotApplicable("the first output is no result of an operation")
    loss = loss_name(context.loss)
    function = _squash(last)
    if function in {"softmax", "log_softmax"} and last.output_shape[1] == 1:
        return Checked((_over_one_class(last),))
    if function == "softmax":
        return Checked(_after_softmax(context, last, loss))
    if function == "log_softmax" and loss in WITH_SOFTMAX:
        return Checked((_repeated_log_softmax(last),))
    if function == "sigmoid" and loss in WITH_SIGMOID:
        return Checked((_repeated_sigmoid(last, loss),))
    return Checked()


def _squash(op: Op) -> str | None:
    if op.kind == "softmax":
        shape = op.output_shape
        dim = op.attributes["dim"]
        # Softmax over places or tokens is attention, not a distribution over classes.
        if len(shape) not in {2, 4} or dim not in {1, None, 1 - len(shape)}:
            return None
        return op.function
    return "sigmoid" if op.kind == "activation" and op.function == "sigmoid" else None


def _over_one_class(op: Op) -> Finding:
    constant = "1" if op.function == "softmax" else "0"
    return Finding(
        "S111",
        "error",
        op.name,
        f"{op.name} applies {op.function} over a single output, which makes it {constant} "
        "whatever the image: nothing can be learned.",
        "Use a sigmoid for one output (BCEWithLogitsLoss on the logit), or two outputs with "
        "CrossEntropyLoss.",
    )


def _after_softmax(context: LintContext, op: Op, loss: str | None) -> tuple[Finding, ...]:
    num_classes = op.output_shape[1]
    floor = log((e + num_classes - 1) / e)
    severity: Severity
    if loss is None:
        severity = "warning" if context.model.training else "info"
        evidence = (
            f"The network ends in {op.name} (softmax over {num_classes:,} classes). If it is "
            "trained with a cross-entropy, which applies softmax itself, the loss cannot fall "
            f"below {floor:.2f}."
        )
    elif loss in WITH_SOFTMAX:
        severity = "error"
        evidence = (
            f"{op.name} applies softmax over {num_classes:,} classes and {loss} applies "
            f"it again: the loss cannot fall below {floor:.2f}, even when every answer is right."
        )
    elif loss in OF_LOG_PROBABILITIES:
        severity = "error"
        evidence = (
            f"{op.name} gives probabilities and {loss} expects their logarithm: the "
            "gradient no longer grows where the answer is wrong."
        )
    elif loss in WITH_SIGMOID:
        severity = "error"
        evidence = (
            f"{op.name} gives probabilities and {loss} applies a sigmoid to them again: no "
            "probability can leave 0.50 to 0.73."
        )
    else:
        return ()
    fix = "Return the logits; apply softmax where probabilities are shown, outside the network."
    return (
        Finding(
            "S111",
            severity,
            op.name,
            evidence,
            fix,
            data={"loss_floor": floor, "loss": loss},
        ),
    )


def _repeated_log_softmax(op: Op) -> Finding:
    return Finding(
        "S111",
        "info",
        op.name,
        f"{op.name} applies log-softmax over {op.output_shape[1]:,} classes and the cross-entropy "
        "applies it again, which changes nothing and costs a pass.",
        "Return the logits, or use NLLLoss.",
    )


def _repeated_sigmoid(op: Op, loss: str | None) -> Finding:
    return Finding(
        "S111",
        "error",
        op.name,
        f"{op.name} applies a sigmoid and {loss} applies it again: no probability can "
        "leave 0.50 to 0.73.",
        "Return the logits; apply the sigmoid where probabilities are shown.",
    )


RULE = Rule("S111", "softmax before a cross-entropy", "error", check, (19,))
