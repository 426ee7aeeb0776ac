"""The part of a network up to the tensor of an objective, as a module that shares its weights."""

from __future__ import annotations

import torch
from torch import fx

from foveal.graph import Graph
from foveal.graph.prefix import prefix_of
from foveal.graph.recordings import Recordings
from foveal.visualisation.objectives import Objective
from foveal.visualisation.targets import Target, find_target


class Prefixes:
    """Prefixes of a model, which must stay in evaluation mode as long as they are used.

    Its graph must be complete.
    """

    def __init__(self, model: torch.nn.Module, graph: Graph) -> None:
        self._model = model
        self._graph = graph
        self._recordings = Recordings(model, graph)

    def find(self, objective: Objective) -> Target:
        """Returns the tensor that an objective is about; see :func:`find_target`."""
        return find_target(self._graph, objective)

    def up_to(self, target: Target) -> fx.GraphModule:
        """Returns the module that maps pictures to this tensor; see :func:`prefix_of`."""
        return prefix_of(
            self._recordings,
            self._model,
            op_index=target.op_index,
            name=target.name,
            output=target.output,
        )
