"""The entry point: finds the command, and turns errors into words and exit codes."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import re
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

import click

from foveal.cli.options import echo_notes
from foveal.cli.streams import discard_output, fitted, open_standard_streams
from foveal.errors import FovealError, FovealWarning
from foveal.interruption import exit_code_of, interrupts_remembered, notes_of
from foveal.text import near_names, printable

# Name, module and what it does. A command's module is imported only when it is called, so
# that --help does not wait for torch.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("demo", "foveal.cli.demo", "The whole main job on real data, then where to look."),
    ("audit", "foveal.cli.audit", "What is in the data and what is wrong with it."),
    ("train", "foveal.cli.train", "Images to a classifier with its evidence and report."),
    ("evaluate", "foveal.cli.evaluate", "Score a run on new labelled data."),
    ("compare", "foveal.cli.compare", "Two runs, or a run and a reader, on the same images."),
    ("predict", "foveal.cli.predict", "Labels, probabilities and prediction sets."),
    ("report", "foveal.cli.report", "The report of a finished run, drawn again."),
    ("export", "foveal.cli.export", "Hand a run on: offline page, ONNX, timm, the Hub."),
    ("serve", "foveal.cli.serve", "A page and an API that answer for new images."),
    ("explain", "foveal.cli.explain", "Heat maps, with a verdict on whether to believe them."),
    ("visualise", "foveal.cli.visualise", "Draw what excites a class or a channel most."),
    ("inspect", "foveal.cli.inspect", "A network layer by layer: shape, cost, receptive field."),
    ("lint", "foveal.cli.lint", "What is wrong with a network, with evidence and a fix."),
    ("learn", "foveal.cli.learn", "Topics, endless drills, a quiz and spaced review."),
    ("lab", "foveal.cli.lab", "Experiments that show a fact about networks, measured."),
)

_EPILOG = """\b
Example:
  foveal train photos/ --out runs/photos
  foveal predict runs/photos new-photos/
"""


# Beneath the help of every command.
_EXIT_STATUS = (
    "\b\nExit status: 0 nothing wrong; 1 done, and something was found;\n"
    "  2 wrong usage; 3 the work could not be done."
)
_NOT_DONE = 3
# What to do, by what the system answers.
_AFTER_REFUSAL = {
    errno.ENOTDIR: "A file stands where a folder is needed: choose another path.",
    errno.EISDIR: "That is a folder: give the name of a file.",
    errno.EACCES: "Choose a path that you may read and write.",
    errno.EPERM: "Choose a path that you may read and write.",
    errno.EROFS: "Choose a path that you may read and write.",
    errno.ENOSPC: "Free some space, or choose a path on another disk.",
    errno.EDQUOT: "Free some space, or choose a path on another disk.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}
_SIGPIPE = 13


class _Commands(click.Group):
    """Commands from ``COMMANDS``, imported when called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [name for name, _, _ in COMMANDS]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        for known, module, _ in COMMANDS:
            if known == name:
                command: click.Command = importlib.import_module(module).command
                _show_exit_status(command)
                return command
        return None

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(context):
            near = near_names(name, self.list_commands(context))
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"There is no command {name!r}.{hint}", context)
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        # click would import every command for its first line.
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, _, summary in COMMANDS])


def _show_exit_status(command: click.Command) -> None:
    """Writes the exit status beneath the help of a command and of all commands in it."""
    if _EXIT_STATUS not in (command.epilog or ""):
        command.epilog = f"{command.epilog or ''}\n\n{_EXIT_STATUS}"
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _show_exit_status(one)


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"foveal {version('foveal')}")
        context.exit()


@click.group(
    cls=_Commands,
    epilog=f"{_EPILOG}\n{_EXIT_STATUS}",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.option(
    "--version",
    is_flag=True,
    callback=_show_version,
    expose_value=False,
    is_eager=True,
    help="Show the version and leave.",
)
def cli() -> None:
    """A workbench for convolutional networks.

    A folder of labelled images becomes a classifier with a number its owner can defend.
    """


def main() -> NoReturn:
    """Runs the command line and leaves.

    Exits with 0: done and nothing wrong; 1: done and something found; 2: wrong usage; 3: the
    work could not be done; 128 and the signal's number: interrupted, or nobody read on.
    """
    open_standard_streams()
    stdout = sys.stdout
    try:
        with interrupts_remembered(), warnings_as_notes():
            cli.main(standalone_mode=False)
        sys.stdout.flush()  # a full disk is told here, not in a traceback at the end
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        _say(shown.getvalue().rstrip("\n"))
        sys.exit(2 if isinstance(error, click.UsageError) else _NOT_DONE)
    except FovealError as error:
        _leave(str(error), error.exit_code)
    except SystemExit:
        # Where a reader went away click leaves with 1, and wraps the stream that it closed.
        if sys.stdout is stdout:
            raise
        discard_output(stdout)
        sys.exit(128 + _SIGPIPE)
    except (click.Abort, KeyboardInterrupt) as stop:
        # Workers may still be inside a long call; nothing of theirs is worth waiting for.
        notes = notes_of(stop) or _what_is_kept(sys.argv[1:])
        _say(f"\nInterrupted. {' '.join(notes)}".rstrip())
        os._exit(exit_code_of(stop))
    except BrokenPipeError:
        # The reader of our output went away (head, less): not an error worth a traceback.
        discard_output(sys.stdout)
        sys.exit(128 + _SIGPIPE)
    except OSError as error:
        _leave(_refused_by_the_system(error), _NOT_DONE)
    except Exception as error:
        reason = _lack_of_resources(error)
        if reason is None:
            # Python would leave with 1, which says that the work was done.
            _say("".join(traceback.format_exception(error)).rstrip())
            _leave("this is a fault of Foveal; what stands above says where.", _NOT_DONE)
        # Threads that could be started may wait for those that could not.
        _say(f"Error: {reason}")
        os._exit(_NOT_DONE)
    sys.exit(0)


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Prints Foveal's own warnings on stderr as notes, each once."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", FovealWarning)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
            if issubclass(category, FovealWarning):
                echo_notes([str(message)])
            else:
                others(message, category, *where, **how)

        warnings.showwarning = show
        yield


def _what_is_kept(words: list[str]) -> list[str]:
    """Returns the sentence of commands that keep what they compute: features, or parts of shards.

    >>> _what_is_kept(["audit", "photos"])
    []
    """
    command = next((word for word in words if not word.startswith("-")), "")
    is_kept = command in ("demo", "train") or (
        command == "predict" and any(word.split("=")[0] == "--shards" for word in words)
    )
    return ["What was computed is kept; the same command goes on from there."] if is_kept else []


def _refused_by_the_system(error: OSError) -> str:
    """Returns what the system did not do, with which file, and what to do about it."""
    reason = f"{error.strerror or error}."
    if not error.filename:
        return reason
    step = _AFTER_REFUSAL.get(error.errno or 0, "Check the path.")
    return f"{printable(str(error.filename))} cannot be read or written: {reason}\n{step}"


def _lack_of_resources(error: BaseException) -> str | None:
    """Returns what this machine or a limit did not grant, if that is what went wrong."""
    if not isinstance(error, (MemoryError, ImportError, RuntimeError)):
        return None
    text = str(error)
    if "start new thread" in text:
        return (
            "The system did not let another thread be started.\n"
            "Raise the limit (ulimit -u, or the container's pids limit), or give --workers 1."
        )
    if isinstance(error, MemoryError) or re.search(
        "allocate memory|failed to map|bad_alloc|not enough memory", text, re.IGNORECASE
    ):
        return (
            f"The memory that this process may use is not enough ({type(error).__name__}).\n"
            "Raise the limit (ulimit -v, or the container's memory); PyTorch alone maps "
            "several gigabytes."
        )
    return None


def _leave(message: str, exit_code: int) -> NoReturn:
    _say(f"Error: {message}")
    discard_output(sys.stdout)
    sys.exit(exit_code)


def _say(message: str) -> None:
    """Writes to stderr, if anything takes it."""
    try:
        click.echo(fitted(message), err=True)
        sys.stderr.flush()
    except OSError:
        discard_output(sys.stderr)
