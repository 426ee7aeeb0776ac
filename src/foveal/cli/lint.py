"""``foveal lint``: what is wrong with a network, with evidence and a fix."""

from __future__ import annotations

import re
import sys

import click

from foveal.cli.options import echo_json, echo_notes, noun, read_input, read_numbers


def _explain(context: click.Context, _: click.Parameter, code: str | None) -> None:
    if code is not None and not context.resilient_parsing:
        from foveal.cli.streams import terminal_style
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
@noun(
    "input",
    help="Input of the network, as 3x224x224; commas for several, NAME= and :int64 before and "
    "after one (default: its own).",
)
@noun("weights")
@noun(
    "images",
    help="Images, or folders that hold some, for the rules over behaviour (up to 16 are read).",
)
@noun("mean")
@noun("std")
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
@noun("json")
def command(
    model: str,
    input_text: str | None,
    weights: str | None,
    images: tuple[str, ...],
    mean: str | None,
    std: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    as_json: bool,
) -> None:
    """Look for what is wrong with a network.

    MODEL is a run folder, timm:NAME, torchvision:NAME, foveal:NAME, a bare name or
    file.py:factory. Exits with 1 when a finding is an error, or when the network does not work
    on its input.
    """
    shape = read_input(input_text)
    if (mean is not None or std is not None) and not images:
        raise click.UsageError("--mean and --std say how --images are fed; give those too.")
    from foveal.api import lint, open_network
    from foveal.linting import RULES, render_lint_text

    network = open_network(model, weights=weights)
    report = lint(
        network,
        images=list(images) or None,
        is_pretrained=True if weights == "pretrained" else None,
        input_shape=shape,
        select=_codes(select) or None,
        ignore=_codes(ignore),
        mean=read_numbers("mean", mean),
        std=read_numbers("std", std),
    )
    if as_json:
        echo_json("lint", {**report.to_json(), "model": network.name})
    else:
        titles = {rule.code: rule.title for rule in RULES}
        click.echo(render_lint_text(report, titles=titles, name=network.name))
    echo_notes(network.notes)
    if report.count("error") or report.is_refused_input:
        sys.exit(1)


def _codes(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code for value in values for code in re.split(r"[,\s]+", value) if code)
