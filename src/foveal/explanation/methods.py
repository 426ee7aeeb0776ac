"""The methods, one row each: what a heat map may be made with, and the formulas of the CAM family.

A method that weighs the result of a layer has a *gradient form*, of activations A [N, C, h, w] and
the gradient g of one score of each image with respect to them, which gives the signed map
[N, h, w]. Where an average and one linear layer follow the map, that gradient is known
beforehand and the same at every position, ``w / (h w)``, and the method has a *closed form*, of
features [N, C, h, w] and the rows of the weight [N, J, C] ([1, J, C] where all images share
them), which gives [N, J, h, w] for all classes by one matrix product. What is shown is the
positive part. Other methods run the network in a way of their own.

A new method of the CAM family is one function here and one row of ``METHODS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from foveal.errors import UsageError
from foveal.explanation.ablation import ablation_maps
from foveal.explanation.heat_map import HeatMap
from foveal.explanation.occlusion import occlusion_maps
from foveal.explanation.saliency import input_gradients
from foveal.text import near_names

Form = Callable[[Tensor, Tensor], Tensor]
Run = Callable[..., tuple[tuple[HeatMap, ...], ...]]


def weighed(features: Tensor, weight: Tensor) -> Tensor:
    """Returns channels weighed and summed: CAM itself, and the closed form of others.

    >>> features = torch.tensor([[[[1.0, 3.0]], [[0.0, 2.0]]]])  # 2 channels, 1 x 2 positions
    >>> weighed(features, torch.tensor([[[2.0, -1.0]]])).tolist()
    [[[[2.0, 4.0]]]]
    """
    flat = features.flatten(2)
    maps = weight[0] @ flat if len(weight) == 1 else torch.bmm(weight, flat)
    return maps.reshape(*maps.shape[:2], *features.shape[2:])


def grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Channels weighed by the mean of their gradient.

    Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, "Grad-CAM: Visual Explanations from
    Deep Networks via Gradient-based Localization" (ICCV 2017), equations 1 and 2.

    >>> grad_cam(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[4.0, 0.0]]]])).tolist()
    [[[2.0, 6.0]]]
    """
    return torch.einsum("nc,nchw->nhw", gradients.mean((2, 3)), activations)


def grad_cam_closed(features: Tensor, weight: Tensor) -> Tensor:
    """Grad-CAM is CAM divided by the number of positions, and so is HiResCAM.

    Selvaraju et al. 2017, section 3.1; Draelos and Carin 2020, section 3.
    """
    return weighed(features, weight / features[0, 0].numel())


def hires_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each activation weighed by its own gradient; nothing is averaged over positions.

    Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
    convolutional neural networks" (2020), equation 3. Where one linear layer follows, the
    sum of the map plus the bias is the logit.

    >>> hires_cam(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[4.0, 0.0]]]])).tolist()
    [[[4.0, 0.0]]]
    """
    return (gradients * activations).sum(1)


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each activation weighed by the positive part of its own gradient.

    Jiang, Zhang, Hou, Cheng and Wei, "LayerCAM: Exploring Hierarchical Class Activation Maps
    for Localization" (IEEE TIP 2021), equations 4 to 6.
    """
    return (gradients.relu() * activations).sum(1)


def layer_cam_closed(features: Tensor, weight: Tensor) -> Tensor:
    """LayerCAM keeps the positive gradients (Jiang et al. 2021, equation 5): ``relu(w) / hw``."""
    return grad_cam_closed(features, weight.relu())


def grad_cam_plus_plus(activations: Tensor, gradients: Tensor) -> Tensor:
    """Channels weighed by a weighted sum of their positive gradients.

    Chattopadhay, Sarkar, Howlader and Balasubramanian, "Grad-CAM++: Generalized
    Gradient-based Visual Explanations for Deep Convolutional Networks" (WACV 2018), equations
    5, 11 and 19, for Y = exp(S): ``alpha = g^2 / (2 g^2 + g^3 sum(A))``, here with g^2
    cancelled, which half precision would lose. The factor exp(S), the same for the whole map,
    is left out.
    """
    totals = activations.sum((2, 3), keepdim=True)
    positive = gradients.relu()
    # Without a positive gradient the position counts nothing, whatever its alpha.
    alpha = torch.where(positive > 0, positive / (2 + gradients * totals), 0.0)
    return torch.einsum("nc,nchw->nhw", alpha.sum((2, 3)), activations)


def grad_cam_plus_plus_closed(features: Tensor, weight: Tensor) -> Tensor:
    """Grad-CAM++ for a constant gradient g = w / hw (Chattopadhay et al. 2018, equation 19).

    There ``alpha = 1 / (2 + g sum(A))``, and summing ``alpha relu(g)`` over the positions gives
    each channel the weight ``relu(w) / (2 + w mean(A))``.
    """
    means = features.mean((2, 3))[:, None]
    weight = weight.expand(len(features), -1, -1)
    maps = []
    for feature, rows, mean in zip(features, weight, means, strict=True):
        # One image at a time: [N, J, C] weights are large for all classes of many images.
        positive = rows.relu()
        own = torch.where(positive > 0, positive / (2 + rows * mean), 0.0)
        maps.append(weighed(feature[None], own[None]))
    return torch.cat(maps)


@dataclass(frozen=True, slots=True)
class Method:
    """One way to make heat maps.

    Attributes:
        name: What it is called.
        meaning: What it shows, in one line.
        paper: Who published it, and when.
        looks_at: The result of a layer, or the pixels themselves.
        unit: What one unit of its map is; in the method's own unit if None.
        gradient_form: Of activations and gradients; None where it needs none.
        closed_form: Of features and weight; None where it has none.
        run: Makes the maps in a way of its own; None where a form does.
    """

    name: str
    meaning: str
    paper: str
    looks_at: Literal["layer", "pixels"] = "layer"
    unit: str | None = None
    gradient_form: Form | None = None
    closed_form: Form | None = None
    run: Run | None = None


METHODS: tuple[Method, ...] = (
    Method(
        "cam",
        "class activation map: adds up to the logit",
        "Zhou 2016",
        unit="logits; the mean over the image, plus the bias, is the class’s logit",
        closed_form=weighed,
    ),
    Method(
        "grad-cam",
        "channels by their mean gradient",
        "Selvaraju 2017",
        gradient_form=grad_cam,
        closed_form=grad_cam_closed,
    ),
    Method(
        "grad-cam++",
        "the same, weighted by position",
        "Chattopadhay 2018",
        gradient_form=grad_cam_plus_plus,
        closed_form=grad_cam_plus_plus_closed,
    ),
    Method(
        "hirescam",
        "gradient times activation at each position",
        "Draelos 2020",
        gradient_form=hires_cam,
        closed_form=grad_cam_closed,
    ),
    Method(
        "layercam",
        "positive gradients alone, for early layers",
        "Jiang 2021",
        gradient_form=layer_cam,
        closed_form=layer_cam_closed,
    ),
    Method("ablation-cam", "channels by the drop without them", "Desai 2020", run=ablation_maps),
    Method(
        "occlusion",
        "the drop when an area is covered",
        "Zeiler 2014",
        looks_at="pixels",
        unit="logits that covering the area takes away",
        run=occlusion_maps,
    ),
    Method(
        "input-gradients",
        "smoothed gradient by pixel",
        "Smilkov 2017",
        looks_at="pixels",
        unit="logits for each unit of the normalised input",
        run=input_gradients,
    ),
)
AUTO = "auto"
"""Chooses among the methods by the head of the network."""

_RESTORES = (
    "it draws the image's edges and hardly depends on the class or on the learned weights, so "
    "it fails the parameter-randomisation test (Adebayo et al. 2018; Nie et al. 2018)"
)

LEFT_OUT: tuple[tuple[str, str], ...] = (
    ("guided-backprop", _RESTORES),
    ("guided-grad-cam", f"it is Grad-CAM times guided backpropagation: {_RESTORES}"),
    ("deconvnet", _RESTORES),
)
"""Methods that are asked for and not offered: name, and reason as a clause.

Guided backpropagation (Springenberg et al., arXiv 1412.6806), the deconvnet (Zeiler and Fergus
2014) and guided Grad-CAM (Selvaraju et al. 2017) let only positive signals back through
rectifiers. Their maps are crisp, and nearly those of an edge detector: Adebayo et al., "Sanity
Checks for Saliency Maps" (NeurIPS 2018), replaced the weights of the upper layers by random ones
and the maps stayed; Nie, Zhang and Patel, "A Theoretical Explanation for Perplexing Behaviors of
Backpropagation-based Visualizations" (ICML 2018), proved that guided backpropagation and the
deconvnet partly restore the input whatever the class.
"""


def method_named(name: str) -> Method:
    """Returns the method of that name; ``"auto"`` is none.

    Raises:
        UsageError: There is none; or it is left out on purpose, with the reason.
    """
    refuse_left_out(name)
    for method in METHODS:
        if method.name == name:
            return method
    names = [AUTO, *(method.name for method in METHODS)]
    near = near_names(name, names)
    raise UsageError(
        f"There is no method {name!r}; known: {', '.join(names)}.",
        next_step=f"Did you mean {near[0]}?" if near else None,
    )


def list_methods() -> tuple[tuple[str, str], ...]:
    """Returns the name of each method, ``"auto"`` first, and what it shows, for a list."""
    auto = (AUTO, "CAM where the head allows it, else Grad-CAM or HiResCAM")
    return auto, *((one.name, f"{one.meaning} ({one.paper})") for one in METHODS)


def unit_of(name: str) -> str:
    """Returns what the numbers of a method's maps are, as a phrase."""
    unit = next((method.unit for method in METHODS if method.name == name), None)
    return unit or "in the method’s own unit: compare within this method and network"


def refuse_left_out(method: str) -> None:
    """Raises if ``method`` is one of ``LEFT_OUT``; spelling is forgiven.

    >>> refuse_left_out("grad-cam")

    Raises:
        UsageError: With the reason and what to use instead.
    """
    asked = _plain(method)
    for name, reason in LEFT_OUT:
        if asked in {_plain(name), _plain(name).replace("backprop", "backpropagation")}:
            raise UsageError(
                f"{name} is left out: {reason}.",
                next_step="Use cam, grad-cam or occlusion; for a map by pixel, input-gradients.",
            )


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
