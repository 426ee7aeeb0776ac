"""``foveal learn``: topics, drills, a quiz and spaced review, in the terminal."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from foveal.cli.learn_export import export
from foveal.cli.learn_teaching import items, read_reviews, variants
from foveal.cli.learn_web import export_site, serve_course
from foveal.cli.options import echo_json
from foveal.errors import ProgressError, UsageError
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.learn.drills import Template
    from foveal.learn.terminal.learner import Learner

_FEWEST_COLUMNS = 40

Command = TypeVar("Command", bound=Callable[..., Any])

_EPILOG = """\b
Example:
  foveal learn                        the map: what is strong, weak, due
  foveal learn topic 15               one page on receptive fields
  foveal learn drill 2                endless variants on output shapes
  foveal learn quiz                   one question of each topic
  foveal learn --web                  the same in a browser
"""


def _plain_option(command: Command) -> Command:
    return click.option(
        "--plain",
        is_flag=True,
        help="Linear text for screen readers: no columns, no drawings, no colour.",
    )(command)


def _seed_option(command: Command) -> Command:
    return click.option(
        "--seed", type=click.IntRange(min=0), help="Draw the same variants as before."
    )(command)


class _Learn(click.Group):
    """The commands of the course; a number alone is the page of that topic."""

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0].isdecimal():
            args = ["topic", *args]
        return super().resolve_command(context, args)


@click.group("learn", cls=_Learn, invoke_without_command=True, epilog=_EPILOG)
@_plain_option
@click.option("--json", "as_json", is_flag=True, help="Where each topic stands, as JSON.")
@click.option("--web", is_flag=True, help="Serve the course as a page on this machine.")
@click.option("--port", type=click.IntRange(1, 65535), help="With --web: the port.")
@click.option("--open", "opens", is_flag=True, help="With --web: open it in the browser.")
@click.pass_context
def command(
    context: click.Context, plain: bool, as_json: bool, web: bool, port: int | None, opens: bool
) -> None:
    """Learn how convolutional networks work: predict, run, and see where it went wrong.

    Alone it shows the map of the 27 topics and goes on where you are. Answers are kept in your
    data folder; nothing is sent anywhere.
    """
    context.obj = plain
    if (port is not None or opens) and not web:
        raise click.UsageError("--port and --open belong to --web.")
    if web and (as_json or context.invoked_subcommand is not None):
        raise click.UsageError("--web serves the whole course; give it alone.")
    if context.invoked_subcommand is not None:
        return
    if web:
        serve_course(port=port, opens=opens)
        return
    from foveal.learn.terminal.map import show_map, topic_states, walk_map
    from foveal.learn.topics import TOPICS

    # A line a topic is what a pipe can search.
    with _learning(plain or not sys.stdout.isatty()) as learner:
        if as_json:
            states = topic_states(learner)
            topics = [
                {"number": t.number, "title": t.title, "state": states[t.number]} for t in TOPICS
            ]
            echo_json("learn.topics", {"topics": topics})
        elif _is_terminal():
            walk_map(learner)
        else:
            show_map(learner)
            click.echo("This is no terminal, so nothing is asked.", err=True)


export.add_command(export_site)
command.add_command(export)
command.add_command(items)
command.add_command(variants)


@command.command(
    "topic",
    short_help="One page on a topic, by its number.",
    epilog="\b\nExample:\n  foveal learn topic 15",
)
@click.argument("number", type=int)
@_plain_option
@click.pass_obj
def show_topic_page(above: bool, number: int, plain: bool) -> None:
    """Print the page of a topic: the fact, an example, what people get wrong, where to go."""
    from foveal.learn.terminal.topic_page import show_topic
    from foveal.learn.topics import find_topic

    topic = find_topic(number)
    show_topic(_screen(above or plain), topic)


@command.command(
    "drill",
    short_help="Exercises that never repeat.",
    epilog="\b\nExample:\n  foveal learn drill 15\n  foveal learn drill --test\n"
    "  foveal learn drill --on net.py:build --input 1x28x28",
)
@click.argument("topic", type=int, required=False)
@click.option("--on", "model", metavar="MODEL", help="Ask about this network of yours.")
@click.option("--input", "input_spec", metavar="CxHxW", help="With --on: the shape of one image.")
@click.option("--test", "is_test", is_flag=True, help="Ten exercises, and no marks until the end.")
@click.option("--only-wrong", is_flag=True, help="Only what you got wrong last time.")
@click.option("--list", "is_list", is_flag=True, help="Name all drills and leave.")
@_seed_option
@_plain_option
@click.pass_obj
def drill(
    above: bool,
    topic: int | None,
    model: str | None,
    input_spec: str | None,
    is_test: bool,
    only_wrong: bool,
    is_list: bool,
    seed: int | None,
    plain: bool,
) -> None:
    """Practise with exercises that never repeat; TOPIC is a number, or all if left out.

    A wrong answer is met with the mistake that leads to it, and the step where it enters.
    """
    from foveal.learn.skills import find_exercise
    from foveal.learn.terminal.practice import (
        drilled_skills,
        drills_among,
        list_drills,
        practise,
        take_test,
    )

    if is_test and only_wrong:
        raise click.UsageError("--test and --only-wrong do not go together; give one of them.")
    if input_spec is not None and model is None:
        raise click.UsageError("--input is the input of a network; name that with --on.")
    if model is None:
        if is_list:
            click.echo(list_drills(topic))
            return
        skills, find = drilled_skills(topic), find_exercise
    else:
        if not is_list:
            _require_terminal("learn drill")  # said before the network is followed
            click.echo(f"Following {printable(model)} …", err=True)
        templates = network_drills(model, input_spec)
        skills, find = drills_among(templates, topic)
        if is_list:
            click.echo(list_drills(topic, templates))
            return
    _require_terminal("learn drill")
    with _learning(above or plain, seed=seed) as learner:
        if is_test:
            take_test(learner, skills, find=find)
        else:
            practise(learner, skills, only_wrong=only_wrong, find=find)


def network_drills(model: str, input_spec: str | None) -> tuple[Template, ...]:
    """Returns the drills of a network that was named as on the command line."""
    from foveal.inspection import parse_input
    from foveal.learn.drills.from_network import network_templates

    shape: tuple[Any, ...] | None = None
    if input_spec is not None:
        given = parse_input(input_spec)
        shape = given if isinstance(given, tuple) else ()
        if len(shape) != 3 or not all(isinstance(size, int) for size in shape):
            raise UsageError(
                f"got the input {printable(input_spec)!r}, expected one image as CxHxW.",
                next_step="Leave the batch axis out, as in --input 3x224x224.",
            )
    return network_templates(model, shape)


@command.command(
    "quiz",
    short_help="One question of each topic, or all of one.",
    epilog="\b\nExample:\n  foveal learn quiz\n  foveal learn quiz 24",
)
@click.argument("topic", type=int, required=False)
@click.option("--new", "is_new", is_flag=True, help="Begin anew instead of where you left.")
@_seed_option
@_plain_option
@click.pass_obj
def quiz(above: bool, topic: int | None, is_new: bool, seed: int | None, plain: bool) -> None:
    """Answer one question of each topic, or all of one TOPIC; at the end, where to go next."""
    from foveal.learn.terminal.quiz_sitting import forget_unfinished, sit_quiz
    from foveal.learn.topics import find_topic

    if topic is not None:
        find_topic(topic)
    _require_terminal("learn quiz")
    with _learning(above or plain, seed=seed) as learner:
        if is_new:
            forget_unfinished(learner, topic)
        sit_quiz(learner, topic)


@command.command(
    "review", short_help="What is due today.", epilog="\b\nExample:\n  foveal learn review"
)
@_seed_option
@_plain_option
@click.pass_obj
def review(above: bool, seed: int | None, plain: bool) -> None:
    """Answer a new variant of everything that is due today."""
    from foveal.learn.terminal.practice import nothing_due, review_due

    with _learning(above or plain, seed=seed) as learner:
        if not _is_terminal():
            waiting = nothing_due(learner)
            if waiting:
                click.echo(waiting)
                return
            _require_terminal("learn review")
        review_due(learner)


@command.group("progress", short_help="Export or import your answers.")
def progress() -> None:
    """Take your answers to another machine or to the web page, or bring them back."""


@progress.command("export", epilog="\b\nExample:\n  foveal learn progress export mine.json")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
def export_progress(file: Path) -> None:
    """Write all answers to FILE as JSON; - is standard output."""
    from foveal.files import write_atomically
    from foveal.learn.progress import dump_progress, parse_progress
    from foveal.learn.store import Store, default_file

    with Store(default_file()) as store:
        reviews = store.reviews()
    content = dump_progress(reviews)
    if str(file) == "-":
        click.echo(content.decode(), nl=False)
        return
    if file.exists():
        try:
            parse_progress(file.read_bytes())
        except ProgressError as error:
            raise UsageError(
                f"{printable(str(file))} is there already and is no export of progress.",
                next_step="Choose another name.",
            ) from error
    write_atomically(file, content)
    click.echo(f"{count_noun(len(reviews), 'answer')} written to {printable(str(file))}.")


@progress.command("import", epilog="\b\nExample:\n  foveal learn progress import mine.json")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def import_progress(file: Path) -> None:
    """Add the answers in FILE to those kept here; those that are here already stay."""
    from foveal.learn.store import Store, default_file

    reviews = read_reviews(file)
    with Store(default_file()) as store:
        merged = store.merge(reviews)
    click.echo(f"{count_noun(merged.added, 'answer')} added, {merged.known:,} known already.")
    if merged.different:
        click.echo(
            f"{count_noun(merged.different, 'answer')} had the id of another; those kept here "
            "were left.",
            err=True,
        )


@command.command(
    "check",
    short_help="Mark kept answers again, as after an upgrade.",
    epilog="\b\nExample:\n  foveal learn check",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
def check(file: Path | None, as_json: bool) -> None:
    """Mark kept answers (or those in an exported FILE) again, as after an upgrade.

    Exits with 1 when a mark is another than it was.
    """
    from foveal.learn.rechecking import recheck
    from foveal.learn.store import Store, default_file

    if file is not None:
        reviews = read_reviews(file)
    else:
        with Store(default_file()) as store:
            reviews = store.reviews()
    result = recheck(reviews)
    if as_json:
        echo_json("learn.recheck", result.to_json())
    else:
        click.echo(f"{count_noun(result.num_same, 'answer')} marked the same.")
        for change in result.changes:
            now = "right" if change.is_right else "wrong"
            then = "right" if change.was_right else "wrong"
            found = f" ({', '.join(change.mistakes)})" if change.mistakes else ""
            click.echo(
                f"{change.review.template}, seed {change.review.seed}, level "
                f"{change.review.level}: was {then}, is {now}{found}."
            )
        if result.num_unanswered:
            click.echo(f"{count_noun(result.num_unanswered, 'review')} had no answer to mark.")
        if result.num_own:
            click.echo(
                f"{count_noun(result.num_own, 'answer')} about networks of your own (--on), which "
                "are not kept here: not marked again."
            )
        if result.gone:
            click.echo(
                f"{count_noun(len(result.gone), 'answer')} belong to exercises that this version "
                "does not have."
            )
    if result.changes:
        sys.exit(1)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _require_terminal(name: str) -> None:
    if not _is_terminal():
        which = "stdout" if sys.stdin.isatty() else "stdin"
        raise UsageError(
            f"foveal {name} asks questions and waits for answers, but {which} is no terminal.",
            next_step="Run it in a terminal. `foveal learn topic 2` only prints.",
        )


def _screen(plain: bool) -> Any:
    from foveal.cli.streams import terminal_style
    from foveal.draw.text_layout import COLUMNS
    from foveal.draw.text_layout import plain as no_style
    from foveal.learn.terminal.screen import Screen

    style = no_style if plain else terminal_style()
    columns = max(_FEWEST_COLUMNS, min(COLUMNS, shutil.get_terminal_size().columns))
    return Screen(write=click.echo, read=_read_line, style=style, is_plain=plain, columns=columns)


def _read_line(prompt: str) -> str:
    # readline gives editing; it must not count colours as columns.
    typed = input(re.sub(r"(\x1b\[[0-9;]*m)", "\x01\\1\x02", prompt))
    # Bytes that are no UTF-8 came as surrogates, which no file can hold.
    return typed.encode("utf-8", "replace").decode("utf-8")


@contextmanager
def _learning(plain: bool, *, seed: int | None = None) -> Iterator[Learner]:
    """Opens what was kept; leaving is no error, and Ctrl-C says what became of the answers."""
    import random
    from datetime import UTC, datetime

    from foveal.learn.store import Store, default_file
    from foveal.learn.terminal.learner import Learner
    from foveal.learn.terminal.screen import LeftError

    if _is_terminal():
        with suppress(ImportError):  # not on every system
            import readline  # noqa: F401  line editing for input()
    try:
        store = Store(default_file())
    except ProgressError as error:
        click.echo(f"Answers are not kept: {error}\n", err=True)
        store = Store(None)
    learner = Learner(
        screen=_screen(plain),
        store=store,
        clock=lambda: datetime.now(UTC),
        chance=random.Random(seed),
    )
    try:
        yield learner
    except (LeftError, KeyboardInterrupt) as stop:
        is_asked = isinstance(stop, LeftError) and stop.how == "asked"
        click.echo(
            "Everything answered is kept. `foveal learn` goes on from here."
            if learner.store.file
            else "What was answered before the error is kept, what came after it is not."
            if learner.was_kept
            else "Nothing was kept."
        )
        if not is_asked:
            sys.exit(130)
    finally:
        learner.store.close()
