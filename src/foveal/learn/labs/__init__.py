"""Experiments that show a fact about convolutional networks, measured on this machine.

Each lab is a file of its own with a ``LAB``; the table names them, so that listing them waits
for nothing.
"""

from __future__ import annotations

import importlib

from foveal.errors import UsageError
from foveal.learn.labs.lab import Lab
from foveal.text import near_names

# Name for the command line, and what it shows.
LABS: tuple[tuple[str, str], ...] = (
    ("equivariance", "What moves with the image, and what a stride does to it"),
    ("receptive-field", "What a unit can see and what it uses; dilation and gridding"),
    ("three-3x3", "Three small kernels see as much as a large one, with fewer parameters"),
    ("depthwise", "What a depthwise separable convolution saves, counted and measured"),
    ("pooling", "What a shift of one pixel changes after each kind of pooling"),
    ("batch-norm", "An answer that depends on its companions, and one that does not"),
    ("skip-gradient", "Skip connections carry the gradient to the first layers"),
    ("degradation", "Deeper plain networks have a higher training error"),
    ("normalisation", "What pretrained weights lose on images of another scale"),
    ("augmentation", "The gap between training and validation with each policy"),
    ("learning-rates", "Large rates destroy what was pretrained"),
    ("fine-tuning", "Frozen features or fine-tuning, by number of images"),
    ("grad-cam", "Grad-CAM step by step, next to CAM"),
    ("maximisation", "Pictures that excite each layer, and what shuffling them destroys"),
    ("cross-correlation", "What frameworks call convolution does not flip the kernel"),
    ("costs", "What a 1×1 convolution and a bottleneck save"),
)


def load_lab(name: str) -> Lab:
    """Returns the lab of that name.

    Raises:
        UsageError: There is none; near names are offered.
    """
    known = [known for known, _ in LABS]
    if name not in known:
        near = near_names(name, known)
        raise UsageError(
            f"There is no lab {name!r}.",
            next_step=f"Did you mean {' or '.join(near)}?" if near else "foveal lab lists them.",
        )
    module = "foveal.learn.labs." + name.replace("-", "_")
    lab: Lab = importlib.import_module(module).LAB
    return lab


__all__ = ["LABS", "Lab", "load_lab"]
