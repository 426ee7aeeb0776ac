"""Every way to make a heat map, by one name and one call."""

from __future__ import annotations

from torch import nn

from foveal.errors import UsageError
from foveal.explanation.ablation import ablation_maps
from foveal.explanation.explaining import Explainer
from foveal.explanation.heat_map import HeatMap
from foveal.explanation.input_gradients import input_gradients
from foveal.explanation.left_out import refuse_left_out
from foveal.explanation.occlusion import occlusion_maps
from foveal.explanation.requests import Classes, Images
from foveal.graph import Graph
from foveal.text import near_names

# Name, and what it says, for whoever lists them.
METHODS: tuple[tuple[str, str], ...] = (
    ("auto", "CAM where the head allows it, else Grad-CAM or HiResCAM"),
    ("cam", "class activation map: adds up to the logit (Zhou 2016)"),
    ("grad-cam", "channels by their mean gradient (Selvaraju 2017)"),
    ("grad-cam++", "the same, weighted by place (Chattopadhay 2018)"),
    ("hirescam", "gradient times activation at each place (Draelos 2020)"),
    ("layercam", "positive gradients alone, for early layers (Jiang 2021)"),
    ("ablation-cam", "channels by the drop without them (Desai 2020)"),
    ("occlusion", "the drop when a place is covered (Zeiler 2014)"),
    ("input-gradients", "smoothed gradient by pixel (Smilkov 2017)"),
)
_NAMES = tuple(name for name, _ in METHODS)
_ON_PIXELS = ("occlusion", "input-gradients")


def explain(
    model: nn.Module,
    images: Images,
    *,
    classes: Classes = None,
    method: str = "auto",
    layer: str | None = None,
    graph: Graph | None = None,
) -> tuple[tuple[HeatMap, ...], ...]:
    """Returns where in each picture the scores of classes come from.

    The model may be frozen, in any mode (the predicting network is explained, as after
    ``eval()``), device and precision, and is left as it was found. For many batches of one
    model, ``Explainer`` traces it only once.

    Args:
        model: A classifier that takes one batch of pictures and returns scores [N, K]; of
            several outputs, the first.
        images: [N, C, H, W], preprocessed as the network expects; floating point.
        classes: The class to explain, or several, or ``"all"``; the predicted one of each
            picture if None.
        method: A name of ``METHODS``. Ablation-CAM, occlusion and input gradients have choices
            of their own: ``ablation_maps``, ``occlusion_maps``, ``input_gradients``.
        layer: Name of an operation or a module; the method's own choice if None.
        graph: Of this model, if it was traced already. One of another size or mode is not
            used.

    Returns:
        ``result[n][j]`` is the map of picture n for its j-th class.

    Raises:
        UsageError: Images, classes, method or layer are not such.
        ModelError: The network has no map with places, or no class scores.
        TraceError: The network cannot be followed.
    """
    return MapMaker(model, method=method, layer=layer, graph=graph)(images, classes=classes)


class MapMaker:
    """Makes maps of one network by one method, batch after batch.

    Args:
        model: A classifier; left as it was found.
        method: A name of ``METHODS``.
        layer: An operation or module; the method's own choice if None.
        graph: Of this model, if it was traced already.

    Raises:
        UsageError: There is no such method, or it looks at pixels and a layer was named.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        method: str = "auto",
        layer: str | None = None,
        graph: Graph | None = None,
    ) -> None:
        require_method(method)
        if layer is not None and method in _ON_PIXELS:
            raise UsageError(
                f"{method} looks at the pixels; it has no layer {layer!r}.",
                next_step="Leave the layer out, or use grad-cam.",
            )
        self._model = model
        self._method = method
        self._layer = layer
        self._explainer = Explainer(model, graph=graph)

    def __call__(
        self, images: Images, *, classes: Classes = None
    ) -> tuple[tuple[HeatMap, ...], ...]:
        """Returns ``result[n][j]``, the map of image n [N, C, H, W] for its j-th class.

        Raises:
            UsageError: Class or layer do not exist or do not fit.
            ModelError: The network has no map with places, or no class scores.
        """
        match self._method:
            case "ablation-cam":
                return ablation_maps(self._model, images, classes=classes, layer=self._layer)
            case "occlusion":
                return occlusion_maps(self._model, images, classes=classes)
            case "input-gradients":
                return input_gradients(self._model, images, classes=classes)
        return self._explainer.explain(
            images, classes=classes, method=self._method, layer=self._layer
        )


def require_method(name: str) -> None:
    """Checks that ``name`` is a method.

    Raises:
        UsageError: It is none; or one that is left out on purpose, with the reason.
    """
    refuse_left_out(name)
    if name not in _NAMES:
        near = near_names(name, _NAMES)
        raise UsageError(
            f"There is no method {name!r}; known: {', '.join(_NAMES)}.",
            next_step=f"Did you mean {near[0]}?" if near else None,
        )
