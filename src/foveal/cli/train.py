"""``foveal train``: images to a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foveal.cli.options import (
    data_options,
    echo_json,
    group_options,
    read_data_options,
    read_group_options,
    typed_command,
)
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.api import FinishedRun
    from foveal.training import TrainConfig

_MODEL_OPTIONS = (
    click.option("--backbone", metavar="NAME", help="A timm model, such as resnet18."),
    click.option(
        "--weights",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A local checkpoint for the backbone (.safetensors or .pth).",
    ),
    click.option("--size", "size_px", type=int, metavar="PX", help="Input size in pixels."),
    click.option(
        "--fit",
        type=click.Choice(["squash", "crop", "pad"]),
        help="How a picture that is not square meets a square input.",
    ),
    click.option(
        "--window",
        metavar="NAME",
        help="Grey levels of 16-bit and DICOM images: set (one window for all, the default), "
        "range, header, hounsfield, image, or LOW:HIGH.",
    ),
    click.option(
        "--frames",
        metavar="WHICH",
        help="Of files with several frames or pages: middle (the default), a number from 1 on, "
        "or each, which makes every frame an image of one group.",
    ),
    click.option(
        "--views",
        metavar="LIST",
        help="Views whose features are averaged, e.g. identity,hflip.",
    ),
    click.option("--backend", metavar="NAME", help="Run the network this way, unprobed."),
    click.option(
        "--workers",
        "num_workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="Decoding threads.",
    ),
)
_EVIDENCE_OPTIONS = (
    click.option("--folds", "num_folds", type=int, metavar="N", help="Folds (default 5)."),
    click.option(
        "--test-size",
        type=float,
        metavar="SHARE",
        help="Hold out this share instead of cross-validating, e.g. 0.2.",
    ),
    click.option(
        "--seed", type=click.IntRange(min=0), metavar="N", help="Seed of every random choice."
    ),
    click.option(
        "--alpha",
        type=float,
        metavar="SHARE",
        help="Share of true labels that prediction sets may miss (default 0.1).",
    ),
    click.option(
        "--conditional",
        type=click.Choice(["marginal", "class"]),
        help="Coverage over all images, or for each class.",
    ),
    click.option(
        "--anonymous-paths",
        is_flag=True,
        help="Number files and groups in the run; their names go to RUN.private.csv.",
    ),
    click.option(
        "--class-weights",
        type=click.Choice(["auto", "balanced", "none"]),
        help="Whether every class counts the same.",
    ),
)


@click.command("train", epilog="\b\nExample:\n  foveal train photos/ --out runs/photos")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="The run folder (default: a new one under runs/).",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing run.")
@group_options
@data_options
@click.option("--json", "as_json", is_flag=True, help="The evidence as JSON on stdout.")
def command(data: Path, out: Path | None, overwrite: bool, as_json: bool, **values: Any) -> None:
    """Turn labelled images into a classifier with its evidence.

    DATA is a folder of class folders, a folder with train/, val/, test/, or a table with
    path,label and optionally group,split. The run folder gets the model, the out-of-fold
    evidence, a report and a model card.
    """
    from foveal.api import make_run
    from foveal.progress import ProgressDisplay

    config = read_config(values)
    with ProgressDisplay() as display:
        finished = make_run(
            data, out, config=config, overwrite=overwrite, command=typed_command(), listener=display
        )
    show_finished(
        finished,
        as_json=as_json,
        next_commands=(shlex.join(["foveal", "predict", str(finished.folder), "NEW-IMAGES"]),),
    )


for _option in reversed((*_MODEL_OPTIONS, *_EVIDENCE_OPTIONS)):
    command = _option(command)


def read_config(values: dict[str, Any]) -> TrainConfig:
    """Returns the choices that were made; what was not given keeps its default."""
    from foveal.training import TrainConfig

    groups = read_group_options(values)
    options = read_data_options(values)
    chosen = {name: value for name, value in values.items() if value is not None}
    if "views" in chosen:
        chosen["views"] = tuple(view.strip() for view in chosen["views"].split(",") if view.strip())
    if str(chosen.get("frames", "")).isdecimal():
        chosen["frames"] = int(chosen["frames"])
    return TrainConfig(groups=groups, reading=options, **chosen)


def show_finished(finished: FinishedRun, *, as_json: bool, next_commands: Sequence[str]) -> None:
    """Prints the outcome of a training."""
    from foveal.api import private_table
    from foveal.cli.style import terminal_style
    from foveal.reporting import render_text
    from foveal.reporting.sections.heat_maps import shortcut_warnings
    from foveal.runs.writing import evaluation_json

    trained = finished.trained
    if as_json:
        content = evaluation_json(trained, finished.explanations)
        echo_json("train", {"run": printable(str(finished.folder)), **content})
        return
    if trained.private_names is not None:
        names = printable(str(private_table(finished.folder)))
        click.echo(f"Keep to yourself: {names} says which number is which file.", err=True)
    click.echo(
        render_text(
            trained.evidence,
            trained.audit,
            cautions=tuple(one.detail for one in shortcut_warnings(finished.explanations)),
            report_path=str(finished.folder / "report.html"),
            next_commands=next_commands,
            style=terminal_style(),
        )
    )
