"""Maps from activations and gradients at one layer, as pure functions.

Every function takes the activations A [N, C, h, w] and the gradient g of one score of each
picture with respect to them, of the same shape, and returns the signed map [N, h, w]. What is
shown is its positive part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch


def grad_cam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Channels weighed by the mean of their gradient.

    Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, "Grad-CAM: Visual Explanations from
    Deep Networks via Gradient-based Localization" (ICCV 2017), equations 1 and 2.

    >>> activations = torch.tensor([[[[1.0, 3.0]]]])
    >>> grad_cam(activations, torch.tensor([[[[4.0, 0.0]]]])).tolist()
    [[[2.0, 6.0]]]
    """
    return _weighed(gradients.mean((2, 3)), activations)


def hires_cam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Each activation weighed by its own gradient; nothing is averaged over places.

    Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
    convolutional neural networks" (2020), equation 3. Where one linear layer follows, the
    sum of the map plus the bias is the logit.

    >>> activations = torch.tensor([[[[1.0, 3.0]]]])
    >>> hires_cam(activations, torch.tensor([[[[4.0, 0.0]]]])).tolist()
    [[[4.0, 0.0]]]
    """
    return (gradients * activations).sum(1)


def layer_cam(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Each activation weighed by the positive part of its own gradient.

    Jiang, Zhang, Hou, Cheng and Wei, "LayerCAM: Exploring Hierarchical Class Activation Maps
    for Localization" (IEEE TIP 2021), equations 4 to 6.
    """
    return (gradients.relu() * activations).sum(1)


def grad_cam_plus_plus(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Channels weighed by a weighted sum of their positive gradients.

    Chattopadhay, Sarkar, Howlader and Balasubramanian, "Grad-CAM++: Generalized
    Gradient-based Visual Explanations for Deep Convolutional Networks" (WACV 2018), equations
    5, 11 and 19, for Y = exp(S): ``alpha = g^2 / (2 g^2 + g^3 sum(A))``, here with g^2
    cancelled, which half precision would lose. The factor exp(S), the same for the whole map,
    is left out.
    """
    totals = activations.sum((2, 3), keepdim=True)
    positive = gradients.relu()
    # Without a positive gradient the place counts nothing, whatever its alpha.
    weighed = torch.where(positive > 0, positive / (2 + gradients * totals), 0.0)
    return _weighed(weighed.sum((2, 3)), activations)


@dataclass(frozen=True, slots=True)
class GradientMethod:
    """One method, from activations and gradients [N, C, h, w] to the signed map [N, h, w]."""

    method: str
    maps: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


GRADIENT_METHODS: tuple[GradientMethod, ...] = (
    GradientMethod("grad-cam", grad_cam),
    GradientMethod("grad-cam++", grad_cam_plus_plus),
    GradientMethod("hirescam", hires_cam),
    GradientMethod("layercam", layer_cam),
)


def gradient_map(method: str, activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Returns the signed map [N, h, w] by one of ``GRADIENT_METHODS``, in float32 at least."""
    maps = next(item.maps for item in GRADIENT_METHODS if item.method == method)
    wide = torch.promote_types(activations.dtype, torch.float32)
    return maps(activations.to(wide), gradients.to(wide))


def _weighed(weights: torch.Tensor, activations: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nc,nchw->nhw", weights, activations)
