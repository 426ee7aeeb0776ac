"""Foveal: a workbench for convolutional networks.

>>> import foveal
>>> run = foveal.train("photos/", "runs/photos")          # doctest: +SKIP
>>> foveal.load("runs/photos").predict(["new.jpg"])       # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveal.api import audit, evaluate, load, train, visualise
    from foveal.errors import FovealError
    from foveal.explain import explain
    from foveal.lint import lint
    from foveal.training import TrainConfig

# ONNX Runtime 1.32 and later makes up a device number, keeps it under the home folder and
# reports its use to its maker. What Foveal does with your images is nobody else's business.
# It reads this once, when it is imported, so this has to come before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Imported on first use, so that `import foveal` does not wait for torch.
_PLACES = {
    "FovealError": "foveal.errors",
    "TrainConfig": "foveal.training",
    "audit": "foveal.api",
    "evaluate": "foveal.api",
    "explain": "foveal.explain.calling",
    "lint": "foveal.lint.calling",
    "load": "foveal.api",
    "train": "foveal.api",
    "visualise": "foveal.api",
}

__all__ = [
    "FovealError",
    "TrainConfig",
    "audit",
    "evaluate",
    "explain",
    "lint",
    "load",
    "train",
    "visualise",
]


def __getattr__(name: str) -> Any:
    try:
        module = importlib.import_module(_PLACES[name])
    except KeyError:
        raise AttributeError(f"module 'foveal' has no attribute {name!r}") from None
    return getattr(module, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
