"""A table of finished texts: what stands beside every figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and a second, quieter one such as an interval."""

    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Header and rows; the first column names the row.

    Attributes:
        caption: What the table holds, as a phrase.
        header: One text a column.
        rows: As long as the header each.
        num_text_columns: How many leading columns hold words, aligned left.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell | str, ...], ...]
    num_text_columns: int = 1

    def cells(self) -> tuple[tuple[Cell, ...], ...]:
        """Returns the rows with every text made a cell."""
        return tuple(
            tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row)
            for row in self.rows
        )


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with what to see in it and its numbers.

    Attributes:
        svg: Markup from ``foveal.reporting.figures``.
        caption: What to see, in a sentence or two.
        table: The numbers drawn.
        gutter: Where labels stand outside the plot: ``"name"`` (left) or ``"bar"`` (names
            left, values right) with how much room the names need, ``"tick"`` (left, narrow)
            or ``"none"``.
        legend: Pairs of a mark's CSS class and what it stands for.
    """

    svg: str
    caption: str
    table: Table
    gutter: str = "none"
    legend: tuple[tuple[str, str], ...] = ()
