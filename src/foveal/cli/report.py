"""``foveal report``: the report of a finished run, drawn again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from foveal.cli.options import echo_json, noun
from foveal.text import count_noun, printable

_MAX_SHOWN = 5
_PAGES = (".html", ".htm", ".md", ".pdf")


@click.command(
    "report",
    epilog="\b\nExample:\n  foveal report runs/photos --out again/\n"
    "  foveal report runs/photos --checklist claim --html claim.html",
)
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
@click.option(
    "--checklist",
    metavar="NAME",
    help="Instead, fill in a reporting checklist: claim, tripod-ai or stard-ai.",
)
@click.option(
    "--statement",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What only you can answer (default: statement.toml beside the run, if there).",
)
@click.option("--write-statement", is_flag=True, help="Write that file with its questions.")
@click.option(
    "--external",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Of data from elsewhere: what foveal evaluate RUN DATA --json printed.",
)
@noun("html", help="Write the checklist as one page.")
@noun("json")
def command(
    run: Path,
    out: Path | None,
    images: Path | None,
    as_json: bool,
    checklist: str | None,
    **values: Any,
) -> None:
    """Draw the report and the model card of a finished run again, or fill in a checklist.

    Everything but the images comes from the run's folder. Images are read from where they were
    at the training; a file that is missing or changed is shown as a placeholder. Where none is,
    the page is the same as the first.
    """
    from foveal.api import report

    if checklist is not None or values["write_statement"]:
        if out is not None or images is not None:
            raise click.UsageError("--out and --images are about the report, not a checklist.")
        _show_checklist(run, checklist, as_json=as_json, **values)
        return
    for option in ("statement", "external", "html"):
        if values[option] is not None:
            raise click.UsageError(f"--{option} goes with --checklist.")
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


def _show_checklist(
    run: Path,
    name: str | None,
    *,
    statement: Path | None,
    write_statement: bool,
    external: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Prints a checklist, writes it as a page, or writes the questions of the statement."""
    from foveal import api
    from foveal.cli.streams import terminal_style
    from foveal.files import write_atomically
    from foveal.reporting.checklists.filling import (
        checklist_json,
        render_checklist_page,
        render_checklist_text,
    )

    if write_statement:
        path = api.write_statement(api.statement_path(run) if statement is None else statement)
        click.echo(f"Questions written to {printable(str(path))}", err=True)
        if name is None:
            return
    filled = api.checklist(run, name or "", statement=statement, external=external)
    if html is not None:
        write_atomically(html, render_checklist_page(filled).encode())
    if as_json:
        echo_json("checklist", checklist_json(filled))
    else:
        click.echo(render_checklist_text(filled, style=terminal_style()))
        if html is not None:
            click.echo(f"\nPage  {printable(str(html))}")
