"""Softmax, activations or dropout between the last layer and the loss: S111, S120."""

from __future__ import annotations

from math import e, exp, log

from foveal.graph import Op
from foveal.graph.wiring import SAME_NUMBERS, WEIGHTED, output_op, producer_through
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity
from foveal.linting.losses import KNOWN, OF_LOG_PROBABILITIES, WITH_SIGMOID, WITH_SOFTMAX, loss_name


def softmax_output(context: LintContext) -> Outcome:
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
        # Softmax over positions or tokens is attention, not a distribution over classes.
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


# What an activation can give at most and at least; None is without bound.
ACTIVATION_RANGES: dict[str, tuple[float | None, float | None]] = {
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
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
# A bound that far out limits no probability by more than 0.0004.
_FAR = 8.0
# Floors of a cross-entropy that cost nothing, and that cost little.
_NO_FLOOR, _LOW_FLOOR = 0.01, 0.1


def range_of(op: Op) -> tuple[float | None, float | None]:
    """Returns the least and the most that an operation can give; None where it has no bound."""
    low, high = op.attributes.get("low"), op.attributes.get("high")
    if isinstance(low, float) or isinstance(high, float):
        return (
            low if isinstance(low, float) and low > -_FAR else None,
            high if isinstance(high, float) and high < _FAR else None,
        )
    return ACTIVATION_RANGES.get(op.function, (None, None))


def squashed_logits(context: LintContext) -> Outcome:
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
        and last.kind in {"activation", "elementwise"}
        and range_of(last) != (None, None)
        and loss in WITH_SOFTMAX | WITH_SIGMOID | OF_LOG_PROBABILITIES
        and not (last.function == "sigmoid" and loss in WITH_SIGMOID)  # S111
        and loss != "KLDivLoss"
    ):
        num_outputs = last.output_shape[1] if len(last.output_shape) > 1 else 1
        severity, consequence = _consequence(*range_of(last), loss, num_outputs)
        if severity is not None:
            findings.append(
                Finding(
                    "S120",
                    severity,
                    last.name,
                    f"{last.name} applies {last.function} to the logits that {loss} expects as "
                    f"they are: {consequence}.",
                    "End with the linear layer and return its logits.",
                    data={"function": last.function, "loss": loss},
                )
            )
    return Checked(tuple(findings))


def _consequence(
    low: float | None, high: float | None, loss: str, num_outputs: int
) -> tuple[Severity | None, str]:
    if loss in WITH_SIGMOID:
        least = 0.0 if low is None else 1 / (1 + exp(-low))
        most = 1.0 if high is None else 1 / (1 + exp(-high))
        return "error", f"no probability can leave {least:.2f} to {most:.2f}"
    if loss in OF_LOG_PROBABILITIES:
        return "error", "they are no logarithms of probabilities, so the loss means nothing"
    if low is not None and high is not None:
        floor = log(1 + (num_outputs - 1) * exp(low - high))
        severity: Severity | None = "error" if floor >= _LOW_FLOOR else "warning"
        return severity if floor >= _NO_FLOOR else None, (
            f"over {num_outputs:,} classes the loss cannot fall below {floor:.2f}, even when every "
            "answer is right"
        )
    return "warning", (
        f"logits {'below' if high is None else 'above'} {low if high is None else high:g} are cut "
        "off, so a class that is cut for an image learns nothing from it"
    )
