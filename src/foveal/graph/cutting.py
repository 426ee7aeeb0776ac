"""Splitting a network in two modules that share its weights.

The halves are ``torch.fx.GraphModule`` objects, assembled from what tracing recorded rather
than by symbolic tracing: every module that lies wholly on one side is called as it is, so
its own Python code, training flag and batch-size arithmetic live on. Only modules that the
cut goes through are opened, and of those only the functions that their own ``forward`` calls
are repeated. Whole numbers among the arguments of such functions may contain the batch size
(``x.view(N * 4, ...)``); the forward pass is recorded for several batch sizes to tell.
"""

from __future__ import annotations

import torch
from torch import fx

from foveal.errors import TraceError
from foveal.graph.cut_builder import CutBuilder
from foveal.graph.cut_points import CutPoint, find_cut_point, require_complete
from foveal.graph.graph import Graph
from foveal.graph.recordings import Recordings


def cut(
    model: torch.nn.Module, graph: Graph, point: CutPoint | str
) -> tuple[fx.GraphModule, fx.GraphModule]:
    """Returns ``(prefix, suffix)`` with ``suffix(prefix(x))`` equal to ``model(x)``, bit for bit.

    Both share parameters, buffers and submodules with the model; nothing is copied.
    ``suffix.train()`` therefore sets the flags of the model's own submodules. The halves
    work for any batch size and for the spatial size that was traced; for other sizes as far
    as the opened modules do not compute with them.

    A suffix that begins with an in-place operation works on a copy, so that the tensor it is
    given (a cached feature, a leaf that needs gradients) stays as it is.

    Args:
        model: The model that ``graph`` was traced from, in the mode that it had then.
        graph: Its graph.
        point: One of ``cut_points(graph)``, or the name of one.

    Raises:
        UsageError: There is no cut point of that name.
        TraceError: The model cannot be split there, because something else than this tensor
            is handed over behind the graph's back.
    """
    require_complete(graph, purpose="cutting")
    if isinstance(point, str):
        point = find_cut_point(graph, point)
    op = graph.ops[point.op_index]
    recordings = Recordings(model, graph)
    traced = recordings.first.graph
    if point.op_index >= len(traced.ops) or traced.ops[point.op_index].name != op.name:
        raise TraceError(
            f"{graph.model_type} now runs other operations than when it was traced: operation "
            f"{point.op_index} was {op.name!r}.",
            next_step="Set the mode (train or eval) it had then, or trace it again.",
        )
    last_op = recordings.first.recorder.ops[point.op_index]
    last_call, cut_ref = last_op.call.index, last_op.output_refs[point.source.output]
    prefix = CutBuilder(recordings, model, "prefix", last_call, cut_ref).build()
    suffix = CutBuilder(recordings, model, "suffix", last_call, cut_ref).build()
    return prefix, suffix
