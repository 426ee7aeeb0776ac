"""Whether a model itself works where tracing does not: one real forward pass decides.

Tracing runs a model on tensors without values, and not everything can run on those. An error
there is the model's only if the model also fails on real numbers.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import torch

from foveal.graph.borrowing import fully_borrowed
from foveal.graph.inputs import Inputs

# A model without values is tried with made-up ones, up to this size.
_LARGEST_MADE_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class RealPass:
    """How a real pass ended; ``error`` is what the model raised."""

    outcome: Literal["works", "fails", "not tried"]
    error: Exception | None = None


def try_for_real(model: torch.nn.Module, inputs: Inputs, *, mode: str) -> RealPass:
    """Runs a copy of the model on real numbers; the model is left as found.

    A pass that fails is tried again with other numbers, from 0 to 1 as images have, and in
    evaluation mode: what works in any of these is no fault of the model.
    """
    made = _with_values(model)
    if made is None:
        return RealPass("not tried")
    first: Exception | None = None
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        fully_borrowed(made) as copied,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        for numbers in ("normal", "from 0 to 1", "evaluation"):
            for module in copied.modules():
                if mode != "as found" or numbers == "evaluation":
                    module.training = mode == "train" and numbers != "evaluation"
            try:
                _run(copied, inputs, numbers)
            except Exception as error:
                first = first or error
            else:
                return RealPass("works")
    return RealPass("fails", first)


def _run(model: torch.nn.Module, inputs: Inputs, numbers: str) -> None:
    tensors = [*model.parameters(), *model.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")

    def fill(like: torch.Tensor) -> torch.Tensor:
        if like.dtype == torch.bool:
            return torch.ones(like.shape, dtype=torch.bool, device=device)
        if not like.is_floating_point() and not like.is_complex():
            # Nearly every table has two rows, so these are indices that it holds.
            return torch.randint(0, 2, like.shape, device=device).to(like.dtype)
        make = torch.randn if numbers == "normal" else torch.rand
        return make(like.shape, device=device).to(like.dtype)

    args, kwargs = inputs.filled(fill)
    model(*_on(args, device), **_on(kwargs, device))


def _on(value: Any, device: torch.device) -> Any:
    from foveal.graph.nested_tensors import map_tensors

    return map_tensors(value, lambda tensor: tensor.to(device))


def _with_values(model: torch.nn.Module) -> torch.nn.Module | None:
    """Returns a copy that has values; the model itself if it cannot be copied; None if neither."""
    tensors = [*model.parameters(), *model.buffers()]
    is_meta = any(tensor.is_meta for tensor in tensors)
    if is_meta and sum(t.numel() * t.element_size() for t in tensors) > _LARGEST_MADE_BYTES:
        return None
    try:
        made = copy.deepcopy(model)
    except Exception:  # whatever a model holds that cannot be copied
        return None if is_meta else model
    if not is_meta:
        return made
    made.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*made.parameters(), *made.buffers()):
            # Small weights, and statistics that can be divided by.
            tensor.fill_(0.01 if isinstance(tensor, torch.nn.Parameter) else 1)
    return made
