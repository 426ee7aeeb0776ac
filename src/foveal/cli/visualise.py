"""``foveal visualise``: images of what excites a network."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foveal.cli.options import FILE_TO_WRITE, echo_json, network_options, noun, read_network_options
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.visualisation import Maximised


@click.command(
    "visualise",
    epilog="\b\nExample:\n  foveal visualise runs/photos --class cracked --out cracked.png\n"
    "  foveal visualise timm:resnet18 --weights pretrained --out by-depth.png\n"
    "  foveal visualise net.py:build --layer layer3.0:12 --out channel.png",
)
@click.argument("model")
@noun("class", help="What excites this class, or 'all' classes (may be repeated).")
@noun(
    "layer",
    multiple=True,
    metavar="NAME[:CHANNEL]",
    help="What excites this channel, or some channels of the layer (may be repeated).",
)
@click.option(
    "--out",
    required=True,
    type=FILE_TO_WRITE,
    metavar="FILE.png",
    help="The file to draw into.",
)
@noun("size", help="Size of what is drawn, in pixels (default 128).")
@click.option(
    "--steps",
    "num_steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="Steps of gradient ascent (default 64).",
)
@noun("seed", default=0, help="Seed of the noise that it starts from (default 0).")
@network_options
@noun("json")
def command(model: str, out: Path, as_json: bool, **values: Any) -> None:
    """Draw what excites a class or a channel most: activation maximisation.

    MODEL is a run folder, timm:NAME, torchvision:NAME, foveal:NAME, a bare name or
    file.py:factory. Each image starts as noise and follows the gradient of its class or channel.
    Without --class and --layer: a sheet of channels by depth, from the first layer to the
    classes.
    """
    from foveal.api import visualise
    from foveal.progress import ProgressDisplay
    from foveal.reporting.numbers import seconds

    if out.suffix.lower() != ".png":
        raise click.BadParameter(
            f"got {printable(out.name)!r}, expected a file that ends in .png.", param_hint="--out"
        )
    options = read_network_options(values)
    with ProgressDisplay() as display, contextlib.ExitStack() as step:

        def announce(number: int, expected: float) -> None:
            click.echo(
                f"{count_noun(number, 'image')}, about {seconds(expected)} on this machine.",
                err=True,
            )
            step.enter_context(display.step("Maximising"))

        pictures = visualise(
            model,
            layers=values.pop("layer"),
            out=out,
            announce=announce,
            progress=display.advance,
            **options,
            **values,
        )
    _tell(pictures, out, as_json=as_json)


def _tell(pictures: Sequence[Maximised], out: Path, *, as_json: bool) -> None:
    if as_json:
        echo_json(
            "visualise",
            {
                "file": printable(str(out)),
                "pictures": [
                    {
                        "objective": printable(one.objective.description),
                        "target": one.target,
                        "first": one.first,
                        "last": one.last,
                        "reason": one.reason,
                        "seconds": one.seconds,
                    }
                    for one in pictures
                ],
            },
        )
    else:
        for one in pictures:
            change = one.reason or f"from {one.first:.3g} to {one.last:.3g}"
            click.echo(f"{printable(one.objective.description)}: {change}")
    click.echo(f"Drawn: {printable(str(out))}", err=True)
