"""Pictures that excite a channel, a direction or a class: activation maximisation.

::

    from foveal.visualisation import Channel, maximise
    picture = maximise(model, Channel("layer3", 12))
"""

from foveal.visualisation.class_pictures import (
    ClassPictures,
    maximise_classes,
)
from foveal.visualisation.cost import estimate_seconds
from foveal.visualisation.depth_sheet import (
    DepthSheet,
    PlannedRow,
    SheetPlan,
    SheetRow,
    estimate_sheet_seconds,
    plan_pictures,
    plan_sheet,
    sheet_by_depth,
)
from foveal.visualisation.maximised import Maximised
from foveal.visualisation.maximising import maximise, maximise_each
from foveal.visualisation.objectives import (
    Channel,
    ClassLogit,
    Direction,
    Objective,
    every_channel,
)
from foveal.visualisation.pixels import PixelScale
from foveal.visualisation.robustness import Robustness
from foveal.visualisation.settings import Ascent

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
