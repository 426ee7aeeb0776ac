"""Judges whether a map can be believed: runs the tests and draws the conclusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from foveal.errors import UsageError
from foveal.explanation.faithfulness.completeness import Blank, check_completeness, explain_blank
from foveal.explanation.faithfulness.deletion import (
    NUM_COPIES,
    Measured,
    check_deletion,
    check_insertion,
    measure_maps,
    num_passes,
)
from foveal.explanation.faithfulness.randomisation import Remake, check_randomisation, num_remakes
from foveal.explanation.faithfulness.wording import (
    describe_against,
    describe_alike,
    describe_area,
    describe_doubtful,
    describe_refuted,
    describe_sufficient,
    describe_supported,
    subject,
    tells_apart,
)
from foveal.explanation.heat_map import Check, CheckName, HeatMap, Verdict, VerdictLevel
from foveal.explanation.requests import Effort, names_of_classes, ready_images
from foveal.layers import Labels, predicting

_FLAT = "The map is the same everywhere, so it ranks no area before another."
_NOT_REMADE = "Random weights are tried at full effort only, given a way to make the map again."


@dataclass(frozen=True, slots=True)
class Cost:
    """What judging costs at most.

    Attributes:
        forward_passes: Images that the network is asked about.
        remakes: How often each map is made again for random weights.
    """

    forward_passes: int
    remakes: int


def cost_of_judging(num_maps: int, *, effort: Effort = "quick", remakes: bool = False) -> Cost:
    """Returns what judging so many maps costs.

    >>> cost_of_judging(40)
    Cost(forward_passes=200, remakes=0)
    >>> cost_of_judging(1, effort="full", remakes=True)
    Cost(forward_passes=282, remakes=6)
    """
    num_remade = num_maps * num_remakes() if remakes and effort == "full" else 0
    return Cost(num_maps * num_passes(effort), num_remade)


def judge_map(
    model: nn.Module,
    image: Tensor,
    heat_map: HeatMap,
    *,
    effort: Effort = "quick",
    seed: int = 0,
    remake: Remake | None = None,
    class_names: Sequence[str] | None = None,
    labels: Labels = "auto",
) -> Verdict:
    """Returns whether one map can be believed: see :func:`judge_maps`.

    Args:
        model: The network that the map explains.
        image: [C, H, W] or [1, C, H, W], as the network takes it.
        heat_map: The map.
        effort: ``"quick"`` or ``"full"``.
        seed: Of all random choices.
        remake: Makes such maps for any network of this form.
        class_names: For the sentence.
        labels: ``"independent"`` where several classes do not exclude one another and the
            network returns logits, which do not say so.
    """
    batch = image[None] if image.ndim == 3 else image
    return judge_maps(
        model,
        batch,
        [heat_map],
        effort=effort,
        seed=seed,
        remake=remake,
        class_names=class_names,
        labels=labels,
    )[0]


def judge_maps(
    model: nn.Module,
    images: Tensor,
    heat_maps: Sequence[HeatMap],
    *,
    effort: Effort = "quick",
    seed: int = 0,
    remake: Remake | None = None,
    class_names: Sequence[str] | None = None,
    labels: Labels = "auto",
) -> tuple[Verdict, ...]:
    """Returns for each map whether it can be believed, with the tests that say so.

    ``"quick"``: completeness, and covering the marked fifth of the image against covering
    as much in three other areas. ``"full"``: also deletion and insertion step by step
    against 19 copies of the map moved elsewhere, and, given ``remake``, the map again with
    random weights. :func:`cost_of_judging` says what that costs.

    Levels: ``refuted`` where the map does not add up, does not depend on the weights, is
    blank through a fault, or fails deletion and insertion both; ``doubtful`` where it fails
    one of the two, or passes by less than a reader can see in the figures; ``supported`` where
    nothing failed and one of the two passed; else ``untested``.
    Adding up alone supports nothing: a wrong area can add up too. Same seed, same verdict.

    What the model's outputs are is told by ``foveal.layers.logits``. A network with one
    output has two classes, 0 for "yes" and 1 for "no". The model may be frozen, in any mode and
    precision; it is left as found.

    Args:
        model: The network that the maps explain.
        images: [N, C, H, W], as the network takes them: one a map.
        heat_maps: N maps, of the same or different classes and methods.
        effort: How much to try.
        seed: Of all random choices.
        remake: ``(model, images, classes) -> maps``: makes such maps for any network of this
            form; called with copies whose weights are random. Full effort only.
        class_names: One a class, for the sentences; of a network with one output, those of
            "no" and "yes", or that of "yes" alone.
        labels: ``"independent"`` where several classes do not exclude one another and the
            network returns logits, which do not say so.

    Raises:
        UsageError: Not one image a map, a map of another image size, no such class, or not
            one name a class.
        ModelError: The network does not answer with one tensor [N, K].
    """
    if effort not in NUM_COPIES:
        raise UsageError(f"got effort={effort!r}, expected 'quick' or 'full'.")
    if not heat_maps:
        return ()
    with predicting(model) as lent:
        images = ready_images(images, lent)
        _require_pairs(images, heat_maps)
        dtype = _coarsest(lent, images)
        channels = images.shape[1]
        blanks = [explain_blank(lent, item, image_channels=channels) for item in heat_maps]
        measured = measure_maps(
            lent, images, heat_maps, effort=effort, seed=seed, dtype=dtype, labels=labels
        )
        first = measured[0]
        names = names_of_classes(class_names, first.kind, first.num_classes)
        todo = [index for index, found in enumerate(measured) if found.response is not None]
        if effort == "quick" or not todo:
            remake = None
        remade: dict[int, Check] = {}
        if remake is not None:
            checks = check_randomisation(
                lent,
                images[todo],
                [heat_maps[index] for index in todo],
                remake=remake,
                generator=torch.Generator().manual_seed(seed),
            )
            remade = dict(zip(todo, checks, strict=True))
    skipped = _unavailable("randomisation", _NOT_REMADE)
    verdicts = []
    for index, (heat_map, blank, found) in enumerate(zip(heat_maps, blanks, measured, strict=True)):
        whole = _completeness(heat_map, found, dtype)
        if blank is not None:
            verdicts.append(_of_blank(blank, heat_map, found, whole, names))
        else:
            random_weights = remade.get(index, skipped)
            verdicts.append(_conclude(heat_map, found, whole, random_weights, names))
    return tuple(verdicts)


def _require_pairs(images: Tensor, heat_maps: Sequence[HeatMap]) -> None:
    size = (int(images.shape[2]), int(images.shape[3]))
    if len(images) != len(heat_maps):
        raise UsageError(
            f"got {len(images)} images for {len(heat_maps)} maps, expected one image a map.",
            next_step="Repeat an image that has several maps.",
        )
    for heat_map in heat_maps:
        if heat_map.image_size_px != size:
            raise UsageError(
                f"got an image of {size}, expected {heat_map.image_size_px} as for the map.",
                next_step="Pass the image that the map explains, as the network saw it.",
            )


def _coarsest(model: nn.Module, images: Tensor) -> torch.dtype:
    types = {p.dtype for p in model.parameters() if p.is_floating_point()} | {images.dtype}
    if torch.is_autocast_enabled(images.device.type):
        types.add(torch.get_autocast_dtype(images.device.type))
    return max(types, key=lambda dtype: torch.finfo(dtype).eps)


def _completeness(heat_map: HeatMap, found: Measured, dtype: torch.dtype) -> Check:
    # A network that ends in a softmax does not tell its logits; the map recorded its own.
    logit = heat_map.logit if found.logit is None else found.logit
    return check_completeness(heat_map, logit, dtype)


def _unavailable(name: CheckName, reason: str) -> Check:
    return Check(name, "unavailable", None, None, reason)


def _of_blank(
    blank: Blank,
    heat_map: HeatMap,
    found: Measured,
    whole: Check,
    class_names: Sequence[str] | None,
) -> Verdict:
    who = subject(heat_map.class_index, class_names, is_answer=found.is_answer, kind=found.kind)
    level: VerdictLevel = "refuted" if blank.is_fault or whole.status == "failed" else "untested"
    sentence = f"{who} has a blank map. {blank.reason}"
    return Verdict(level, sentence, (whole, blank.as_check()))


def _conclude(
    heat_map: HeatMap,
    found: Measured,
    whole: Check,
    random_weights: Check,
    class_names: Sequence[str] | None,
) -> Verdict:
    response = found.response
    if response is None:
        areas = (_unavailable("deletion", _FLAT), _unavailable("insertion", _FLAT))
    else:
        areas = (check_deletion(response), check_insertion(response))
    checks = (whole, *areas, random_weights)
    who = subject(heat_map.class_index, class_names, is_answer=found.is_answer, kind=found.kind)
    where = describe_area(heat_map)
    failed = [check for check in checks if check.status == "failed"]
    failed_areas = [check for check in failed if check in areas]
    if failed != failed_areas or len(failed_areas) == 2:
        return Verdict("refuted", describe_refuted(failed), checks)
    if response is None:
        return Verdict("untested", f"{who} has an even map. {_FLAT}", checks)
    against = describe_against(heat_map)
    more = "" if against is None else f" {against}"
    if failed:
        return Verdict("doubtful", describe_doubtful(who, where, response, failed) + more, checks)
    if areas[0].status == "passed":
        if not tells_apart(response):
            return Verdict("doubtful", describe_alike(who, where, response) + more, checks)
        return Verdict("supported", describe_supported(who, where, response) + more, checks)
    if areas[1].status == "passed":
        return Verdict("supported", describe_sufficient(who, where, areas[1]) + more, checks)
    sentence = f"Whether {who[:1].lower()}{who[1:]} rests on {where} cannot be told. "
    return Verdict("untested", sentence + areas[0].sentence, checks)
