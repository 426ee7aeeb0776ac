"""A map of an inspected network in real forward passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foveal.errors import UsageError
from foveal.inspection.inspection import Inspection, OpRow

if TYPE_CHECKING:
    import torch

    from foveal.layers import MapLayer, UpTo


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """One layer of a network that is lent.

    Attributes:
        layer: The layer.
        row: Its row of the inspection; None where tracing ended before it.
        reason: Why there is no row, as a clause.
    """

    layer: MapLayer
    row: OpRow | None
    reason: str | None
    _up_to: UpTo

    @property
    def name(self) -> str:
        """Of the layer."""
        return self.layer.name

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the map."""
        return self.layer.grid

    def result(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the layer's result [N, C, h, w] for images [N, C, H, W]."""
        return self.layer.channels_first(self._up_to(images))


@contextmanager
def reached_map(
    model: torch.nn.Module, table: Inspection, at: str | None, *, purpose: str
) -> Iterator[Reached]:
    """Lends the network in evaluation mode, with the map called ``at``.

    Args:
        model: The network; left as found.
        table: Its inspection, for one input of shape [N, C, H, W].
        at: An operation or a module; the last map before global pooling if None.
        purpose: Who asks, as the subject of a message.

    Raises:
        UsageError: There is no layer of that name, its result is no map, or the network has
            other inputs.
        ModelError: The network has no weights.
    """
    from foveal.graph import trace
    from foveal.layers import UpTo, find_map, predicting

    if len(table.inputs) != 1 or len(table.inputs[0].shape) != 4:
        raise UsageError(
            f"{purpose} needs one input [N, C, H, W]; {table.name} takes {len(table.inputs)} "
            f"inputs, the first of shape {table.inputs[0].shape}."
        )
    name = table.totals.receptive_field_of if at is None else at
    if name is None:
        raise UsageError(f"no layer of {table.name} has a map.")
    with predicting(model, purpose=purpose) as lent:
        graph = trace(lent, tuple(table.inputs[0].shape))
        layer = find_map(lent, graph, name)
        yield Reached(layer, _row(table, layer), graph.reason, UpTo(lent, layer.layer.site))


def _row(table: Inspection, layer: MapLayer) -> OpRow | None:
    from foveal.layers.finding import COMPILED

    def plain(name: str) -> str:
        return f"{name}.".removeprefix(COMPILED)

    wanted = plain(layer.name)
    exact = next((row for row in table.ops if plain(row.name) == wanted), None)
    if exact is not None or layer.layer.op is not None:
        return exact
    inside = [row for row in table.ops if plain(row.op.module_path).startswith(wanted)]
    # Where tracing ended inside the module, its last operation is not known.
    return inside[-1] if inside and inside[-1] is not table.ops[-1] else None
