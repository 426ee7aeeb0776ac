"""Pictures as a network takes them, for commands that look at a network with real ones."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveal.errors import ImageError, UsageError
from foveal.text import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foveal.images import Preprocessing
    from foveal.models.sources import ResolvedModel

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
MAX_IMAGES = 16


def preprocessing_of(
    resolved: ResolvedModel, shape: tuple[int, ...], *, stated: Mapping[str, Any] | None = None
) -> tuple[Preprocessing, str]:
    """Returns how the network wants its pictures, and whose word that is.

    Args:
        resolved: A run folder brings its own ``preprocessing.json``, timm's models their
            configuration; for all others ImageNet's mean and std are assumed.
        shape: ``(C, H, W)`` of one image.
        stated: ``mean`` and ``std`` where the user says them; they win.

    Raises:
        UsageError: The network does not take three channels.
    """
    from foveal.images import Preprocessing

    channels, height_px, width_px = shape
    if channels != 3:
        raise UsageError(
            f"Pictures are fed in colour, and {resolved.name} takes {channels} channels.",
            next_step="From Python, foveal.lint(model, batch=...) takes any batch.",
        )
    of_run = Path(resolved.name) / "preprocessing.json"
    config = getattr(resolved.network, "pretrained_cfg", None) or {}
    if of_run.is_file():
        prepared = Preprocessing.from_json(json.loads(of_run.read_text("utf-8"))["preprocessing"])
        origin = "of the run"
    elif config.get("mean") is not None and config.get("std") is not None:
        prepared = Preprocessing.from_pretrained({**config, "input_size": (3, height_px, width_px)})
        origin = "that timm states for these weights"
    else:
        prepared = Preprocessing(
            height_px=height_px, width_px=width_px, mean=_IMAGENET_MEAN, std=_IMAGENET_STD
        )
        origin = "of ImageNet, assumed"
    if stated:
        prepared, origin = replace(prepared, **stated), "asked for"
    return replace(prepared, height_px=height_px, width_px=width_px), origin


def read_network_images(
    paths: Sequence[str], preprocessing: Preprocessing
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Reads up to ``MAX_IMAGES`` pictures, spread evenly over what the paths name.

    Returns:
        The pictures ``[N, 3, H, W]``, and a sentence for each file that could not be read.

    Raises:
        UsageError: Not one of them could be read.
    """
    import numpy as np

    from foveal.dataset import list_images

    listed = list_images(paths)
    step = max(1, len(listed.records) // MAX_IMAGES)
    read, failures = [], []
    for record in listed.records[::step][:MAX_IMAGES]:
        file = listed.resolve(record)
        try:
            read.append(preprocessing.apply(file))
        except ImageError as error:
            failures.append(f"{printable(str(file))}: {error.message}")
    if not read:
        raise UsageError(
            f"No picture could be read. {failures[0]}" if failures else "There is no picture.",
            next_step="Give images, or folders that hold some.",
        )
    return np.stack(read), tuple(failures)


def read_normalisation(mean: str | None, std: str | None) -> dict[str, tuple[float, ...]]:
    """Returns ``mean`` and ``std`` as they were typed: one number, or one a channel.

    Raises:
        click.BadParameter: They are neither, or a standard deviation is not positive.
    """
    import click

    stated = {}
    for name, text in (("mean", mean), ("std", std)):
        if text is None:
            continue
        try:
            numbers = tuple(float(part) for part in text.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in (1, 3) or not all(
            math.isfinite(number) and (name == "mean" or number > 0) for number in numbers
        ):
            raise click.BadParameter(
                f"{text!r} came, expected one number or three, as 0.5 or 0.485,0.456,0.406.",
                param_hint=f"--{name}",
            )
        stated[name] = numbers * 3 if len(numbers) == 1 else numbers
    return stated
