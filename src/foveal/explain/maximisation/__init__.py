"""Pictures that excite a channel, a direction or a class: activation maximisation.

::

    from foveal.explain.maximisation import Channel, maximise
    picture = maximise(model, Channel("layer3", 12))
"""

from foveal.explain.maximisation.class_pictures import (
    ClassPictures,
    maximise_classes,
)
from foveal.explain.maximisation.cost import estimate_seconds
from foveal.explain.maximisation.depth_sheet import (
    DepthSheet,
    PlannedRow,
    SheetPlan,
    SheetRow,
    estimate_sheet_seconds,
    plan_pictures,
    plan_sheet,
    sheet_by_depth,
)
from foveal.explain.maximisation.making import maximise, maximise_each
from foveal.explain.maximisation.maximised import Maximised
from foveal.explain.maximisation.objectives import (
    Channel,
    ClassLogit,
    Direction,
    Objective,
    every_channel,
)
from foveal.explain.maximisation.pixels import PixelScale
from foveal.explain.maximisation.robustness import Robustness
from foveal.explain.maximisation.settings import Ascent

__all__ = [
    "Ascent",
    "Channel",
    "ClassLogit",
    "ClassPictures",
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
    "maximise_classes",
    "maximise_each",
    "plan_pictures",
    "plan_sheet",
    "sheet_by_depth",
]
