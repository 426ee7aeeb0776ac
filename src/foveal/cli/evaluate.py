"""``foveal evaluate``: a run on new labelled data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from foveal.cli.options import (
    data_options,
    echo_json,
    echo_notes,
    group_options,
    noun,
    read_data_options,
    read_group_options,
)
from foveal.cli.streams import fitted
from foveal.text import count_noun


@click.command("evaluate", epilog="\b\nExample:\n  foveal evaluate runs/photos next-year/")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@group_options
@data_options
@noun("subgroup")
@click.option(
    "--features",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Parts that foveal predict --shards --features wrote with this run; what they hold is not "
    "computed.",
)
@noun("json")
def command(
    run: Path,
    data: Path,
    subgroups: tuple[str, ...],
    features: Path | None,
    as_json: bool,
    **values: Any,
) -> None:
    """Score a run on new labelled data, without fitting anything to them.

    DATA takes the same forms as for train. Files that cannot be read are left out, and the
    command then exits with 1.
    """
    from foveal.api import evaluate, load
    from foveal.cli.style import terminal_style
    from foveal.progress import ProgressDisplay
    from foveal.reporting import render_evaluation_text

    groups = read_group_options(values)
    reading = read_data_options(values)
    classifier = load(run)
    echo_notes(classifier.notes)
    with ProgressDisplay() as display, display.step("Predicting and measuring"):
        scored = evaluate(
            classifier,
            data,
            groups=groups,
            reading=reading,
            subgroups=subgroups,
            features=features,
            progress=display.advance,
        )
    if as_json:
        echo_json("evaluate", {**scored.evidence.to_json(), "num_seen": scored.num_seen})
    else:
        click.echo(
            render_evaluation_text(
                scored.evidence,
                scored.audit,
                run_name=str(run),
                trained_accuracy=classifier.evidence.metrics.accuracy,
                style=terminal_style(),
            )
        )
    num_bad = scored.evidence.data.num_bad
    if num_bad:
        num_files = num_bad + len(scored.predictions)
        click.echo(
            fitted(f"{num_bad:,} of {count_noun(num_files, 'file')} could not be used."), err=True
        )
        sys.exit(1)
