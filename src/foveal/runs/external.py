"""New images beside those that a run was made from, with labels or without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import (
    GroupOptions,
    ImageRecord,
    find_duplicates,
    find_seen,
    fuse_groups,
    scan_unlabelled,
)
from foveal.errors import DataError
from foveal.evaluation.drift import judge_drift
from foveal.evaluation.external import (
    CaseMix,
    ExternalTest,
    Share,
    accuracy_change,
    compare_shares,
    compare_spread,
    plan_labels,
    share_of,
)
from foveal.evaluation.recalibration import assess_external_calibration
from foveal.runs.classifier import Classifier, Prediction
from foveal.runs.folder import MANIFEST_TABLE_NAME, OUT_OF_FOLD_NAME
from foveal.runs.sides import Side, read_run_side
from foveal.runs.tables import CaseRow, read_cases, read_seen
from foveal.text import count_noun

Progress = Callable[[int, int], None]


def measure_external(
    classifier: Classifier,
    records: Sequence[ImageRecord],
    predictions: Sequence[Prediction],
    groups: NDArray[np.int64],
    *,
    labels: NDArray[np.int64] | None,
    num_seen: int,
    has_groups: bool,
    seed: int = 0,
) -> ExternalTest:
    """Sets new images beside those that a run was made from.

    Args:
        classifier: The run.
        records: Of N new images.
        predictions: The run's answers to them.
        groups: Which of them belong together, shape [N].
        labels: Indices into the run's classes, shape [N]; ``None`` without labels.
        num_seen: Further images that were left out, because the run was made from them.
        has_groups: Whether the groups are known, or every image stands alone.
        seed: For the bootstrap and the permutations.

    Raises:
        RunAlteredError: A table of the run is not as it was written.
    """
    classifier.verify_files(MANIFEST_TABLE_NAME, OUT_OF_FOLD_NAME)
    cases = read_cases(classifier.folder)
    side = read_run_side(classifier.folder)
    assert side.groups is not None  # it is a run
    assert side.labels is not None
    names = classifier.class_names
    logits = np.array([one.logits for one in predictions], np.float64)
    answered = logits.argmax(axis=1).astype(np.int64)
    index = {name: place for place, name in enumerate(names)}
    drift = judge_drift(
        classifier.novelty.sample,
        np.stack([_projected(one) for one in predictions]),
        training_classes=np.array([index[name] for name in side.predicted], np.int64),
        training_groups=side.groups,
        new_classes=answered,
        new_groups=groups,
        num_classes=len(names),
        seed=seed,
    )
    novelty = classifier.evidence.novelty
    training = classifier.evidence.metrics.accuracy
    is_right = (
        np.array(side.predicted) == np.array(side.labels) if labels is None else answered == labels
    )
    members = side.groups if labels is None else groups
    budget = plan_labels(is_right, members, training=training, is_measured=labels is not None)
    return ExternalTest(
        num_images=len(records),
        num_groups=len(np.unique(groups)),
        num_seen=num_seen,
        case_mix=_case_mix(cases, side, records, groups, answered, labels, names),
        drift=drift,
        unlike_training=share_of(
            np.array([one.is_unlike_training is True for one in predictions]), groups
        ),
        expected_unlike=0.0 if novelty is None else novelty.flagged_share,
        calibration=None
        if labels is None
        else assess_external_calibration(
            [one.probabilities for one in predictions], labels, groups, class_names=names, seed=seed
        ),
        accuracy_change=None
        if labels is None
        else accuracy_change(training, share_of(is_right, groups)),
        label_budget=budget,
        notes=_notes(cases, groups, has_groups=has_groups),
    )


def measure_unlabelled(
    classifier: Classifier,
    images: Path,
    *,
    groups: GroupOptions | None = None,
    seed: int = 0,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> ExternalTest:
    """Sets images without labels beside those that a run was made from.

    Args:
        classifier: The run.
        images: A folder, an image or a pattern.
        groups: Where groups come from.
        seed: For the permutations.
        num_workers: Threads.
        progress: Called with (done, total) while predicting.

    Raises:
        DataError: No image can be read, or the run was made from all of them.
    """
    classifier.verify_files(MANIFEST_TABLE_NAME)
    manifest = scan_unlabelled(
        [images],
        groups=groups,
        frames=classifier.frames,
        num_workers=num_workers or 2,
    )
    # What finds copies looks at images that have a label.
    manifest = replace(
        manifest,
        records=tuple(replace(record, label="unlabelled") for record in manifest.records),
        class_names=("unlabelled",),
    )
    usable = manifest.usable
    if not usable:
        first = manifest.bad[0].problem if manifest.bad else None
        why = "" if first is None else f", first {manifest.bad[0].path}: {first.message}"
        raise DataError(
            f"None of {count_noun(len(manifest.records), 'file')} can be read{why}.",
            next_step="Give a folder of images.",
        )
    predictions = classifier.predict(
        [manifest.resolve(record) for record in usable], num_workers=num_workers, progress=progress
    )
    if changed := next((one for one in predictions if one.error is not None), None):
        raise DataError(
            f"{changed.path} was fine when it was scanned, but now cannot be used: "
            f"{changed.error}.",
            next_step="Leave the data alone while Foveal reads it, then run the command again.",
        )
    is_seen = find_seen(usable, read_seen(classifier.folder))
    rows = np.flatnonzero(~is_seen)
    if not len(rows):
        raise DataError(
            f"The run was made from all of these {count_noun(len(usable), 'image')}: they cannot "
            "show whether new ones are different.",
            next_step="Give images that are new to it.",
        )
    members = fuse_groups(manifest, find_duplicates(manifest))[rows]
    found = measure_external(
        classifier,
        [usable[row] for row in rows],
        [predictions[row] for row in rows],
        members,
        labels=None,
        num_seen=int(is_seen.sum()),
        has_groups=manifest.group_source is not None,
        seed=seed,
    )
    return replace(found, num_bad=len(manifest.bad))


def _projected(prediction: Prediction) -> NDArray[np.float16]:
    assert prediction.projected is not None  # it has an answer
    return prediction.projected


def _case_mix(
    cases: Sequence[CaseRow],
    side: Side,
    records: Sequence[ImageRecord],
    groups: NDArray[np.int64],
    answered: NDArray[np.int64],
    labels: NDArray[np.int64] | None,
    names: Sequence[str],
) -> CaseMix:
    members = np.array([one.group for one in cases], np.int64)
    assert side.groups is not None
    classes: tuple[Share, ...] = ()
    if labels is not None:
        classes = compare_shares(
            [one.label for one in cases],
            [names[label] for label in labels],
            members,
            groups,
            names=names,
        )
    return CaseMix(
        num_training=len(cases),
        num_new=len(records),
        num_training_groups=len(np.unique(members)),
        num_new_groups=len(np.unique(groups)),
        classes=classes,
        predicted=compare_shares(
            side.predicted, [names[best] for best in answered], side.groups, groups, names=names
        ),
        modes=compare_shares(
            [one.stored_mode for one in cases],
            [one.stored_mode or "" for one in records],
            members,
            groups,
        ),
        formats=compare_shares(
            [one.format for one in cases], [one.format or "" for one in records], members, groups
        ),
        spreads=tuple(
            compare_spread(name, unit, [get(one) for one in cases], [get(one) for one in records])
            for name, unit, get in _QUANTITIES
        ),
    )


_QUANTITIES: tuple[tuple[str, str, Callable[[CaseRow | ImageRecord], float | None]], ...] = (
    ("width", "px", lambda one: one.width_px),
    ("height", "px", lambda one: one.height_px),
    ("brightness", "share of white", lambda one: one.grey_mean),
)


def _notes(
    cases: Sequence[CaseRow], groups: NDArray[np.int64], *, has_groups: bool
) -> tuple[str, ...]:
    is_grouped = len({one.group for one in cases}) < len(cases)
    if has_groups or not is_grouped or len(np.unique(groups)) < len(groups):
        return ()
    return (
        "The training images came in groups, and no groups of the new ones are known. If several "
        "of them show one patient, part or place, the intervals are too narrow and the drift alarm "
        "is raised too often: say what they share with --group-regex.",
    )
