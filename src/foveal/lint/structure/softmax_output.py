"""S111: a softmax before a loss that has its own."""

from __future__ import annotations

from math import e, log

from torch import nn

from foveal.graph import Op
from foveal.graph.wiring import SAME_NUMBERS, output_op
from foveal.lint.context import LintContext
from foveal.lint.finding import Checked, Finding, NotApplicable, Outcome, Severity
from foveal.lint.rule import Rule

_WITH_SOFTMAX = (nn.CrossEntropyLoss,)
_WITH_SIGMOID = (nn.BCEWithLogitsLoss, nn.MultiLabelSoftMarginLoss)
_FUNCTIONS = {
    "cross_entropy": nn.CrossEntropyLoss,
    "nll_loss": nn.NLLLoss,
    "binary_cross_entropy_with_logits": nn.BCEWithLogitsLoss,
}


def check(context: LintContext) -> Outcome:
    """Finds outputs that are probabilities where the loss expects logits.

    Cross-entropy in PyTorch is log-softmax and negative log-likelihood in one. On
    probabilities it can no longer come near zero.
    """
    last = output_op(context.graph, through=SAME_NUMBERS)
    if last is None:
        return NotApplicable("the first output is no result of an operation")
    loss = _loss_type(context.loss)
    function = _squash(last)
    if function == "softmax":
        return Checked(_after_softmax(context, last, loss))
    if function == "log_softmax" and loss is not None and issubclass(loss, _WITH_SOFTMAX):
        return Checked((_repeated_log_softmax(last),))
    if function == "sigmoid" and loss is not None and issubclass(loss, _WITH_SIGMOID):
        return Checked((_repeated_sigmoid(last, loss),))
    return Checked()


def _squash(op: Op) -> str | None:
    if op.kind == "softmax":
        shape = op.output_shape
        dim = op.attributes["dim"]
        # Softmax over places or tokens is attention, not a distribution over classes.
        if len(shape) not in {2, 4} or dim not in {1, None}:
            return None
        return op.function
    return "sigmoid" if op.kind == "activation" and op.function == "sigmoid" else None


def _loss_type(loss: object) -> type[object] | None:
    if loss is None:
        return None
    if isinstance(loss, type):
        return loss
    name = getattr(loss, "__name__", "")
    return _FUNCTIONS.get(name, type(loss))


def _after_softmax(context: LintContext, op: Op, loss: type[object] | None) -> tuple[Finding, ...]:
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
    elif issubclass(loss, _WITH_SOFTMAX):
        severity = "error"
        evidence = (
            f"{op.name} applies softmax over {num_classes:,} classes and {loss.__name__} applies "
            f"it again: the loss cannot fall below {floor:.2f}, even when every answer is right."
        )
    elif issubclass(loss, nn.NLLLoss):
        severity = "error"
        evidence = (
            f"{op.name} gives probabilities and {loss.__name__} expects their logarithm: the "
            "gradient no longer grows where the answer is wrong."
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
            data={"loss_floor": floor, "loss": _name(loss)},
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


def _repeated_sigmoid(op: Op, loss: type[object]) -> Finding:
    return Finding(
        "S111",
        "error",
        op.name,
        f"{op.name} applies a sigmoid and {loss.__name__} applies it again: no probability can "
        "leave 0.50 to 0.73.",
        "Return the logits; apply the sigmoid where probabilities are shown.",
    )


def _name(loss: type[object] | None) -> str | None:
    return None if loss is None else loss.__name__


RULE = Rule("S111", "softmax before a cross-entropy", "error", check, (19,))
