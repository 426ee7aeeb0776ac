"""Foveal: a workbench for convolutional networks.

>>> import foveal
>>> run = foveal.train("photos/", "runs/photos")          # doctest: +SKIP
>>> foveal.load("runs/photos").predict(["new.jpg"])       # doctest: +SKIP

Importing it sets two environment variables, each only where it is unset:
``ORT_DISABLE_TELEMETRY=1``, and ``OMP_WAIT_POLICY=PASSIVE`` where torch is not imported yet.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveal.api import (
        audit,
        checklist,
        compare,
        drift,
        evaluate,
        explain,
        fix,
        inspect,
        lint,
        load,
        predict,
        predict_shards,
        report,
        train,
        visualise,
    )
    from foveal.errors import FovealError, FovealWarning
    from foveal.training import TrainConfig

    __version__: str

# ONNX Runtime 1.32 and later makes up a device number, keeps it under the home folder and
# reports its use to its maker. What Foveal does with your images is nobody else's business.
# It reads this once, when it is imported, so this has to come before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# PyTorch's threads spin while they wait for each other. On a machine that does something else
# as well, one explanation took 29 to 150 s that way, and 5 to 19 s with threads that sleep; an
# idle machine loses nothing that can be measured. OpenMP reads this once, when torch is loaded:
# later it would change nothing here, but be handed on to other programs. Who has chosen how
# threads wait, in any of its three spellings, keeps that choice.
if "torch" not in sys.modules and not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & {
    *os.environ
}:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

# Imported on first use, so that `import foveal` does not wait for torch.
__all__ = [
    "FovealError",
    "FovealWarning",
    "TrainConfig",
    "audit",
    "checklist",
    "compare",
    "drift",
    "evaluate",
    "explain",
    "fix",
    "inspect",
    "lint",
    "load",
    "predict",
    "predict_shards",
    "report",
    "train",
    "visualise",
]
_MODULES = {
    "FovealError": "foveal.errors",
    "FovealWarning": "foveal.errors",
    "TrainConfig": "foveal.training",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":  # written once, in pyproject.toml
        from importlib.metadata import version

        return version("foveal")
    if name not in __all__:
        raise AttributeError(f"module 'foveal' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES.get(name, "foveal.api")), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
