"""``foveal train``: images to a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foveal.cli.options import (
    Command,
    data_options,
    echo_json,
    group_options,
    noun,
    read_data_options,
    read_group_options,
    typed_command,
)
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.api import FinishedRun
    from foveal.training import TrainConfig

_MODEL_OPTIONS = (
    click.option(
        "--backbone",
        metavar="NAME",
        help="A timm model, such as resnet18; or one of Foveal's own, such as foveal:resnet20, "
        "which starts at random.",
    ),
    noun(
        "weights",
        help="Of the backbone: pretrained (the default), a checkpoint file (.safetensors, "
        ".pth), or none, which trains it from a random start.",
    ),
    noun("size", help="Size of the images as the network takes them, in pixels."),
    click.option(
        "--fit",
        type=click.Choice(["squash", "crop", "pad"]),
        metavar="HOW",
        help="An image that is not square: squash it (the default), crop or pad.",
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
    click.option(
        "--head",
        type=click.Choice(["auto", "linear", "stages", "kernel", "kernel-flips"]),
        help="What is fitted: auto (the simplest that none beats), linear, stages, kernel, or "
        "kernel-flips (four passes an image).",
    ),
    click.option(
        "--backend",
        metavar="NAME",
        help="A feature backend by name, instead of the fastest that is measured.",
    ),
    click.option(
        "--features",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Parts with features that foveal predict --shards --features wrote; what they hold is "
        "not computed. Needs --head linear.",
    ),
    noun("workers"),
)
_EVIDENCE_OPTIONS = (
    click.option("--folds", "num_folds", type=int, metavar="N", help="Folds (default 5)."),
    click.option(
        "--test-size",
        type=float,
        metavar="SHARE",
        help="Hold out this share instead of cross-validating, e.g. 0.2.",
    ),
    noun("seed"),
    noun("subgroup"),
    click.option(
        "--ordered",
        metavar="CLASSES",
        help="Order of the classes, e.g. 'mild<moderate<severe'; none where numbers have none.",
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
        metavar="HOW",
        help="Coverage of prediction sets: marginal, over all images (the default), or class, for "
        "each class.",
    ),
    click.option(
        "--anonymous-paths",
        is_flag=True,
        help="Number files and groups in the run; their names go to RUN.private.csv.",
    ),
    click.option(
        "--class-weights",
        type=click.Choice(["auto", "balanced", "none"]),
        metavar="HOW",
        help="balanced: every class counts the same; none; or auto, by how uneven they are (the "
        "default).",
    ),
)


_DECISION_OPTIONS = (
    click.option(
        "--operate",
        multiple=True,
        metavar="RULE",
        help="Decide by a threshold, e.g. 'sensitivity>=0.95 for defective'; also specificity, "
        "ppv, npv.",
    ),
    click.option(
        "--costs",
        metavar="COSTS|FILE",
        help="Decide by what mistakes cost, e.g. 'missed=10,false=1 for defective'; or a CSV of "
        "two classes.",
    ),
    click.option(
        "--prevalence",
        type=float,
        metavar="SHARE",
        help="Tell PPV and NPV also where this share of images is of that class, e.g. 0.02.",
    ),
)


def _training_options(command: Command) -> Command:
    groups = (_MODEL_OPTIONS, _TUNING_OPTIONS, _EVIDENCE_OPTIONS, _DECISION_OPTIONS)
    for option in reversed([one for group in groups for one in group]):
        command = option(command)
    return command


_TUNING_OPTIONS = (
    click.option(
        "--fine-tune",
        type=click.Choice(["none", "auto", "always"]),
        help="Train the last part of the network too: none (the default), auto keeps it only "
        "where it is better out of fold, always.",
    ),
    click.option(
        "--budget",
        metavar="TIME",
        help="Time for fine-tuning, such as 5m (the default): chooses cut, views and epochs.",
    ),
    click.option(
        "--unfreeze",
        metavar="WHAT",
        help="What is trained instead: 2-stages (the last two), a LAYER and all after it, all.",
    ),
    click.option(
        "--augment",
        metavar="POLICY",
        help="How images are changed to fine-tune on: none, light (the default), xray, "
        "any-orientation, strong, padded-crop, flip, crop, jitter, rotation, cutout, erasing, "
        "auto-augment, trivial-augment, mixup, cutmix; several joined by +.",
    ),
    click.option(
        "--soft-labels",
        multiple=True,
        metavar="COLUMN=CLASS",
        help="A column of the table with each image's share of a class, which fine-tuning learns; "
        "one for every class but one.",
    ),
    click.option(
        "--resume",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Go on with the checkpoints of a fine-tuning that was stopped.",
    ),
    click.option("--remove-bank", is_flag=True, help="Delete the stored activations in the end."),
    click.option(
        "--train-batchnorm",
        is_flag=True,
        help="Let the trained part's batch norms learn statistics of their own.",
    ),
    click.option(
        "--optimizer",
        type=click.Choice(["adamw", "sgd"]),
        help="adamw (the default) or sgd, with Nesterov momentum.",
    ),
    click.option(
        "--head-rate",
        type=float,
        metavar="RATE",
        help="Learning rate of the classifier (default 1e-3); the first layer's is a hundredth.",
    ),
    click.option(
        "--tuning-seeds",
        type=int,
        metavar="N",
        help="Train N times from one start and average the weights (default 1).",
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
@_training_options
@group_options
@data_options
@noun("json")
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


def read_config(values: dict[str, Any]) -> TrainConfig:
    """Returns the choices that were made; what was not given keeps its default."""
    from foveal.training import TrainConfig

    groups = read_group_options(values)
    options = read_data_options(values)
    chosen = {name: value for name, value in values.items() if value is not None}
    weights = chosen.pop("weights", "pretrained")
    if weights in ("none", "random"):
        chosen["weights"] = "none"
    elif weights != "pretrained":
        chosen["weights"] = Path(weights)
    if "views" in chosen:
        chosen["views"] = tuple(view.strip() for view in chosen["views"].split(",") if view.strip())
    rules = chosen.pop("operate", ())
    if len(rules) > 1:
        raise click.BadParameter(
            f"got {len(rules)} rules, expected one: a label can follow one threshold alone. Train "
            "once more for another; the features are kept.",
            param_hint="--operate",
        )
    if rules:
        chosen["operate"] = rules[0]
    if str(chosen.get("frames", "")).isdecimal():
        chosen["frames"] = int(chosen["frames"])
    return TrainConfig(groups=groups, reading=options, **chosen)


def show_finished(finished: FinishedRun, *, as_json: bool, next_commands: Sequence[str]) -> None:
    """Prints the outcome of a training."""
    from foveal.api import private_table
    from foveal.cli.streams import terminal_style
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
