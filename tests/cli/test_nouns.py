"""One noun, one spelling: what commands share is called and written alike in all of them."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from foveal.cli.app import COMMANDS, cli
from foveal.cli.options import NOUNS

# Options whose meaning is that of a noun under another name would be found here.
SYNONYMS = {
    *("--pretrained", "--checkpoint", "--at", "--image", "--picture", "--pictures", "--network"),
    *("--class-name", "--class-names", "--shape", "--px", "--threads", "--num-workers"),
}


def commands(found: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, found
    if isinstance(found, click.Group):
        for word, one in found.commands.items():
            yield from commands(one, f"{name} {word}")


def every_command() -> dict[str, click.Command]:
    modules = {name: importlib.import_module(module) for name, module, _ in COMMANDS}
    return {
        name: one
        for word, module in modules.items()
        for name, one in commands(module.command, word)
    }


def options(command: click.Command) -> dict[str, click.Option]:
    return {
        flag: one for one in command.params if isinstance(one, click.Option) for flag in one.opts
    }


OVER_NETWORKS = ("explain", "visualise", "inspect", "lint")


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_is_spelled_alike_wherever_it_is(noun: str) -> None:
    flag = NOUNS[noun][0][0]
    forms = defaultdict(list)
    for name, command in every_command().items():
        if flag in options(command) and not name.startswith("learn"):
            option = options(command)[flag]
            # Where a command can say more of a layer, or wants a folder of images, it adds to it.
            form = (option.metavar or "").removesuffix("[:CHANNEL]").replace("FOLDER", "PATH")
            forms[form, option.is_flag].append(name)
    assert len(forms) == 1, dict(forms)


def test_no_noun_has_a_second_name() -> None:
    for name, command in every_command().items():
        assert SYNONYMS & set(options(command)) == set(), name


@pytest.mark.parametrize("name", OVER_NETWORKS)
def test_commands_over_networks_take_the_same_model(name: str) -> None:
    command = every_command()[name]
    assert command.params[0].name == "model"
    assert {"--weights", "--input", "--json"} <= set(options(command))
    text = " ".join((command.help or "").split())
    assert (
        "MODEL is a run folder, timm:NAME, torchvision:NAME, foveal:NAME, a bare name or "
        "file.py:factory." in text
    )


# "serve" answers over HTTP, where every answer is JSON.
@pytest.mark.parametrize("name", [name for name, _, _ in COMMANDS if name != "serve"])
def test_every_command_that_reports_writes_json(name: str) -> None:
    assert "--json" in options(every_command()[name])


@pytest.mark.parametrize("name", every_command())
def test_help_says_the_exit_status_within_80_columns(foveal: Callable[..., Any], name: str) -> None:
    shown = foveal(*name.split(), "--help")
    assert shown.code == 0
    assert "Exit status: 0 nothing wrong; 1 done, and something was found;" in shown.out
    assert "2 wrong usage; 3 the work could not be done." in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80


def test_the_groups_of_commands_are_these() -> None:
    assert cli.list_commands(click.Context(cli)) == [name for name, _, _ in COMMANDS]


UNREADABLE = [("predict", "RUN", "BAD"), ("explain", "RUN", "BAD")]


@pytest.mark.parametrize("words", UNREADABLE, ids=[words[0] for words in UNREADABLE])
@pytest.mark.parametrize("kind", ["broken", "empty", "missing", "no image"])
def test_files_that_cannot_be_read_end_alike(
    foveal: Callable[..., Any],
    run_folder: Any,
    shapes: Any,
    tmp_path: Any,
    words: tuple[str, ...],
    kind: str,
) -> None:
    bad = tmp_path / "bad.png"
    contents = {"broken": b"\x89PNG\r\n\x1a\nhello", "empty": b"", "no image": b"text"}
    if kind in contents:
        bad.write_bytes(contents[kind])
    good = shapes / "circle" / "000.png"
    places = {"RUN": run_folder, "BAD": bad}
    alone = foveal(*(places.get(word, word) for word in words))
    among = foveal(*(places.get(word, word) for word in words), good)
    assert (alone.code, among.code) == (1, 1)
    assert foveal(words[0], run_folder, good).code == 0
