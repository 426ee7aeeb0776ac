"""B308: images that the network is not made for: type, order, channels, scale."""

from __future__ import annotations

import torch
from torch import Tensor

from foveal.graph import Graph, Kind
from foveal.graph.wiring import WEIGHTED
from foveal.layers import fully_borrowed
from foveal.linting.behaviour.passes import first_line, images_of, reason_not_to_run
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity

# Initialisations are made for inputs with a deviation of about 1; any normalisation in use
# keeps values within ±20, and 0–1 images spread by 0.1 and more.
HIGHEST, LOWEST = 20.0, 0.02
_NORMS: frozenset[Kind] = frozenset(
    {"batch_norm", "layer_norm", "group_norm", "instance_norm", "norm"}
)
_RESCALES: frozenset[Kind] = _NORMS | {"div", "sub", "mul"}


def unsuitable_images(context: LintContext) -> Outcome:
    """Looks at the range and type of the batch, and at what the network does with it first.

    A norm before the first layer, or arithmetic there, settles the scale; one right behind the
    first layer cancels it. Networks that are trained already are B302's.
    """
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    images = images_of(context)
    if (finding := _refused(context, images)) is not None:
        return Checked((finding,))
    values = images.float()
    if not bool(torch.isfinite(values).all()):
        return NotApplicable("the batch holds values that are not finite (B305)")
    if len(values) > 1 and bool((values == values[:1]).all()):
        flat = bool((values == values.flatten()[0]).all())
        what = f"only the value {float(values.flatten()[0]):g}" if flat else "the same image"
        return Checked(
            (
                _finding(
                    "error",
                    f"All {len(values)} images of the batch hold {what}.",
                    "Look at how images are read and prepared.",
                ),
            )
        )
    flat = values.dim() == 4 and min(values.shape[2:]) > 1
    if flat and bool((values == values[:, :, :1, :1]).all()):
        return Checked(
            (
                _finding(
                    "error",
                    f"Each of the {len(values)} images holds a single colour: no value differs "
                    "from its neighbours.",
                    "Look at how images are read and resized.",
                ),
            )
        )
    if (finding := _channels(images)) is not None:
        return Checked((finding,))
    if not images.is_floating_point():
        return Checked()
    size = float(values.abs().max())
    if LOWEST <= size <= HIGHEST:
        return Checked()
    if context.is_pretrained:
        return NotApplicable("the weights are trained, and may be used to this scale (B302)")
    if _settles_scale(context.graph):
        return Checked()
    cancels = _cancels_scale(context.graph)
    low, high = float(values.min()), float(values.max())
    seen = f"The images go from {low:.4g} to {high:.4g} (mean {float(values.mean()):.3g})"
    if size > HIGHEST:
        what = "into a first layer whose initial weights are made for values around ±1"
        fix = "Divide by 255 if these are bytes, then subtract the mean and divide by the std."
    else:
        what = "so small that the first layer gives little but its bias"
        fix = "Look whether they are divided by 255 twice; bring them to unit spread."
    if cancels:
        what += "; the norm behind it takes the scale out again"
    return Checked((_finding("info" if cancels else "warning", f"{seen}, {what}.", fix),))


def _channels(images: Tensor) -> Finding | None:
    """Finds images that were taken although their channels stand last or hold nothing."""
    if images.dim() != 4:
        return None
    _, first, height, last = images.shape
    if last in {1, 3, 4} and first == height and first > 4:
        return _finding(
            "warning",
            f"The batch has shape {list(images.shape)}: by that the channels stand last, and the "
            f"first layer takes the {first} rows for channels.",
            "Give images.permute(0, 3, 1, 2), and build the first layer for their channels.",
        )
    if first != 3 or len(images) < 2:
        return None
    flat = [bool((images[:, index] == images[0, index, 0, 0]).all()) for index in range(first)]
    if any(flat) and not all(flat):
        index = flat.index(True)
        return _finding(
            "warning",
            f"Channel {index} of all {len(images)} images holds only the value "
            f"{float(images[0, index, 0, 0]):g}, and other channels do not.",
            "Look at how images are read: grey images are repeated over the three channels.",
        )
    return None


def _refused(context: LintContext, images: Tensor) -> Finding | None:
    """Returns why the model fails on the batch, if another type or order would be taken."""
    error = _failure(context, images)
    if error is None:
        return None
    if not images.is_floating_point() and _failure(context, images.float()) is None:
        return _finding(
            "error",
            f"The batch holds {str(images.dtype).removeprefix('torch.')} values, and the model "
            f"fails on them with {type(error).__name__}: {first_line(error)}",
            "Give images.float() / 255, then normalise.",
        )
    if images.shape[-1] in {1, 3, 4} and images.shape[1] not in {1, 3, 4}:
        turned = images.permute(0, 3, 1, 2).contiguous()
        if _failure(context, turned) is None:
            return _finding(
                "error",
                f"The batch has shape {list(images.shape)}: the channels stand last, and PyTorch "
                "expects [N, C, H, W].",
                "Give images.permute(0, 3, 1, 2).",
            )
    for path, module in context.model.named_modules():
        channels = getattr(module, "in_channels", None)
        if isinstance(module, torch.nn.Conv2d):
            if channels != images.shape[1] and channels in {1, 3, 4}:
                return _finding(
                    "error",
                    f"The images have {images.shape[1]} channels and {path!r} reads {channels}.",
                    f"Convert them to {'grey' if channels == 1 else 'RGB'}, or build the first "
                    f"layer with in_channels={images.shape[1]}.",
                )
            break
    if isinstance(error, TypeError):
        # It may want more than one input, which a batch alone cannot tell.
        return None
    return _finding(
        "error",
        f"The model fails on images of shape {list(images.shape)} with {type(error).__name__}: "
        f"{first_line(error)}",
        "Give images of the size it is made for, or mend the layer that the message names.",
    )


def _failure(context: LintContext, images: Tensor) -> Exception | None:
    with fully_borrowed(context.model) as model, torch.no_grad():
        for module in model.modules():
            module.training = False
        try:
            model(images[:2].clone())
        except Exception as error:
            return error
    return None


def _settles_scale(graph: Graph) -> bool:
    """Whether something rescales the images before the first weighted layer."""
    for op in graph.ops:
        if op.kind in WEIGHTED:
            return False
        if op.kind in _RESCALES or op.kind in {"activation", "embedding"}:
            return True
    return True


def _cancels_scale(graph: Graph) -> bool:
    """Whether a norm reads the first weighted layer."""
    for op in graph.ops:
        if op.kind in WEIGHTED:
            readers = [graph.ops[index] for index in graph.consumers[op.index]]
            return any(reader.kind in _NORMS for reader in readers)
    return False


def _finding(severity: Severity, evidence: str, fix: str) -> Finding:
    return Finding("B308", severity, "", evidence, fix)
