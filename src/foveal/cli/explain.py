"""``foveal explain``: where in a picture the answer comes from."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from foveal.cli.options import echo_json, stated_options
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.cli.explained_network import Subject
    from foveal.explanation.logits import Labels
    from foveal.explanation.pictures import ExplainedPicture

_SHEETS = (".png", ".svg")
_NUM_WITH_PROGRESS = 4
_MAX_STEM = 100


@click.command(
    "explain",
    epilog="\b\nExample:\n  foveal explain runs/photos new/scan.png --out scan.png\n"
    "  foveal explain runs/photos new/ --class cracked --out maps/ --sheet\n"
    "  foveal explain net.py:build cat.jpg --method hirescam --json",
)
@click.argument("run", metavar="RUN")
@click.argument("paths", nargs=-1, metavar="IMAGE...")
@click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="NAME|INDEX",
    help="Explain this class (may be repeated; default: each image's likeliest).",
)
@click.option(
    "--method", default="auto", metavar="NAME", help="How; --method list says which there are."
)
@click.option("--layer", metavar="NAME", help="An operation or module of the network.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="Draw: a .png or .svg sheet of all, or a folder with one PNG an image.",
)
@click.option("--sheet", is_flag=True, help="Into the folder, a sheet of all as well.")
@click.option(
    "--effort",
    type=click.Choice(["quick", "full"]),
    default="quick",
    show_default=True,
    help="How much the verdict tries.",
)
@click.option("--input", "input_text", metavar="[CxH]xW", help="Size of a network that is no run.")
@stated_options
@click.option(
    "--labels",
    type=click.Choice(["auto", "exclusive", "independent"]),
    default="auto",
    help="Whether its classes exclude one another, where its logits do not say.",
)
@click.option("--pretrained", is_flag=True, help="Download weights for a network given by name.")
@click.option("--json", "as_json", is_flag=True, help="Maps and verdicts as JSON.")
def command(
    run: str,
    paths: tuple[str, ...],
    classes: tuple[str, ...],
    method: str,
    layer: str | None,
    out: Path | None,
    sheet: bool,
    effort: Literal["quick", "full"],
    input_text: str | None,
    mean: str | None,
    std: str | None,
    names: str | None,
    labels: Labels,
    pretrained: bool,
    as_json: bool,
) -> None:
    """Show where in pictures the answers come from, and whether to believe it.

    RUN is a run folder; timm:NAME, torchvision:NAME and file.py:factory do as well. IMAGE is
    an image, a folder (searched through) or a glob. Maps are drawn on the file's own picture,
    upright, so that they can be held against the original. A file that cannot be read is a
    row with its error, and the command then exits with 1.
    """
    from foveal.explanation.methods import METHODS, require_method

    if method == "list":
        width = max(len(name) for name, _ in METHODS)
        click.echo("\n".join(f"{name:<{width}}  {what}" for name, what in METHODS))
        return
    require_method(method)
    if not paths:
        raise click.UsageError("Missing argument 'IMAGE...'.")
    if out is not None and out.suffix.lower() not in _SHEETS and out.is_file():
        raise click.UsageError(f"--out must be a folder, .png or .svg; {out.name!r} is a file.")
    if sheet and (out is None or out.suffix.lower() in _SHEETS):
        raise click.UsageError("--sheet goes with --out FOLDER; --out FILE.png is a sheet already.")
    from foveal.cli.explained_network import open_subject, read_stated

    stated = read_stated(input_text, mean, std, names)
    files = _files(paths)
    subject = open_subject(run, pretrained=pretrained, stated=stated)
    for note in subject.notes:
        click.echo(note, err=True)
    explained = _explain(subject, files, classes, method, layer, effort, labels)
    written = [] if out is None else _draw(explained, out, sheet=sheet, title=Path(run).name)
    if as_json:
        from foveal.explanation.as_json import explanations_json

        echo_json(
            "explain",
            {
                "model": printable(run),
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
            click.echo("--out FILE.png draws these maps over their pictures.", err=True)
    for file in written[:1]:
        more = f" and {count_noun(len(written) - 1, 'other file')}" if len(written) > 1 else ""
        click.echo(f"Drawn: {printable(str(file))}{more}", err=True)
    if any(one.error is not None for one in explained):
        sys.exit(1)


def _files(paths: Sequence[str]) -> list[Path]:
    from foveal.dataset import list_images
    from foveal.errors import UsageError

    listed = list_images(paths)
    files = [listed.resolve(record) for record in listed.records]
    if not files:
        raise UsageError(
            "The folders hold no image.",
            next_step="Name the files one by one if their names have no ending.",
        )
    if not any(map(os.path.isabs, paths)):
        return [Path(os.path.relpath(file)) for file in files]  # shown as they were given
    return files


def _explain(
    subject: Subject,
    files: list[Path],
    classes: tuple[str, ...],
    method: str,
    layer: str | None,
    effort: Literal["quick", "full"],
    labels: Labels,
) -> tuple[ExplainedPicture, ...]:
    from foveal.explanation import cost_of_judging
    from foveal.explanation.pictures import Asked
    from foveal.progress import ProgressDisplay

    asked_for = Asked(classes or None, method, layer, effort, labels=labels)
    # A step that took no time is not worth a line.
    is_short = len(files) < _NUM_WITH_PROGRESS and effort == "quick"
    title = f"Explaining {count_noun(len(files), 'image')}"
    if effort == "full":
        passes = cost_of_judging(len(files) * max(1, len(classes)), effort=effort).forward_passes
        click.echo(f"Full effort: up to {passes:,} passes of the network.", err=True)
    with ProgressDisplay("quiet" if is_short else "auto") as display, display.step(title):
        return subject.explain(files, asked_for, display.advance)


def _draw(
    explained: Sequence[ExplainedPicture], out: Path, *, sheet: bool, title: str
) -> list[Path]:
    """Writes the sheets and returns their files."""
    from foveal.explanation.sheet import lay_out
    from foveal.explanation.sheet_files import sheet_png, sheet_svg
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
