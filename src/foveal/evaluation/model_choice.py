"""What a classifier over a frozen network is, in words and as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foveal.draw.numbers import percent, signed_points
from foveal.evaluation.evidence import ModelChoice


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """How one kind of classifier describes itself, for the report and for ``report.json``.

    Attributes:
        kind: One word, such as ``"linear"``; the maker's.
        sentence: What it is and what was chosen, as a phrase without a full stop.
        parameters: What was chosen, as JSON values by name.
    """

    kind: str
    sentence: str
    parameters: Mapping[str, Any]


def describe_choice(choice: ModelChoice) -> tuple[str, ...]:
    """Returns what was compared and why one was kept, one sentence each."""
    listed = ", ".join(f"{one.kind} {percent(one.accuracy)}" for one in choice.candidates)
    by = "" if choice.measure == "accuracy" else ", in balanced accuracy"
    sentences = [
        f"{len(choice.candidates)} kinds of classifier were compared out of fold, by group{by}: "
        f"{listed}."
        if len(choice.candidates) > 1
        else f"One kind of classifier was tried: {listed}."
    ]
    simplest = choice.candidates[0]
    gains = [
        f"{one.kind} {signed_points(one.gain.estimate)} points "
        f"(95% interval {signed_points(one.gain.low)} to {signed_points(one.gain.high)})"
        for one in choice.candidates[1:]
        if one.gain is not None
    ]
    if gains:
        sentences.append(f"Against {simplest.kind}, by a paired test: {'; '.join(gains)}.")
        sentences.append(f"The kind {choice.chosen} was kept: {_why_kept(choice)}.")
    if (reported := _how_reported(choice)) is not None:
        sentences.append(reported)
    claimed = [
        f"{one.kind} {signed_points(one.random_accuracy - simplest.random_accuracy)}"
        for one in choice.candidates[1:]
        if one.random_accuracy is not None and simplest.random_accuracy is not None
    ]
    if claimed:
        sentences.append(
            f"Random folds would have credited, in points over {simplest.kind}: "
            f"{', '.join(claimed)}."
        )
    return (*sentences, *choice.passed_over)


def _how_reported(choice: ModelChoice) -> str | None:
    """Returns of which answers the figures are, where folds do not all choose what was kept."""
    counts = Counter(choice.by_fold)
    if not counts or set(counts) == {choice.chosen}:
        return None
    listed = ", ".join(
        f"{one.kind} in {counts[one.kind]}" for one in choice.candidates if counts[one.kind]
    )
    return (
        "The figures are of answers that had no say in the choice: for every fold the kind was "
        f"chosen by the other folds ({listed} of {len(choice.by_fold)})."
    )


def _why_kept(choice: ModelChoice) -> str:
    """Returns the reason. Being the simplest that none beats is not beating what is simpler."""
    position = [one.kind for one in choice.candidates].index(choice.chosen)
    if position == 0:
        return "no other beats it beyond chance"
    gain = choice.candidates[position].gain
    if position == 1 and gain is not None and gain.low is not None and gain.low > 0:
        return "it beats what is simpler beyond chance, and nothing beats it"
    return (
        "each kind listed before it is beaten beyond chance by one listed after, and it is "
        "beaten by none of those after it"
    )
