"""Options that several commands share."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from foveal.cli.streams import takes_every_letter
from foveal.schema import stamped
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.dataset import DataOptions, GroupOptions

Command = TypeVar("Command", bound=Callable[..., Any])

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


_STATED_OPTIONS = (
    click.option("--mean", metavar="NUMBERS", help="Its mean, as 0.5 or 0.485,0.456,0.406."),
    click.option("--std", metavar="NUMBERS", help="The same for the standard deviation."),
    click.option(
        "--classes",
        "names",
        metavar="NAMES|FILE",
        help="Names of its outputs: with commas, or a file with one a line.",
    ),
)


def stated_options(command: Command) -> Command:
    """Adds the options that say what a network that is no run was made for."""
    for option in reversed(_STATED_OPTIONS):
        command = option(command)
    return command


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
        click.echo(f"Note: {note}", err=True)


def typed_command() -> str:
    """Returns the command line as it was typed, for the record."""
    return printable(shlex.join(["foveal", *sys.argv[1:]]))
