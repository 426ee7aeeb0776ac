"""Does a structure in the data flatter the accuracy? Candidates are held out and measured.

Two sets of folds over the same features differ in one thing only: whether images that share
the candidate's value may stand on both sides. What a head answers in one and in the other is
compared image by image, with the candidate's groups as the independent observations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import AuditFinding, Duplicates, FoldPlan, Manifest, assign_folds, fuse_groups
from foveal.dataset.group_checks import (
    describe_candidate,
    describe_confounded,
    describe_passed_over,
)
from foveal.dataset.group_choice import join_groups, linked, with_groups, without_groups
from foveal.dataset.structure import Candidate, find_structure, nests_in
from foveal.errors import DataError
from foveal.evaluation import HeldOutGroups, accuracy_difference, describe_tested
from foveal.text import count_noun, printable
from foveal.training.config import TrainConfig
from foveal.training.linear import choose_penalty, predict_out_of_fold
from foveal.training.problem import Problem

_MAX_TESTED = 8
_WORTH_A_WARNING = 0.02  # of accuracy, where the groups are too few to be sure


@dataclass(frozen=True, slots=True)
class GroupSearch:
    """What the search for groups gives.

    Attributes:
        manifest: With the groups that a test chose, or as it came.
        tested: Every candidate that was held out.
        findings: What there is to say about candidates and columns.
    """

    manifest: Manifest
    tested: tuple[HeldOutGroups, ...]
    findings: tuple[AuditFinding, ...]


def search_groups(
    manifest: Manifest,
    features: NDArray[np.float32],
    duplicates: Duplicates,
    config: TrainConfig,
) -> GroupSearch:
    """Tests what could be groups, and takes the widest one that flatters beyond chance.

    Only candidates are tested whose images look alike beyond what their class explains
    (``dataset.structure.linked``), at most eight. Groups that the reader gave are never
    replaced; a candidate that flatters beyond them is reported.

    Args:
        manifest: The data.
        features: [N, D] of the usable images.
        duplicates: Over the usable images.
        config: ``num_folds``, ``class_weights``, ``groups`` and ``seed``.
    """
    structure = find_structure(manifest)
    # What was taken by its name is one candidate among the others, if it is one.
    named = next((one for one in structure.candidates if one.source == manifest.group_source), None)
    is_by_name = named is not None and manifest.group_origin == "name"
    known = without_groups(manifest) if is_by_name else manifest
    groups = fuse_groups(known, duplicates)
    candidates = [one for one in structure.candidates if not nests_in(one.groups, groups)]
    alike = linked(features, manifest.labels, groups, candidates, seed=config.seed)
    to_test = [row for row, is_alike in enumerate(alike) if is_alike][:_MAX_TESTED]
    hold_out = _HoldOut(manifest, features, groups, config)
    tested = {row: hold_out.measure(candidates[row]) for row in to_test}
    able = [
        row
        for row, one in enumerate(candidates)
        if (is_by_name and one is named)
        or ((outcome := tested.get(row)) and outcome.is_harmful and one.may_decide)
    ]
    may_choose = config.groups.search == "auto" and manifest.group_origin != "given"
    chosen = _choose(able, candidates, tested) if may_choose and able else None
    findings: list[AuditFinding] = []
    quiet = list(structure.passed_over)
    for row, (one, is_alike) in enumerate(zip(candidates, alike, strict=True)):
        if row == chosen:
            continue  # the note about the groups says it
        is_covered = chosen is not None and nests_in(one.groups, candidates[chosen].groups)
        if is_alike or one.meaning in ("source", "surroundings"):
            findings.append(_describe(one, is_alike, row in tested, tested.get(row), is_covered))
        elif one.kind == "column":
            quiet.append((one.source, "images that share it look no more alike than others"))
    if chosen is not None and not (is_by_name and candidates[chosen] is named):
        others = [candidates[row].source for row in able if row != chosen]
        manifest = with_groups(
            manifest,
            candidates[chosen],
            origin="test",
            note=_note(candidates[chosen], tested.get(chosen), others),
        )
    return GroupSearch(
        manifest,
        tuple(
            replace(outcome, is_used=row == chosen)
            for row, outcome in tested.items()
            if outcome is not None
        ),
        (
            *describe_confounded(structure.confounded),
            *findings,
            *describe_passed_over(quiet),
        ),
    )


class _HoldOut:
    """Answers the same images with a candidate's groups mixed, and with them kept apart."""

    def __init__(
        self,
        manifest: Manifest,
        features: NDArray[np.float32],
        groups: NDArray[np.int64],
        config: TrainConfig,
    ) -> None:
        self._labels = manifest.labels
        self._groups = groups
        self._config = config
        self._problem = Problem.of_features(
            features,
            manifest.labels,
            num_classes=len(manifest.class_names),
            groups=groups,
            class_weights=config.class_weights,
            seed=config.seed,
        )
        self._mixed: dict[int, NDArray[np.bool_]] = {}
        self._penalty: float | None = None

    def measure(self, candidate: Candidate) -> HeldOutGroups | None:
        """Returns what was measured; ``None`` where the groups cannot be kept apart."""
        members = join_groups(self._groups, candidate.groups)
        try:
            plan = self._divide(members, self._config.num_folds)
            # As many folds on both sides: fewer would mean fewer images to learn from.
            if plan.num_folds not in self._mixed:
                mixed_plan = self._divide(self._groups, plan.num_folds)
                self._mixed[plan.num_folds] = self._right(mixed_plan)
        except DataError:
            return None
        mixed, apart = self._mixed[plan.num_folds], self._right(plan)
        return HeldOutGroups(
            source=candidate.source,
            option=candidate.option,
            num_groups=candidate.num_groups,
            mixed_accuracy=float(mixed.mean()),
            apart_accuracy=float(apart.mean()),
            difference=accuracy_difference(
                mixed, apart, np.unique(members, return_inverse=True)[1], seed=self._config.seed
            ),
        )

    def _divide(self, groups: NDArray[np.int64], num_folds: int) -> FoldPlan:
        return assign_folds(self._labels, groups, num_folds=num_folds, seed=self._config.seed)

    def _right(self, plan: FoldPlan) -> NDArray[np.bool_]:
        if self._penalty is None:
            # As a training without these groups would choose it.
            self._penalty, _ = choose_penalty(self._problem)
        predicted = predict_out_of_fold(
            self._problem.with_folds(plan.fold_index), penalty=self._penalty
        )
        is_right: NDArray[np.bool_] = predicted == self._labels
        return is_right


def _choose(
    able: Sequence[int],
    candidates: Sequence[Candidate],
    tested: Mapping[int, HeldOutGroups | None],
) -> int:
    """Returns the widest candidate; of several that cross, the one that costs most."""

    def is_within_another(row: int) -> bool:
        return any(
            nests_in(candidates[row].groups, candidates[other].groups)
            for other in able
            if other != row and candidates[other].num_groups < candidates[row].num_groups
        )

    def accuracy(row: int) -> float:
        outcome = tested.get(row)
        return 1.0 if outcome is None else outcome.apart_accuracy

    return min((row for row in able if not is_within_another(row)), key=accuracy)


def _describe(
    one: Candidate,
    is_alike: bool,
    was_tried: bool,
    outcome: HeldOutGroups | None,
    is_covered: bool,
) -> AuditFinding:
    measured = "It was not tested."
    if outcome is not None:
        measured = describe_tested(outcome)
    elif was_tried:
        measured = "It could not be tested: a class lies in one of its groups alone."
    if is_covered:
        measured += " Its images were kept together."
    return describe_candidate(
        one,
        is_alike=is_alike,
        measured=measured,
        is_harmful=not is_covered and is_alike and (outcome is None or _may_flatter(outcome)),
        is_kept=is_covered,
    )


def _may_flatter(outcome: HeldOutGroups) -> bool:
    return outcome.is_harmful or (outcome.difference.estimate or 0.0) >= _WORTH_A_WARNING


def _note(chosen: Candidate, outcome: HeldOutGroups | None, others: Sequence[str]) -> str:
    beside = f" The same was found for {', '.join(others)}." if others else ""
    shown = "" if outcome is None else f" {describe_tested(outcome)}"
    return (
        f"Images were kept together by {chosen.source} "
        f"({count_noun(chosen.num_groups, 'group')}, such as '{printable(chosen.example)}'), "
        f"because a test showed that they belong together.{shown}{beside} To say so yourself: "
        f"{chosen.option}; to keep none together: --no-groups."
    )
