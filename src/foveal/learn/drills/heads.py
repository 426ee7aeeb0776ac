"""Drills of topic 18: classifier heads, flattened or pooled."""

from __future__ import annotations

from foveal.arithmetic import linear_parameters
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import COUNT, IMPORTS, count_proof, fill_total
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import Template

_HEAD_RULE = (
    "Flattening gives the linear layer one weight for each position; global average pooling gives "
    "it one for each channel. VGG-16 has about 124 of its 138 million parameters in its three "
    "linear layers. The average also frees the network from one image size, and gives class "
    "activation maps."
)


def _vgg_head(chance: Chance, level: int, trap: str) -> Sheet:
    channels, side = chance.pick((128, 256, 384, 512)), chance.pick((4, 5, 6, 7))
    hidden = chance.pick((512, 1024, 2048, 4096))
    classes = chance.pick((10, 20, 100, 200, 1000))
    features = channels * side * side
    sheet = Sheet(traps=frozenset((trap,)), given={"x": (channels, side, side)})
    rows = [("fc1", "x[0]*x[1]*x[2]", features, hidden)]
    if trap == "three-layers":
        rows += [("fc2", f"{hidden}", hidden, hidden)]
    rows += [("fc3" if trap == "three-layers" else "fc2", f"{hidden}", hidden, classes)]
    for name, inner, count, outer in rows:
        wrong = [Wrong("bias-forgotten", f"{inner}*{outer}")]
        if name == "fc1":
            wrong.append(Wrong("positions-forgotten", f"x[0]*{outer} + {outer}"))
            wrong.append(Wrong("one-side-only", f"x[0]*x[1]*{outer} + {outer}"))
        sheet.blank(
            name,
            f"parameters of `{name}`",
            linear_parameters(count, outer),
            f"{inner}*{outer} + {outer}",
            wrong=wrong,
        )
    names = [name for name, *_ in rows]
    if level > 1:
        fill_total(
            sheet,
            names,
            [
                ("first-layer-forgotten", " + ".join(names[1:])),
                ("last-layer-forgotten", " + ".join(names[:-1])),
            ],
        )
    if level > 2:
        small = linear_parameters(channels, classes)
        sheet.blank(
            "gap",
            "parameters of a head with global average pooling and one linear layer",
            small,
            f"{channels}*{classes} + {classes}",
            wrong=[
                Wrong("bias-forgotten", f"{channels}*{classes}"),
                Wrong("average-ignored", f"x[0]*x[1]*x[2]*{classes} + {classes}"),
            ],
        )
    lines = [(name, f"nn.Linear({count}, {outer})") for name, _, count, outer in rows]
    shown = "\n".join(
        f"{name} = nn.Linear({'____' if name == 'fc1' else count}, {outer})"
        for name, _, count, outer in rows
    )
    sheet.question = (
        f"A VGG-like head. A map of {channels}×{side}×{side} is flattened, then\n\n"
        f"```\n{shown}\n```\n\nHow many parameters has each layer"
        + (", and how many have all?" if level > 1 else "?")
        + (
            " How many has `nn.AdaptiveAvgPool2d(1)`, `nn.Flatten()` and one linear layer to the "
            f"{classes} classes in their place?"
            if level > 2
            else ""
        )
    )
    sheet.hint = "What goes into the first linear layer: every value of the map."
    proof = count_proof(lines, with_total=level > 1)
    if level > 2:
        proof += f"\nprint(count(nn.Linear({channels}, {classes})))\n"
    flat = f"x = torch.zeros(1, {channels}, {side}, {side}).flatten(1)\n"
    sheet.proof = proof.replace("fc1 = nn.Linear(", flat + "fc1 = nn.Linear(", 1).replace(
        f"nn.Linear({features},", "nn.Linear(x.shape[1],", 1
    )
    sheet.reasons = _HEAD_RULE
    return sheet


def _gap_head(chance: Chance, level: int, trap: str) -> Sheet:
    channels, side = chance.pick((64, 128, 256, 320, 512, 1024)), chance.pick((4, 6, 7, 8))
    classes = chance.pick((2, 3, 5, 10, 100))
    larger = side + chance.pick((1, 2, 3, 4))
    sheet = Sheet(traps=frozenset((trap,)), given={"x": (channels, side, side)})
    is_gap = trap == "average"
    sheet.blank(
        "head",
        "parameters of the linear layer",
        linear_parameters(channels if is_gap else channels * side * side, classes),
        f"x[0]*{classes} + {classes}" if is_gap else f"x[0]*x[1]*x[2]*{classes} + {classes}",
        wrong=[
            Wrong("bias-forgotten", f"x[0]*{classes}" if is_gap else f"x[0]*x[1]*x[2]*{classes}"),
            Wrong("average-ignored", f"x[0]*x[1]*x[2]*{classes} + {classes}")
            if is_gap
            else Wrong("positions-forgotten", f"x[0]*{classes} + {classes}"),
        ],
    )
    if level > 1:
        wrong = [Wrong("average-ignored", f"{channels}*{larger}*{larger}")]
        if not is_gap:
            wrong = [
                Wrong("positions-forgotten", f"{channels}"),
                Wrong("size-fixed", "x[0]*x[1]*x[2]"),
            ]
        sheet.blank(
            "features",
            f"in_features for larger images, whose map is {channels}×{larger}×{larger}",
            channels if is_gap else channels * larger * larger,
            f"{channels}" if is_gap else f"{channels}*{larger}*{larger}",
            wrong=wrong,
        )
    if level > 2:
        sheet.boolean(
            "runs",
            "the network, as it was trained, takes the larger images too",
            is_gap,
            "size-fixed" if is_gap else "size-free",
            told="The average gives one value for each channel, whatever the size."
            if is_gap
            else "The linear layer expects the number of values that it was built for.",
        )
    before = "nn.AdaptiveAvgPool2d(1), nn.Flatten()" if is_gap else "nn.Flatten()"
    sheet.question = (
        f"The last map is {channels}×{side}×{side}. The head is {before} and a linear layer to "
        f"{classes} classes. How many parameters has the linear layer?"
        + (
            f" Larger images give a map of {channels}×{larger}×{larger}: which in_features would "
            "the layer need for them?"
            if level > 1
            else ""
        )
        + (" Does the trained network take them (true or false)?" if level > 2 else "")
    )
    sheet.hint = "What is left of the map when it reaches the linear layer?"
    pool = "nn.AdaptiveAvgPool2d(1), " if is_gap else ""
    proof = (
        f"{IMPORTS}\n{COUNT}\nbefore = nn.Sequential({pool}nn.Flatten())\n"
        f"x = before(torch.zeros(1, {channels}, {side}, {side}))\n"
        f"head = nn.Linear(x.shape[1], {classes})\nprint(count(head))\n"
    )
    if level > 1:
        proof += (
            f"larger = before(torch.zeros(1, {channels}, {larger}, {larger}))\n"
            "print(larger.shape[1])\n"
        )
    if level > 2:
        proof += "try:\n    head(larger)\n    print(True)\nexcept RuntimeError:\n    print(False)\n"
    sheet.proof = proof
    sheet.reasons = _HEAD_RULE
    return sheet


TEMPLATES = (
    Template(
        "vgg-head",
        "The linear layers of a VGG",
        18,
        "classifier-head",
        _vgg_head,
        traps=("two-layers", "three-layers"),
    ),
    Template(
        "pooled-head",
        "A head with and without global average pooling",
        18,
        "global-average-pooling",
        _gap_head,
        traps=("average", "flatten"),
    ),
)
