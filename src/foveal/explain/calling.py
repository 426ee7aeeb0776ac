"""Makes the package itself a function: ``foveal.explain(model, images)``.

As with ``foveal.lint``: package and function would be the same attribute of ``foveal``, and
which of the two it is would depend on what was imported first. So the one is both.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from torch import nn

from foveal.explain.heat_map import HeatMap
from foveal.explain.methods import explain as run_explain
from foveal.explain.requests import Images


class CallablePackage(ModuleType):
    """A package that is called like its main function."""

    def __call__(
        self, model: nn.Module, images: Images, **options: Any
    ) -> tuple[tuple[HeatMap, ...], ...]:
        """Returns where the scores come from; see ``foveal.explain.explain``."""
        return run_explain(model, images, **options)


explain = sys.modules["foveal.explain"]
explain.__class__ = CallablePackage
