"""Small pictures of what each part makes of one image: the mean of the channels of its result.

Only results of modules are seen, and only those whose shape is that of the operation that the
table has at the end of the module; of others nothing is shown.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from foveal.inspection.inspection import Inspection

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

_MOST_PX = 48


def activation_pictures(
    module: torch.nn.Module, table: Inspection, images: NDArray[np.float32]
) -> dict[int, str]:
    """Returns, for operations by index, a picture of their result as a data address.

    The module is left as found.

    Args:
        module: The network of ``table``, with weights.
        table: Of the same network on the same shape.
        images: [N, C, H, W], as the network takes them; the first is looked at.
    """
    import torch

    from foveal.layers import predicting

    made: dict[str, list[tuple[tuple[int, ...], NDArray[np.float32]] | None]] = {}

    def keep(path: str) -> Any:
        def hook(_: torch.nn.Module, __: Any, result: Any) -> None:
            is_map = isinstance(result, torch.Tensor) and result.dim() == 4
            # Reduced at once: what follows may write into it.
            made.setdefault(path, []).append(
                (tuple(result.shape), result[0].float().mean(0).numpy().copy()) if is_map else None
            )

        return hook

    with predicting(module, purpose="a picture of activations") as lent:
        device = next((p.device for p in lent.parameters()), torch.device("cpu"))
        for path, each in lent.named_modules():
            if path:
                each.register_forward_hook(keep(path))
        lent(torch.from_numpy(images[:1]).to(device))
    found = {}
    for path, results in made.items():
        ends = _ends(table, path)
        if len(ends) != len(results):
            continue
        for index, result in zip(ends, results, strict=True):
            if result is not None and result[0] == table.ops[index].output_shape:
                found[index] = data_address(_coloured(result[1]))
    return found


def _ends(table: Inspection, path: str) -> list[int]:
    """Returns the last operation of each call of the module at ``path``."""
    inside = path + "."
    ends: list[int] = []
    for row in table.ops:
        own = row.op.module_path
        if own == path or own.startswith(inside):
            if ends and ends[-1] == row.op.index - 1:
                ends[-1] = row.op.index
            else:
                ends.append(row.op.index)
    return ends


def _coloured(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    import numpy as np

    from foveal.draw.colour_map import heat_colours

    step = max(1, -(-max(values.shape) // _MOST_PX))
    small = np.nan_to_num(values[::step, ::step]).astype(np.float64)
    low, high = float(small.min()), float(small.max())
    return heat_colours((small - low) / (high - low) if high > low else np.zeros_like(small))


def data_address(pixels: NDArray[np.uint8], *, kind: str = "PNG") -> str:
    """Returns an image [H, W] or [H, W, 3] as an address that holds it."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format=kind, optimize=True)
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{text}"
