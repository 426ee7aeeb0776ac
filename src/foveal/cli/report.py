"""``foveal report``: the report of a finished run, drawn again."""

from __future__ import annotations

from pathlib import Path

import click

from foveal.cli.options import echo_json, noun
from foveal.text import count_noun, printable

_MAX_SHOWN = 5
_PAGES = (".html", ".htm", ".md", ".pdf")


@click.command("report", epilog="\b\nExample:\n  foveal report runs/photos --out again/")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where to write (default: the run itself).",
)
@noun(
    "images",
    multiple=False,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The folder that the images' paths start from (default: where it was).",
)
@noun("json")
def command(run: Path, out: Path | None, images: Path | None, as_json: bool) -> None:
    """Draw the report and the model card of a finished run again.

    Everything but the images comes from the run's folder. Images are read from where they were
    at the training; a file that is missing or changed is shown as a placeholder. Where none is,
    the page is the same as the first.
    """
    from foveal.api import report
    from foveal.files import require_writable
    from foveal.progress import ProgressDisplay

    if out is not None:
        if out.suffix.lower() in _PAGES and not out.is_dir():
            raise click.UsageError(
                f"--out: got {printable(out.name)!r}, expected a folder: the report and the model "
                "card go into it."
            )
        require_writable(out, kind="folder")
    with ProgressDisplay() as display, display.step("Drawing the report"):
        drawn = report(run, out, images=images)
    if as_json:
        content = {
            "report": printable(str(drawn.page)),
            "model_card": printable(str(drawn.model_card)),
            "num_images": drawn.num_images,
            "missing": [printable(one) for one in drawn.missing],
        }
        echo_json("report.drawn", content)
        return
    click.echo(f"Report      {printable(str(drawn.page))}")
    click.echo(f"Model card  {printable(str(drawn.model_card))}")
    if not drawn.missing:
        click.echo(f"Images      all {drawn.num_images:,} drawn again")
        return
    click.echo(
        f"Images      {drawn.num_images - len(drawn.missing):,} of {drawn.num_images:,} drawn "
        "again; placeholders stand for the others:"
    )
    for one in drawn.missing[:_MAX_SHOWN]:
        click.echo(f"  {printable(one)}")
    if len(drawn.missing) > _MAX_SHOWN:
        click.echo(f"  and {count_noun(len(drawn.missing) - _MAX_SHOWN, 'more image')}")
