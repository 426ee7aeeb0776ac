"""Operations on networks of any make, timm's, torchvision's or one's own.

All keep one convention: the given model is left as it is, and a new one is returned that
shares nothing with it. Each says in its docstring what it preserves.
"""

from foveal.models.surgery.dilate import dilate, shared_positions
from foveal.models.surgery.fold_batch_norm import fold_batch_norm
from foveal.models.surgery.freeze import TrainablePart, describe_trainable, freeze_to
from foveal.models.surgery.replace_head import replace_head
from foveal.models.surgery.separate import DepthwiseSeparable, separable_share, separate

__all__ = [
    "DepthwiseSeparable",
    "TrainablePart",
    "describe_trainable",
    "dilate",
    "fold_batch_norm",
    "freeze_to",
    "replace_head",
    "separable_share",
    "separate",
    "shared_positions",
]
