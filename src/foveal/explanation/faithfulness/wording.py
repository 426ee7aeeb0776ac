"""A verdict in one sentence, which says no more than the figures do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from foveal.draw.numbers import percent
from foveal.explanation.covering import enlarged
from foveal.explanation.faithfulness.deletion import Response, is_noticeable
from foveal.explanation.faithfulness.ranking import MARKED_SHARE
from foveal.explanation.heat_map import Check, HeatMap
from foveal.explanation.logits import ClassKind
from foveal.text import printable

MARKED_SIDE_PX = 64  # as finely as the share of a picture is told
# Most of the answer is left where covering takes less than this share of its probability.
_MOST_REMAINS = 0.2


def change(before: float, after: float) -> str:
    """Returns what happens to a probability, as a phrase.

    >>> change(0.93, 0.41), change(0.2, 0.35), change(0.93, 0.928)
    ('lowers it from 93% to 41%', 'raises it from 20% to 35%', 'leaves it at 93%')
    """
    if not is_noticeable(before, after):
        return f"leaves it at {percent(before)}"
    verb = "lowers" if after < before else "raises"
    return f"{verb} it from {percent(before)} to {percent(after)}"


def subject(
    class_index: int,
    class_names: Sequence[str] | None,
    *,
    is_answer: bool,
    kind: ClassKind = "exclusive",
) -> str:
    """Returns what is explained, as a noun phrase that can begin a sentence.

    >>> subject(1, ["sound", "cracked"], is_answer=True), subject(1, None, is_answer=False)
    ("The answer 'cracked'", 'Class 1, which is not the answer,')
    >>> subject(1, None, is_answer=True)
    'The answer (class 1)'
    >>> subject(1, ["effusion", "mass"], is_answer=False, kind="independent")
    "The label 'mass', which is not given,"
    """
    name = f"class {class_index}"
    if class_names is not None:
        name = f"'{printable(class_names[class_index])}'"
    if kind == "independent":
        name = f"Label {class_index}" if class_names is None else f"The label {name}"
        return f"{name}{'' if is_answer else ', which is not given,'}"
    if is_answer:
        return f"The answer {name}" if class_names is not None else f"The answer ({name})"
    return f"{name[:1].upper()}{name[1:]}, which is not the answer,"


def describe_supported(who: str, place: str, response: Response) -> str:
    """Returns what a map shows that passed."""
    before, own, other = _figures(response)
    by_steps = own >= other or own >= before or not _differ(own, other)
    if by_steps and response.deletion is not None:
        return (
            f"{who} rests on {place} and on more: covered in the map's order the probability "
            f"averages {percent(float(response.deletion[0]))}, in the order of chance "
            f"{percent(float(response.deletion[1:].mean()))}, though covering the marked fifth "
            f"alone {change(before, own)} (elsewhere: {percent(other)})."
        )
    elsewhere = (
        f"leaves it at {percent(before)}"
        if not is_noticeable(before, other)
        else f"{'lowers' if other < before else 'raises'} it to {percent(other)}"
    )
    sentence = (
        f"{who} rests on {place}: covering the marked fifth of the picture "
        f"{_its(change(before, own))}; covering an equal area elsewhere {elsewhere} on average."
    )
    if own > (1 - _MOST_REMAINS) * before:
        return f"{sentence} Most of it remains, so it does not rest there alone."
    return sentence


def tells_apart(response: Response) -> bool:
    """Whether a reader sees in the figures that the marked places matter more than others.

    Covering them must lower the probability, and to another printed figure than covering
    others does; or the averages over all steps must be as different.
    """
    before, own, other = _figures(response)
    if own < other and is_noticeable(own, before) and own < before:
        return _differ(own, other)
    if response.deletion is None:
        return False
    return _differ(float(response.deletion[0]), float(response.deletion[1:].mean()))


def _differ(one: float, other: float) -> bool:
    return percent(one) != percent(other) and is_noticeable(one, other)


def describe_alike(who: str, place: str, response: Response) -> str:
    """Returns why a map is in doubt whose figures a reader cannot tell apart."""
    before, own, other = _figures(response)
    return (
        f"{who} may not rest on {place}, where the map points: covering the marked fifth of the "
        f"picture {_its(change(before, own))}, covering an equal area elsewhere to "
        f"{percent(other)} on average: too little between the two to tell the places apart."
    )


def describe_against(heat_map: HeatMap) -> str | None:
    """Returns what to know where the covered fifth includes places against the class."""
    signed = heat_map.signed
    if signed is None or not (signed < 0).any():
        return None
    size = (MARKED_SIDE_PX, MARKED_SIDE_PX)
    share = float(
        (enlarged(torch.from_numpy(np.ascontiguousarray(signed)), size) > 0).float().mean()
    )
    if share >= MARKED_SHARE:
        return None
    return (
        f"Only {percent(share)} of the picture speaks for it: the covered fifth includes places "
        "that speak against it."
    )


def describe_sufficient(who: str, place: str, insertion: Check) -> str:
    """Returns what a map shows whose places are enough, though not needed."""
    own, other = insertion.value or 0.0, insertion.reference or 0.0
    return (
        f"{who} can be told from {place} alone: uncovering what the map marks first, its "
        f"probability averages {percent(own)}, uncovering other places first {percent(other)}; "
        "but covering them takes no more away than covering others, so it does not rest there only."
    )


def describe_doubtful(who: str, place: str, response: Response, failed: Sequence[Check]) -> str:
    """Returns why a map that failed one of the tests of its places is in doubt."""
    before, own, other = _figures(response)
    if any(check.name == "deletion" for check in failed):
        elsewhere, which = percent(other), "matter no more than"
        if own < other:
            least = float(response.elsewhere.min())
            elsewhere = f"{percent(other)} on average and {percent(least)} at one place"
            which = "do not clearly matter more than"
        return (
            f"{who} may not rest on {place}, where the map points: covering the marked fifth "
            f"of the picture {_its(change(before, own))}, covering an equal area elsewhere gives "
            f"{elsewhere}, so the marked places {which} others."
        )
    if own > other or not is_noticeable(own, other):
        return (
            f"{who} may not rest on {place}, where the map points: uncovering what it marks first "
            "brings the probability back no better than uncovering other places."
        )
    return (
        f"{who} needs {place}, but not that alone: covering the marked fifth of the picture "
        f"{_its(change(before, own))} (elsewhere: {percent(other)}), yet uncovering what the map "
        "marks first brings it back no better than uncovering other places."
    )


def describe_refuted(failed: Sequence[Check]) -> str:
    """Returns why a map cannot be believed."""
    by_name = {check.name: check for check in failed}
    if (check := by_name.get("completeness")) is not None:
        return (
            f"The map does not belong to this answer: it adds up to {check.value:.4g}, and the "
            f"network answers {check.reference:.4g}."
        )
    if (check := by_name.get("randomisation")) is not None:
        return (
            "The map shows the picture, not what the network learned: with random weights it "
            f"comes out much the same (rank correlation {check.value:.2f} of 1)."
        )
    return (
        "The map does not show what the answer rests on: neither covering nor uncovering the "
        "marked places first changes the probability more than doing so elsewhere."
    )


def _figures(response: Response) -> tuple[float, float, float]:
    return response.untouched, response.marked, float(response.elsewhere.mean())


def _its(phrase: str) -> str:
    return phrase.replace(" it ", " its probability ", 1)
