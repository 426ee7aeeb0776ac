"""Drills made from the learner's own network: its shapes, parameters, MACs and fields.

The network is traced once (``foveal.inspection``); after that the drills are data like all
others and need no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from foveal.errors import FovealError, TraceError, UsageError
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import fill_total
from foveal.learn.drills.field_layers import FIELD_CODE, RULE, grown, listed
from foveal.learn.drills.known_network import KnownLayer, KnownNetwork, Linear, Norm, read_layers
from foveal.learn.drills.layers import Conv, Pool, shape_mistakes
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.sizes import CONVENTION
from foveal.learn.drills.template import Template
from foveal.learn.drills.window import Window

if TYPE_CHECKING:
    from torch import nn

_KEYS = "abc"
PREFIX = "own-"
"""Begins the names of these drills; no drill of the course begins so."""


def network_templates(
    model: str | nn.Module, input_shape: tuple[int, ...] | None = None
) -> tuple[Template, ...]:
    """Returns the drills of a network: shapes, parameters, MACs, receptive fields.

    Args:
        model: A network, or MODEL as on the command line: ``"net.py:build"``,
            ``"timm:resnet18"``, ``"foveal:resnet18"``.
        input_shape: ``(C, H, W)`` of one image; what is usual for the model if None.

    Returns:
        Those that it has layers for.

    Raises:
        TraceError: The network cannot be followed to its end.
        UsageError: It takes no single image, or has no layer to ask about.
    """
    from foveal.inspection import inspect

    if isinstance(model, str):
        from foveal.models.sources import open_network

        resolved = open_network(model, weights="none")
        network, name = resolved.module, resolved.name
        shape = tuple(input_shape or resolved.input_shape)
        opening = (
            "from foveal.models.sources import open_network\n\n"
            f"net = open_network({model!r}).module.eval()"
        )
    else:
        network, name = model, type(model).__name__
        shape = tuple(input_shape or (3, 224, 224))
        opening = "net = ...  # your network, in evaluation"
    _require_one_image(network, name)
    try:
        table = inspect(network, shape, name=name, mode="eval")
    except FovealError as error:
        if input_shape is None:
            sizes = "x".join(map(str, shape))
            assumed = f"{sizes} was assumed; give the shape of one image as in --input 1x28x28."
            error.next_step = f"{error.next_step} {assumed}" if error.next_step else assumed
        raise
    if table.status != "complete":
        raise TraceError(
            f"{name} cannot be followed to its end: {table.reason}",
            next_step="Drills need the whole graph; try another network or another input shape.",
        )
    known = KnownNetwork(name, opening, shape, read_layers(table))
    found = tuple(each for each in _templates(known) if each is not None)
    if not found:
        raise UsageError(
            f"{name} has no convolution, pooling, linear layer or batch norm that a drill can ask "
            "about.",
            next_step="Try foveal learn drill --on foveal:resnet18.",
        )
    return found


def _require_one_image(network: nn.Module, name: str) -> None:
    """Raises where the drills' question, one image through the network, has no meaning."""
    from inspect import Parameter, signature

    from torch import nn

    wanted = [
        each.name
        for each in signature(network.forward).parameters.values()
        if each.default is Parameter.empty
        and each.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(wanted) > 1:
        raise UsageError(
            f"{name} takes {len(wanted)} inputs ({', '.join(wanted)}), expected one image.",
            next_step="Give a part of it that takes one image, by a factory of its own.",
        )
    layers = list(network.modules())
    others = (nn.Conv1d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose3d)
    found = next((type(each).__name__ for each in layers if isinstance(each, others)), None)
    if found and not any(isinstance(each, nn.Conv2d | nn.ConvTranspose2d) for each in layers):
        raise UsageError(
            f"{name} is built of {found}, and drills ask about networks on images (C×H×W).",
            next_step="`foveal inspect` shows its layers; `foveal learn drill` needs no network.",
        )


def _has_map(layer: KnownLayer) -> bool:
    return isinstance(layer.settings, Conv | Pool) and layer.given is not None


def _has_parameters(layer: KnownLayer) -> bool:
    return isinstance(layer.settings, Conv | Linear | Norm)


def _has_macs(layer: KnownLayer) -> bool:
    return isinstance(layer.settings, Conv) and layer.given is not None


def _has_field(layer: KnownLayer) -> bool:
    return _has_map(layer) and layer.before is not None


def _templates(network: KnownNetwork) -> list[Template | None]:
    """One template of each kind that the network has layers for."""
    kinds = (
        ("own-shapes", "Shapes in", 2, "output-size", _shapes, _has_map),
        ("own-parameters", "Parameters in", 4, "parameter-count", _parameters, _has_parameters),
        ("own-macs", "Multiply-accumulates in", 4, "macs", _macs, _has_macs),
        ("own-fields", "Receptive fields in", 15, "receptive-field", _fields, _has_field),
    )
    return [
        Template(
            name,
            f"{title} {network.name}",
            topic,
            skill,
            _bound(make, network),
            proof="numbers",
        )
        if any(map(asks, network.layers))
        else None
        for name, title, topic, skill, make, asks in kinds
    ]


def _bound(
    make: Callable[[KnownNetwork, Chance, int], Sheet], network: KnownNetwork
) -> Callable[[Chance, int, str], Sheet]:
    return lambda chance, level, trap: make(network, chance, level)


def _listing(layers: Sequence[KnownLayer]) -> str:
    return "\n".join(f"{layer.name}: {layer.settings.code}" for layer in layers)


def _hooked(network: KnownNetwork, layers: Sequence[KnownLayer], wanted: str) -> str:
    """Returns PyTorch that runs the network once and prints ``wanted`` of each layer."""
    names = "".join(f"    {layer.name!r},\n" for layer in layers)
    shape = ", ".join(map(str, network.shape))
    return (
        f"import torch\n{network.opening}\nnames = [\n{names}]\nfound = {{}}\n\n"
        "def watch(name):\n    def hook(layer, given, result):\n"
        f"        found[name] = {wanted}\n\n"
        "    net.get_submodule(name).register_forward_hook(hook)\n\n"
        "for name in names:\n    watch(name)\n"
        f"device = next(net.parameters()).device\nwith torch.no_grad():\n"
        f"    net(torch.zeros(1, {shape}, device=device))\n"
        "for name in names:\n    print(found[name])\n"
    )


def _shapes(network: KnownNetwork, chance: Chance, level: int) -> Sheet:
    layers = network.chain(chance, level, _has_map)
    sheet = Sheet(lenient=True)
    first = layers[0].given
    assert first is not None
    sheet.given["x"] = shape = first
    source = "x"
    for key, layer in zip(_KEYS, layers, strict=False):
        assert isinstance(layer.settings, Conv | Pool)
        result = layer.settings.shape(shape)
        sheet.blank(
            key,
            f"after `{layer.name}`",
            result,
            layer.settings.shape_formula(source),
            wrong=shape_mistakes(layer.settings, source, shape),
        )
        source, shape = key, result
    sheet.question = (
        f"In {network.name}, a map of {'×'.join(map(str, first))} reaches\n\n"
        f"```\n{_listing(layers)}\n```\n\n"
        + ("What is the shape after it? " if len(layers) == 1 else "What is the shape after each? ")
        + CONVENTION
    )
    sheet.hint = "A convolution sets the channels; kernel, stride and padding set the size."
    sheet.proof = _hooked(network, layers, "result.shape")
    sheet.reasons = "Along each axis: floor((H + 2p − d(k − 1) − 1) / s) + 1."
    return sheet


def _parameters(network: KnownNetwork, chance: Chance, level: int) -> Sheet:
    known = [layer for layer in network.layers if _has_parameters(layer)]
    # Half of a network's layers are batch norms; one of those chosen is none, if there is one.
    weighted = [n for n, layer in enumerate(known) if not isinstance(layer.settings, Norm)]
    first = chance.pick(weighted or range(len(known)))
    others = [n for n in chance.shuffled(range(len(known))) if n != first]
    layers = [known[number] for number in sorted([first, *others[: level - 1]])]
    sheet = Sheet(lenient=True)
    for key, layer in zip(_KEYS, layers, strict=False):
        assert isinstance(layer.settings, Conv | Linear | Norm)
        sheet.blank(
            key,
            f"parameters of `{layer.name}`",
            layer.settings.parameters,
            layer.settings.parameter_formula(),
            wrong=layer.settings.parameter_mistakes(),
        )
    names = list(_KEYS[: len(layers)])
    if len(layers) > 1:
        fill_total(sheet, names, [("one-layer-only", names[-1])])
    sheet.question = (
        f"{network.name} has {'this layer' if len(layers) == 1 else 'these layers'}:\n\n"
        f"```\n{_listing(layers)}\n```\n\n"
        "How many learned parameters has "
        + ("it?" if len(layers) == 1 else "each, and how many have they together?")
    )
    sheet.hint = "Weights first, then what is there once for each output channel."
    names_code = "".join(f"    {layer.name!r},\n" for layer in layers)
    total = "print(sum(counts))\n" if len(layers) > 1 else ""
    sheet.proof = (
        f"{network.opening}\nnames = [\n{names_code}]\n"
        "counts = [sum(p.numel() for p in net.get_submodule(n).parameters()) for n in names]\n"
        f"for count in counts:\n    print(count)\n{total}"
    )
    sheet.reasons = (
        "A convolution has C_out·(C_in / g)·k·k weights, a linear layer in·out, each with a bias "
        "for each output if it has one; batch norm learns two numbers a channel."
    )
    return sheet


def _macs(network: KnownNetwork, chance: Chance, level: int) -> Sheet:
    known = [layer for layer in network.layers if _has_macs(layer)]
    chosen = sorted(chance.several(range(len(known)), level))
    layers = [known[number] for number in chosen]
    sheet = Sheet(lenient=True)
    lines = []
    for key, layer in zip(_KEYS, layers, strict=False):
        conv, given = layer.settings, layer.given
        assert isinstance(conv, Conv)
        assert given is not None
        high, wide = conv.shape(given)[1:]
        kh, kw = conv.kernel
        inner = f"({conv.in_channels}/{conv.groups})" if conv.groups > 1 else f"{conv.in_channels}"
        weights = f"{conv.out_channels}*{inner}*{kh}*{kw}"
        wrong = [
            Wrong("area-forgotten", weights),
            Wrong("flops-for-macs", f"2*{weights}*{high}*{wide}"),
            Wrong("in-channels-forgotten", f"{conv.out_channels}*{kh}*{kw}*{high}*{wide}"),
            Wrong("input-area", f"{weights}*{given[1]}*{given[2]}"),
        ]
        sheet.blank(
            key,
            f"MACs of `{layer.name}`",
            conv.macs(given),
            f"{weights}*{high}*{wide}",
            wrong=wrong,
        )
        lines.append(f"{layer.name}: {conv.code}  # on {'×'.join(map(str, given))}")
    names = list(_KEYS[: len(layers)])
    if len(layers) > 1:
        fill_total(sheet, names, [("one-layer-only", names[-1])])
    listing = "\n".join(lines)
    sheet.question = (
        f"In {network.name}, for one image:\n\n```\n{listing}\n```\n\n"
        "How many multiply-accumulates "
        + (
            "does it take?"
            if len(layers) == 1
            else "does each take, and how many do they together?"
        )
        + " Leave biases out."
    )
    sheet.hint = "Weights that one output value reads, times output values."
    proof = _hooked(network, layers, "layer.weight.numel() * result[0, 0].numel()")
    sheet.proof = proof + ("print(sum(found.values()))\n" if len(layers) > 1 else "")
    sheet.reasons = "Every weight is used once for each position of the output."
    return sheet


def _fields(network: KnownNetwork, chance: Chance, level: int) -> Sheet:
    layers = network.chain(chance, level, _has_field)
    before = layers[0].before
    assert before is not None
    size, jump = before
    sheet = Sheet(lenient=True)
    source, windows = f"{size}", []
    start = jump
    for key, layer in zip(_KEYS, layers, strict=False):
        assert isinstance(layer.settings, Conv | Pool)
        window = layer.settings.windows[0]
        windows.append(Window(window.kernel, window.stride, dilation=window.dilation))
        size += (window.kernel - 1) * window.dilation * jump
        codes = ["full-kernel"]
        codes += ["own-stride"] if window.stride > 1 else []
        codes += ["strides-ignored"] if jump > 1 else []
        codes += ["dilation-ignored"] if window.dilation > 1 else []
        sheet.blank(
            key,
            f"field after `{layer.name}`",
            size,
            grown(source, window, jump),
            wrong=[Wrong(code, grown(source, window, jump, code)) for code in codes],
            unit="pixels",
        )
        source, jump = key, jump * window.stride
    sheet.question = (
        f"In {network.name}, what reaches `{layers[0].name}` has a receptive field of {before[0]} "
        f"pixels along the height, and neighbours are {before[1]} apart in the image.\n\n"
        f"```\n{_listing(layers)}\n```\n\nHow large is the field after "
        + ("it?" if len(layers) == 1 else "each?")
    )
    sheet.hint = "Each step of the kernel is as long as neighbours are apart."
    sheet.proof = (
        f"{FIELD_CODE}\n# A layer with the field and the stride of what came before.\n"
        f"before = nn.Conv1d(1, 1, kernel_size={before[0]}, stride={start}, bias=False)\n"
        f"{listed(windows)}for depth in range(1, {len(windows) + 1}):\n"
        "    print(length(before, *net[:depth]))\n"
    ).replace("torch.zeros(1, 1, 400", "torch.zeros(1, 1, 4000")
    sheet.reasons = RULE
    return sheet
