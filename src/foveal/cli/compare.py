"""``foveal compare``: two runs, or a run and somebody's answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foveal.cli.options import echo_json, noun

if TYPE_CHECKING:
    from foveal.evaluation import Figure


@click.command(
    "compare",
    epilog=(
        "\b\nExample:\n  foveal compare runs/linear runs/tuned\n"
        "  foveal compare runs/linear reader.csv --margin 0.02"
    ),
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path))
@click.option(
    "--margin",
    type=float,
    metavar="SHARE",
    help="Whether RUN is worse by less than this, e.g. 0.02 for two points.",
)
@click.option(
    "--figure",
    type=click.Choice(("accuracy", "balanced_accuracy", "auroc")),
    default="accuracy",
    help="What the margin is about (default: accuracy).",
)
@click.option("--path-column", metavar="NAME", help="Column of the table with the files.")
@click.option("--label-column", metavar="NAME", help="Column of the table with the answers.")
@click.option("--encoding", metavar="NAME", help="Of a table that is not UTF-8, e.g. cp949.")
@noun("seed", default=0)
@noun("html")
@noun("json")
def command(
    run: Path,
    other: Path,
    margin: float | None,
    figure: Figure,
    path_column: str | None,
    label_column: str | None,
    encoding: str | None,
    seed: int,
    html: Path | None,
    as_json: bool,
) -> None:
    """Compare a run with another, or with answers in a table.

    OTHER is a run, or a table with path and label (the answer), and perhaps a column of
    probabilities a class. Only images of both count, each by a model that had not seen it.
    With --margin the command exits with 1 unless RUN is shown to be no worse.
    """
    from foveal.api import compare
    from foveal.cli.streams import terminal_style
    from foveal.dataset import DataOptions
    from foveal.files import write_atomically
    from foveal.reporting import render_comparison_html, render_comparison_text
    from foveal.schema import to_json

    reading = DataOptions(path_column=path_column, label_column=label_column, encoding=encoding)
    found = compare(run, other, margin=margin, figure=figure, reading=reading, seed=seed)
    if html is not None:
        write_atomically(html, render_comparison_html(found).encode())
    if as_json:
        echo_json("compare", to_json(found))
    else:
        click.echo(render_comparison_text(found, style=terminal_style()))
    judged = found.comparison.margin
    if judged is not None and judged.verdict != "not worse":
        sys.exit(1)
