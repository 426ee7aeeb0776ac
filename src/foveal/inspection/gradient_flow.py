"""How the gradient fares on its way back through the layers.

With y = F(x) + x the gradient is ∂L/∂x = ∂L/∂y (1 + ∂F/∂x): the identity carries it (He et al.
2016, "Identity Mappings in Deep Residual Networks", equation 5). Without a shortcut it is a
product over all layers, which vanishes or explodes with depth (Glorot and Bengio 2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from foveal.errors import ModelError, UsageError

if TYPE_CHECKING:
    import torch

    from foveal.layers import Site

Mode = Literal["train", "eval", "as found"]
At = Literal["blocks", "layers"] | Sequence[str]


@dataclass(frozen=True, slots=True)
class LayerGradient:
    """The gradient of the loss at one layer.

    Attributes:
        name: Of the layer: an operation, or the path of a module.
        rms: Root mean square over the elements of the gradient.
        norm: Euclidean norm of the gradient.
        value_norm: Euclidean norm of what the gradient is taken of.
    """

    name: str
    rms: float
    norm: float
    value_norm: float

    @property
    def relative_norm(self) -> float:
        """Norm over norm of the values; 0 where the values are zero."""
        return self.norm / self.value_norm if self.value_norm > 0 else 0.0


@dataclass(frozen=True, slots=True)
class GradientFlow:
    """Gradients of one loss, by depth.

    Attributes:
        loss: Its value.
        activations: ∂L/∂(result) of the chosen layers, from the first to run to the last.
        weights: ∂L/∂(weight) of every convolution and linear layer that ran, in that order.
        mode: The mode that the network ran in.
    """

    loss: float
    activations: tuple[LayerGradient, ...]
    weights: tuple[LayerGradient, ...]
    mode: Mode

    @property
    def ratio(self) -> float | None:
        """Norm of the activation gradient at the first layer over that at the last.

        Far below 1 it vanishes on the way back, far above it explodes. The norm and not the
        root mean square, which a stride changes by itself: the gradient of a map with four
        times as many elements is the same one, spread thinner. None without layers, or if
        nothing arrives at the last.
        """
        return _ratio(self.activations)

    @property
    def log_slope(self) -> float:
        """Change of ln(norm) of the activation gradient from one layer to the next."""
        return log_slope([item.norm for item in self.activations])

    @property
    def factor_per_layer(self) -> float:
        """What a layer multiplies the activation gradient by on the way back; 1 is level."""
        return math.exp(-self.log_slope)

    @property
    def weight_ratio(self) -> float | None:
        """The same as ``ratio`` for the gradients of the weights."""
        return _ratio(self.weights)


def gradient_flow(
    model: torch.nn.Module,
    images: torch.Tensor,
    *,
    labels: torch.Tensor | None = None,
    loss: Callable[[Any], torch.Tensor] | None = None,
    at: At = "blocks",
    mode: Mode = "train",
) -> GradientFlow:
    """Returns how strongly one loss pulls at activations and weights, by depth.

    The model is left as found: modes, buffers, gradients, hooks, ``requires_grad``. Frozen
    weights are measured too.

    Args:
        model: With real weights.
        images: A batch ``[N, C, H, W]``.
        labels: Classes ``[N]`` for the usual loss; dealt out in turn if None.
        loss: Turns what the model returns into one number; if None, cross-entropy, or the
            mean of softplus where there are not several classes.
        at: Whose results to look at. ``"blocks"``: each module that gives a map through which
            all passes (``foveal.graph.cut_points``), such as residual blocks; ``"layers"``:
            each convolution and linear layer; or names of operations and modules.
        mode: In which mode to run; dropout is off in all but ``"as found"``.

    Raises:
        UsageError: There is no such layer, with near names; or it has no gradient.
        ModelError: The model has no weights, or the loss does not depend on them.
        TraceError: ``"blocks"`` of a model that cannot be followed.
    """
    import torch

    from foveal.layers import lent, require_weights, result_replaced, set_modes

    require_weights(model, purpose="gradient flow")
    results: dict[str, torch.Tensor] = {}
    weights: dict[str, torch.nn.Parameter] = {}
    with lent(model) as twin, ExitStack() as stack:
        if mode != "as found":
            set_modes(twin, training=mode == "train")
            set_modes(filter(is_dropout, twin.modules()), training=False)
        sites = _sites(twin, images, at)
        for parameter in twin.parameters():
            if parameter.is_floating_point():
                parameter.requires_grad_(True)
        stack.enter_context(torch.enable_grad())
        for path, module in twin.named_modules():
            if _has_weight(module):
                stack.callback(module.register_forward_pre_hook(_noting(weights, path)).remove)
        with ExitStack() as watches:
            for name, site in sites.items():
                keep = _keeping(results, name)
                watches.enter_context(result_replaced(twin, site, len(images), keep))
            output = twin(images.detach().clone())
        missing = [name for name in sites if name not in results]
        if missing and not isinstance(at, str):
            raise UsageError(f"{missing[0]!r} gave no tensor with a gradient in this pass.")
        value = usual_loss(first_tensor(output), labels) if loss is None else loss(output)
        wanted = [*results.values(), *weights.values()]
        if not value.requires_grad:
            raise ModelError(f"The loss does not depend on any layer of {type(model).__name__}.")
        gradients = torch.autograd.grad(value, wanted, allow_unused=True) if wanted else ()
        measured = [
            None if gradient is None else _measure(name, gradient, tensor)
            for name, gradient, tensor in zip([*results, *weights], gradients, wanted, strict=True)
        ]
    return GradientFlow(
        loss=float(value.detach()),
        activations=tuple(item for item in measured[: len(results)] if item is not None),
        weights=tuple(item for item in measured[len(results) :] if item is not None),
        mode=mode,
    )


def log_slope(values: Sequence[float]) -> float:
    """Returns the slope of the least-squares line through ln(value) by position.

    Values of zero are left out; 0 with fewer than two others.
    """
    points = [(float(i), math.log(value)) for i, value in enumerate(values) if value > 0]
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def usual_loss(outputs: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    """Returns cross-entropy for logits ``[N, K]``, else the mean of softplus.

    Without labels, or with labels that are no classes, classes are dealt out in turn, so that
    a well-trained network pulls too.
    """
    import torch
    from torch.nn import functional

    outputs = outputs.float()
    if outputs.dim() != 2 or outputs.shape[1] < 2:
        return functional.softplus(outputs).mean()
    if labels is None or labels.dim() != 1 or labels.is_floating_point():
        labels = torch.arange(len(outputs), device=outputs.device) % outputs.shape[1]
    return functional.cross_entropy(outputs, labels.to(outputs.device))


def first_tensor(output: Any) -> torch.Tensor:
    """Returns the first floating-point tensor in what a model returned.

    Raises:
        ModelError: There is none.
    """
    from foveal.graph.nested_tensors import tensors_with_paths

    for _, tensor in tensors_with_paths(output):
        if tensor.is_floating_point():
            return tensor
    raise ModelError(
        f"The model returned a {type(output).__name__} without any floating-point tensor.",
        next_step="Give a loss that turns it into one number.",
    )


def _sites(model: torch.nn.Module, images: torch.Tensor, at: At) -> dict[str, Site]:
    """Returns where the results of the chosen layers are, by name."""
    import torch

    from foveal.graph import cut_points, trace
    from foveal.layers import ModuleSite, find_layer

    def modules(paths: Iterable[str]) -> dict[str, Site]:
        return {path: ModuleSite(path, 1, None, None) for path in paths}

    paths = [path for path, _ in model.named_modules()]
    if at == "layers":
        return modules(path for path, module in model.named_modules() if _has_weight(module))
    if isinstance(at, str) and at != "blocks":
        raise UsageError(
            f"got at={at!r}, expected 'blocks', 'layers' or a sequence of layer names.",
            next_step=f"For that one layer, give at=({at!r},)." if at in paths else None,
        )
    mode: Literal["eval", "as found"] = "eval" if isinstance(at, str) else "as found"
    graph = trace(model, torch.Size((1, *images.shape[1:])), mode=mode)
    if isinstance(at, str):
        # Vectors are left out: a global average divides the gradient by the number of positions.
        named = {
            point.name
            for point in cut_points(graph)
            if len(point.shape) > 2 and math.prod(point.shape[2:]) > 1
        }
        return modules(path for path in paths if path in named)
    return {name: find_layer(model, graph, name).site for name in at}


def _has_weight(module: torch.nn.Module) -> bool:
    import torch

    return isinstance(module, torch.nn.modules.conv._ConvNd | torch.nn.Linear)


def is_dropout(module: torch.nn.Module) -> bool:
    """Whether the module drops values or whole branches by chance while training."""
    import torch

    # timm's and torchvision's stochastic depth are no subclasses.
    return isinstance(module, torch.nn.modules.dropout._DropoutNd) or type(module).__name__ in {
        "DropPath",
        "StochasticDepth",
    }


def _keeping(results: dict[str, torch.Tensor], name: str) -> Callable[[torch.Tensor], torch.Tensor]:
    def keep(result: torch.Tensor) -> torch.Tensor:
        if not result.requires_grad:
            return result
        results.setdefault(name, result)
        # A copy goes on, so that what comes next cannot overwrite what is kept.
        return result.clone()

    return keep


def _noting(weights: dict[str, torch.nn.Parameter], path: str) -> Callable[..., None]:
    import torch

    def note(module: torch.nn.Module, _arguments: Any) -> None:
        weight = module.weight
        if isinstance(weight, torch.nn.Parameter):
            weights.setdefault(path, weight)

    return note


def _measure(name: str, gradient: torch.Tensor, values: torch.Tensor) -> LayerGradient:
    gradient, values = gradient.detach().double(), values.detach().double()
    norm = float(gradient.norm())
    return LayerGradient(name, norm / math.sqrt(gradient.numel()), norm, float(values.norm()))


def _ratio(layers: tuple[LayerGradient, ...]) -> float | None:
    return layers[0].norm / layers[-1].norm if layers and layers[-1].norm > 0 else None
