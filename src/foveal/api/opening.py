"""MODEL and images, as every function over networks takes them.

Wherever a ``model`` is asked for, it may be a run folder, ``timm:NAME``, ``torchvision:NAME``,
``foveal:NAME``, a bare name, ``file.py:factory``, a classifier, a module, or a ``Network``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveal.errors import DataError, FovealWarning, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from foveal.models import Network
    from foveal.runs.classifier import Classifier

    Model = str | os.PathLike[str] | nn.Module | Network | Classifier

PathLike = str | os.PathLike[str]

# What a parameter is called on the command line, where that is another word.
_OPTIONS = {
    "input_shape": "input_shape (--input)",
    "class_names": "class_names (--classes)",
    "size_px": "size_px (--size)",
    "num_steps": "num_steps (--steps)",
}

MAX_BATCH_IMAGES = 16
"""Of the images that a network is looked at with, as many are read, spread evenly."""


def open_network(
    model: Model,
    *,
    weights: PathLike | None = None,
    input_shape: tuple[int | None, int, int] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    class_names: Sequence[str] = (),
) -> Network:
    """Returns the network that ``model`` names or is, with how it wants its images.

    A run is checked against its manifest and brings its views and temperature; see
    ``foveal.models.open_network`` for all others and for the arguments.

    Raises:
        ModelError: There is no such network, or its weights cannot be had.
        RunError: The folder is no sound run.
        UsageError: What is stated cannot be.
    """
    from foveal.models import open_network as open_plain
    from foveal.runs.classifier import Classifier, load

    is_run = isinstance(model, (str, os.PathLike)) and is_run_folder(Path(model))
    if isinstance(model, Classifier) or (is_run and weights != "none"):
        if weights not in (None, "pretrained"):
            raise UsageError(
                f"weights: got {os.fspath(weights)!r} for a run, which has its own.",
                next_step="Leave the weights out.",
            )
        run = model if isinstance(model, Classifier) else load(model)  # type: ignore[arg-type]
        model, weights = run.network(), None
    return open_plain(
        model,
        weights=weights,
        input_shape=input_shape,
        mean=mean,
        std=std,
        class_names=class_names,
    )


def is_run_folder(folder: Path) -> bool:
    """Whether a folder is to be a run, and not one in the layout of timm's hub alone."""
    return folder.is_dir() and (
        (folder / "manifest.json").exists() or not (folder / "config.json").is_file()
    )


def read_batch(network: Network, images: Any) -> NDArray[np.float32]:
    """Returns images as the network takes them, [N, C, H, W]: up to 16, spread evenly.

    Args:
        network: The network.
        images: Files, folders, patterns or images in memory.

    Raises:
        DataError: There are none, or not one of them could be read.
        UsageError: The network takes no images.

    Warns:
        FovealWarning: One could not be read; it is left out.
    """
    import numpy as np

    from foveal.errors import ImageError
    from foveal.images.pixels import grey_of
    from foveal.runs.named_images import name_images

    preprocessing = network.prepared()
    named = name_images(images)
    step = max(1, len(named) // MAX_BATCH_IMAGES)
    read, failures = [], []
    for one in named[::step][:MAX_BATCH_IMAGES]:
        try:
            read.append(preprocessing.apply(one.source()))
        except ImageError as error:
            failures.append(f"{one.name}: {error.message}")
    if not read:
        raise DataError(
            f"No image could be read. {failures[0]}" if failures else "There is no image.",
            next_step="Give images, or folders that hold some.",
        )
    for failure in failures:
        warnings.warn(failure, FovealWarning, stacklevel=3)
    stacked = np.stack(read)
    return stacked if network.channels == 3 else grey_of(stacked)


def ready_for_images(
    model: Model,
    weights: PathLike | None,
    stated: Mapping[str, Any],
    *,
    says_scale: bool = False,
) -> Network:
    """Opens a network that will be given images, and tells what was assumed of them.

    Raises:
        UsageError: It has no weights or takes no images, or something is stated of a run.
        ModelError: There is no such network, or it refuses the size.
    """
    from foveal.graph import trace
    from foveal.models import Network

    network = open_network(model, weights=weights)
    if network.source == "run":
        refuse_given(stated, "A run knows its images and classes")
        return network
    network = with_weights(network.stating(**stated))
    if network.source == "object" and says_scale:
        return network
    _ = network.channels  # refuses a network that takes no images
    # A size that the network refuses is told before the work.
    trace(network.module, network.input_shape, mode="eval")
    if not isinstance(model, Network):
        for note in (*network.assumptions, *network.notes):
            warnings.warn(note, FovealWarning, stacklevel=3)
    return network


def with_weights(network: Network) -> Network:
    """Returns the network, which must have weights.

    Raises:
        UsageError: It has none.
    """
    if not network.has_weights:
        raise UsageError(
            f"{network.name} has no weights, so it answers nothing that could be explained.",
            next_step="Add --weights pretrained (in Python, weights='pretrained'), or give a run "
            "folder or file.py:factory.",
        )
    return network


def refuse_given(given: Mapping[str, Any], reason: str) -> None:
    """Refuses what would otherwise be ignored in silence.

    Raises:
        UsageError: Something was given.
    """
    names = [
        name
        for name, value in given.items()
        if value is not None
        and value is not False
        and not (isinstance(value, Sized) and not len(value))
    ]
    if names:
        told = ", ".join(_OPTIONS.get(name, name) for name in names)
        raise UsageError(f"{reason}; got {told}.", next_step="Leave that out.")
