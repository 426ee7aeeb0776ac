"""``foveal lint``: what is wrong with a network, with evidence and a fix."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foveal.cli.options import echo_json
from foveal.errors import UsageError
from foveal.text import count_noun

if TYPE_CHECKING:
    import torch

    from foveal.graph.inputs import InputShape
    from foveal.models.sources import ResolvedModel, Weights


def _explain(context: click.Context, _: click.Parameter, code: str | None) -> None:
    if code is not None and not context.resilient_parsing:
        from foveal.cli.style import terminal_style
        from foveal.linting import render_page_text
        from foveal.linting.pages import rule_page

        click.echo(render_page_text(rule_page(code), style=terminal_style()))
        context.exit()


@click.command(
    "lint",
    epilog="\b\nExample:\n  foveal lint torchvision:vgg16_bn\n"
    "  foveal lint net.py:build --input 1x64x64 --select structure --ignore S101\n"
    "  foveal lint runs/photos --images photos/\n"
    "  foveal lint --explain S101",
)
@click.argument("model")
@click.option(
    "--input",
    "input_text",
    metavar="CxHxW",
    help="Input, as 3x224x224; commas for several, NAME= and :int64 before and after one "
    "(default: the model's own).",
)
@click.option(
    "--weights",
    type=click.Choice(["none", "random", "pretrained"]),
    help="Weights of a named network; rules over weights need some. A run folder brings its own.",
)
@click.option(
    "--images",
    multiple=True,
    metavar="PATH",
    help="Pictures, or a folder of them, for the rules over behaviour (up to 16 are read).",
)
@click.option("--mean", metavar="NUMBERS", help="Feed them with this mean, as 0.5 or 0.5,0.4,0.3.")
@click.option("--std", metavar="NUMBERS", help="The same for the standard deviation.")
@click.option("--select", multiple=True, metavar="CODES", help="Only these rules, as S101,W.")
@click.option("--ignore", multiple=True, metavar="CODES", help="All rules but these.")
@click.option(
    "--explain",
    metavar="CODE",
    callback=_explain,
    expose_value=False,
    is_eager=True,
    help="Show what a rule finds, why it matters and how to fix it, and leave.",
)
@click.option("--json", "as_json", is_flag=True, help="Findings and outcomes as JSON.")
def command(
    model: str,
    input_text: str | None,
    weights: Weights | None,
    images: tuple[str, ...],
    mean: str | None,
    std: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    as_json: bool,
) -> None:
    """Look for what is wrong with a network.

    MODEL is timm:NAME, torchvision:NAME, foveal:NAME, a bare name, file.py:factory or a run
    folder. Exits with 1 when a finding is an error, or when the network does not work on its
    input.
    """
    input_shape = _read_shape(input_text)
    from foveal.cli.network_images import read_normalisation

    stated = read_normalisation(mean, std)
    if stated and not images:
        raise click.UsageError("--mean and --std say how --images are fed; give those too.")
    from foveal.linting import RULES, lint, render_lint_text
    from foveal.models.sources import resolve_model

    is_folder = Path(model).is_dir()
    resolved = resolve_model(model, weights=weights or ("pretrained" if is_folder else "none"))
    shape = resolved.input_shape if input_shape is None else input_shape
    batch: torch.Tensor | None = None
    expected: dict[str, Any] | None = None
    given: dict[str, Any] | None = None
    notes = list(resolved.notes)
    if images:
        if any(parameter.is_meta for parameter in resolved.network.parameters()):
            raise click.UsageError(
                "--images are run through the network, which needs weights: add "
                "--weights pretrained or --weights random."
            )
        if not (isinstance(shape, tuple) and len(shape) == 3 and isinstance(shape[0], int)):
            raise click.UsageError("--images go with an --input of one image, as 3x224x224.")
        batch, expected, given, more = _read_batch(images, resolved, shape, stated)
        notes += more
    report = lint(
        resolved.network,
        input_shape=shape,
        batch=batch,
        expected_input=expected,
        given_input=given,
        is_pretrained=True if weights == "pretrained" or is_folder else None,
        select=_codes(select) or None,
        ignore=_codes(ignore),
    )
    if as_json:
        echo_json("lint", {**report.to_json(), "model": resolved.name})
    else:
        titles = {rule.code: rule.title for rule in RULES}
        click.echo(render_lint_text(report, titles=titles, name=resolved.name))
    for note in notes:
        click.echo(note, err=True)
    if report.count("error") or report.is_refused_input:
        sys.exit(1)


def _read_shape(text: str | None) -> InputShape | None:
    from foveal.inspection import parse_input

    if text is None:
        return None
    # One image may also be written as Python prints it: 3,224,224.
    is_one_image = re.fullmatch(r"\s*\d+\s*,\s*\d+\s*,\s*\d+\s*", text)
    try:
        return parse_input(text.replace(",", "x") if is_one_image else text)
    except UsageError as error:
        raise click.BadParameter(str(error), param_hint="--input") from error


def _read_batch(
    images: tuple[str, ...],
    resolved: ResolvedModel,
    shape: tuple[int, ...],
    stated: dict[str, tuple[float, ...]],
) -> tuple[torch.Tensor, dict[str, Any] | None, dict[str, Any], list[str]]:
    """Returns the batch, what the weights' makers want, how it was prepared, what to tell."""
    import torch

    from foveal.cli.network_images import preprocessing_of, read_network_images

    made_for, whose = preprocessing_of(resolved, shape)
    preprocessing, origin = preprocessing_of(resolved, shape, stated=stated)
    pictures, failures = read_network_images(images, preprocessing)
    note = f"{count_noun(len(pictures), 'picture')} fed with the mean and std {origin}."
    known = None if "assumed" in whose else {"mean": made_for.mean, "std": made_for.std}
    given = {"mean": preprocessing.mean, "std": preprocessing.std}
    return torch.from_numpy(pictures), known, given, [note, *failures]


def _codes(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code for value in values for code in re.split(r"[,\s]+", value) if code)
