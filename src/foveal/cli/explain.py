"""``foveal explain``: where in an image the answer comes from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from foveal.cli.options import echo_json, network_options, noun, read_network_options
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.explanation.images import ExplainedImage

_SHEETS = (".png", ".svg")
_NUM_WITH_PROGRESS = 4
_MAX_STEM = 100


@click.command(
    "explain",
    epilog="\b\nExample:\n  foveal explain runs/photos new/scan.png --out scan.png\n"
    "  foveal explain runs/photos new/ --class cracked --out maps/ --sheet\n"
    "  foveal explain timm:resnet18 cat.jpg --weights pretrained --json",
)
@click.argument("model")
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
    model: str,
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

    if method == "list":
        width = max(len(name) for name, _ in list_methods())
        click.echo("\n".join(f"{name:<{width}}  {what}" for name, what in list_methods()))
        return
    if method != AUTO:
        method_named(method)
    if not paths:
        raise click.UsageError("Missing argument 'IMAGE...'.")
    if out is not None and out.suffix.lower() not in _SHEETS and out.is_file():
        raise click.UsageError(f"--out must be a folder, .png or .svg; {out.name!r} is a file.")
    if sheet and (out is None or out.suffix.lower() in _SHEETS):
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
    written = [] if out is None else _draw(explained, out, sheet=sheet, title=Path(model).name)
    if as_json:
        from foveal.explanation.as_json import explanations_json

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
        from foveal.cli.style import terminal_style
        from foveal.explanation.text import render_explanations_text

        click.echo(render_explanations_text(explained, style=terminal_style()))
        if out is None:
            click.echo("--out FILE.png draws these maps over their images.", err=True)
    for file in written[:1]:
        more = f" and {count_noun(len(written) - 1, 'other file')}" if len(written) > 1 else ""
        click.echo(f"Drawn: {printable(str(file))}{more}", err=True)
    if any(one.error is not None for one in explained):
        sys.exit(1)


def _draw(explained: Sequence[ExplainedImage], out: Path, *, sheet: bool, title: str) -> list[Path]:
    """Writes the sheets and returns their files."""
    from foveal.explanation.sheet import lay_out, sheet_png, sheet_svg
    from foveal.files import write_atomically

    if out.suffix.lower() in _SHEETS:
        encode = sheet_png if out.suffix.lower() == ".png" else sheet_svg
        write_atomically(out, encode(lay_out(explained, title=title)))
        return [out]
    written = []
    taken: set[str] = {"sheet.png", "sheet.svg"}
    for one in explained:
        if one.error is None:
            file = out / _unused(Path(one.path).stem, taken)
            write_atomically(file, sheet_png(lay_out([one], title=title)))
            written.append(file)
    if sheet:
        whole = lay_out(explained, title=title)
        for name, content in (("sheet.png", sheet_png(whole)), ("sheet.svg", sheet_svg(whole))):
            write_atomically(out / name, content)
            written.insert(0, out / name)
    return written


def _unused(stem: str, taken: set[str]) -> str:
    """Returns a file name that no other picture has, whatever the file system thinks of case."""
    stem = stem[:_MAX_STEM] or "picture"
    name, number = f"{stem}.png", 2
    while name.casefold() in taken:
        name, number = f"{stem}-{number}.png", number + 1
    taken.add(name.casefold())
    return name
