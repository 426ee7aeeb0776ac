"""``foveal visualise``: pictures of what excites a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from foveal.cli.options import echo_json, stated_options
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.visualisation import Ascent, DepthSheet


@click.command(
    "visualise",
    epilog="\b\nExample:\n  foveal visualise runs/photos --class cracked --out cracked.png\n"
    "  foveal visualise timm:resnet18 --pretrained --out by-depth.png\n"
    "  foveal visualise net.py:build --layer layer3.0:12 --out channel.png",
)
@click.argument("model", metavar="MODEL")
@click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="NAME|INDEX",
    help="What excites this class; 'all' for every class (may be repeated).",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME[:CHANNEL]",
    help="What excites this channel, or some channels of the layer (may be repeated).",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="The picture to write.",
)
@click.option("--steps", type=click.IntRange(1), help="Steps of gradient ascent [default: 64].")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the first picture.")
@click.option(
    "--input",
    "input_text",
    metavar="[CxH]xW",
    help="Size of the pictures [default: 128x128]; of a network that is no run.",
)
@stated_options
@click.option("--pretrained", is_flag=True, help="Download weights for a network given by name.")
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
def command(
    model: str,
    classes: tuple[str, ...],
    layers: tuple[str, ...],
    out: Path,
    steps: int | None,
    seed: int,
    input_text: str | None,
    mean: str | None,
    std: str | None,
    names: str | None,
    pretrained: bool,
    as_json: bool,
) -> None:
    """Draw what excites a class or a channel most: activation maximisation.

    MODEL is a run folder, timm:NAME, torchvision:NAME or file.py:factory. From noise, each
    picture climbs the gradient of its class or channel. Without --class and --layer: a sheet of
    channels by depth, from the first layer to the classes.
    """
    from dataclasses import replace

    from foveal.cli.explained_network import open_subject, read_stated
    from foveal.files import write_atomically
    from foveal.progress import ProgressDisplay
    from foveal.reporting.numbers import seconds
    from foveal.visualisation import (
        Ascent,
        PixelScale,
        estimate_sheet_seconds,
        plan_pictures,
        sheet_by_depth,
    )
    from foveal.visualisation.class_pictures import CLASS_ASCENT
    from foveal.visualisation.sheet import draw_sheet

    if out.suffix.lower() != ".png":
        raise click.BadParameter(
            f"got {printable(out.name)!r}, expected a file that ends in .png.", param_hint="--out"
        )
    stated = read_stated(input_text, mean, std, names)
    subject = open_subject(model, pretrained=pretrained, stated=stated)
    for note in subject.notes:
        click.echo(note, err=True)
    is_every_class = "all" in classes and "all" not in subject.class_names
    words = tuple(word for word in classes if not (is_every_class and word == "all"))
    indices = subject.indices(words)
    if is_every_class:
        indices = tuple(range(subject.num_classes()))
    chosen: dict[str, object] = {"seed": seed}
    if steps is not None:
        chosen["num_steps"] = steps
    if stated.shape is not None:
        chosen["size_px"] = stated.shape[1:]

    def settings(base: Ascent) -> Ascent:
        return replace(base, **chosen)  # type: ignore[arg-type]

    scale = PixelScale(
        subject.preprocessing.mean[: subject.channels],
        subject.preprocessing.std[: subject.channels],
        "the preprocessing",
    )
    plan = plan_pictures(
        subject.network,
        classes=indices,
        layers=layers,
        class_names=subject.class_names or None,
        ascent=settings(Ascent()),
        class_ascent=settings(CLASS_ASCENT),
    )
    expected = estimate_sheet_seconds(subject.network, plan, scale=scale)
    number = sum(len(row.objectives) for row in plan.rows)
    click.echo(
        f"{count_noun(number, 'picture')}, about {seconds(expected)} on this machine.", err=True
    )
    with ProgressDisplay() as display, display.step("Maximising"):
        sheet = sheet_by_depth(subject.network, plan=plan, scale=scale, progress=display.advance)
    write_atomically(out, draw_sheet(sheet))
    _tell(sheet, out, as_json=as_json)


def _tell(sheet: DepthSheet, out: Path, *, as_json: bool) -> None:
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
                    for one in sheet.pictures
                ],
            },
        )
    else:
        for one in sheet.pictures:
            change = one.reason or f"from {one.first:.3g} to {one.last:.3g}"
            click.echo(f"{printable(one.objective.description)}: {change}")
    click.echo(f"Drawn: {printable(str(out))}", err=True)
