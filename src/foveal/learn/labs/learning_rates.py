"""Fine-tuning at several rates: what is learned, and what of the old is forgotten."""

from __future__ import annotations

import copy

from torch import nn

from foveal.learn.labs.digit_halves import Pretrained, choose, new_head, pretrain
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

_LARGE, _LOW = "0.3 everywhere", "0.002, head 0.1"
# Name, rate of the pretrained layers, rate of the new head.
_RATES: tuple[tuple[str, float, float], ...] = (
    ("0, head 0.1", 0.0, 0.1),
    ("0.002 everywhere", 0.002, 0.002),
    (_LOW, 0.002, 0.1),
    ("0.1 everywhere", 0.1, 0.1),
    (_LARGE, 0.3, 0.3),
)
_OLD, _NEW = "old classes", "new classes"


def run(settings: Settings) -> LabResult:
    """Fine-tunes for new classes, then puts the old head back and tests the old classes."""
    num_epochs, num_pretraining = (8, 4) if settings.is_small else (20, 15)
    old: dict[str, list[float]] = {name: [] for name, _, _ in _RATES}
    new: dict[str, list[float]] = {name: [] for name, _, _ in _RATES}
    before: list[float] = []
    for done, seed in enumerate(settings.seeds):
        start = pretrain(seed, num_epochs=num_pretraining)
        before.append(accuracy(start.network, start.old.test_images, start.old.test_labels))
        for name, body_rate, head_rate in _RATES:
            kept, learned = _fine_tune(start, body_rate, head_rate, num_epochs, seed)
            old[name].append(kept)
            new[name].append(learned)
        settings.progress(done + 1, settings.num_seeds)
    shown_old = {name: mean_interval(values) for name, values in old.items()}
    shown_new = {name: mean_interval(values) for name, values in new.items()}
    finding = find(difference_interval(old[_LOW], old[_LARGE]))
    return LabResult(
        header=("rate of pretrained layers", f"accuracy: {_OLD}", _NEW),
        rows=tuple(
            (name, spoken(shown_old[name]), spoken(shown_new[name])) for name, _, _ in _RATES
        ),
        chart=Chart(
            title="What is kept and what is learned",
            x_label="learning rate",
            y_label="accuracy on test images",
            series=tuple(
                Series(kind, tuple(Point(name, one) for name, one in shown.items()))
                for kind, shown in ((_OLD, shown_old), (_NEW, shown_new))
            ),
        ),
        finding=finding,
        sentence="Before fine-tuning the network is right on "
        f"{spoken(mean_interval(before))} of the old classes. After a rate of 0.3 everywhere it "
        f"is {spoken(shown_old[_LARGE])}, and {spoken(shown_new[_LARGE])} on the new ones. With "
        f"0.002 below and 0.1 in the head it is {spoken(shown_old[_LOW])} on the old and "
        f"{spoken(shown_new[_LOW])} on the new.",
        answer="forgets" if finding == "shown" else "",
        notes=(
            "Pretrained on the digits 0 to 4, fine-tuned on 20 images each of 5 to 9 with a new "
            "head. For the old classes the old head is put back: it tells whether the features "
            "that it reads are still there. Guessing is right in 0.2.",
            "Here the old and the new classes are much alike, so a middle rate of 0.1 may learn "
            "the new ones best while it forgets the old. Small rates protect what you want to "
            "keep; they do not always win on the new task.",
        ),
    )


def _fine_tune(
    start: Pretrained, body_rate: float, head_rate: float, num_epochs: int, seed: int
) -> tuple[float, float]:
    """Returns the accuracies on old and on new classes after fine-tuning a copy."""
    network = copy.deepcopy(start.network)
    network[-1] = new_head(seed)
    rows = choose(start.new, num_each=20)
    groups = [
        {"params": network[:-1].parameters(), "lr": body_rate},
        {"params": network[-1].parameters(), "lr": head_rate},
    ]
    fit(
        network,
        start.new.images[rows],
        start.new.labels[rows],
        num_epochs=num_epochs,
        seed=seed,
        groups=groups,
        batch_size=20,
    )
    learned = accuracy(network, start.new.test_images, start.new.test_labels)
    with_old_head = nn.Sequential(*network[:-1], start.network[-1])
    return accuracy(with_old_head, start.old.test_images, start.old.test_labels), learned


LAB = Lab(
    name="learning-rates",
    title="Learning rates that destroy pretrained features",
    topics=(10, 13),
    question="A pretrained network gets a new head and is fine-tuned on new classes at a rate of "
    "0.3 for all layers. Then the old head is put back. How good is it on the old classes?",
    choices=(
        ("keeps", "As good as before: the old head has not changed"),
        ("forgets", "Much worse: the features under the head are destroyed"),
        ("better", "Better: it has seen more images"),
    ),
    explanation="The new head begins at random, so the first gradients that it sends down are "
    "about nothing. Multiplied by a large rate they overwrite the pretrained features: "
    "catastrophic forgetting. Small rates below and a large one in the head (discriminative "
    "learning rates, Howard and Ruder 2018) let the head find its place while the features "
    "move little. The head alone first, then all at small rates, does the same in two steps.",
    run=run,
    seconds=40,
)
