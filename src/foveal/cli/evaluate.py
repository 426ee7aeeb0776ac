"""``foveal evaluate``: a run on new labelled data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from foveal.dataset import DataOptions, GroupOptions
    from foveal.runs.classifier import Classifier


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
@click.option(
    "--unlabelled", is_flag=True, help="The images have no labels: tell drift and case mix alone."
)
@noun("json")
def command(
    run: Path,
    data: Path,
    subgroups: tuple[str, ...],
    features: Path | None,
    unlabelled: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Score a run on new labelled data, without fitting anything to them.

    DATA takes the same forms as for train. Files that cannot be read are left out, and the
    command then exits with 1. Of images without labels (a folder without class folders, or
    --unlabelled) it tells whether they are like those of training.
    """
    from foveal.api import load
    from foveal.dataset.unlabelled import has_no_labels

    groups = read_group_options(values)
    reading = read_data_options(values)
    classifier = load(run)
    echo_notes(classifier.notes)
    if unlabelled or has_no_labels(data):
        if features is not None:
            raise click.UsageError("--features goes with labelled data: leave it out here.")
        if not unlabelled:
            echo_notes(["The folder has no class folders: its images were taken as unlabelled."])
        _without_labels(classifier, data, groups, run_name=str(run), as_json=as_json)
    else:
        _with_labels(
            classifier,
            data,
            groups,
            reading,
            subgroups,
            features,
            run_name=str(run),
            as_json=as_json,
        )


def _without_labels(
    classifier: Classifier, data: Path, groups: GroupOptions, *, run_name: str, as_json: bool
) -> None:
    from foveal.api import drift
    from foveal.cli.streams import terminal_style
    from foveal.progress import ProgressDisplay
    from foveal.reporting import render_unlabelled_text
    from foveal.schema import to_json

    with ProgressDisplay() as display, display.step("Predicting and comparing"):
        found = drift(classifier, data, groups=groups, progress=display.advance)
    if as_json:
        echo_json("drift", to_json(found))
    else:
        click.echo(render_unlabelled_text(found, run_name=run_name, style=terminal_style()))
    _leave_if_bad(found.num_bad, found.num_bad + found.num_images + found.num_seen)


def _with_labels(
    classifier: Classifier,
    data: Path,
    groups: GroupOptions,
    reading: DataOptions,
    subgroups: tuple[str, ...],
    features: Path | None,
    *,
    run_name: str,
    as_json: bool,
) -> None:
    from foveal.api import evaluate
    from foveal.cli.streams import terminal_style
    from foveal.progress import ProgressDisplay
    from foveal.reporting import render_evaluation_text
    from foveal.schema import to_json

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
        external = None if scored.external is None else to_json(scored.external)
        further = {"num_seen": scored.num_seen, "external": external}
        echo_json("evaluate", {**scored.evidence.to_json(), **further})
    else:
        click.echo(
            render_evaluation_text(
                scored.evidence,
                scored.audit,
                run_name=run_name,
                trained_accuracy=classifier.evidence.metrics.accuracy,
                external=scored.external,
                style=terminal_style(),
            )
        )
    num_bad = scored.evidence.data.num_bad
    _leave_if_bad(num_bad, num_bad + len(scored.predictions))


def _leave_if_bad(num_bad: int, num_files: int) -> None:
    """Exits with 1 where files could not be read, and says how many."""
    if num_bad:
        click.echo(
            fitted(f"{num_bad:,} of {count_noun(num_files, 'file')} could not be used."), err=True
        )
        sys.exit(1)
