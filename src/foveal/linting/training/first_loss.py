"""T411: a first loss far from that of chance."""

from __future__ import annotations

from math import isfinite, log

import torch

from foveal.linting.behaviour.passes import reason_not_to_run
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.losses import WITH_SIGMOID, WITH_SOFTMAX, loss_name
from foveal.linting.rule import Rule
from foveal.linting.training.loss_fit import call_loss, training_outputs
from foveal.linting.weights.stored import has_signs_of_training

# The sound networks of docs/lint-recall.md and docs/lint-tasks.md stay below 1.5 times chance.
FACTOR, MARGIN = 3.0, 2.0


def check(context: LintContext) -> Outcome:
    """Compares the loss of a new network with ln K, that of K equally likely classes.

    A new network knows nothing. If its loss is far higher it is sure of wrong answers: images
    on a large scale, or initial weights too large.
    """
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    if context.labels is None or context.loss is None:
        return NotApplicable("labels and a loss are needed")
    name = loss_name(context.loss)
    if name not in WITH_SOFTMAX | WITH_SIGMOID:
        return NotApplicable("the loss has no value that chance would give")
    if context.is_pretrained or has_signs_of_training(context):
        return NotApplicable("the network is trained already")
    result, outputs = training_outputs(context)
    labels = context.labels[: len(outputs)].to(outputs.device)
    try:
        with torch.no_grad():
            value = call_loss(context.loss, result, outputs, labels)
        loss = float(value)
    except Exception:
        return NotApplicable("the loss does not take this batch (T410)")
    if getattr(context.loss, "reduction", "mean") == "sum":
        loss /= max(1, labels.numel())
    chance = log(outputs.shape[1]) if name in WITH_SOFTMAX else log(2)
    has_weights = any(
        getattr(context.loss, key, None) is not None for key in ("weight", "pos_weight")
    )
    if has_weights or outputs.dim() < 2 or chance == 0:
        return NotApplicable("what chance would give is not known of this loss")
    if not isfinite(loss) or loss <= FACTOR * chance + MARGIN:
        return Checked()
    spread = float(outputs.detach().float().std())
    return Checked(
        (
            Finding(
                "T411",
                "warning",
                "",
                f"The first loss is {loss:,.1f}; a new network that knows nothing is at "
                f"{chance:.2f} (ln {outputs.shape[1] if name in WITH_SOFTMAX else 2}). Its logits "
                f"spread by {spread:,.1f}: it is sure of answers that it has not learned.",
                "Bring the images to about zero mean and unit spread, and draw the initial "
                "weights smaller (kaiming_normal_; a last layer near zero).",
                data={"first_loss": loss, "loss_of_chance": chance, "logit_spread": spread},
            ),
        )
    )


RULE = Rule("T411", "a first loss far from that of chance", "warning", check, topics=(16,))
