"""A verdict in one sentence, which says no more than the figures do, and where a map points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.draw.numbers import percent
from foveal.explanation.covering import enlarged
from foveal.explanation.faithfulness.deletion import Response, is_noticeable
from foveal.explanation.faithfulness.ranking import MARKED_SHARE
from foveal.explanation.heat_map import Check, HeatMap
from foveal.layers import ClassKind
from foveal.text import printable

MARKED_SIDE_PX = 64  # as finely as the share of an image is told
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


def describe_supported(who: str, area: str, response: Response) -> str:
    """Returns what a map shows that passed."""
    before, own, other = _figures(response)
    by_steps = own >= other or own >= before or not _differ(own, other)
    if by_steps and response.deletion is not None:
        return (
            f"{who} rests on {area} and on more: covered in the map's order the probability "
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
        f"{who} rests on {area}: covering the marked fifth of the image "
        f"{_its(change(before, own))}; covering an equal area elsewhere {elsewhere} on average."
    )
    if own > (1 - _MOST_REMAINS) * before:
        return f"{sentence} Most of it remains, so it does not rest there alone."
    return sentence


def tells_apart(response: Response) -> bool:
    """Whether a reader sees in the figures that the marked areas matter more than others.

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


def describe_alike(who: str, area: str, response: Response) -> str:
    """Returns why a map is in doubt whose figures a reader cannot tell apart."""
    before, own, other = _figures(response)
    return (
        f"{who} may not rest on {area}, where the map points: covering the marked fifth of the "
        f"image {_its(change(before, own))}, covering an equal area elsewhere to "
        f"{percent(other)} on average: too little between the two to tell the areas apart."
    )


def describe_against(heat_map: HeatMap) -> str | None:
    """Returns what to know where the covered fifth includes areas against the class."""
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
        f"Only {percent(share)} of the image speaks for it: the covered fifth includes areas "
        "that speak against it."
    )


def describe_sufficient(who: str, area: str, insertion: Check) -> str:
    """Returns what a map shows whose areas are enough, though not needed."""
    own, other = insertion.value or 0.0, insertion.reference or 0.0
    return (
        f"{who} can be told from {area} alone: uncovering what the map marks first, its "
        f"probability averages {percent(own)}, uncovering other areas first {percent(other)}; "
        "but covering them takes no more away than covering others, so it does not rest there only."
    )


def describe_doubtful(who: str, area: str, response: Response, failed: Sequence[Check]) -> str:
    """Returns why a map that failed one of the tests of its areas is in doubt."""
    before, own, other = _figures(response)
    if any(check.name == "deletion" for check in failed):
        elsewhere, which = percent(other), "matter no more than"
        if own < other:
            least = float(response.elsewhere.min())
            elsewhere = f"{percent(other)} on average and {percent(least)} at one area"
            which = "do not clearly matter more than"
        return (
            f"{who} may not rest on {area}, where the map points: covering the marked fifth "
            f"of the image {_its(change(before, own))}, covering an equal area elsewhere gives "
            f"{elsewhere}, so the marked areas {which} others."
        )
    if own > other or not is_noticeable(own, other):
        return (
            f"{who} may not rest on {area}, where the map points: uncovering what it marks first "
            "brings the probability back no better than uncovering other areas."
        )
    return (
        f"{who} needs {area}, but not that alone: covering the marked fifth of the image "
        f"{_its(change(before, own))} (elsewhere: {percent(other)}), yet uncovering what the map "
        "marks first brings it back no better than uncovering other areas."
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
            "The map shows the image, not what the network learned: with random weights it "
            f"comes out much the same (rank correlation {check.value:.2f} of 1)."
        )
    return (
        "The map does not show what the answer rests on: neither covering nor uncovering the "
        "marked areas first changes the probability more than doing so elsewhere."
    )


def _figures(response: Response) -> tuple[float, float, float]:
    return response.untouched, response.marked, float(response.elsewhere.mean())


def _its(phrase: str) -> str:
    return phrase.replace(" it ", " its probability ", 1)


Box = tuple[float, float, float, float]

# The middle is half as high and half as wide as the image; the border an eighth deep.
_MIDDLE: Box = (0.25, 0.75, 0.25, 0.75)
_INSIDE: Box = (0.125, 0.875, 0.125, 0.875)
# (top, bottom, left, right) as shares of the image, and the share of the map's sum from
# which on the area is named: well above what an even map has there.
_AREAS: tuple[tuple[str, Box, float], ...] = (
    ("the middle", _MIDDLE, 0.65),
    ("the upper left quarter", (0.0, 0.5, 0.0, 0.5), 0.7),
    ("the upper right quarter", (0.0, 0.5, 0.5, 1.0), 0.7),
    ("the lower left quarter", (0.5, 1.0, 0.0, 0.5), 0.7),
    ("the lower right quarter", (0.5, 1.0, 0.5, 1.0), 0.7),
    ("the upper half", (0.0, 0.5, 0.0, 1.0), 0.8),
    ("the lower half", (0.5, 1.0, 0.0, 1.0), 0.8),
    ("the left half", (0.0, 1.0, 0.0, 0.5), 0.8),
    ("the right half", (0.0, 1.0, 0.5, 1.0), 0.8),
)
_BORDER_SHARE = 0.75


def describe_area(heat_map: HeatMap) -> str:
    """Returns where most of a map's highest fifth lies, as a noun phrase.

    >>> values = np.zeros((4, 4), np.float32)
    >>> values[0, :2] = 1
    >>> describe_area(HeatMap("cam", "", "", 0, 0.0, values, None, None, (32, 32)))
    'the upper left quarter'
    """
    values = heat_map.values.astype(np.float64)
    if heat_map.is_blank or not np.isfinite(values).all():
        return "no area"
    values[values < np.quantile(values, 1 - MARKED_SHARE)] = 0.0
    for name, box, least in _AREAS:
        if _share_within(values, box) >= least:
            return name
    if 1 - _share_within(values, _INSIDE) >= _BORDER_SHARE:
        return "the border"
    return "areas spread over the image"


def _share_within(values: NDArray[np.float64], box: Box) -> float:
    """Returns the share of the map's sum inside a box, cells cut by its edge in part."""
    top, bottom, left, right = box
    rows = _covered(values.shape[0], top, bottom)
    columns = _covered(values.shape[1], left, right)
    return float(rows @ values @ columns / values.sum())


def _covered(size: int, start: float, end: float) -> NDArray[np.float64]:
    """Returns how much of each of ``size`` equal cells lies between two shares of the whole."""
    edges = np.arange(size + 1) / size
    inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    return np.asarray(np.clip(inside * size, 0.0, 1.0))
