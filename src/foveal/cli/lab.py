"""``foveal lab``: experiments that show a fact about networks, measured on this machine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from foveal.cli.options import echo_json, noun, typed_command


@click.command(
    "lab", epilog="\b\nExample:\n  foveal lab                      the list\n  foveal lab costs"
)
@click.argument("name", required=False)
@click.option("--guess", metavar="KEY", help="Your guess, where nobody can be asked.")
@click.option(
    "--seeds", type=click.IntRange(min=2), default=5, metavar="N", help="Repetitions (default 5)."
)
@click.option(
    "--model",
    metavar="MODEL",
    help="Your own network, for labs that take one; named ones start at random.",
)
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DATA", help="Your own labelled images."
)
@click.option("--plain", is_flag=True, help="No drawings, for screen readers.")
@noun("json")
@noun("html", help="Write one self-contained page.")
def command(
    name: str | None,
    guess: str | None,
    seeds: int,
    model: str | None,
    data: Path | None,
    plain: bool,
    as_json: bool,
    html: Path | None,
) -> None:
    """Predict, run, and see why: an experiment measured on this machine.

    You are asked for a guess first; it costs nothing to be wrong. Without NAME the labs are
    listed.
    """
    from foveal.cli.streams import terminal_style
    from foveal.errors import UsageError
    from foveal.files import write_atomically
    from foveal.learn.labs import LABS, load_lab
    from foveal.learn.labs.lab import Settings
    from foveal.learn.labs.machine import describe_machine
    from foveal.learn.labs.showing import render_html, render_text, to_json
    from foveal.progress import ProgressDisplay

    if name is None:
        _list_labs(LABS, as_json=as_json)
        return
    lab = load_lab(name)
    keys = [key for key, _ in lab.choices]
    if guess is not None and guess not in keys:
        raise UsageError(f"The guess must be one of {', '.join(keys)}; got {guess!r}.")
    for given, takes, option in ((model, lab.takes_model, "model"), (data, lab.takes_data, "data")):
        if given is not None and not takes:
            raise UsageError(f"The lab '{name}' takes no --{option}.")
    if guess is None and not as_json and sys.stdin.isatty():
        guess = _ask(lab.question, lab.choices, seconds=lab.seconds)
    network, input_shape = None, None
    if model is not None:
        from foveal.models import open_network

        resolved = open_network(model, weights="random")
        network, input_shape = resolved.module, resolved.input_shape
    with ProgressDisplay() as display, display.step(lab.title):
        result = lab.run(
            Settings(
                num_seeds=seeds,
                model=network,
                model_name=model or "",
                input_shape=input_shape,
                data=data,
                progress=display.advance,
            )
        )
    machine = describe_machine()
    given_words = [*(["--model", model] if model else []), *(["--data", str(data)] if data else [])]
    again = shlex.join(["foveal", "lab", name, "--seeds", str(seeds), *given_words])
    if html is not None:
        page = render_html(lab, result, guess=guess, machine=machine, command=again)
        write_atomically(html, page.encode("utf-8"))
    if as_json:
        echo_json(
            "lab",
            {**to_json(lab, result, guess=guess, machine=machine), "command": typed_command()},
        )
        return
    click.echo("")
    click.echo(render_text(lab, result, guess=guess, is_plain=plain, style=terminal_style()))
    topics = " and ".join(f"foveal learn topic {number}" for number in lab.topics[:2])
    click.echo(f"\nMeasured on {machine}.\nNext    {topics}")


def _list_labs(labs: tuple[tuple[str, str], ...], *, as_json: bool) -> None:
    if as_json:
        echo_json("lab.list", {"labs": [{"name": name, "shows": shows} for name, shows in labs]})
        return
    width = max(len(name) for name, _ in labs)
    for name, shows in labs:
        click.echo(f"{name:<{width}}  {shows}")
    click.echo("\nRun one with: foveal lab NAME")


def _ask(question: str, choices: tuple[tuple[str, str], ...], *, seconds: int) -> str:
    from foveal.draw.text_layout import wrap

    click.echo(wrap(question))
    for number, (_, text) in enumerate(choices, start=1):
        click.echo(f"  {number}  {text}")
    number = click.prompt(
        f"Your guess (it then runs for about {seconds} s)",
        type=click.IntRange(1, len(choices)),
    )
    return choices[number - 1][0]
