"""``foveal learn export``: exercises for teachers, in the formats of other programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from foveal.errors import UsageError
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.learn.drills import Template
    from foveal.learn.exercise import Exercise
    from foveal.learn.exports.questions import Question

Command = TypeVar("Command", bound=Callable[..., Any])

_MAX_COUNT = 1000


@click.group("export", short_help="The course for a browser; exercises for Anki, Moodle, QTI, ...")
def export() -> None:
    """Write exercises in the formats of other programs, with feedback for every mistake.

    WHAT is the number of a topic, the name of a drill (`foveal learn drill --list`) or of a
    question (quiz:15-2); several may be given, and nothing means everything. An answer is
    marked there as it is marked here.
    """


def _what(command: Command) -> Command:
    return click.argument("what", nargs=-1, metavar="[WHAT]...")(command)


def _variants(command: Command) -> Command:
    options = (
        click.option(
            "--count",
            type=click.IntRange(1, _MAX_COUNT),
            default=5,
            show_default=True,
            help="Variants of each drill.",
        ),
        _level,
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="The first variant; another number gives other ones.",
        ),
        click.option(
            "--choices",
            "is_chosen",
            is_flag=True,
            help="Multiple choice; up to four named mistakes are the wrong choices.",
        ),
        click.option("--on", "model", metavar="MODEL", help="Ask about this network of yours."),
        click.option("--input", "input_spec", metavar="CxHxW", help="With --on: of one image."),
        _overwrite,
    )
    for option in reversed(options):
        command = option(command)
    return command


_level = click.option(
    "--level", type=click.IntRange(1, 3), default=1, show_default=True, help="1 to 3."
)
_overwrite = click.option("--overwrite", is_flag=True, help="Replace what is there.")


def _file(suffix: str) -> Callable[[Command], Command]:
    def check(context: click.Context, parameter: click.Parameter, file: Path) -> Path:
        if file.suffix.lower() != suffix:
            raise click.BadParameter(
                f"got {printable(str(file))!r}, expected a name that ends in {suffix}.",
                context,
                parameter,
            )
        return file

    return click.argument("file", type=click.Path(path_type=Path, dir_okay=False), callback=check)


def _epilog(kind: str, target: str) -> str:
    return f"\b\nExample:\n  foveal learn export {kind} 15 --count 10 {target}"


@export.command("anki", short_help="A package for Anki (.apkg).", epilog=_epilog("anki", "15.apkg"))
@_what
@_file(".apkg")
@_variants
def anki(what: tuple[str, ...], file: Path, overwrite: bool, **chosen: Any) -> None:
    """Write cards for Anki: one for each blank, in a deck for each topic.

    Importing a newer export changes the cards that are there and keeps what was learned.
    """
    from foveal.learn.exports.anki import anki_package

    asked = _asked(what, **chosen)
    _write(file, anki_package(asked, at_seconds=time.time()), overwrite, asked)


@export.command("moodle", short_help="Moodle XML.", epilog=_epilog("moodle", "fields.xml"))
@_what
@_file(".xml")
@_variants
def moodle(what: tuple[str, ...], file: Path, overwrite: bool, **chosen: Any) -> None:
    """Write a question bank that Moodle imports as "Moodle XML format"."""
    from foveal.learn.exports.moodle import moodle_xml

    asked = _asked(what, **chosen)
    _write(file, moodle_xml(asked), overwrite, asked)


@export.command("gift", short_help="GIFT, as text.", epilog=_epilog("gift", "fields.gift"))
@_what
@_file(".gift")
@_variants
def gift(what: tuple[str, ...], file: Path, overwrite: bool, **chosen: Any) -> None:
    """Write a question bank in GIFT, which Moodle and many others import."""
    from foveal.learn.exports.gift import gift as gift_text

    asked = _asked(what, **chosen)
    _write(file, gift_text(asked).encode(), overwrite, asked)


@export.command("qti", short_help="A QTI 2.1 package (.zip).", epilog=_epilog("qti", "fields.zip"))
@_what
@_file(".zip")
@_variants
def qti(what: tuple[str, ...], file: Path, overwrite: bool, **chosen: Any) -> None:
    """Write a QTI 2.1 content package: items with response processing, and a test of all."""
    from foveal.learn.exports.qti import qti_package

    asked = _asked(what, **chosen)
    _write(file, qti_package(asked), overwrite, asked)


@export.command(
    "prairielearn",
    short_help="Question folders for PrairieLearn.",
    epilog="\b\nExample:\n  foveal learn export prairielearn 15 --level 2 course/questions",
)
@_what
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@_level
@click.option("--on", "model", metavar="MODEL", hidden=True)
@_overwrite
def prairielearn(
    what: tuple[str, ...], folder: Path, level: int, model: str | None, overwrite: bool
) -> None:
    """Write a question folder for each drill and question into FOLDER.

    PrairieLearn gives every student other variants: server.py asks Foveal for them and for the
    marks, so the package foveal has to be installed where PrairieLearn runs Python.
    """
    from foveal.files import write_atomically
    from foveal.learn.exports.prairielearn import question_folders
    from foveal.learn.exports.selection import names_of

    if model is not None:
        raise UsageError(
            "PrairieLearn makes its variants itself, where your network is not.",
            next_step="Use another format for drills of your own network, such as moodle or qti.",
        )
    folders, left_out = question_folders([(name, level) for name in names_of(what)])
    _say_left_out(left_out)
    there = [each.name for each in folders if (folder / each.name).exists()]
    if there and not overwrite:
        raise UsageError(
            f"{printable(str(folder / there[0]))} is there already.",
            next_step="Choose another folder, or add --overwrite.",
        )
    for each in folders:
        (folder / each.name).mkdir(parents=True, exist_ok=True)
        for name, content in each.files.items():
            write_atomically(folder / each.name / name, content.encode())
    click.echo(f"{count_noun(len(folders), 'question')} written to {printable(str(folder))}.")


@export.command(
    "sheet",
    short_help="A sheet to print, with a separate key.",
    epilog=_epilog("sheet", "monday"),
)
@_what
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--title", default="", help="What stands above (default: the topic).")
@_variants
def sheet(what: tuple[str, ...], folder: Path, title: str, overwrite: bool, **chosen: Any) -> None:
    """Write sheet.html and key.html into FOLDER; print them from a browser, on A4 or Letter.

    The key has answers, tolerances, every named mistake and the worked solutions. Both carry
    the same code.
    """
    from foveal.files import write_atomically
    from foveal.learn.exports.sheet import make_sheet

    pages = make_sheet(_exercises(what, **chosen), title=title)
    contents = {"sheet.html": pages.sheet_html, "key.html": pages.key_html}
    there = [name for name in contents if (folder / name).exists()]
    if there and not overwrite:
        raise UsageError(
            f"{printable(str(folder / there[0]))} is there already.",
            next_step="Choose another folder, or add --overwrite.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(folder / name, content.encode())
    click.echo(f"Sheet {pages.code}: sheet.html and key.html written to {printable(str(folder))}.")


def _own(model: str | None, input_spec: str | None) -> tuple[Template, ...] | None:
    from foveal.cli.learn import network_drills

    if model is None:
        if input_spec is not None:
            raise click.UsageError("--input is the input of a network; name that with --on.")
        return None
    click.echo(f"Following {printable(model)} …", err=True)
    return network_drills(model, input_spec)


def _exercises(
    what: tuple[str, ...],
    *,
    count: int,
    level: int,
    seed: int,
    is_chosen: bool,
    model: str | None,
    input_spec: str | None,
) -> tuple[Exercise, ...]:
    from foveal.learn.drills.choices import as_multiple_choice
    from foveal.learn.exports.selection import exercises_of, names_of

    own = _own(model, input_spec)
    names = names_of(what, own)
    exercises = exercises_of(names, level=level, count=count, first_seed=seed, own=own)
    return tuple(map(as_multiple_choice, exercises)) if is_chosen else exercises


def _asked(what: tuple[str, ...], **chosen: Any) -> tuple[Question, ...]:
    """Returns one question for each blank, and says what was split or left out."""
    from foveal.learn.exports.questions import ask_each_blank

    asked = ask_each_blank(_exercises(what, **chosen))
    _say_left_out(asked.left_out)
    if not asked.questions:
        raise UsageError("this format can hold none of these exercises, so nothing was written.")
    if asked.split:
        names = dict.fromkeys(exercise.template for exercise in asked.split)
        click.echo(
            f"{count_noun(len(asked.split), 'exercise')} with several blanks became one question "
            "for each blank, since this format cannot go on from a learner's own earlier value: "
            f"{', '.join(map(printable, names))}.",
            err=True,
        )
    return asked.questions


def _say_left_out(left_out: Sequence[tuple[Exercise, str]]) -> None:
    from foveal.learn.exports.questions import exercise_name

    for exercise, reason in left_out:
        click.echo(f"Left out: {printable(exercise_name(exercise))}: {reason}.", err=True)


def _write(file: Path, content: bytes, overwrite: bool, asked: Sequence[Question]) -> None:
    from foveal.files import write_atomically

    if file.exists() and not overwrite:
        raise UsageError(
            f"{printable(str(file))} is there already.",
            next_step="Choose another name, or add --overwrite.",
        )
    write_atomically(file, content)
    click.echo(f"{count_noun(len(asked), 'question')} written to {printable(str(file))}.")
