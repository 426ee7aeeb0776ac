"""Drills of topics 8 and 21, by hand on a small map: cross-correlation and pooling."""

from __future__ import annotations

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import IMPORTS
from foveal.learn.drills.diagrams import number_grids
from foveal.learn.drills.sheet import Sheet, Wrong, bracketed, enumerated
from foveal.learn.drills.template import PLAIN, Template

Rows = list[list[int]]


def _draw(chance: Chance, size: int, least: int, most: int) -> Rows:
    return [[chance.between(least, most) for _ in range(size)] for _ in range(size)]


def _window(rows: Rows, top: int, left: int, size: int) -> Rows:
    """Returns a window; what lies outside of the map is 0."""
    return [
        [
            rows[r][c] if 0 <= r < len(rows) and 0 <= c < len(rows) else 0
            for c in range(left, left + size)
        ]
        for r in range(top, top + size)
    ]


def _products(window: Rows, kernel: Rows) -> str:
    """Returns the sum of products as a formula; taps of 0 are left out."""
    terms = [
        f"{bracketed(k)}*{x}"
        for k_row, x_row in zip(kernel, window, strict=True)
        for k, x in zip(k_row, x_row, strict=True)
        if k
    ]
    return " + ".join(terms) or "0"


def _flipped(kernel: Rows) -> Rows:
    return [row[::-1] for row in kernel[::-1]]


def _transposed(kernel: Rows) -> Rows:
    return [list(column) for column in zip(*kernel, strict=True)]


def correlate(rows: Rows, kernel: Rows, *, stride: int, padding: int) -> Rows:
    """Returns what ``F.conv2d`` gives for one channel."""
    positions = (len(rows) + 2 * padding - len(kernel)) // stride + 1
    return [
        [
            sum(
                k * x
                for k_row, x_row in zip(
                    kernel,
                    _window(rows, i * stride - padding, j * stride - padding, len(kernel)),
                    strict=True,
                )
                for k, x in zip(k_row, x_row, strict=True)
            )
            for j in range(positions)
        ]
        for i in range(positions)
    ]


def _cross_correlation(chance: Chance, level: int, trap: str) -> Sheet | None:
    """A 4×4 map and a small kernel; some outputs."""
    size = 2 if level == 1 and trap != "padding" else 3
    rows = _draw(chance, 4, 0, 5)
    kernel = _draw(chance, size, -2, 2)
    padding = 1 if trap == "padding" else 0
    stride = 2 if trap == "stride" else 1
    if trap == "stride" and size == 3:
        padding = 1
    flips_differ = len({str(k) for k in (kernel, _flipped(kernel), _transposed(kernel))}) == 3
    if not flips_differ or sum(map(len, kernel)) - sum(row.count(0) for row in kernel) < 3:
        return None
    result = correlate(rows, kernel, stride=stride, padding=padding)
    positions = len(result)
    corners = [(0, 0), (positions - 1, positions - 1), (0, positions - 1), (positions - 1, 0)]
    asked = list(dict.fromkeys(chance.shuffled(corners)))[:level]
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    for i, j in asked:
        top, left = i * stride - padding, j * stride - padding
        window = _window(rows, top, left, size)
        wrong = [
            Wrong("kernel-flipped", _products(window, _flipped(kernel))),
            Wrong("kernel-transposed", _products(window, _transposed(kernel))),
        ]
        if padding or stride > 1:
            moved = _window(rows, i, j, size)
            wrong.append(Wrong("window-misplaced", _products(moved, kernel)))
        sheet.blank(
            f"y{i}{j}",
            f"y[{i}][{j}]",
            result[i][j],
            _products(window, kernel),
            wrong=wrong,
            kind="number",
            tolerance=0.001,
        )
    options = (f", stride={stride}" if stride > 1 else "") + (
        f", padding={padding}" if padding else ""
    )
    named = enumerated([f"y[{i}][{j}]" for i, j in asked])
    sheet.question = (
        f"`y = F.conv2d(x, k{options})` for one channel, without bias. What "
        f"{'is' if len(asked) == 1 else 'are'} {named}? Rows and columns are counted from 0."
    )
    sheet.figure = number_grids([("map x", rows), ("kernel k", kernel)])
    sheet.hint = "Lay the kernel on the map as it is, multiply what lies on one another, add."
    prints = "".join(f"print(round(y[0, 0, {i}, {j}].item()))\n" for i, j in asked)
    sheet.proof = (
        f"{IMPORTS}from torch.nn import functional as F\n\n"
        f"x = torch.tensor({rows}, dtype=torch.float32)[None, None]\n"
        f"k = torch.tensor({kernel}, dtype=torch.float32)[None, None]\n"
        f"y = F.conv2d(x, k{options})\n{prints}"
    )
    sheet.reasons = (
        "What frameworks call convolution is cross-correlation: y[i][j] = Σ k[a][b]·x[i+a][j+b], "
        "nothing is flipped. Since the kernel is learned it makes no difference: training finds "
        "the flipped one."
    )
    return sheet


def _true_convolution(chance: Chance, level: int, trap: str) -> Sheet | None:
    """Signal processing's convolution, by a framework that does not flip."""
    size = 2 if level == 1 else 3
    kernel = _draw(chance, size, -3, 4)
    rows = _draw(chance, size, 0, 5)
    turned = _flipped(kernel)
    if len({str(k) for k in (kernel, turned, _transposed(kernel))}) < 3:
        return None
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    positions = [(0, 0), (0, size - 1), (size - 1, 0)]
    names = []
    if trap == "kernel":
        for number, (a, b) in enumerate(
            chance.shuffled(positions)[:level] if level < 3 else positions
        ):
            wrong = [Wrong("kernel-not-flipped", f"{kernel[a][b]}")]
            wrong.append(Wrong("flipped-one-way", f"{kernel[a][size - 1 - b]}"))
            sheet.blank(
                f"k{number}",
                f"k[{a}][{b}]",
                turned[a][b],
                f"{turned[a][b]}",
                wrong=wrong,
                kind="number",
                tolerance=0.001,
                told=f"k[{a}][{b}] is w[{size - 1 - a}][{size - 1 - b}]:",
            )
            names.append((a, b))
        sheet.question = (
            "`F.conv2d(x, k)` is to give the **true** convolution of x with the kernel w below. "
            f"What must {enumerated([f'k[{a}][{b}]' for a, b in names])} be?"
        )
        sheet.figure = number_grids([("kernel w", kernel)])
        prints = "".join(f"print(round(k[{a}, {b}].item()))\n" for a, b in names)
        sheet.proof = (
            f"{IMPORTS}\nw = torch.tensor({kernel}, dtype=torch.float32)\nk = w.flip(0, 1)\n"
            "# The true convolution of a single 1 with w is w itself.\n"
            f"x = torch.zeros(1, 1, {3 * size}, {3 * size})\nx[0, 0, {size}, {size}] = 1\n"
            "y = nn.functional.conv2d(x, k[None, None])\n"
            f"assert torch.equal(y[0, 0, 1 : 1 + {size}, 1 : 1 + {size}], w)\n{prints}"
        )
    else:
        window = rows
        if level > 1:
            sheet.step("Turn the kernel by half a turn: " + "; ".join(map(str, turned)) + ".")
        sheet.blank(
            "y",
            "true convolution",
            sum(
                k * x
                for kr, xr in zip(turned, window, strict=True)
                for k, x in zip(kr, xr, strict=True)
            ),
            _products(window, turned),
            wrong=[
                Wrong("kernel-not-flipped", _products(window, kernel)),
                Wrong("flipped-one-way", _products(window, [row[::-1] for row in kernel])),
            ],
            kind="number",
            tolerance=0.001,
        )
        prints = "print(round(nn.functional.conv2d(x, w.flip(2, 3)).item()))\n"
        if level > 2:
            own = _products(window, kernel)
            sheet.blank(
                "own",
                "F.conv2d(x, w)",
                sum(
                    k * x
                    for kr, xr in zip(kernel, window, strict=True)
                    for k, x in zip(kr, xr, strict=True)
                ),
                own,
                wrong=[
                    Wrong("kernel-flipped", _products(window, turned)),
                    Wrong("kernel-transposed", _products(window, _transposed(kernel))),
                ],
                kind="number",
                tolerance=0.001,
            )
            prints += "print(round(nn.functional.conv2d(x, w).item()))\n"
        sheet.question = (
            "The kernel w lies exactly on the map x. What is the single value of the **true** "
            "convolution, the one of mathematics"
            + ("?" if level < 3 else ", and what does `F.conv2d(x, w)` give?")
        )
        sheet.figure = number_grids([("map x", rows), ("kernel w", kernel)])
        sheet.proof = (
            f"{IMPORTS}\nx = torch.tensor({rows}, dtype=torch.float32)[None, None]\n"
            f"w = torch.tensor({kernel}, dtype=torch.float32)[None, None]\n{prints}"
        )
    sheet.hint = "A true convolution reverses both axes of the kernel; a framework does not."
    sheet.reasons = (
        "Convolution is Σ w[a][b]·x[i−a][j−b]: the kernel is reversed in both axes. Frameworks "
        "leave that out, and learned weights make it irrelevant."
    )
    return sheet


def _pooling_by_hand(chance: Chance, level: int, trap: str) -> Sheet | None:
    rows = _draw(chance, 4, 0, 9)
    size, stride = (2, 2) if level < 3 else (3, 1)
    positions = (4 - size) // stride + 1
    cells = [(i, j) for i in range(positions) for j in range(positions)]
    asked = sorted(chance.shuffled(cells)[:level])
    sheet = Sheet(traps=frozenset((trap,)))
    is_max = trap == "max"
    for i, j in asked:
        window = _window(rows, i * stride, j * stride, size)
        values = [value for row in window for value in row]
        total, count = sum(values), len(values)
        mean = f"({' + '.join(map(str, values))})/{count}"
        largest = f"max({', '.join(map(str, values))})"
        wrong = [
            Wrong("mean-for-max", mean) if is_max else Wrong("max-for-mean", largest),
            Wrong("sum-for-mean", f"{total}") if not is_max else Wrong("sum-for-max", f"{total}"),
        ]
        if i or j:
            other = _window(rows, j * stride, i * stride, size)
            others = [str(value) for row in other for value in row]
            text = f"max({', '.join(others)})" if is_max else f"({' + '.join(others)})/{count}"
            if i != j:
                wrong.append(Wrong("positions-swapped", text))
        sheet.blank(
            f"y{i}{j}",
            f"y[{i}][{j}]",
            max(values) if is_max else total / count,
            largest if is_max else mean,
            wrong=wrong,
            kind="number",
            tolerance=0.006,
        )
    name = "max_pool2d" if is_max else "avg_pool2d"
    options = f"{size}" + (f", stride={stride}" if stride != size else "")
    sheet.question = (
        f"`y = F.{name}(x, {options})` on this map. What "
        f"{'is' if len(asked) == 1 else 'are'} {enumerated([f'y[{i}][{j}]' for i, j in asked])}? "
        "Rows and columns are counted from 0." + ("" if is_max else " Two decimals are enough.")
    )
    sheet.figure = number_grids([("map x", rows)])
    sheet.hint = "Mark the window of each output first: it begins at row i·s and column j·s."
    prints = "".join(f"print(y[0, 0, {i}, {j}].item())\n" for i, j in asked)
    sheet.proof = (
        f"{IMPORTS}\nx = torch.tensor({rows}, dtype=torch.float32)[None, None]\n"
        f"y = nn.functional.{name}(x, {options})\n{prints}"
    )
    sheet.reasons = (
        "Max pooling says whether something is there, wherever in the window; average pooling says "
        "how much of it there is. The first is usual in hidden layers, the second at the end."
    )
    return sheet


TEMPLATES = (
    Template(
        "cross-correlation",
        "Cross-correlation by hand",
        21,
        "cross-correlation",
        _cross_correlation,
        traps=(PLAIN, "padding", "stride"),
        also_topics=(1,),
        proof="numbers",
    ),
    Template(
        "true-convolution",
        "The true convolution",
        21,
        "true-convolution",
        _true_convolution,
        traps=("kernel", "value"),
        proof="numbers",
    ),
    Template(
        "pooling-by-hand",
        "Max and average pooling by hand",
        8,
        "pooling-values",
        _pooling_by_hand,
        traps=("max", "average"),
        proof="numbers",
    ),
)
