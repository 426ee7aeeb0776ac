"""``foveal audit``: what is in the data and what is wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from foveal.cli.options import (
    data_options,
    echo_json,
    group_options,
    read_data_options,
    read_group_options,
)


@click.command(
    "audit",
    epilog="\b\nExample:\n  foveal audit photos/ --group-regex '(patient\\d+)'",
)
@click.argument("data", type=click.Path(path_type=Path))
@group_options
@data_options
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
def command(data: Path, as_json: bool, **values: Any) -> None:
    """Look through labelled images before any training.

    DATA is a folder of class folders, a folder with train/, val/, test/, or a table with
    path,label. Exits with 1 when a finding is an error.
    """
    from foveal.cli.style import terminal_style
    from foveal.dataset import audit, find_duplicates, scan
    from foveal.progress import ProgressDisplay
    from foveal.reporting import render_audit_text

    groups = read_group_options(values)
    options = read_data_options(values)
    with ProgressDisplay() as display:
        with display.step("Reading the images"):
            manifest = scan(data, groups=groups, options=options, progress=display.advance)
        with display.step("Looking for duplicates and other trouble"):
            found = audit(manifest, duplicates=find_duplicates(manifest))
    if as_json:
        echo_json("audit", found.to_json())
    else:
        click.echo(render_audit_text(found, style=terminal_style()))
    if any(finding.severity == "error" for finding in found.findings):
        sys.exit(1)
