"""Where a run looks: the steps in their order, and the heat maps that its report shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.errors import FovealError
from foveal.explanation.cell_centres import CellCentres
from foveal.features import cache_directory
from foveal.features.feature_maps import open_feature_maps
from foveal.features.reading import readable_network
from foveal.shortcuts.border import find_border_reliance
from foveal.shortcuts.explained_run import ExplainedRun
from foveal.shortcuts.figures import MapSources, ShownExplanations, show_over_inputs
from foveal.shortcuts.held_out_images import (
    Progress,
    choose_examples,
    choose_images,
    load_images,
)
from foveal.shortcuts.marks import find_shortcuts, why_untested
from foveal.shortcuts.network import HeldOutNetwork, Images, find_run_centres
from foveal.shortcuts.separation import HeldOutMaps, separate
from foveal.shortcuts.simple_classifiers import judge_simple_classifiers

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier


@dataclass(frozen=True, slots=True, eq=False)
class RunImages:
    """The held-out images that were looked at, as the network saw them.

    Attributes:
        positions: [n], into ``trained.judged``.
        images: [n, 3, H, W], normalised.
        centres: Where the cells of their maps lie.
    """

    positions: NDArray[np.int64]
    images: Images
    centres: CellCentres


def explain_training(
    trained: TrainedClassifier, *, progress: Progress | None = None
) -> tuple[ExplainedRun, RunImages | None]:
    """Returns what the held-out images' heat maps show, and those images.

    A network that has no such maps gives a reason instead, and no images.

    Args:
        trained: The classifier with its fold heads.
        progress: Called with (done, total) images.
    """
    run, held_out = _explain_maps(trained, progress)
    simple, reason = judge_simple_classifiers(trained, progress=progress)
    return replace(run, simple=simple, simple_reason=reason), held_out


def _explain_maps(
    trained: TrainedClassifier, progress: Progress | None
) -> tuple[ExplainedRun, RunImages | None]:
    names = trained.evidence.data.class_names
    size = trained.preprocessing.height_px, trained.preprocessing.width_px
    if trained.model.reading.cut:
        return (
            ExplainedRun(
                names,
                reason="The classifier is no linear function of the last feature map, so maps of "
                "held-out images do not follow from it in closed form. foveal explain shows where "
                "the finished classifier looks.",
            ),
            None,
        )
    try:
        run = open_feature_maps(
            readable_network(trained.backbone, trained.model.reading, size), size, cache_directory()
        )
    except FovealError as error:
        return ExplainedRun(names, reason=error.message), None
    wanted, sample = choose_images(trained)
    centres = find_run_centres(trained, run)
    network = HeldOutNetwork(run, trained, centres)
    loaded = load_images(trained, wanted, network, progress)
    if not loaded:
        return ExplainedRun(names, reason="Not one of the images could be read again."), None
    positions = np.array([position for position, _, _ in loaded])
    images = np.stack([image for _, image, _ in loaded])
    signed = np.stack([maps for _, _, maps in loaded])
    labels = trained.manifest.labels[trained.judged.rows[positions]]
    bias = network.biases(positions, signed, trained.judged.model_logits[positions])
    whole = HeldOutMaps(signed, bias, labels)
    sampled = np.isin(positions, sample)
    maps = HeldOutMaps(signed[sampled], bias[sampled], labels[sampled])
    separations = tuple(
        separate(maps, index)
        for index in range(len(names))
        if 0 < int((maps.labels == index).sum()) < len(maps.labels)
    )
    shortcuts = find_shortcuts(maps, separations, network, images[sampled], positions[sampled])
    borders = (
        ()
        if shortcuts  # a mark in a corner goes with the border, and is named already
        else find_border_reliance(maps, separations, network, images[sampled], positions[sampled])
    )
    incompleteness = np.abs(whole.logits - trained.judged.model_logits[positions]).max()
    explained = ExplainedRun(
        class_names=names,
        grid=maps.grid,
        num_images=len(maps.labels),
        max_completeness_error=float(incompleteness) if network.is_exact else None,
        separations=separations,
        shortcuts=shortcuts,
        borders=borders,
        untested=why_untested(maps, names),
        examples=choose_examples(trained, positions, signed, labels),
    )
    return explained, RunImages(positions, images, centres)


def explain_and_show(
    trained: TrainedClassifier, *, progress: Progress | None = None
) -> ShownExplanations:
    """Returns what the held-out images' heat maps show, with the images.

    Args:
        trained: The classifier with its fold heads.
        progress: Called with (done, total) images.
    """
    run, held_out = explain_training(trained, progress=progress)
    if held_out is None:
        return ShownExplanations(run)
    rows = tuple(map(int, trained.judged.rows[held_out.positions]))
    return show_over_inputs(
        run,
        MapSources(rows, held_out.centres),
        dict(zip(rows, held_out.images, strict=True)),
        labels=trained.manifest.labels,
        preprocessing=trained.preprocessing,
    )
