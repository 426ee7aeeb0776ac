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
    noun,
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
@noun("json")
def command(data: Path, as_json: bool, **values: Any) -> None:
    """Look through labelled images before any training.

    DATA is a folder of class folders, a folder with train/, val/, test/, or a table with
    path,label. Exits with 1 when a finding is an error.
    """
    from foveal.api import audit
    from foveal.cli.streams import terminal_style
    from foveal.progress import ProgressDisplay
    from foveal.reporting import render_audit_text

    groups = read_group_options(values)
    reading = read_data_options(values)
    with ProgressDisplay() as display, display.step("Reading the images"):
        found = audit(data, groups=groups, reading=reading, progress=display.advance)
    if as_json:
        echo_json("audit", found.to_json())
    else:
        click.echo(render_audit_text(found, style=terminal_style()))
    if any(finding.severity == "error" for finding in found.findings):
        sys.exit(1)
