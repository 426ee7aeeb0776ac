"""The part of a network up to the result of one operation, whatever passes beside it.

Unlike at a cut point, other tensors may pass beside the one that is wanted; what comes after
is simply not run, so an early layer costs little, and an in-place function behind the
tensor cannot overwrite it.
"""

from __future__ import annotations

import torch
from torch import fx

from foveal.errors import TraceError
from foveal.graph.part import Part
from foveal.graph.recordings import Recordings


def prefix_of(
    recordings: Recordings, model: torch.nn.Module, *, op_index: int, name: str, output: int = 0
) -> fx.GraphModule:
    """Returns the module, sharing the model's weights, that maps images to one result.

    Args:
        recordings: Of the model in evaluation mode, in which it has to stay.
        model: The network.
        op_index: Which operation of its complete graph.
        name: The name that this operation has to have.
        output: Which of its results.

    Raises:
        TraceError: The model runs other operations than its graph has.
    """
    ops = recordings.first.recorder.ops
    traced = recordings.first.graph.ops
    if op_index >= len(ops) or traced[op_index].name != name:
        raise TraceError(
            f"{recordings.first.graph.model_type} now runs other operations than when it was "
            f"traced: operation {op_index} was {name!r}.",
            next_step='Trace it again, with mode="eval".',
        )
    op = ops[op_index]
    return Part(recordings, model, "prefix", op.call.index, op.output_refs[output]).build()
