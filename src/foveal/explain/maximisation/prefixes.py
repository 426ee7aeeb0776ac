"""The part of a network up to one tensor, as a module that shares its weights.

Unlike at a cut point, other tensors may pass beside the one that is wanted; what comes after
is simply not run, so an early layer costs little, and an in-place function behind the
tensor cannot overwrite it.
"""

from __future__ import annotations

import torch
from torch import fx

from foveal.errors import TraceError
from foveal.explain.maximisation.objectives import Objective
from foveal.explain.maximisation.targets import Target, find_target
from foveal.graph import Graph
from foveal.graph.half import Half
from foveal.graph.recordings import Recordings


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
        """Returns the module that maps pictures to this tensor.

        Raises:
            TraceError: The model runs other operations than its graph has.
        """
        ops = self._recordings.first.recorder.ops
        traced = self._recordings.first.graph.ops
        if target.op_index >= len(ops) or traced[target.op_index].name != target.name:
            raise TraceError(
                f"{self._graph.model_type} now runs other operations than when it was traced: "
                f"operation {target.op_index} was {target.name!r}.",
                next_step='Trace it again, with mode="eval".',
            )
        op = ops[target.op_index]
        half = Half(
            self._recordings, self._model, "prefix", op.call.index, op.output_refs[target.output]
        )
        return half.build()
