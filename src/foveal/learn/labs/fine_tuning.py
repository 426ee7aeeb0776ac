"""Frozen features or fine-tuning, by how many images there are."""

from __future__ import annotations

import copy

import torch

from foveal.evaluation.evidence import Interval
from foveal.learn.labs.digit_halves import NUM_CLASSES, Pretrained, choose, new_head, pretrain
from foveal.learn.labs.lab import (
    Chart,
    Lab,
    LabResult,
    Point,
    Series,
    Settings,
    difference_interval,
    find,
    mean_interval,
    spoken,
)
from foveal.learn.labs.training import accuracy, fit
from foveal.models.surgery import freeze_to
from foveal.training import Problem, fit_head

_FROZEN, _TUNED = "frozen", "fine-tuned"
_NUM_STEPS = 150
_BATCH_SIZE = 20
_PENALTY = 0.01
# The output of the first convolution's activation: what follows it is trained.
_CUT = "1"
_RATE = 0.05


def run(settings: Settings) -> LabResult:
    """Trains on few to many images of new classes, with frozen and with unfrozen layers."""
    sizes = (2, 20) if settings.is_small else (2, 10, 100)
    num_pretraining = 4 if settings.is_small else 15
    right: dict[tuple[str, int], list[float]] = {}
    for done, seed in enumerate(settings.seeds):
        start = pretrain(seed, num_epochs=num_pretraining)
        for size in sizes:
            right.setdefault((_FROZEN, size), []).append(_frozen(start, size))
            right.setdefault((_TUNED, size), []).append(_tuned(start, size, seed))
        settings.progress(done + 1, settings.num_seeds)
    shown = {key: mean_interval(values) for key, values in right.items()}
    gained = {
        size: difference_interval(right[_TUNED, size], right[_FROZEN, size]) for size in sizes
    }
    few, many = sizes[0], sizes[-1]
    finding = find(gained[many])
    return LabResult(
        header=("images a class", _FROZEN, _TUNED, "gain by tuning"),
        rows=tuple(
            (
                str(size),
                *(spoken(shown[name, size], digits=2) for name in (_FROZEN, _TUNED)),
                spoken(gained[size], digits=2),
            )
            for size in sizes
        ),
        chart=Chart(
            title="Accuracy by number of images",
            x_label="training images a class",
            y_label="accuracy on test images",
            series=tuple(
                Series(name, tuple(Point(float(size), shown[name, size]) for size in sizes))
                for name in (_FROZEN, _TUNED)
            ),
        ),
        finding=finding,
        sentence=f"With {many} images a class fine-tuning gains "
        f"{spoken(gained[many])} over frozen features, with {few} "
        f"{spoken(gained[few])}.",
        answer=_answer(gained[few], gained[many]),
        notes=(
            "Pretrained on the digits 0 to 4, tested on 5 to 9. Frozen: a logistic regression on "
            "the pretrained features. Fine-tuned: foveal.models.surgery.freeze_to fixes the first "
            f"convolution; the two others and a new head learn at {_RATE}, falling, for about "
            f"{_NUM_STEPS} steps of SGD at every size. So small a network bears so large a rate; "
            "a large pretrained one does not.",
            "The features come from five classes alone, so they lack much that new classes need, "
            "and tuning pays early. Features from a thousand classes lack less. Where the lines "
            "part on your own images is for you to measure.",
        ),
    )


def _frozen(start: Pretrained, num_each: int) -> float:
    """Returns the accuracy of a logistic regression on the pretrained features."""
    rows = choose(start.new, num_each=num_each)
    body = start.network[:-1].eval()
    with torch.no_grad():
        features, test = body(start.new.images[rows]), body(start.new.test_images)
    head = fit_head(
        Problem.of_features(
            features.numpy(), start.new.labels[rows].numpy(), num_classes=NUM_CLASSES
        ),
        penalty=_PENALTY,
    )
    return float((head.logits(test.numpy()).argmax(1) == start.new.test_labels.numpy()).mean())


def _tuned(start: Pretrained, num_each: int, seed: int) -> float:
    """Returns the accuracy after the last layers and a new head were trained."""
    rows = choose(start.new, num_each=num_each)
    whole = copy.deepcopy(start.network)
    whole[-1] = new_head(seed)
    network = freeze_to(whole, _CUT, input_shape=tuple(start.new.images.shape[1:]))
    fit(
        network,
        start.new.images[rows],
        start.new.labels[rows],
        num_epochs=max(1, round(_NUM_STEPS * min(_BATCH_SIZE, len(rows)) / len(rows))),
        seed=seed,
        rate=_RATE,
        batch_size=_BATCH_SIZE,
        last_share=0.05,
    )
    return accuracy(network, start.new.test_images, start.new.test_labels)


def _answer(few: Interval, many: Interval) -> str:
    """Returns the choice that the two gains support."""
    if find(many) != "shown":
        return "nothing"
    return "always" if find(few) == "shown" else "many"


LAB = Lab(
    name="fine-tuning",
    title="Frozen or fine-tuned, by number of images",
    topics=(13, 25),
    question="A pretrained network is to tell new classes apart. What is gained by training its "
    "last layers too, instead of a new head on frozen features alone?",
    choices=(
        ("nothing", "Nothing reliable at any number of images"),
        ("many", "A reliable gain with many images; with two a class it is open"),
        ("always", "A reliable gain at every number, even with two a class"),
    ),
    explanation="Frozen features leave few parameters to learn, so a handful of images is enough, "
    "but they can only tell apart what pretraining needed to tell apart. Unfrozen layers can "
    "learn what is missing; that takes images, and with few of them they may fit their noise. So "
    "extract features first, fine-tune the last blocks at small rates when there are many images "
    "or the domain is far, and keep it only if a fair test says so (Yosinski et al. 2014).",
    run=run,
    seconds=40,
)
