"""The order of the steps, and what comes out of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.errors import FovealError
from foveal.explanation.cell_centres import CellCentres
from foveal.features import cache_directory
from foveal.features.feature_maps import open_feature_maps
from foveal.shortcuts.choosing import choose_examples, choose_pictures
from foveal.shortcuts.explained_run import ExplainedRun
from foveal.shortcuts.loading import Progress, load_pictures
from foveal.shortcuts.network import HeldOutNetwork, Images, find_run_centres
from foveal.shortcuts.searching import find_border_reliance, find_shortcuts, why_untested
from foveal.shortcuts.separation import HeldOutMaps, separate
from foveal.shortcuts.simple_classifiers import judge_simple_classifiers

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier


@dataclass(frozen=True, slots=True, eq=False)
class RunPictures:
    """The held-out pictures that were looked at, as the network saw them.

    Attributes:
        places: [n], into ``trained.judged``.
        images: [n, 3, H, W], normalised.
        centres: Where the cells of their maps lie.
    """

    places: NDArray[np.int64]
    images: Images
    centres: CellCentres


def explain_training(
    trained: TrainedClassifier, *, progress: Progress | None = None
) -> tuple[ExplainedRun, RunPictures | None]:
    """Returns what the held-out pictures' heat maps show, and those pictures.

    A network that has no such maps gives a reason instead, and no pictures.

    Args:
        trained: The classifier with its fold heads.
        progress: Called with (done, total) pictures.
    """
    run, pictures = _explain_maps(trained, progress)
    simple, reason = judge_simple_classifiers(trained, progress=progress)
    return replace(run, simple=simple, simple_reason=reason), pictures


def _explain_maps(
    trained: TrainedClassifier, progress: Progress | None
) -> tuple[ExplainedRun, RunPictures | None]:
    names = trained.evidence.data.class_names
    size = trained.preprocessing.height_px, trained.preprocessing.width_px
    try:
        run = open_feature_maps(trained.backbone, size, cache_directory())
    except FovealError as error:
        return ExplainedRun(names, reason=error.message), None
    wanted, sample = choose_pictures(trained)
    centres = find_run_centres(trained, run)
    network = HeldOutNetwork(run, trained, centres)
    loaded = load_pictures(trained, wanted, network, progress)
    if not loaded:
        return ExplainedRun(names, reason="Not one of the pictures could be read again."), None
    places = np.array([place for place, _, _ in loaded])
    images = np.stack([image for _, image, _ in loaded])
    signed = np.stack([maps for _, _, maps in loaded])
    labels = trained.manifest.labels[trained.judged.rows[places]]
    bias = network.biases[trained.judged.fold_index[places]]
    whole = HeldOutMaps(signed, bias, labels)
    sampled = np.isin(places, sample)
    maps = HeldOutMaps(signed[sampled], bias[sampled], labels[sampled])
    separations = tuple(
        separate(maps, index)
        for index in range(len(names))
        if 0 < int((maps.labels == index).sum()) < len(maps.labels)
    )
    shortcuts = find_shortcuts(maps, separations, network, images[sampled], places[sampled])
    borders = (
        ()
        if shortcuts  # a mark in a corner goes with the border, and is named already
        else find_border_reliance(maps, separations, network, images[sampled], places[sampled])
    )
    incompleteness = np.abs(whole.logits - trained.judged.logits[places]).max()
    explained = ExplainedRun(
        class_names=names,
        grid=maps.grid,
        num_images=len(maps.labels),
        max_completeness_error=float(incompleteness),
        separations=separations,
        shortcuts=shortcuts,
        borders=borders,
        untested=why_untested(maps, names),
        examples=choose_examples(trained, places, signed, labels),
    )
    return explained, RunPictures(places, images, centres)
