"""``foveal export``: a finished run handed on."""

from __future__ import annotations

from pathlib import Path

import click

from foveal.cli.options import FILE_TO_WRITE, echo_json, noun
from foveal.text import printable


@click.command("export", epilog="\b\nExample:\n  foveal export runs/photos --to page")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    type=click.Choice(["page"]),
    default="page",
    show_default=True,
    help="page: one HTML file that classifies in the browser, offline.",
)
@click.option(
    "--out",
    type=FILE_TO_WRITE,
    metavar="FILE",
    help="Where to write (default: RUN.html beside the run).",
)
@noun("json")
def command(run: Path, form: str, out: Path | None, as_json: bool) -> None:
    """Hand a finished run on in a form that needs neither Foveal nor Python.

    The page is one file. It opens by a double click in any recent browser, without a network,
    and is not allowed to connect to anything: images that are dropped on it stay on the device.
    It answers as foveal predict does, and says how far the two were measured to agree.
    """
    from foveal.exporting import export_page
    from foveal.progress import ProgressDisplay

    with ProgressDisplay() as display, display.step("Writing the page"):
        page = export_page(run, out)
    if as_json:
        content = {
            "form": form,
            "file": printable(str(page.file)),
            "bytes": page.num_bytes,
            "notes": list(page.notes),
        }
        echo_json("export", content)
        return
    click.echo(f"Page   {printable(str(page.file))} ({page.num_bytes / 1e6:.1f} MB)")
    for note in page.notes:
        click.echo(f"Note   {note}")
    click.echo("Open it in a browser, with the network off if you like, and drop images on it.")
