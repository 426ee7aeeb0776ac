"""Labels of a batch that are all the same, nearly so, or contradict one another: T414."""

from __future__ import annotations

import torch
from torch import Tensor

from foveal.draw.numbers import percent
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.losses import is_classifying
from foveal.text import count_noun

# Of two equally frequent classes, eight images are of one class once in 128 batches.
MIN_IMAGES = 8
# Nine of ten balanced images share one label in 1 of 4,000 batches of 16 with two classes.
MIN_IMAGES_NEARLY_ALL, NEARLY_ALL = 16, 0.9


def same_labels(context: LintContext) -> Outcome:
    """Compares the labels of the images; masks and other maps of labels are left alone."""
    labels = context.labels
    if labels is None:
        return NotApplicable("no labels were given")
    if labels.dim() not in {1, 2}:
        return NotApplicable("the labels are no classes or amounts of whole images")
    if len(labels) < MIN_IMAGES:
        return NotApplicable(f"{count_noun(len(labels), 'label')}, fewer than {MIN_IMAGES}")
    if bool((labels != labels[:1]).any()):
        found = [item for item in (_nearly_same(context, labels), _contradictions(context)) if item]
        return Checked(tuple(found))
    return Checked(
        (
            Finding(
                "T414",
                "warning",
                "",
                f"All {len(labels)} labels of the batch are {_label_text(labels[0])}: whatever the "
                "images show, always giving that answer is right.",
                "Shuffle the training data (DataLoader(shuffle=True)), and look at how labels "
                "are read.",
                data={"num_labels": len(labels)},
            ),
        )
    )


def _nearly_same(context: LintContext, labels: Tensor) -> Finding | None:
    """Finds one label on nine images of ten; a loss that weighs classes knows of it already."""
    weighs = any(getattr(context.loss, key, None) is not None for key in ("weight", "pos_weight"))
    if len(labels) < MIN_IMAGES_NEARLY_ALL or weighs or not is_classifying(context):
        return None
    if labels.dim() == 2 and labels.shape[1] > 1:
        return None
    values, counts = torch.unique(labels, return_counts=True)
    most = int(counts.max())
    if most < NEARLY_ALL * len(labels) or (labels.is_floating_point() and len(values) > 2):
        return None
    return Finding(
        "T414",
        "warning",
        "",
        f"{most} of {len(labels)} labels of the batch are {_label_text(values[counts.argmax()])}: "
        f"always giving that answer is right in {percent(most / len(labels))} of cases.",
        "Shuffle the training data; where the classes are so uneven, weigh them in the loss or "
        "sample them evenly.",
        data={"num_labels": len(labels), "num_most": most},
    )


def _contradictions(context: LintContext) -> Finding | None:
    """Finds equal images with different classes."""
    labels, images = context.labels, context.batch
    if images is None or labels is None or len(images) != len(labels):
        return None
    if not is_classifying(context) or images.is_meta:
        return None
    seen: dict[bytes, int] = {}
    clashes = []
    for index, image in enumerate(images.detach().cpu()):
        key = image.contiguous().view(torch.uint8).numpy().tobytes()
        other = seen.setdefault(key, index)
        if bool((labels[other] != labels[index]).any()):
            clashes.append((other, index))
    if not clashes:
        return None
    one, other = clashes[0]
    return Finding(
        "T414",
        "warning",
        "",
        f"{len(clashes)} of {len(labels)} images are the same as another of the batch, number by "
        f"number, and have another label (first {one} and {other}).",
        "Look at how images and labels are read: they may be out of step.",
        data={"num_clashes": len(clashes)},
    )


def _label_text(label: Tensor) -> str:
    return f"{label.item():g}" if label.numel() == 1 else "the same"
