"""The recipe: from a folder of images to a classifier with its evidence.

Every step is a call into another room; what is decided here is only their order. Duplicates
are fused into groups before folds are drawn, and folds before anything is fitted, so that
no image is ever judged by a model that saw it or its twin.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import (
    Audit,
    Duplicates,
    Manifest,
    anonymise,
    anonymise_findings,
    audit,
    choose_grey_window,
    find_duplicates,
    fuse_groups,
    names_table,
    number_copies,
    require_trainable,
    scan,
)
from foveal.dataset.soft_labels import read_soft_labels
from foveal.dataset.traits import find_traits, without_paths
from foveal.errors import ModelError
from foveal.evaluation import (
    Evidence,
    NoveltyReference,
    Timing,
    fit_novelty,
    fit_temperature,
)
from foveal.evaluation.operating_rule import find_class
from foveal.features import (
    FeatureCache,
    ImageSource,
    ProbeReport,
    cache_directory,
    choose_backend,
    extract_features,
    find_backend,
)
from foveal.features.parts import BACKEND as PARTS_BACKEND
from foveal.features.parts import FeatureOrigin, FeatureParts
from foveal.features.reading import Reading, reading_of, with_stages
from foveal.finetuning.settings import DEFAULT_BUDGET, read_budget
from foveal.images import Preprocessing, View, pixel_versions_digest
from foveal.models import (
    DEFAULT_BACKBONE,
    Backbone,
    load_backbone,
    read_state_dict,
)
from foveal.models.backbone import require_backbone
from foveal.text import count_noun
from foveal.training.config import TrainConfig
from foveal.training.fitting import fit_by_plan
from foveal.training.fold_model import FoldModel
from foveal.training.group_search import search_groups
from foveal.training.judging import Judged, check_order, judge
from foveal.training.makers import FLIPS, choose_makers
from foveal.training.problem import Problem
from foveal.training.protocol import choose_plan
from foveal.training.stability import measure_stability
from foveal.training.steps import StepLog

_NUM_PROBE_IMAGES = 8
_SHARE_FOR_FLIPS = 0.25  # of the budget for fine-tuning
_NEEDED_LATER = ("timm", "onnxruntime", "cleanlab.filter", "onnx", "jinja2")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TrainedClassifier:
    """A classifier and everything that is known about it, before anything is written.

    Attributes:
        config: The choices.
        manifest: The data as found.
        duplicates: Over ``manifest.usable``.
        audit: What is wrong with the data.
        backbone: With a placeholder for a classifier; ``model`` belongs into it.
        preprocessing: The one way images enter.
        probe: How the backend was chosen.
        model: Fitted on all training images.
        evidence: The numbers.
        judged: Logits and calibrated probabilities of the images that were judged.
        groups: Group index of every usable image, duplicates fused.
        novelty: The reference that tells unlike images.
        events: The history, one entry a step.
        private_names: The table of which number is which file, where files are numbered.
    """

    config: TrainConfig
    manifest: Manifest
    duplicates: Duplicates
    audit: Audit
    backbone: Backbone
    preprocessing: Preprocessing
    probe: ProbeReport
    model: FoldModel
    evidence: Evidence
    judged: Judged
    groups: NDArray[np.int64]
    novelty: NoveltyReference
    events: tuple[dict[str, object], ...]
    private_names: bytes | None = None


def train_classifier(
    data: Path,
    config: TrainConfig | None = None,
    *,
    log: StepLog | None = None,
    checkpoints: Path | None = None,
) -> TrainedClassifier:
    """Trains a classifier on ``data`` and gathers the evidence about it.

    Args:
        data: A folder of class folders, a folder with train, val and test, or a table.
        config: The choices; defaults otherwise.
        log: Follows the steps.
        checkpoints: Where fine-tuning keeps what it needs to go on after being stopped.

    Raises:
        DataError: The data cannot be trained on.
        ModelError: The backbone cannot be had.
        UsageError: An option is wrong.
    """
    config = config or TrainConfig()
    log = log or StepLog()
    # Wrong words are answered before a large folder has been read.
    if config.backend is not None:
        find_backend(config.backend)
    if config.backbone != DEFAULT_BACKBONE:
        require_backbone(config.backbone)
    if config.weights is not None and config.weights != "none":
        read_state_dict(config.weights)
    if config.fine_tune != "none":
        from foveal.finetuning.checkpoints import read_origin, require_new

        if config.resume is not None:
            read_origin(config.resume)
        elif checkpoints is not None:
            require_new(checkpoints)
    _import_ahead()
    with log.step("scan", "Reading the images") as step:
        manifest = scan(
            data,
            groups=config.groups,
            options=config.reading,
            frames=config.frames,
            num_workers=config.num_workers or 2,
            progress=step.progress,
        )
        require_trainable(manifest)
        if (rule := config.rule) is not None:
            find_class(rule, manifest.class_names)
        traits = find_traits(manifest, config.subgroups)
        soft = read_soft_labels(manifest, config.soft_labels) if config.soft_labels else None
        check_order(config.ordered, manifest.class_names)
        step.note(
            f"{count_noun(len(manifest.usable), 'image')}, "
            f"{count_noun(len(manifest.class_names), 'class', 'classes')}"
            + (f", {count_noun(len(manifest.bad), 'file')} set aside" if manifest.bad else ""),
            num_images=len(manifest.usable),
            num_bad=len(manifest.bad),
        )
    with log.step("backbone", "Loading the network") as step:
        backbone = load_backbone(config.backbone, weights=config.weights, seed=config.seed)
        chosen = choose_grey_window(manifest, config.window, keeps_split=config.test_size is None)
        preprocessing = Preprocessing.from_pretrained(
            backbone.pretrained_config,
            size_px=config.size_px,
            fit=config.fit,
            window=chosen.window,
            frame=config.frame,
        )
        step.note(f"{backbone.name}, weights from {backbone.weights.description}")
    measured = None
    if config.fine_tune != "none" and config.resume is None:
        from foveal.training.tuning_plan import measure_trainings

        with log.step("tuning_costs", "Measuring what a training step costs") as step:
            measured = measure_trainings(manifest, backbone, preprocessing, config)
            step.note(measured.refusal or count_noun(len(measured.costs), "cut"))
    frozen, no_stages = _frozen_network(backbone, preprocessing, config)
    read, probe = extract_manifest(manifest, frozen, preprocessing, config, log)
    # The vector that the classifier would see stands last.
    features = np.ascontiguousarray(read[:, -backbone.num_features :])

    with log.step("audit", "Looking for duplicates and other trouble") as step:
        duplicates = find_duplicates(manifest, features=features)
        searched = search_groups(manifest, features, duplicates, config)
        manifest, findings, private_names = searched.manifest, searched.findings, None
        if config.anonymous_paths:
            manifest, findings = anonymise(manifest), anonymise_findings(findings)
            traits = without_paths(traits)
            private_names = names_table(searched.manifest, manifest)
        groups = fuse_groups(manifest, duplicates)
        found = audit(manifest, duplicates=duplicates, structure=findings, window=chosen)
        step.note(count_noun(len(found.findings), "finding"), num_findings=len(found.findings))

    plan = choose_plan(
        manifest, groups, config, images=number_copies(duplicates, len(manifest.usable))
    )
    read_by_views = {config.views: read}
    no_flips = None if config.head == "kernel-flips" else _why_no_flips(config, probe, len(read))
    if no_flips is None and no_stages is None:
        same = replace(config, backend=probe.chosen)
        read_by_views[FLIPS], _ = extract_manifest(
            manifest, frozen, preprocessing, same, log, views=FLIPS
        )

    def source(reading: Reading) -> NDArray[np.float32]:
        """Returns what was read, the features alone where no stage is asked for."""
        numbers = read_by_views[reading.views]
        return numbers if reading.stages else numbers[:, -backbone.num_features :]

    problem = Problem(
        source=source,
        rows=np.arange(len(features)),
        labels=manifest.labels,
        groups=groups,
        fold_index=plan.fold_index,
        class_names=manifest.class_names,
        class_weights=config.class_weights,
        seed=config.seed,
    )
    makers, passed_over = choose_makers(
        config.head,
        reading_of(frozen, config.views),
        num_images=int((plan.fold_index >= -1).sum()),
        num_classes=problem.num_classes,
        no_stages=no_stages,
        no_flips=no_flips,
    )
    fitted = fit_by_plan(problem, makers, log=log, passed_over=passed_over)
    if config.fine_tune != "none":
        from foveal.training.fine_tuning import fine_tune
        from foveal.training.tuning_plan import TuningData

        tuning_data = TuningData(manifest, backbone, preprocessing, probe, soft)
        fitted = fine_tune(
            problem, fitted, tuning_data, config, measured, log=log, checkpoints=checkpoints
        )
    with log.step("stability", "Moving images by a few pixels"):
        stability = measure_stability(
            manifest,
            fitted.rows,
            groups=groups,
            fitted_rows=fitted.fitted_rows,
            backbone=backbone,
            preprocessing=preprocessing,
            model=fitted.model,
            temperature=fit_temperature(fitted.logits, manifest.labels[fitted.rows]),
            backend_name=probe.chosen,
            seed=config.seed,
            num_workers=config.num_workers,
        )
    with log.step("evidence", "Gathering the evidence"):
        seen = fitted.fitted_rows
        # Without folds, the room splits the training images itself.
        novelty_folds = np.zeros(len(seen), np.int64) if plan.is_holdout else plan.fold_index
        # Of the same views as the finished classifier's.
        known = np.ascontiguousarray(source(Reading(fitted.model.reading.views))[seen])
        reference, novelty = fit_novelty(known, novelty_folds, groups=groups[seen])
        judged, evidence = judge(
            fitted,
            manifest,
            groups=groups,
            protocol=plan.described,
            novelty=novelty,
            stability=stability,
            tested=searched.tested,
            traits=traits,
            config=config,
            finish=lambda: Timing(dict(log.seconds), log.total_seconds),
        )
    return TrainedClassifier(
        config=config,
        manifest=manifest,
        duplicates=duplicates,
        audit=found,
        backbone=backbone,
        preprocessing=preprocessing,
        probe=probe,
        model=fitted.model,
        evidence=evidence,
        judged=judged,
        groups=groups,
        novelty=reference,
        events=tuple(log.events),
        private_names=private_names,
    )


def _why_no_flips(config: TrainConfig, probe: ProbeReport, num_images: int) -> str | None:
    """Returns why four flips are not read; empty where nothing allows for their time."""
    if config.fine_tune == "none" or config.head != "auto" or config.views != ("identity",):
        return ""
    speed = next((row.images_per_second for row in probe.rows if row.backend == probe.chosen), None)
    if speed is None:
        return "nobody measured what four passes an image take"
    seconds = (len(FLIPS) - 1) * num_images / speed
    allowed = _SHARE_FOR_FLIPS * read_budget(config.budget or DEFAULT_BUDGET)
    if seconds <= allowed:
        return None
    return (
        f"three more passes an image would take about {seconds:,.0f} s, more than the "
        f"{allowed:,.0f} s that the budget leaves for them"
    )


def _frozen_network(
    backbone: Backbone, preprocessing: Preprocessing, config: TrainConfig
) -> tuple[Backbone, str | None]:
    """Returns the network with what is read of it, and why its stages are not."""
    if config.head == "linear":
        return backbone, None
    size = preprocessing.height_px, preprocessing.width_px
    try:
        return with_stages(backbone, size), None
    except ModelError as error:
        if config.head != "auto":
            raise
        return backbone, error.message.rstrip(".")


def _import_ahead() -> None:
    """Imports in the background what later steps need, while the images are being read.

    Together these take as long to import as 500 images take to read, and reading leaves the
    interpreter idle. Whatever fails here is met again where it is needed. A process that ends
    waits for the import that has begun: a compiled library that is cut off in it aborts.
    """

    def work() -> None:
        for name in _NEEDED_LATER:
            if not threading.main_thread().is_alive():
                return
            with contextlib.suppress(Exception):
                importlib.import_module(name)

    threading.Thread(target=work, name="foveal-imports").start()


def extract_manifest(
    manifest: Manifest,
    backbone: Backbone,
    preprocessing: Preprocessing,
    config: TrainConfig,
    log: StepLog,
    *,
    views: tuple[View, ...] | None = None,
) -> tuple[NDArray[np.float32], ProbeReport]:
    """Returns the features [N, D] of the usable images, averaged over the views.

    ``views`` are those of ``config`` unless others are given.
    """
    views = views or config.views
    known = _known_features(backbone, preprocessing, config)
    cache_folder = cache_directory()
    sources = [
        ImageSource(manifest.resolve(record), record.digest or "") for record in manifest.usable
    ]
    with log.step("probe", "Choosing the fastest way to run it") as step:
        # Spread over the data, since neighbours tend to be alike.
        spread = np.linspace(0, len(sources) - 1, min(_NUM_PROBE_IMAGES, len(sources)))
        samples = np.stack([preprocessing.apply(sources[int(row)].path) for row in spread])
        backend, probe = choose_backend(
            backbone,
            samples,
            num_images=len(sources) * len(views),
            cache=cache_folder,
            requested=config.backend if known is None else PARTS_BACKEND,
        )
        step.note(f"{backend.name} ({probe.origin})", backend=backend.name, origin=probe.origin)
    with log.step("features", "Computing features") as step:
        total = np.zeros((len(sources), backbone.num_features), np.float32)
        num_computed = num_cached = 0
        problem = None
        for number, view in enumerate(views):
            # The architecture too: twins such as tf_efficientnet_b0 and efficientnet_b0 take
            # the same tensors and compute something else. The backend, because its last digits
            # are its own: a run says which one computed its features, and that must be true.
            parts = (
                backbone.architecture,
                backbone.weights.digest,
                preprocessing.digest,
                pixel_versions_digest(),
                view,
                backend.name,
            )
            with FeatureCache(
                cache_folder, key_parts=parts, num_features=backbone.num_features
            ) as cache:
                features, stats = extract_features(
                    sources,
                    backend,
                    preprocessing=preprocessing,
                    num_features=backbone.num_features,
                    view=view,
                    cache=cache,
                    known=known,
                    num_workers=config.num_workers,
                    progress=_part_of(step.progress, number, len(views)),
                )
            total += features
            num_computed += stats.num_computed
            num_cached += stats.num_cached
            problem = problem or stats.cache_problem
        # A copy of an image is neither: it shares the other's vector.
        step.note(
            f"{count_noun(num_computed, 'image')} computed"
            + (f", {num_cached:,} from the cache" if num_cached else "")
            + (f"; {problem}" if problem else ""),
            num_computed=num_computed,
            backend=backend.name,
            cache_problem=problem,
        )
    total /= len(views)
    return total, probe


def _known_features(
    backbone: Backbone, preprocessing: Preprocessing, config: TrainConfig
) -> FeatureParts | None:
    """Opens the parts that the features were computed into, if any were named."""
    if config.features is None:
        return None
    origin = FeatureOrigin(
        architecture=backbone.architecture,
        weights=backbone.weights.digest,
        preprocessing=preprocessing.digest,
        decoders=pixel_versions_digest(),
        views=",".join(config.views),
    )
    return FeatureParts(config.features, origin, num_features=backbone.num_features)


def _part_of(report: Progress, number: int, num_parts: int) -> Progress:
    """Returns where part ``number`` of equal parts reports to, so that all make one bar."""
    return lambda done, total: report(done + number * total, num_parts * total)
