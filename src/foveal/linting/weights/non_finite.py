"""W201: weights that are no numbers."""

from __future__ import annotations

import torch

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome
from foveal.linting.rule import Rule
from foveal.linting.weights.stored import NO_VALUES


def check(context: LintContext) -> Outcome:
    """Finds parameters and buffers with NaN or infinity in them.

    Buffers that only attention reads may hold -inf on purpose, as masks; they are let be.
    """
    if not context.has_values:
        return NO_VALUES
    found = []
    tensors = [("parameter", *item) for item in context.parameters.items()]
    statistics = ("running_mean", "running_var")
    tensors += [
        ("buffer", name, tensor)  # type: ignore[misc]
        for name, tensor in context.buffers.items()
        if name.rpartition(".")[2] in statistics or bool(torch.isnan(tensor).any())
    ]
    for what, name, tensor in tensors:
        if not tensor.is_floating_point() or bool(torch.isfinite(tensor).all()):
            continue
        num_nan = int(torch.isnan(tensor).sum())
        num_infinite = int(torch.isinf(tensor).sum())
        found.append(
            Finding(
                "W201",
                "error",
                name,
                f"The {what} {name} has {num_nan:,} NaN and {num_infinite:,} infinite values "
                f"among {tensor.numel():,}.",
                "Go back to the last checkpoint without them; then lower the learning rate, clip "
                "gradients, or train in float32 or bfloat16 instead of float16.",
                data={"nan": num_nan, "infinite": num_infinite, "numel": tensor.numel()},
            )
        )
    return Checked(tuple(found))


RULE = Rule("W201", "weights that are not finite", "error", check)
