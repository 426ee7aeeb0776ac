"""Drills of topic 19: a whole small network, as for CIFAR-10."""

from __future__ import annotations

from foveal.arithmetic import linear_parameters
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import (
    IMPORTS,
    count_proof,
    draw_width,
    fill_counts,
    fill_total,
    square,
)
from foveal.learn.drills.layers import Conv, Layer, Map, Pool, shape_mistakes, shape_traps
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.sizes import CONVENTION
from foveal.learn.drills.template import PLAIN, Template
from foveal.learn.drills.window import Window

_CLASSES = (2, 5, 10, 20, 100)


def _draw_widths(chance: Chance) -> tuple[int, int, int]:
    first = draw_width(chance, most=96)
    return first, 2 * first, 4 * first


def _conv(c_in: int, c_out: int, kernel: int = 3) -> Conv:
    return Conv(c_in, c_out, square(kernel), padding=square(kernel // 2))


def _shapes(chance: Chance, level: int, trap: str) -> Sheet | None:
    side = chance.pick((26, 28, 30, 36) if trap == "floor" else (24, 32, 40, 48, 64))
    colours = chance.pick((1, 3, 3))
    widths, classes = _draw_widths(chance), chance.pick(_CLASSES)
    kernel = chance.pick((3, 3, 5))
    layers: list[tuple[str, Layer]] = [
        ("conv1", _conv(colours, widths[0], kernel)),
        ("pool1", Pool(Window(2, 2))),
        ("conv2", _conv(widths[0], widths[1])),
        ("pool2", Pool(Window(2, 2))),
        ("conv3", _conv(widths[1], widths[2])),
    ]
    layers = layers[: 4 if level == 1 else 5]
    given: Map = (colours, side, side)
    sheet = Sheet(given={"x": given})
    source, shape = "x", given
    traps: set[str] = set()
    for name, layer in layers:
        traps |= shape_traps(layer, shape)
        wrong = shape_mistakes(layer, source, shape)
        if isinstance(layer, Pool):
            wrong = (*wrong, Wrong("pool-forgotten", source))
        result = layer.shape(shape)
        sheet.blank(name, f"after `{name}`", result, layer.shape_formula(source), wrong=wrong)
        source, shape = name, result
    sheet.traps = frozenset(traps)
    lines = [f"{name} = {layer.code}" for name, layer in layers]
    proof = [
        f"x = torch.zeros(1, {colours}, {side}, {side})",
        *(f"x = {layer.code}(x)\nprint(x.shape)" for _, layer in layers),
    ]
    if level > 2:
        _add_head(sheet, source, shape, classes)
        lines += ["gap = nn.AdaptiveAvgPool2d(1)", "flat = nn.Flatten()"]
        lines += [f"fc = nn.Linear({widths[2]}, {classes})"]
        proof += [
            f"x = {code}(x)\nprint(x.shape)"
            for code in (
                "nn.AdaptiveAvgPool2d(1)",
                "nn.Flatten()",
                f"nn.Linear({widths[2]}, {classes})",
            )
        ]
    listing = "\n".join(lines)
    sheet.question = (
        f"An image of {colours}×{side}×{side} goes through this network, one line after the other:"
        f"\n\n```\n{listing}\n```\n\nWhat is the shape after each line? {CONVENTION}"
    )
    sheet.hint = "A convolution sets the channels, a pooling the size; write both down each time."
    sheet.proof = IMPORTS + "\n" + "\n".join(proof)
    sheet.reasons = (
        "Each 3×3 with padding 1 keeps height and width and sets the channels; each pooling halves "
        "height and width, rounded down, and keeps the channels. The classic for CIFAR-10 goes "
        "from 3×32×32 to 128×8×8, 128 and 10."
    )
    return sheet


def _add_head(sheet: Sheet, source: str, shape: Map, classes: int) -> None:
    sheet.blank(
        "gap",
        "after `gap`",
        (shape[0], 1, 1),
        f"({source}[0], 1, 1)",
        wrong=[
            Wrong("pool-forgotten", source),
            Wrong("channels-averaged", f"(1, {source}[1], {source}[2])"),
        ],
        told="One mean for each channel:",
    )
    sheet.blank(
        "flat",
        "after `flat`",
        (shape[0],),
        "(gap[0]*gap[1]*gap[2],)",
        wrong=[Wrong("average-ignored", f"({source}[0]*{source}[1]*{source}[2],)")],
    )
    sheet.blank(
        "fc",
        "after `fc`",
        (classes,),
        f"({classes},)",
        wrong=[Wrong("channels-kept", "flat")],
        told="One logit for each class:",
    )


def _parameters(chance: Chance, level: int, trap: str) -> Sheet:
    widths, classes = _draw_widths(chance), chance.pick(_CLASSES)
    colours = chance.pick((1, 3))
    side = 8 if level == 3 else 16
    layers = [("conv1", _conv(colours, widths[0])), ("conv2", _conv(widths[0], widths[1]))]
    layers += [("conv3", _conv(widths[1], widths[2]))] if level > 2 else []
    last = layers[-1][1].out_channels
    features = last if trap == "average" else last * side * side
    sheet = Sheet(traps=frozenset((trap,)))
    fill_counts(sheet, layers)
    other = last * side * side if trap == "average" else last
    sheet.blank(
        "fc",
        "parameters of `fc`",
        linear_parameters(features, classes),
        f"{features}*{classes} + {classes}",
        wrong=[
            Wrong("bias-forgotten", f"{features}*{classes}"),
            Wrong(
                "average-ignored" if trap == "average" else "positions-forgotten",
                f"{other}*{classes} + {classes}",
            ),
        ],
    )
    names = [name for name, _ in layers] + ["fc"]
    if level > 1:
        convs = " + ".join(names[:-1])
        fill_total(sheet, names, [("last-layer-forgotten", convs)], "the whole network")
    lines = [(name, conv.code) for name, conv in layers]
    before = "nn.AdaptiveAvgPool2d(1), nn.Flatten()" if trap == "average" else "nn.Flatten()"
    lines.append(("fc", f"nn.Linear({features}, {classes})"))
    shown = "\n".join(f"{name} = {line}" for name, line in lines[:-1])
    sheet.question = (
        f"A small network:\n\n```\n{shown}\nfc = nn.Linear(____, {classes})\n```\n\n"
        f"The map before the head is {last}×{side}×{side}; the head is {before}, fc. "
        "How many parameters has each layer"
        + (", and how many has the network?" if level > 1 else "?")
        + " ReLU and pooling have none."
    )
    sheet.hint = "Find what `fc` receives first: all values of the map, or one for each channel?"
    sheet.proof = count_proof(lines, with_total=level > 1)
    sheet.reasons = (
        "A flattened map makes the linear layer the largest of all: every position of every "
        "channel has a weight for each class. With global average pooling one for each channel is "
        "left."
    )
    return sheet


def _code(chance: Chance, level: int, trap: str) -> Sheet | None:
    """Blanks in the code of a network."""
    side = chance.pick((24, 32, 40, 48))
    widths, classes = _draw_widths(chance), chance.pick(_CLASSES)
    colours = chance.pick((1, 3))
    sheet = Sheet(traps=frozenset((trap,)))
    sheet.blank(
        "inner",
        "blank [1], in_channels of the second convolution",
        widths[0],
        f"{widths[0]}",
        wrong=[Wrong("channels-of-image", f"{colours}"), Wrong("channels-of-next", f"{widths[1]}")],
        told="The channels that the first convolution gives:",
    )
    final = side // 4
    if level > 2:
        sheet.blank(
            "padding",
            "blank [2], padding that keeps the size",
            2,
            "(5 - 1)/2",
            wrong=[Wrong("full-padding", "5 - 1"), Wrong("padding-forgotten", "0")],
        )
    if level > 1:
        sheet.given["x"] = side
        sheet.blank(
            "side",
            "height of the map before the head",
            final,
            "floor(floor(x/2)/2)",
            wrong=[Wrong("pool-forgotten", "floor(x/2)")],
            told="Two poolings halve it twice:",
        )
    number = 3 if level > 2 else 2
    height = "side" if level > 1 else f"{final}"
    if trap == "average":
        wrong = [
            Wrong("average-ignored", f"{widths[1]}*{height}*{height}"),
            Wrong("channels-of-image", f"{widths[0]}"),
        ]
        formula, answer = f"{widths[1]}", widths[1]
    else:
        wrong = [
            Wrong("positions-forgotten", f"{widths[1]}"),
            Wrong("one-side-only", f"{widths[1]}*{height}"),
            Wrong("pool-forgotten", f"{widths[1]}*{side // 2}*{side // 2}"),
        ]
        formula, answer = f"{widths[1]}*{height}*{height}", widths[1] * final * final
    sheet.blank("features", f"blank [{number}], in_features", answer, formula, wrong=wrong)
    kernel, padding = (5, "[2]") if level > 2 else (3, "1")
    head = ["    nn.AdaptiveAvgPool2d(1),"] if trap == "average" else []
    lines = [
        "net = nn.Sequential(",
        f"    nn.Conv2d({colours}, {widths[0]}, kernel_size=3, padding=1),",
        "    nn.ReLU(),",
        "    nn.MaxPool2d(2),",
        f"    nn.Conv2d([1], {widths[1]}, kernel_size={kernel}, padding={padding}),",
        "    nn.ReLU(),",
        "    nn.MaxPool2d(2),",
        *head,
        "    nn.Flatten(),",
        f"    nn.Linear([{number}], {classes}),",
        ")",
    ]
    listing = "\n".join(lines)
    sheet.question = (
        f"The network takes images of {colours}×{side}×{side}.\n\n```\n{listing}\n```\n\n"
        "What must stand in the blanks, so that it runs?"
        + (" The second convolution is to keep the size." if level > 2 else "")
        + (" How high is the map before the head?" if level > 1 else "")
    )
    sheet.hint = "Follow one image through, line by line, and write the shape beside each."
    first = f"nn.Conv2d({colours}, {widths[0]}, kernel_size=3, padding=1)"
    proof = (
        f"{IMPORTS}\nx = nn.MaxPool2d(2)({first}(torch.zeros(1, {colours}, {side}, {side})))\n"
        "print(x.shape[1])\n"
    )
    if level > 2:
        proof += (
            f"for p in range(9):\n    y = nn.Conv2d({widths[0]}, {widths[1]}, 5, padding=p)(x)\n"
            "    if y.shape[2:] == x.shape[2:]:\n        print(p)\n"
        )
    second = f"nn.Conv2d({widths[0]}, {widths[1]}, {kernel}, padding={kernel // 2})"
    proof += f"x = nn.MaxPool2d(2)({second}(x))\n"
    proof += "print(x.shape[2])\n" if level > 1 else ""
    proof += "x = nn.AdaptiveAvgPool2d(1)(x)\n" if trap == "average" else ""
    sheet.proof = proof + "print(nn.Flatten()(x).shape[1])\n"
    sheet.reasons = (
        "Channels must meet from layer to layer, and the linear layer must be told how many values "
        "the flattened map has. With an average over the map in between it is just the channels."
    )
    return sheet


TEMPLATES = (
    Template(
        "network-shapes",
        "A small network, shape by shape",
        19,
        "network-shapes",
        _shapes,
        traps=(PLAIN, "floor"),
        also_topics=(2, 18),
    ),
    Template(
        "network-parameters",
        "Parameters of a small network",
        19,
        "network-parameters",
        _parameters,
        traps=("average", "flatten"),
        also_topics=(4, 18),
    ),
    Template(
        "network-code",
        "A small network in code",
        19,
        "network-code",
        _code,
        traps=("average", "flatten"),
        also_topics=(18,),
    ),
)
