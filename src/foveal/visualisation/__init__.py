"""Pictures that excite a channel, a direction or a class: activation maximisation.

::

    from foveal.visualisation import Channel, maximise
    picture = maximise(model, Channel("layer3", 12))
"""

from foveal.visualisation.ascent import Maximised
from foveal.visualisation.maximising import estimate_seconds, maximise, maximise_each
from foveal.visualisation.objectives import (
    Channel,
    ClassLogit,
    Direction,
    Objective,
    every_channel,
)
from foveal.visualisation.pixels import PixelScale
from foveal.visualisation.plan import PlannedRow, SheetPlan, plan_pictures, plan_sheet
from foveal.visualisation.settings import (
    Ascent,
    Robustness,
)
from foveal.visualisation.sheet import DepthSheet, SheetRow, estimate_sheet_seconds, sheet_by_depth

__all__ = [
    "Ascent",
    "Channel",
    "ClassLogit",
    "DepthSheet",
    "Direction",
    "Maximised",
    "Objective",
    "PixelScale",
    "PlannedRow",
    "Robustness",
    "SheetPlan",
    "SheetRow",
    "estimate_seconds",
    "estimate_sheet_seconds",
    "every_channel",
    "maximise",
    "maximise_each",
    "plan_pictures",
    "plan_sheet",
    "sheet_by_depth",
]
