"""Options that several commands share."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from foveal.cli.streams import fitted, takes_every_letter
from foveal.schema import stamped
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.dataset import DataOptions, GroupOptions
    from foveal.graph.inputs import InputShape

Command = TypeVar("Command", bound=Callable[..., Any])


class FileToWrite(click.Path):
    """A file that a command writes in the end: whether it can is tried before the work."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Returns the path.

        Raises:
            OSError: It cannot be written.
        """
        from foveal.files import require_writable

        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if ctx is None or not ctx.resilient_parsing:
            require_writable(path)
        return path


FILE_TO_WRITE = FileToWrite()

_GROUP_OPTIONS = (
    click.option(
        "--group-column",
        metavar="NAME",
        help="Column of the table that names the group (default: group, if there).",
    ),
    click.option(
        "--group-regex",
        metavar="REGEX",
        help="Group from each path: the first bracketed part, e.g. '(patient\\d+)'.",
    ),
    click.option(
        "--group-table",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Table with path,group (default: groups.csv in the data folder).",
    ),
    click.option(
        "--group-gap",
        type=float,
        metavar="SECONDS",
        help="Images taken less than this apart (EXIF, DICOM) belong together.",
    ),
    click.option(
        "--no-groups",
        is_flag=True,
        help="Take every image to stand alone, whatever names and tests say.",
    ),
    click.option(
        "--groups-approximate",
        is_flag=True,
        help="The groups are a guess; the report says so.",
    ),
)


_DATA_OPTIONS = (
    click.option("--path-column", metavar="NAME", help="Column of the table with the files."),
    click.option("--label-column", metavar="NAME", help="Column of the table with the labels."),
    click.option(
        "--encoding", metavar="NAME", help="Of a table that is not UTF-8, e.g. cp949 or latin-1."
    ),
    click.option(
        "--labels-as-written",
        is_flag=True,
        help="Every text is a class: also nan, ?, numbers and lists.",
    ),
    click.option(
        "--class-level",
        type=int,
        metavar="N",
        help="The folder level that names the class, from 1.",
    ),
    click.option(
        "--follow-links", is_flag=True, help="Follow links that lead out of the data folder."
    ),
    click.option(
        "--min-images",
        type=int,
        default=1,
        metavar="N",
        help="Leave classes with fewer usable images out, by name.",
    ),
)


def data_options(command: Command) -> Command:
    """Adds the options that say how data are read where their form leaves a choice."""
    for option in reversed(_DATA_OPTIONS):
        command = option(command)
    return command


def read_data_options(values: dict[str, Any]) -> DataOptions:
    """Takes the options of ``data_options`` out of a command's ``values``."""
    from foveal.dataset import DataOptions

    return DataOptions(
        path_column=values.pop("path_column"),
        label_column=values.pop("label_column"),
        encoding=values.pop("encoding"),
        labels="as written" if values.pop("labels_as_written") else "checked",
        links="follow" if values.pop("follow_links") else "inside",
        class_level=values.pop("class_level"),
        min_images=values.pop("min_images"),
    )


def group_options(command: Command) -> Command:
    """Adds the options that say where groups come from."""
    for option in reversed(_GROUP_OPTIONS):
        command = option(command)
    return command


def read_group_options(values: dict[str, Any]) -> GroupOptions:
    """Takes the group options out of a command's ``values``."""
    from foveal.dataset import GroupOptions

    return GroupOptions(
        column=values.pop("group_column"),
        regex=values.pop("group_regex"),
        table=values.pop("group_table"),
        approximate=values.pop("groups_approximate"),
        gap_seconds=values.pop("group_gap"),
        search="off" if values.pop("no_groups") else "auto",
    )


# One spelling for a noun in every command; a command may say in its help what it does with it.
NOUNS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "weights": (
        ("--weights",),
        {
            "metavar": "WHICH|FILE",
            "help": "Of a network given by name: none, random, pretrained, or a checkpoint file "
            "(.safetensors, .pth). A run brings its own.",
        },
    ),
    "input": (
        ("--input", "input_text"),
        {
            "metavar": "CxHxW",
            "help": "Input of the network, as 3x224x224 or 224 (default: its own).",
        },
    ),
    "mean": (
        ("--mean",),
        {
            "metavar": "NUMBERS",
            "help": "Feed images with this mean, as 0.5 or 0.485,0.456,0.406 (default: the "
            "network's own).",
        },
    ),
    "std": (
        ("--std",),
        {"metavar": "NUMBERS", "help": "The same for the standard deviation."},
    ),
    "classes": (
        ("--classes", "class_names"),
        {
            "metavar": "NAMES|FILE",
            "help": "Names of the outputs of a network that is no run: with commas, or a file "
            "with one a line.",
        },
    ),
    "class": (
        ("--class", "classes"),
        {
            "multiple": True,
            "metavar": "NAME|INDEX",
            "help": "This class, or 'all' (may be repeated).",
        },
    ),
    "layer": (("--layer",), {"metavar": "NAME", "help": "An operation or module of the network."}),
    "images": (
        ("--images",),
        {"multiple": True, "metavar": "PATH", "help": "Images, or folders that hold some."},
    ),
    "size": (("--size", "size_px"), {"metavar": "PX", "type": int, "help": "Size in pixels."}),
    "seed": (
        ("--seed",),
        {"metavar": "N", "type": click.IntRange(min=0), "help": "Seed of every random choice."},
    ),
    "workers": (
        ("--workers", "num_workers"),
        {"metavar": "N", "type": click.IntRange(min=1), "help": "Threads (default: one a core)."},
    ),
    "html": (
        ("--html",),
        {"metavar": "FILE", "type": FILE_TO_WRITE, "help": "Write one page."},
    ),
    "subgroup": (
        ("--subgroup", "subgroups"),
        {
            "multiple": True,
            "metavar": "COLUMN",
            "help": "Figures for each value of this column of the table (may be repeated).",
        },
    ),
    "json": (
        ("--json", "as_json"),
        {"is_flag": True, "help": "Write JSON to stdout; docs/schemas describes it."},
    ),
}


def noun(name: str, **changes: Any) -> Callable[[Command], Command]:
    """Returns the option of ``NOUNS``, with what is particular to one command."""
    flags, settings = NOUNS[name]
    return click.option(*flags, **{**settings, **changes})


def network_options(command: Command) -> Command:
    """Adds the options that say which weights a network has and how it wants its images."""
    for name in ("classes", "std", "mean", "input", "weights"):
        command = noun(name)(command)
    return command


def read_network_options(values: dict[str, Any]) -> dict[str, Any]:
    """Takes the options of ``network_options`` out of a command's ``values``, for Python.

    Raises:
        click.BadParameter: One of them cannot be read.
    """
    return {
        "weights": values.pop("weights"),
        "input_shape": read_image_shape(values.pop("input_text")),
        "mean": read_numbers("mean", values.pop("mean")),
        "std": read_numbers("std", values.pop("std")),
        "class_names": read_names(values.pop("class_names")),
    }


def read_input(text: str | None) -> InputShape | None:
    """Returns the input that a network is looked at with, of any number of tensors."""
    from foveal.errors import UsageError
    from foveal.inspection import parse_input

    if text is None:
        return None
    # One image may also be written as Python prints it: 3,224,224.
    is_one_image = re.fullmatch(r"\s*\d+\s*,\s*\d+\s*,\s*\d+\s*", text)
    try:
        return parse_input(text.replace(",", "x") if is_one_image else text)
    except UsageError as error:
        raise click.BadParameter(str(error), param_hint="--input") from error


def read_image_shape(text: str | None) -> tuple[int | None, int, int] | None:
    """Returns (C, H, W); C is None where the text is a size alone, as 224 or 224x160."""
    if text is None:
        return None
    match = re.fullmatch(r"(?:(\d+)[x×,])?(?:(\d+)[x×,])?(\d+)", text.strip().lower())
    sizes = [int(part) for part in match.groups() if part is not None] if match else []
    if not sizes or min(sizes) < 1:
        raise click.BadParameter(
            f"got {text!r}, expected a size as 224 or 224x160, or channels, height and width as "
            "3x224x224.",
            param_hint="--input",
        )
    if len(sizes) == 3:
        return sizes[0], sizes[1], sizes[2]
    return None, sizes[0], sizes[-1]


def read_numbers(name: str, text: str | None) -> tuple[float, ...] | None:
    """Returns the numbers of ``--mean`` or ``--std``."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"got {text!r}, expected one number or three, as 0.5 or 0.485,0.456,0.406.",
            param_hint=f"--{name}",
        ) from None


def read_names(text: str | None) -> tuple[str, ...]:
    """Returns the names of classes, from the text or from the file that it names."""
    if text is None:
        return ()
    if not Path(text).is_file():
        names = tuple(part.strip() for part in text.split(","))
    else:
        try:
            lines = Path(text).read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(
                f"{printable(text)} cannot be read as UTF-8 text: {printable(str(error))}.",
                param_hint="--classes",
            ) from error
        names = tuple(name.strip() for name in lines if name.strip())
    if not all(names) or not names or (len(names) == 1 and Path(names[0]).suffix):
        raise click.BadParameter(
            f"got {printable(text)!r}, expected names with commas between them, or a text file "
            "with one name a line.",
            param_hint="--classes",
        )
    return tuple(map(printable, names))


def echo_json(schema: str, content: Mapping[str, Any]) -> None:
    """Writes JSON to stdout, in escapes where stdout cannot take every letter.

    Args:
        schema: A name in ``foveal.schema.VERSIONS``.
        content: What is written below the schema's name and version.
    """
    readable = takes_every_letter(sys.stdout)
    click.echo(json.dumps(stamped(schema, content), indent=2, ensure_ascii=not readable))


def echo_notes(notes: Iterable[str]) -> None:
    """Writes what a reader should know about the results to stderr, a line each."""
    for note in notes:
        click.echo(fitted(f"Note: {note}"), err=True)


def typed_command() -> str:
    """Returns the command line as it was typed, for the record."""
    return printable(shlex.join(["foveal", *sys.argv[1:]]))
