"""``foveal explain``: where in an image the answer comes from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from foveal.cli.options import echo_json, network_options, noun, read_network_options
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.explanation.images import ExplainedImage

_NUM_WITH_PROGRESS = 4


@click.command(
    "explain",
    epilog="\b\nExample:\n  foveal explain runs/photos new/scan.png --out scan.png\n"
    "  foveal explain runs/photos new/ --class cracked --out maps/ --sheet\n"
    "  foveal explain timm:resnet18 cat.jpg --weights pretrained --json",
)
@click.argument("model", required=False, metavar="MODEL")
@click.argument("paths", nargs=-1, metavar="IMAGE...")
@noun(
    "class",
    help="Explain this class, or 'all' (may be repeated; default: each image's likeliest).",
)
@click.option(
    "--method",
    default="auto",
    metavar="NAME",
    help="How maps are made; --method list names the methods.",
)
@noun("layer", help="The map of this operation or module (default: the method's choice).")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="Draw: a .png or .svg sheet of all, or a folder with one PNG an image.",
)
@click.option("--sheet", is_flag=True, help="With --out DIR: also draw a sheet of all.")
@click.option(
    "--effort",
    type=click.Choice(["quick", "full"]),
    default="quick",
    show_default=True,
    help="How much the verdict tries.",
)
@network_options
@click.option(
    "--labels",
    type=click.Choice(["auto", "exclusive", "independent"]),
    default="auto",
    metavar="HOW",
    help="Classes that are exclusive, or independent of one another, where the network does not "
    "say (auto, the default).",
)
@noun("json")
def command(
    model: str | None,
    paths: tuple[str, ...],
    classes: tuple[str, ...],
    method: str,
    out: Path | None,
    sheet: bool,
    effort: Literal["quick", "full"],
    as_json: bool,
    **values: Any,
) -> None:
    """Show where in images the answers come from, and whether to believe it.

    MODEL is a run folder, timm:NAME, torchvision:NAME, foveal:NAME, a bare name or
    file.py:factory. IMAGE is an image, a folder (searched through) or a glob. Maps are drawn
    on the file's own image, upright. A file that cannot be read is a row with its error, and
    the command then exits with 1.
    """
    from foveal.explanation.methods import AUTO, list_methods, method_named
    from foveal.explanation.writing import SHEET_ENDINGS, require_drawable, write_sheets

    if method == "list":
        width = max(len(name) for name, _ in list_methods())
        click.echo("\n".join(f"{name:<{width}}  {what}" for name, what in list_methods()))
        return
    if method != AUTO:
        method_named(method)
    if model is None or not paths:
        missing = "MODEL" if model is None else "IMAGE..."
        raise click.UsageError(f"Missing argument '{missing}'.")
    if out is not None:
        from foveal.files import require_writable

        require_drawable(out)
        require_writable(out, kind="file" if out.suffix.lower() in SHEET_ENDINGS else "folder")
    if sheet and (out is None or out.suffix.lower() in SHEET_ENDINGS):
        raise click.UsageError("--sheet goes with --out FOLDER; --out FILE.png is a sheet already.")
    from foveal.api import explain
    from foveal.progress import ProgressDisplay
    from foveal.runs.named_images import name_images

    options = read_network_options(values)
    images = name_images(paths)
    # A step that took no time is not worth a line.
    is_short = len(images) < _NUM_WITH_PROGRESS and effort == "quick"
    title = f"Explaining {count_noun(len(images), 'image')}"
    if effort == "full":
        from foveal.explanation import cost_of_judging

        passes = cost_of_judging(len(images) * max(1, len(classes)), effort=effort).forward_passes
        click.echo(f"Full effort: up to {passes:,} passes of the network.", err=True)
    with ProgressDisplay("quiet" if is_short else "auto") as display, display.step(title):
        explained: tuple[ExplainedImage, ...] = explain(
            model,
            images,
            classes=classes or None,
            method=method,
            effort=effort,
            progress=display.advance,
            **options,
            **values,
        )
    written = (
        []
        if out is None
        else write_sheets(explained, out, title=Path(model).name, with_whole=sheet)
    )
    if as_json:
        from foveal.explanation.writing import explanations_json

        echo_json(
            "explain",
            {
                "model": printable(model),
                "effort": effort,
                "images": explanations_json(explained),
                "files": [printable(str(file)) for file in written],
            },
        )
    else:
        from foveal.cli.streams import terminal_style
        from foveal.explanation.writing import render_explanations_text

        click.echo(render_explanations_text(explained, style=terminal_style()))
        if out is None:
            click.echo("--out FILE.png draws these maps over their images.", err=True)
    for file in written[:1]:
        more = f" and {count_noun(len(written) - 1, 'other file')}" if len(written) > 1 else ""
        click.echo(f"Drawn: {printable(str(file))}{more}", err=True)
    if any(one.error is not None for one in explained):
        sys.exit(1)
