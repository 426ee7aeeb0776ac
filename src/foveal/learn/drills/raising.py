"""A drill of topics 2 and 19: which line of a network raises, and why."""

from __future__ import annotations

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import IMPORTS, square
from foveal.learn.drills.layers import Conv, Map, Pool
from foveal.learn.drills.sheet import Sheet
from foveal.learn.drills.template import Template
from foveal.learn.drills.window import Window

_REASONS = {
    "channels": "its in_channels differs from the channels that arrive",
    "features": "its in_features differs from the values that arrive",
    "too-small": "its kernel is larger than the map that arrives",
    "runs": "nothing: the whole network runs",
}


def _which_line_raises(chance: Chance, level: int, trap: str) -> Sheet | None:
    side = chance.pick((8, 12, 16) if trap == "too-small" else (16, 20, 24, 32))
    channels, classes = chance.pick((1, 3)), chance.pick((2, 5, 10))
    given = shape = (channels, side, side)
    lines: list[tuple[str, str]] = []
    told: list[str] = []
    raises = ""
    faulty = chance.below(level) + 1  # among the convolutions after the first
    for number in range(level + 1):
        name = f"conv{number + 1}"
        large = trap == "too-small" and number == faulty
        kernel = chance.pick((7, 9)) if large else 3
        conv = Conv(
            shape[0],
            chance.pick([w for w in (8, 16, 24, 32) if w != shape[0]]),
            square(kernel),
            padding=square(0 if large or number == 0 else 1),
        )
        written = conv
        if trap == "channels" and number == faulty:
            other = chance.pick([w for w in (8, 12, 16, 24, 32) if w != shape[0]])
            written = Conv(other, conv.out_channels, conv.kernel, padding=conv.padding)
        lines.append((name, written.code))
        fits = all(w.fits(size) for w, size in zip(conv.windows, shape[1:], strict=True))
        if not raises and (written != conv or not fits):
            raises = name
            told.append(
                f"`{name}` is given {_text(shape)}, but "
                + (
                    f"expects {written.in_channels} channels: it raises."
                    if written != conv
                    else f"its kernel of {kernel} does not fit: it raises."
                )
            )
        if not fits:
            conv = Conv(conv.in_channels, conv.out_channels, square(1))
        result = conv.shape(shape)
        if not raises:
            told.append(f"`{name}`: {_text(shape)} → {_text(result)}")
        shape = result
        if min(shape[1:]) < 2:
            return None
        if number < 2:
            pooled = Pool(Window(2, 2)).shape(shape)
            lines.append((f"pool{number + 1}", "nn.MaxPool2d(2)"))
            if not raises:
                told.append(f"`pool{number + 1}`: {_text(shape)} → {_text(pooled)}")
            shape = pooled
    values = shape[0] * shape[1] * shape[2]
    written_features = values
    if trap == "features":
        written_features = chance.pick((shape[0], values * 4, shape[0] * shape[1], values * 2))
    lines += [("flat", "nn.Flatten()"), ("fc", f"nn.Linear({written_features}, {classes})")]
    if not raises:
        told.append(f"`flat`: {_text(shape)} → {values:,} values")
        if written_features != values:
            raises = "fc"
            told.append(
                f"`fc` is given {values:,} values, but expects {written_features:,}: it raises."
            )
        else:
            told.append(f"`fc` is given {values:,} values and expects as many: it runs.")
    if (trap == "runs") != (not raises) or shape[1] < 2:
        return None
    sheet = Sheet(traps=frozenset((trap,)))
    for text in told:
        sheet.step(text)
    names = [name for name, _ in lines]
    wrong = []
    for name in [*names, "it runs"]:
        if name == (raises or "it runs"):
            continue
        if name == "it runs":
            wrong.append((name, "does-not-run", told[-1]))
        elif raises and names.index(name) > names.index(raises):
            wrong.append(
                (name, "earlier-line-raises", f"`{raises}` fails before `{name}` is reached.")
            )
        else:
            wrong.append((name, "shape-fits-there", f"`{name}` runs: what it is given fits."))
    right = raises or "it runs"
    sheet.choice(
        "line",
        "which line raises",
        (right, told[-1]),
        wrong,
        [*names, "it runs"],
        told=f"So: {right}." if raises else "So every line runs.",
    )
    reason = _REASONS[trap]
    unlike = {
        "channels": "Every convolution that is reached is given the channels that it expects.",
        "too-small": "Every kernel that is reached fits into the map that arrives.",
        "features": f"`{raises}` fails before `fc` is reached." if raises else "",
        "runs": "",
    }
    sheet.choice(
        "why",
        "what is wrong with it",
        (reason, told[-1]),
        [
            (text, "other-reason", f"{unlike[name]} {told[-1]}".strip())
            for name, text in _REASONS.items()
            if text != reason
        ],
        chance.shuffled(tuple(_REASONS.values())),
        told=f"The reason: {reason}." if raises else "Nothing is wrong.",
    )
    listing = "\n".join(f"{name} = {line}" for name, line in lines)
    sheet.question = (
        f"An image of {_text(given)} goes through these layers, one after the other:\n\n"
        f"```\n{listing}\n```\n\nWhich line raises an error, if any does, and why?"
    )
    sheet.hint = "Write down the shape after each line until something does not fit."
    pairs = "".join(f'    ("{name}", {line}),\n' for name, line in lines)
    sheet.proof = (
        f"{IMPORTS}\nlayers = [\n{pairs}]\nx = torch.zeros(1, {given[0]}, {given[1]}, {given[2]})\n"
        "for name, layer in layers:\n    try:\n        x = layer(x)\n"
        "    except RuntimeError as error:\n"
        "        print(name)\n        message = str(error)\n"
        '        if "channels" in message:\n'
        f'            print("{_REASONS["channels"]}")\n'
        '        elif "multiplied" in message:\n'
        f'            print("{_REASONS["features"]}")\n'
        "        else:\n"
        f'            print("{_REASONS["too-small"]}")\n'
        "        break\nelse:\n"
        f'    print("it runs")\n    print("{_REASONS["runs"]}")\n'
    )
    sheet.reasons = (
        "A convolution checks the channels and that its kernel fits; a linear layer checks the "
        "number of values. Height and width are free until something is flattened."
    )
    return sheet


def _text(shape: Map) -> str:
    return "×".join(map(str, shape))


TEMPLATES = (
    Template(
        "which-line-raises",
        "Which line raises, and why",
        19,
        "network-errors",
        _which_line_raises,
        traps=("channels", "features", "too-small", "runs"),
        also_topics=(2,),
        direction="backwards",
        proof="numbers",
    ),
)
