"""T414: a batch whose labels are all the same."""

from __future__ import annotations

from torch import Tensor

from foveal.lint.context import LintContext
from foveal.lint.finding import Checked, Finding, NotApplicable, Outcome
from foveal.lint.rule import Rule
from foveal.text import count_noun

# Of two equally frequent classes, eight images are of one class once in 128 batches.
MIN_IMAGES = 8


def check(context: LintContext) -> Outcome:
    """Compares the labels of the images; masks and other maps of labels are left alone."""
    labels = context.labels
    if labels is None:
        return NotApplicable("no labels were given")
    if labels.dim() not in {1, 2}:
        return NotApplicable("the labels are no classes or amounts of whole images")
    if len(labels) < MIN_IMAGES:
        return NotApplicable(f"{count_noun(len(labels), 'label')}, fewer than {MIN_IMAGES}")
    if bool((labels != labels[:1]).any()):
        return Checked()
    return Checked(
        (
            Finding(
                "T414",
                "warning",
                "",
                f"All {len(labels)} labels of the batch are {_told(labels[0])}: whatever the "
                "images show, always giving that answer is right.",
                "Shuffle the training data (DataLoader(shuffle=True)), and look at how labels "
                "are read.",
                data={"num_labels": len(labels)},
            ),
        )
    )


def _told(label: Tensor) -> str:
    return f"{label.item():g}" if label.numel() == 1 else "the same"


RULE = Rule("T414", "labels that are all the same", "warning", check, topics=(25,))
