"""The kinds of classifiers that a training can fit, the simplest first."""

from __future__ import annotations

from collections.abc import Callable

from foveal.features.reading import Reading
from foveal.images import View
from foveal.training.fold_model import FoldModelMaker
from foveal.training.linear import LinearMaker

MAKERS: dict[str, Callable[[tuple[View, ...]], FoldModelMaker]] = {
    "linear": lambda views: LinearMaker(Reading(views)),
}
"""By kind, what makes its maker for the views that are averaged."""
