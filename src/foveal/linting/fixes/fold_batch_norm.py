"""Folds batch norms into the convolutions before them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from foveal.errors import UsageError
from foveal.linting.finding import Finding
from foveal.linting.fixes.fix import Fix
from foveal.linting.fixes.places import module_at
from foveal.models.surgery.fold_batch_norm import BatchNorm, fold_pair


def apply(model: nn.Module, finding: Finding) -> None:
    """Folds every pair that the finding lists; the copy is for evaluation from then on."""
    layers: Mapping[str, str] = finding.data["layers"]
    for norm_path, layer_path in layers.items():
        norm = module_at(model, finding, norm_path)
        module_at(model, finding, layer_path)
        if not isinstance(norm, BatchNorm) or norm.training:
            raise UsageError(
                f"{norm_path!r} is no batch norm in evaluation mode any more.",
                next_step="Call model.eval() and lint the model again.",
            )
        fold_pair(model, norm_path, layer_path)


FIX = Fix("fold-batch-norm", "fold batch norms into convolutions", "equal in eval", apply)
