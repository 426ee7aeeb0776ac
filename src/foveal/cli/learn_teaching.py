"""``foveal learn variants`` and ``foveal learn items``: what a teacher looks at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from foveal.cli.options import echo_json
from foveal.errors import ProgressError, UsageError
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.learn.progress import Review


@click.command(
    "variants",
    short_help="Variants of a drill on one page, with their feedback.",
    epilog="\b\nExample:\n  foveal learn variants convolution-shape\n"
    "  foveal learn variants field-growth --level 3 --count 200 --html page.html",
)
@click.argument("template")
@click.option("--count", type=click.IntRange(1, 1000), help="Of each level (default: a trap each).")
@click.option("--level", type=click.IntRange(1, 3), help="Only this level.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="The first variant.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page, with worked solutions, instead of text.",
)
@click.option("--json", "as_json", is_flag=True, help="The exercises as JSON.")
def variants(
    template: str,
    count: int | None,
    level: int | None,
    seed: int,
    page: Path | None,
    as_json: bool,
) -> None:
    """Show variants of the drill TEMPLATE: answers, every named mistake, and its feedback.

    A drill has variants without end. By default each trap of each level comes once.
    """
    from foveal.cli.streams import terminal_style
    from foveal.files import write_atomically
    from foveal.learn.drills import template as find_template
    from foveal.learn.drills.template import LEVELS
    from foveal.learn.exercise import to_json
    from foveal.learn.exports.variants import variants_html, variants_of, variants_text

    if page is not None and as_json:
        raise click.UsageError("--html and --json do not go together; give one of them.")
    drill = find_template(template)
    shown = variants_of(
        drill,
        levels=LEVELS if level is None else (level,),
        count=count or len(drill.traps),
        first_seed=seed,
    )
    if as_json:
        echo_json(
            "learn.variants",
            {"template": drill.name, "variants": [to_json(each) for each in shown]},
        )
    elif page is None:
        click.echo(variants_text(drill, shown, style=terminal_style()))
    else:
        if page.exists() and not page.read_bytes().startswith(b"<!doctype html>"):
            raise UsageError(
                f"{printable(str(page))} is there already and is no page.",
                next_step="Choose another name.",
            )
        write_atomically(page, variants_html(drill, shown).encode())
        click.echo(f"{count_noun(len(shown), 'variant')} written to {printable(str(page))}.")


@click.command(
    "items",
    short_help="How hard each exercise was for a class, and why.",
    epilog="\b\nExample:\n  foveal learn items class/*.json",
)
@click.argument(
    "learners",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def items(learners: tuple[Path, ...], as_json: bool) -> None:
    """Report difficulty and mistakes from learners' exported answers, one FILE each.

    Learners make them with `foveal learn progress export` or on the web page. A review counts
    once, however many files it is in.
    """
    from foveal.learn.item_report import items_text, report_items

    report = report_items([read_reviews(file) for file in learners])
    if as_json:
        echo_json("learn.items", report.to_json())
    else:
        click.echo(items_text(report))
    if report.num_different:
        click.echo(
            f"{count_noun(report.num_different, 'answer')} had the id of another; the first "
            "file's was taken.",
            err=True,
        )


def read_reviews(file: Path) -> tuple[Review, ...]:
    """Returns the reviews in an exported file.

    Raises:
        ProgressError: It is none; the message names the file.
    """
    from foveal.learn.progress import MAX_BYTES, parse_progress

    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    try:
        return parse_progress(content)
    except ProgressError as error:
        raise ProgressError(f"{printable(str(file))}: {error}") from error
