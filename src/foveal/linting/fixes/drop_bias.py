"""Takes away a bias that a batch norm subtracts."""

from __future__ import annotations

from torch import nn

from foveal.linting.finding import Finding
from foveal.linting.fixes.fix import Fix
from foveal.linting.fixes.places import module_at


def apply(model: nn.Module, finding: Finding) -> None:
    """Drops the bias and takes it out of the running mean, which had it in.

    In training both networks normalise with the batch's own mean, where the bias cancels; in
    evaluation μ - b is the mean of what now arrives. The running mean keeps that difference
    as it goes on, so outputs agree in both modes and at every later step.
    """
    layer = module_at(model, finding, str(finding.data["bias"]).rpartition(".")[0])
    norm = module_at(model, finding, str(finding.data["norm_module"]))
    bias = layer.bias
    if isinstance(bias, nn.Parameter):
        running_mean = norm.running_mean
        if running_mean is not None:
            running_mean.sub_(bias.to(running_mean.dtype))  # type: ignore[operator, arg-type]
        layer.register_parameter("bias", None)


FIX = Fix("drop-bias", "drop the redundant bias", "equal in eval and train", apply)
