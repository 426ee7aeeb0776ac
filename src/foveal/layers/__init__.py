"""A live network and its layers: found by name, read, replaced, differentiated; its logits.

Everything here runs a copy (:func:`predicting`, :func:`working_copy`), so that the
caller's is left as it was found::

    with predicting(model) as twin:
        layer = find_layer(twin, trace(twin, (3, 224, 224)), "layer3.0.add")
        result = result_at(twin, layer.site, images)
"""

from foveal.graph.borrowing import borrowed, fully_borrowed
from foveal.layers.finding import (
    FunctionSite,
    Layer,
    ModuleSite,
    Site,
    find_layer,
    find_op,
    find_site,
    require_module,
)
from foveal.layers.gradients import Captured, capture
from foveal.layers.logits import (
    ClassKind,
    Labels,
    Logits,
    StreamedLogits,
    logits_of,
    of_every_class,
    probabilities,
    stream_logits,
)
from foveal.layers.maps import MapLayer, Maps, find_map, grey_image
from foveal.layers.private_copy import predicting, require_weights, set_modes, working_copy
from foveal.layers.results import UpTo, first_reached, functions_watched, result_at, result_replaced
from foveal.layers.scores import with_scores_alone

__all__ = [
    "Captured",
    "ClassKind",
    "FunctionSite",
    "Labels",
    "Layer",
    "Logits",
    "MapLayer",
    "Maps",
    "ModuleSite",
    "Site",
    "StreamedLogits",
    "UpTo",
    "borrowed",
    "capture",
    "find_layer",
    "find_map",
    "find_op",
    "find_site",
    "first_reached",
    "fully_borrowed",
    "functions_watched",
    "grey_image",
    "logits_of",
    "of_every_class",
    "predicting",
    "probabilities",
    "require_module",
    "require_weights",
    "result_at",
    "result_replaced",
    "set_modes",
    "stream_logits",
    "with_scores_alone",
    "working_copy",
]
