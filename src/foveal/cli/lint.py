"""``foveal lint``: what is wrong with a network, with evidence and a fix."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from foveal.cli.options import echo_json

if TYPE_CHECKING:
    from foveal.models.sources import Weights


@click.command(
    "lint",
    epilog="\b\nExample:\n  foveal lint torchvision:vgg16_bn\n"
    "  foveal lint net.py:build --input 1x64x64 --select structure --ignore S101",
)
@click.argument("model")
@click.option(
    "--input",
    "input_text",
    metavar="CxHxW",
    help="Shape of one image, as 3x224x224 (default: the model's own).",
)
@click.option(
    "--weights",
    type=click.Choice(["none", "random", "pretrained"]),
    default="none",
    show_default=True,
    help="Weights of a named network; rules over weights need some.",
)
@click.option("--select", multiple=True, metavar="CODES", help="Only these rules, as S101,W.")
@click.option("--ignore", multiple=True, metavar="CODES", help="All rules but these.")
@click.option("--json", "as_json", is_flag=True, help="Findings and outcomes as JSON.")
def command(
    model: str,
    input_text: str | None,
    weights: Weights,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    as_json: bool,
) -> None:
    """Look for what is wrong with a network.

    MODEL is timm:NAME, torchvision:NAME, file.py:factory or a run folder. Exits with 1 when a
    finding is an error.
    """
    input_shape = _read_shape(input_text)
    from foveal.lint import RULES, lint
    from foveal.models.sources import resolve_model
    from foveal.report.lint import render_lint_text

    resolved = resolve_model(model, weights=weights)
    report = lint(
        resolved.network,
        input_shape=input_shape or resolved.input_shape,
        is_pretrained=True if weights == "pretrained" else None,
        select=_codes(select) or None,
        ignore=_codes(ignore),
    )
    if as_json:
        echo_json({**report.to_json(), "model": resolved.name})
    else:
        titles = {rule.code: rule.title for rule in RULES}
        click.echo(render_lint_text(report, titles=titles, name=resolved.name))
    for note in resolved.notes:
        click.echo(note, err=True)
    if report.count("error"):
        sys.exit(1)


def _read_shape(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)[x×,](\d+)[x×,](\d+)", text.strip().lower())
    sizes = tuple(int(part) for part in match.groups()) if match else ()
    if len(sizes) != 3 or min(sizes) < 1:
        raise click.BadParameter(
            f"{text!r} came, expected channels, height and width as in 3x224x224.",
            param_hint="--input",
        )
    return sizes[0], sizes[1], sizes[2]


def _codes(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code for value in values for code in re.split(r"[,\s]+", value) if code)
