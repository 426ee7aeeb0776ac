"""Makes the package itself a function: ``foveal.lint(model)``, ``foveal.lint.fix(...)``.

The package ``foveal.lint`` and the function of that name would be the same attribute of
``foveal``, and which of the two it is would depend on what was imported first. So the one is
both; Python allows a module's class to be replaced for such ends (reference, section 3.3.2.1).
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from torch import nn

from foveal.lint.engine import lint as run_lint
from foveal.lint.report import LintReport


class CallablePackage(ModuleType):
    """A package that is called like its main function."""

    def __call__(self, model: nn.Module, **options: Any) -> LintReport:
        """Returns what is wrong with ``model``; see ``foveal.lint.lint``."""
        return run_lint(model, **options)


lint = sys.modules["foveal.lint"]
lint.__class__ = CallablePackage
