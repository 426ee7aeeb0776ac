"""The definition of each method by plain autograd, and each tool's own map, made comparable."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

CLASS_INDEX = 3


def lively(model: nn.Module) -> nn.Module:
    """Gives a model weights and statistics under which activations neither vanish nor explode."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if not tensor.is_floating_point():
                continue
            if tensor.dim() > 1:
                tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=random)
            elif name.endswith(("running_var", "weight")):
                tensor.uniform_(0.7, 1.3, generator=random)
            else:
                tensor.normal_(0, 0.1, generator=random)
    return model.eval()


def judged(model: nn.Module, layer: str, images: torch.Tensor, method: str) -> np.ndarray:
    """The signed map [N, h, w] as the paper defines it; the last call of the layer counts."""
    kept: list[torch.Tensor] = []

    def keep(module: nn.Module, args: object, result: torch.Tensor) -> torch.Tensor:
        kept.append(result)
        return result.clone()

    model = copy.deepcopy(model).eval().float().requires_grad_(True)
    model.get_submodule(layer).register_forward_hook(keep)
    with torch.enable_grad():
        scores = model(images.float())
        (gradient,) = torch.autograd.grad(scores[:, CLASS_INDEX].sum(), kept[-1])
    a, g = kept[-1].detach().double(), gradient.double()
    if method == "grad-cam":
        return (g.mean((2, 3), keepdim=True) * a).sum(1).numpy()
    if method == "hirescam":
        return (g * a).sum(1).numpy()
    if method == "layercam":
        return (g.clamp(min=0) * a).sum(1).numpy()
    below = 2 * g**2 + a.sum((2, 3), keepdim=True) * g**3
    alpha = torch.where(below != 0, g**2 / torch.where(below != 0, below, 1), 0)
    return ((alpha * g.clamp(min=0)).sum((2, 3), keepdim=True) * a).sum(1).numpy()


def foveal_map(model: nn.Module, layer: str, images: torch.Tensor, method: str) -> np.ndarray:
    """Foveal's signed map [N, h, w]."""
    from foveal.explanation import explain

    name = f"{layer}#2" if layer.endswith("relu") else layer  # which call of a shared module
    maps = explain(model, images, classes=CLASS_INDEX, method=method, layer=name)
    return np.stack([row[0].signed for row in maps])


def pytorch_grad_cam_map(
    model: nn.Module, layer: str, images: torch.Tensor, method: str
) -> np.ndarray | None:
    """pytorch-grad-cam's signed map, from the arrays it keeps, before it scales them."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    makers = {
        "grad-cam": pytorch_grad_cam.GradCAM,
        "grad-cam++": pytorch_grad_cam.GradCAMPlusPlus,
        "hirescam": pytorch_grad_cam.HiResCAM,
        "layercam": pytorch_grad_cam.LayerCAM,
    }
    module = model.get_submodule(layer)
    targets = [ClassifierOutputTarget(CLASS_INDEX)] * len(images)
    with makers[method](model, [module]) as peer:
        peer(images, targets)
        kept = peer.activations_and_grads
        # The first of several calls, as its own code has it.
        activations, gradients = (part[0].numpy() for part in (kept.activations, kept.gradients))
        return peer.get_cam_image(images, module, targets, activations, gradients, False)


def captum_map(
    model: nn.Module, layer: str, images: torch.Tensor, method: str
) -> np.ndarray | None:
    """captum's signed map: Grad-CAM, and gradient times activation, whose sum is HiResCAM."""
    from captum.attr import LayerGradCam, LayerGradientXActivation

    makers = {"grad-cam": LayerGradCam, "hirescam": LayerGradientXActivation}
    if method not in makers:
        return None
    found = makers[method](model, model.get_submodule(layer)).attribute(images, CLASS_INDEX)
    return found.detach().float().sum(1).numpy()


Tool = Callable[[nn.Module, str, torch.Tensor, str], "np.ndarray | None"]
TOOLS: tuple[tuple[str, str, Tool], ...] = (
    ("Foveal", "foveal", foveal_map),
    ("pytorch-grad-cam", "pytorch_grad_cam", pytorch_grad_cam_map),
    ("captum", "captum", captum_map),
)
