"""``foveal export``: a finished run handed on."""

from __future__ import annotations

from pathlib import Path

import click

from foveal.cli.options import echo_json, noun
from foveal.text import printable


@click.command("export", epilog="\b\nExample:\n  foveal export runs/photos --to page")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    type=click.Choice(["page", "onnx", "onnx-int8", "timm", "hub"]),
    default="page",
    show_default=True,
    help="page: one HTML file that classifies in the browser, offline. onnx: a folder with the "
    "ONNX file and examples. onnx-int8: the same in 8 bits, where that costs little accuracy. "
    "timm: a folder that timm opens. hub: a folder ready for the Hugging Face Hub.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Where to write (default: RUN.html or RUN-FORM beside the run).",
)
@noun("json")
def command(run: Path, form: str, out: Path | None, as_json: bool) -> None:
    """Hand a finished run on in a form that needs no Foveal.

    The page is one file. It opens by a double click in any recent browser, without a network,
    and is not allowed to connect to anything: images that are dropped on it stay on the device.
    It answers as foveal predict does, and says how far the two were measured to agree.

    A run that a form cannot hold as it is, is refused with the reason.
    """
    from foveal.exporting.forms import export
    from foveal.progress import ProgressDisplay

    what = "the page" if form == "page" else "the folder"
    with ProgressDisplay() as display, display.step(f"Writing {what}"):
        done = export(run, form, out)
    if as_json:
        content = {
            "form": form,
            "file": printable(str(done.path)),
            "bytes": done.num_bytes,
            "notes": list(done.notes),
        }
        echo_json("export", content)
        return
    word = "Page  " if form == "page" else "Folder"
    click.echo(f"{word} {printable(str(done.path))} ({done.num_bytes / 1e6:.1f} MB)")
    for note in done.notes:
        click.echo(f"Note   {note}")
    click.echo(done.next_step)
