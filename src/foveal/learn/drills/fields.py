"""Drills of topic 15: receptive fields."""

from __future__ import annotations

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.diagrams import field_through
from foveal.learn.drills.field_layers import (
    ANY_CHANNELS,
    FIELD_CODE,
    LEGEND,
    RULE,
    code,
    draw_windows,
    fields_after,
    grown,
    growth_mistakes,
    listed,
    short_text,
    traps_of,
)
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import PLAIN, Template
from foveal.learn.drills.window import Window


def _field_growth(chance: Chance, level: int, trap: str) -> Sheet | None:
    windows = draw_windows(chance, level + 1, trap)
    fields = fields_after(windows)
    sheet = Sheet(traps=traps_of(windows))
    names = [f"conv{number + 1}" for number in range(len(windows))]
    before, jump = "1", 1
    for index, (name, window) in enumerate(zip(names, windows, strict=True)):
        sheet.blank(
            name,
            f"field after `{name}`",
            fields[index].size,
            grown(before, window, jump),
            wrong=growth_mistakes(before, windows[: index + 1]),
            unit="pixels",
        )
        before, jump = name, jump * window.stride
    lines = "\n".join(f"{n} = {code(w)}" for n, w in zip(names, windows, strict=True))
    sheet.question = (
        f"One after the other:\n\n```\n{lines}\n```\n\n"
        "How large is the receptive field of one unit after each layer, along one axis? "
        + ANY_CHANNELS
    )
    sheet.hint = "Start with 1, the pixel itself. How far apart are two neighbouring units by now?"
    sheet.proof = (
        f"{FIELD_CODE}\n{listed(windows)}for depth in range(1, {len(windows) + 1}):\n"
        "    print(length(*net[:depth]))\n"
    )
    sheet.reasons = RULE
    sheet.solution_figure = field_through(list(zip(names, windows, strict=True)))
    return sheet


def _kernel_for_field(chance: Chance, level: int, trap: str) -> Sheet | None:
    windows = draw_windows(chance, level + 1, trap)
    kernel = chance.pick((3, 5, 7))
    windows[-1] = Window(kernel, 1, dilation=windows[-1].dilation)
    fields = fields_after(windows)
    sheet = Sheet(traps=traps_of(windows))
    jump = 1
    for number, window in enumerate(windows[:-1]):
        size = fields[number].size
        shown = grown(str(1 if number == 0 else fields[number - 1].size), window, jump)
        sheet.step(
            f"after `conv{number + 1}`: {shown} = {size}".replace("*", "·").replace(" - ", " − "),
            size,
        )
        jump *= window.stride
    before, goal, d = fields[-2].size, fields[-1].size, windows[-1].dilation
    per_step = jump * d
    sheet.step(f"One more step of the kernel widens the field by {per_step}.", per_step)
    wrong = [Wrong("full-kernel", f"({goal} - {before})/{per_step}")]
    if jump > 1:
        wrong.append(Wrong("strides-ignored", f"({goal} - {before})/{d} + 1", len(windows) - 1))
    if d > 1:
        wrong.append(Wrong("dilation-ignored", f"({goal} - {before})/{jump} + 1", len(windows) - 1))
    sheet.blank("k", "kernel_size", kernel, f"({goal} - {before})/{per_step} + 1", wrong=wrong)
    lines = [f"conv{n + 1} = {code(w)}" for n, w in enumerate(windows)]
    lines[-1] = lines[-1].replace(f"kernel_size={kernel}", "kernel_size=____")
    listing = "\n".join(lines)
    sheet.question = (
        f"After the last of these layers one unit is to see {goal} pixels along each axis:\n\n"
        f"```\n{listing}\n```\n\nWhat stands in the blank? {ANY_CHANNELS}"
    )
    sheet.hint = "How large is the field before the last layer, and how far apart are its units?"
    last = code(windows[-1], axes=1).replace(f"kernel_size={kernel}", "kernel_size=k")
    sheet.proof = (
        f"{FIELD_CODE}\n{listed(windows[:-1])}for k in range(1, 12):\n    last = {last}\n"
        f"    if length(*net, last) == {goal}:\n        print(k)\n"
    )
    sheet.reasons = RULE
    return sheet


def _depth_for_field(chance: Chance, level: int, trap: str) -> Sheet | None:
    """How many equal layers reach a field."""
    kernel = chance.pick((3, 3, 5))
    depth = chance.between(3, 9)
    dilation = chance.pick((2, 3)) if trap == "dilation" else 1
    stem = [Window(chance.pick((3, 5, 7)), 2) for _ in range(level - 1)]
    body = Window(kernel, dilation=dilation)
    goal = fields_after([*stem, *[body] * depth])[-1].size
    sheet = Sheet(traps=frozenset(("dilation",)) if dilation > 1 else frozenset())
    begun, jump = 1, 1
    for number in range(len(stem)):
        now = fields_after(stem[: number + 1])[-1].size
        sheet.step(f"after `stem{number + 1}`: the field is {now}", now)
        begun, jump = now, jump * 2
    each = (kernel - 1) * dilation * jump
    shown = f"({kernel} − 1)" + (f"·{dilation}" if dilation > 1 else "")
    shown += f"·{jump}" if jump > 1 else ""
    sheet.step(f"Each layer adds {shown} = {each}.", each)
    here = len(sheet.steps) - 1
    wrong = [Wrong("full-kernel", f"({goal} - {begun})/{each + jump * dilation}", here)]
    if not stem:
        wrong.append(Wrong("field-over-kernel", f"floor({goal}/{kernel})", here))
    wrong.append(Wrong("one-too-many", f"({goal} - {begun})/{each} + 1"))
    if jump > 1:
        wrong.append(
            Wrong("strides-ignored", f"({goal} - {begun})/{(kernel - 1) * dilation}", here)
        )
    if dilation > 1:
        wrong.append(Wrong("dilation-ignored", f"({goal} - {begun})/{(kernel - 1) * jump}", here))
    sheet.blank(
        "n", "number of layers", depth, f"({goal} - {begun})/{each}", wrong=wrong, unit="layers"
    )
    listing = "\n".join(
        [f"stem{n + 1} = {code(w)}" for n, w in enumerate(stem)]
        + [f"body = {code(body)}  # n times"]
    )
    sheet.question = (
        f"One unit is to see {goal} pixels along each axis.\n\n```\n{listing}\n```\n\n"
        "How many of the equal layers `body`, one after the other, are needed"
        + (" after the stem? " if stem else "? ")
        + ANY_CHANNELS
    )
    sheet.hint = "What does one such layer add to the field?"
    sheet.proof = (
        f"{FIELD_CODE}\n{listed(stem, 'stem')}for n in range(1, 12):\n"
        f"    body = [{code(body, axes=1)} for _ in range(n)]\n"
        f"    if length(*stem, *body) == {goal}:\n        print(n)\n"
    ).replace("x = torch.zeros(1, 1, 400", "x = torch.zeros(1, 1, 2000")
    sheet.reasons = "Equal layers make the field grow by the same amount each time. " + RULE
    return sheet


_BRANCHES = (
    ("a", (Window(1),)),
    ("b", (Window(1), Window(3))),
    ("c", (Window(1), Window(5))),
    ("d", (Window(1), Window(3), Window(3))),
    ("e", (Window(3), Window(1))),
    ("f", (Window(7),)),
    ("g", (Window(3, dilation=2),)),
    ("h", (Window(3, dilation=3), Window(1))),
)


def _field_of_branches(chance: Chance, level: int, trap: str) -> Sheet | None:
    stem = [Window(chance.pick((3, 5, 7)), 2 if trap == "stride" else 1)]
    chosen = [_BRANCHES[position][1] for position in sorted(chance.several(range(8), level + 1))]
    begun = fields_after(stem)[-1].size
    jump = stem[0].stride
    sheet = Sheet(traps=frozenset(("stride",)) if jump > 1 else frozenset())
    names = []
    for letter, windows in zip("abcd", chosen, strict=False):
        size = fields_after([*stem, *windows])[-1].size
        formula, wrong_formula, full = str(begun), str(begun), str(begun)
        for w in windows:
            if w.kernel > 1:
                formula = grown(formula, w, jump)
                wrong_formula = grown(wrong_formula, w, 1)
                full = grown(full, w, jump, "full-kernel")
        wrong = (
            [Wrong("full-kernel", full)]
            if full != formula
            else [Wrong("full-kernel", f"{begun} + {jump}")]
        )
        if jump > 1 and wrong_formula != formula:
            wrong.append(Wrong("strides-ignored", wrong_formula))
        name = f"branch_{letter}"
        sheet.blank(name, f"field through `{name}`", size, formula, wrong=wrong, unit="pixels")
        names.append(name)
    sizes = [value for value in sheet.values.values() if isinstance(value, int)]
    if len(set(sizes)) < len(sizes):
        return None
    together = ", ".join(names)
    sheet.blank(
        "all",
        "field after the concatenation",
        max(sizes),
        f"max({together})",
        wrong=[
            Wrong("branches-added", " + ".join(names)),
            Wrong("narrow-branch", f"min({together})"),
        ],
        unit="pixels",
    )
    listing = "\n".join(
        f"branch_{letter}: {short_text(ws)}" for letter, ws in zip("abcd", chosen, strict=False)
    )
    sheet.question = (
        "After a stem the branches stand side by side, padded so that their maps have one size, "
        f"and are concatenated:\n\n```\nstem:     {short_text(stem)}\n{listing}\n```\n\n"
        f"{LEGEND} How many pixels does a unit see along one axis through each branch, and after "
        "the concatenation?"
    )
    sheet.hint = "Follow each branch on its own first."
    branches = "".join(
        listed(ws, f"branch_{letter}") for letter, ws in zip("abcd", chosen, strict=False)
    )
    sheet.proof = (
        f"{FIELD_CODE}\n{listed(stem, 'stem')}{branches}lengths = []\n"
        f"for branch in ({', '.join(names)}):\n    lengths.append(length(*stem, *branch))\n"
        "    print(lengths[-1])\nprint(max(lengths))\n"
    )
    sheet.reasons = (
        "What is joined sees all that its parts see, so the widest branch decides. " + RULE
    )
    return sheet


def _order_by_field(chance: Chance, level: int, trap: str) -> Sheet | None:
    """Which of the stacks sees most; depth alone does not decide."""
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    stacks = []
    for _ in range(level + 1):
        windows = draw_windows(chance, chance.between(1, 4), trap)
        stacks.append(windows)
    if not any(traps_of(windows) for windows in stacks) and trap != PLAIN:
        return None
    sizes = [fields_after(windows)[-1].size for windows in stacks]
    letters = "abcd"[: len(stacks)]
    wrongs = {
        "strides-ignored": [1 + sum((w.kernel - 1) * w.dilation for w in ws) for ws in stacks],
        "dilation-ignored": [
            fields_after([Window(w.kernel, w.stride) for w in ws])[-1].size for ws in stacks
        ],
        "depth-for-field": [len(ws) for ws in stacks],
        "field-as-last-kernel": [ws[-1].kernel for ws in stacks],
    }
    if len(set(sizes)) < len(sizes):
        return None
    sheet.order(
        "order", "narrowest first", letters, sizes, wrongs, [short_text(ws) for ws in stacks]
    )
    if not sheet.fields[-1].mistakes:
        return None
    sheet.question = (
        "Order these stacks by the receptive field of their last unit, the **narrowest first**. "
        + LEGEND
    )
    sheet.hint = "Count the field of each; more layers need not see more."
    stacks_code = "".join(listed(ws, letter) for letter, ws in zip(letters, stacks, strict=True))
    pairs = ", ".join(f'"{letter}": length(*{letter})' for letter in letters)
    sheet.proof = (
        f"{FIELD_CODE}\n{stacks_code}fields = {{{pairs}}}\nprint(*sorted(fields, key=fields.get))\n"
    )
    sheet.reasons = RULE
    return sheet


TEMPLATES = (
    Template(
        "field-growth",
        "The receptive field, layer by layer",
        15,
        "receptive-field",
        _field_growth,
        traps=(PLAIN, "stride", "dilation"),
        also_topics=(1, 12),
        proof="numbers",
    ),
    Template(
        "kernel-for-field",
        "The kernel that gives a receptive field",
        15,
        "receptive-field",
        _kernel_for_field,
        traps=(PLAIN, "stride", "dilation"),
        direction="backwards",
        proof="numbers",
    ),
    Template(
        "depth-for-field",
        "The depth that gives a receptive field",
        15,
        "field-depth",
        _depth_for_field,
        traps=(PLAIN, "dilation"),
        also_topics=(5,),
        direction="backwards",
        proof="numbers",
    ),
    Template(
        "field-of-branches",
        "The receptive field of parallel branches",
        15,
        "field-branches",
        _field_of_branches,
        traps=(PLAIN, "stride"),
        proof="numbers",
    ),
    Template(
        "order-by-field",
        "Which stack sees most",
        15,
        "receptive-field",
        _order_by_field,
        traps=(PLAIN, "stride", "dilation"),
        proof="numbers",
    ),
)
