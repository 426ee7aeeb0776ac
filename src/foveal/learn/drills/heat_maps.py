"""Drills of topic 14: Grad-CAM by hand, and of topic 6: the gradient through skip connections."""

from __future__ import annotations

from fractions import Fraction

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import IMPORTS
from foveal.learn.drills.diagrams import number_grids
from foveal.learn.drills.sheet import Sheet, Wrong, bracketed
from foveal.learn.drills.template import PLAIN, Template


def _grad_cam(chance: Chance, level: int, trap: str) -> Sheet | None:
    count = 2 if level < 3 else 3
    maps = [[[chance.between(0, 6) for _ in range(2)] for _ in range(2)] for _ in range(count)]
    gradients = [
        [[chance.between(-4, 6) for _ in range(2)] for _ in range(2)] for _ in range(count)
    ]
    weights = [Fraction(sum(map(sum, gradient)), 4) for gradient in gradients]
    if 0 in weights or len(set(weights)) < count:
        return None
    i, j = chance.below(2), chance.below(2)
    inner = sum(w * m[i][j] for w, m in zip(weights, maps, strict=True))
    if (inner < 0) != (trap == "relu") or inner == 0:
        return None
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    for number, gradient in enumerate(gradients):
        values = [value for row in gradient for value in row]
        own = [value for row in maps[number] for value in row]
        total = " + ".join(map(bracketed, values))
        sheet.blank(
            f"w{number + 1}",
            f"weight of map {number + 1}",
            float(weights[number]),
            f"({total})/4",
            kind="number",
            tolerance=0.006,
            wrong=[
                Wrong("sum-for-mean", total),
                Wrong("maps-for-gradients", f"({' + '.join(map(str, own))})/4"),
                Wrong("max-for-mean", f"max({', '.join(map(str, values))})"),
            ],
        )
    names = [f"w{number + 1}" for number in range(count)]
    plain = " + ".join(f"{n}*{m[i][j]}" for n, m in zip(names, maps, strict=True))
    if level > 1:
        early = " + ".join(f"max(0, {n})*{m[i][j]}" for n, m in zip(names, maps, strict=True))
        wrong = [Wrong("gradients-unused", " + ".join(str(m[i][j]) for m in maps))]
        wrong += [Wrong("no-relu", plain)] if inner < 0 else []
        wrong += [Wrong("relu-too-early", early)] if min(weights) < 0 else []
        sheet.blank(
            "cam",
            f"heat map at [{i}][{j}], before it is enlarged",
            float(max(inner, Fraction(0))),
            f"max(0, {plain})",
            kind="number",
            tolerance=0.012,
            wrong=wrong,
        )
    sheet.question = (
        f"A layer has {count} maps of 2×2 and the gradients of a class score with respect to them, "
        "as below. "
        + (
            "What are the Grad-CAM weights of the maps?"
            if level == 1
            else f"What are the Grad-CAM weights, and what is the heat map at row {i}, column {j}?"
        )
    )
    entries = [(f"map {n + 1}", m) for n, m in enumerate(maps)]
    entries += [(f"grad {n + 1}", g) for n, g in enumerate(gradients)]
    sheet.figure = number_grids(entries)
    sheet.hint = "A map's weight is the mean of its gradients over all positions."
    sheet.proof = (
        f"{IMPORTS}\nmaps = {_tensor(maps)}.requires_grad_()\n"
        "# A score whose gradients are those of the question.\n"
        f"score = (maps * {_tensor(gradients)}).sum()\n"
        "(gradients,) = torch.autograd.grad(score, maps)\n"
        "weights = gradients.mean(dim=(1, 2))\nfor weight in weights.tolist():\n    print(weight)\n"
        + (
            f"cam = torch.relu((weights[:, None, None] * maps).sum(dim=0))\n"
            f"print(cam[{i}, {j}].item())\n"
            if level > 1
            else ""
        )
    )
    sheet.reasons = (
        "Grad-CAM: the gradients of the class score, averaged over space, are the weights of the "
        "maps; their weighted sum is cut at 0 and enlarged to the image. What speaks against the "
        "class does not show."
    )
    return sheet


def _tensor(matrices: list[list[list[int]]]) -> str:
    """Returns PyTorch for the tensor, a line for each matrix."""
    lines = "".join(f"    {matrix},\n" for matrix in matrices)
    return f"torch.tensor([\n{lines}], dtype=torch.float32)"


def _gradient_through_skips(chance: Chance, level: int, trap: str) -> Sheet | None:
    """dy/dx of stacked blocks y = x + w·x, or of plain ones y = w·x."""
    count = level + 1
    slopes = [
        Fraction(chance.pick((-8, -6, -5, -4, -2, 1, 2, 3, 4, 5, 6)), 10) for _ in range(count)
    ]
    sheet = Sheet(traps=frozenset((trap,)))
    residual = trap == "residual"
    running, before = Fraction(1), ""
    for number, slope in enumerate(slopes):
        running *= 1 + slope if residual else slope
        text = _tenths(slope)
        own = f"(1 + {text})" if residual else text
        prefix = f"{before}*" if before else ""
        wrong = (
            [Wrong("identity-forgotten", f"{prefix}{text}")]
            if residual
            else [Wrong("identity-added", f"{prefix}(1 + {text})")]
        )
        if before:
            wrong.append(Wrong("gradients-added", f"{before} + {own}"))
        name = f"g{number + 1}"
        sheet.blank(
            name,
            f"∂x{number + 1}/∂x0",
            float(running),
            f"{prefix}{own}",
            kind="number",
            tolerance=0.0006,
            wrong=wrong,
        )
        before = name
    lines = "\n".join(
        f"x{n + 1} = "
        + (f"x{n} + F{n + 1}(x{n})" if residual else f"F{n + 1}(x{n})")
        + f"      F{n + 1}'(x{n}) = {float(s):g}"
        for n, s in enumerate(slopes)
    )
    sheet.question = (
        f"{'Residual' if residual else 'Plain'} blocks, one number wide. At this x the slopes of "
        f"the F are as given.\n\n```\n{lines}\n```\n\n"
        "What is the gradient of each x with respect to x0? Three decimals are enough."
    )
    sheet.hint = "The chain rule multiplies. What is the slope of one whole block?"
    body = "x + w * x" if residual else "w * x"
    sheet.proof = (
        f"{IMPORTS}\nx = x0 = torch.tensor(1.0, requires_grad=True)\n"
        f"for w in {[float(s) for s in slopes]}:\n    x = {body}\n"
        "    (gradient,) = torch.autograd.grad(x, x0, retain_graph=True)\n"
        "    print(gradient.item())\n"
    )
    sheet.reasons = (
        "∂L/∂x = ∂L/∂y·(1 + ∂F/∂x): the 1 of the identity carries the gradient through, however "
        "small the slopes are. Without it the small slopes multiply and the gradient fades."
    )
    return sheet


def _tenths(number: Fraction) -> str:
    text = f"{float(number):g}"
    return f"({text})" if number < 0 else text


TEMPLATES = (
    Template(
        "grad-cam",
        "Grad-CAM by hand",
        14,
        "grad-cam",
        _grad_cam,
        traps=(PLAIN, "relu"),
        proof="numbers",
    ),
    Template(
        "gradient-through-skips",
        "The gradient through skip connections",
        6,
        "skip-gradient",
        _gradient_through_skips,
        traps=("residual", "plain-net"),
        also_topics=(24,),
        proof="numbers",
    ),
)
