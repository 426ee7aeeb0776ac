"""Drawings in text: number grids side by side, and a field that grows through layers."""

from __future__ import annotations

from collections.abc import Sequence

from foveal.learn.drills.window import Window
from foveal.learn.exercise import Figure, Grid
from foveal.text import count_noun

MAX_COLUMNS = 60
_SEEN, _NOT_SEEN = "■", "·"


def number_grids(entries: Sequence[tuple[str, Sequence[Sequence[object]]]]) -> Figure:
    """Returns grids of numbers side by side, such as a map and a kernel.

    >>> print(number_grids([("map", [[1, 20], [3, 4]]), ("kernel", [[5, 6]])]).text)
    map       kernel
     1  20    5  6
     3   4
    """
    grids = tuple(
        Grid(title, tuple(tuple(str(cell) for cell in row) for row in rows))
        for title, rows in entries
    )
    blocks = [_block(grid) for grid in grids]
    height = max(len(block) for block in blocks)
    lines = [
        "    ".join(
            (block[row] if row < len(block) else "").ljust(max(map(len, block))) for block in blocks
        ).rstrip()
        for row in range(height)
    ]
    alternative = " ".join(_in_words(grid) for grid in grids)
    return Figure("\n".join(lines), alternative, grids)


def _block(grid: Grid) -> list[str]:
    width = max(len(cell) for row in grid.rows for cell in row)
    return [grid.title, *("  ".join(cell.rjust(width) for cell in row) for row in grid.rows)]


def _in_words(grid: Grid) -> str:
    size = f"{len(grid.rows)} by {len(grid.rows[0])}"
    rows = "; ".join(", ".join(row) for row in grid.rows)
    return f"{grid.title[:1].upper()}{grid.title[1:]}, {size}, row by row: {rows}."


def field_through(layers: Sequence[tuple[str, Window]]) -> Figure | None:
    """Returns what one unit sees, layer by layer down to the input; None if it is too wide.

    Each row is drawn over the input's pixels: a unit stands at the middle of what it sees.
    """
    seen = {0}
    rows = [(f"after {layers[-1][0]}", seen)]
    for index in range(len(layers) - 1, -1, -1):
        window = layers[index][1]
        seen = {u * window.stride + window.dilation * t for u in seen for t in range(window.kernel)}
        rows.append((f"after {layers[index - 1][0]}" if index else "input", seen))
    jumps, middles = [1], [0]
    for _, window in layers:
        middles.append(middles[-1] + (window.kernel - 1) * window.dilation * jumps[-1])
        jumps.append(jumps[-1] * window.stride)
    width = max(rows[-1][1]) + 1
    if width > MAX_COLUMNS:
        return None
    cells, marked, words = [], [], []
    for number, (label, units) in enumerate(rows):
        depth = len(layers) - number
        columns = {unit * jumps[depth] + middles[depth] // 2 for unit in units}
        cells.append(tuple(_SEEN if c in columns else _NOT_SEEN for c in range(width)))
        marked += [(number, column) for column in sorted(columns)]
        words.append(f"{label}: {count_noun(len(units), 'position')}")
    labels = tuple(label for label, _ in rows)
    longest = max(map(len, labels))
    text = "\n".join(
        f"{label.ljust(longest)}  {''.join(row)}" for label, row in zip(labels, cells, strict=True)
    )
    holes = width - len(rows[-1][1])
    alternative = (
        f"What one unit sees along one axis: {'; '.join(words)}. In the input these span "
        f"{count_noun(width, 'pixel')}" + (f", of which {holes} are not seen." if holes else ".")
    )
    return Figure(
        text, alternative, (Grid("What one unit sees", tuple(cells), labels, tuple(marked)),)
    )
