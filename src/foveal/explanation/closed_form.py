"""Maps without a backward pass, where an average and one linear layer follow the features.

With features A [C, h, w], weight w and bias b, the logit of class k is
``mean_ij(sum_c w_kc A_c) + b_k``. The gradient of it is then known beforehand and the same at
every place, ``w_kc / (h w)``, and every method that weighs activations by gradients has a
closed form. All classes cost one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from foveal.errors import UsageError


def class_activation_maps(
    features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Returns the class activation maps: the mean of each, plus its bias, is the logit.

    Zhou, Khosla, Lapedriza, Oliva and Torralba, "Learning Deep Features for Discriminative
    Localization" (CVPR 2016), equation 2: ``M_k(x, y) = sum_c w_kc f_c(x, y)``.

    >>> features = torch.tensor([[[[1.0, 3.0]], [[0.0, 2.0]]]])  # 2 channels, 1 x 2 places
    >>> class_activation_maps(features, torch.tensor([[2.0, -1.0]])).tolist()
    [[[[2.0, 4.0]]]]

    Args:
        features: [N, C, h, w], what is averaged.
        weight: [K, C], of the linear layer.
        bias: [K]. It belongs to no place and is in no map: it is only required to fit.

    Returns:
        [N, K, h, w], signed, float32 (float64 for float64 features).

    Raises:
        UsageError: The shapes do not fit each other.
    """
    if features.dim() != 4 or weight.dim() != 2 or features.shape[1] != weight.shape[1]:
        raise UsageError(
            f"features of shape {tuple(features.shape)} and a weight of {tuple(weight.shape)} "
            "came, expected [N, C, h, w] and [K, C]."
        )
    if bias is not None and tuple(bias.shape) != tuple(weight.shape[:1]):
        raise UsageError(
            f"a bias of shape {tuple(bias.shape)} came for {weight.shape[0]} classes, expected "
            f"({weight.shape[0]},)."
        )
    features, weight = _exactly(features), _exactly(weight)
    return _weighed(features, weight[None])


def pooled_logits(
    features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Returns the logits [N, K] of features [N, C, h, w] that are averaged and weighed."""
    bias = None if bias is None else _exactly(bias)
    return torch.nn.functional.linear(_exactly(features).mean((2, 3)), _exactly(weight), bias)


def cam(features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """CAM of the given classes: see ``class_activation_maps``.

    Args:
        features: [N, C, h, w].
        weight: [N, J, C]: of each picture, the rows of the classes asked for; [1, J, C] where
            all share them.

    Returns:
        [N, J, h, w], signed; so do all functions here.
    """
    return _weighed(features, weight)


def grad_cam(features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Grad-CAM is CAM divided by the number of places, and so is HiResCAM.

    Selvaraju et al. 2017, section 3.1; Draelos and Carin 2020, section 3.
    """
    return _weighed(features, weight / _num_places(features))


def layer_cam(features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """LayerCAM keeps the positive gradients (Jiang et al. 2021, equation 5): ``relu(w) / hw``."""
    return _weighed(features, weight.relu() / _num_places(features))


def grad_cam_plus_plus(features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Grad-CAM++ for a constant gradient g = w / hw (Chattopadhay et al. 2018, equation 19).

    There ``alpha = 1 / (2 + g sum(A))``, and summing ``alpha relu(g)`` over the places gives
    each channel the weight ``relu(w) / (2 + w mean(A))``.
    """
    means = features.mean((2, 3))[:, None]
    weight = weight.expand(len(features), -1, -1)
    maps = []
    for picture, rows, mean in zip(features, weight, means, strict=True):
        # One picture at a time: [N, J, C] weights are large for all classes of many pictures.
        positive = rows.relu()
        own = torch.where(positive > 0, positive / (2 + rows * mean), 0.0)
        maps.append(_weighed(picture[None], own[None]))
    return torch.cat(maps)


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """One method, from features [N, C, h, w] and weight [N, J, C] to signed [N, J, h, w]."""

    method: str
    maps: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


CLOSED_FORMS: tuple[ClosedForm, ...] = (
    ClosedForm("cam", cam),
    ClosedForm("grad-cam", grad_cam),
    ClosedForm("grad-cam++", grad_cam_plus_plus),
    ClosedForm("hirescam", grad_cam),
    ClosedForm("layercam", layer_cam),
)


def closed_form_maps(
    method: str, features: torch.Tensor, weight: torch.Tensor, classes: torch.Tensor
) -> torch.Tensor:
    """Returns the signed maps [N, J, h, w] of some classes by one method.

    Args:
        method: One of ``CLOSED_FORMS``.
        features: [N, C, h, w].
        weight: [K, C].
        classes: [N, J] of class indices; [1, J] where all pictures share them.
    """
    maps = next(form.maps for form in CLOSED_FORMS if form.method == method)
    return maps(_exactly(features), _exactly(weight)[classes])


def _weighed(features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    flat = features.flatten(2)
    maps = weight[0] @ flat if len(weight) == 1 else torch.bmm(weight, flat)
    return maps.reshape(*maps.shape[:2], *features.shape[2:])


def _num_places(features: torch.Tensor) -> int:
    return features.shape[2] * features.shape[3]


def _exactly(tensor: torch.Tensor) -> torch.Tensor:
    """Returns half precision as float32, so that sums over places lose nothing more."""
    return tensor.double() if tensor.dtype == torch.float64 else tensor.float()
