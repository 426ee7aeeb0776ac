"""``foveal learn --web`` and ``foveal learn export site``: the course in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from foveal.text import printable


def serve_course(*, port: int | None, opens: bool) -> None:
    """Serves the course on this machine until Ctrl-C."""
    from foveal.learn.web.server import USUAL_PORT, page_server
    from foveal.learn.web.site import site_page
    from foveal.progress import ProgressDisplay

    with ProgressDisplay() as display, display.step("Preparing the course"):
        page = site_page(progress=display.advance)
    with page_server(page, port=port) as server:
        host, taken = server.server_address[:2]
        address = f"http://{host!s}:{taken}/"
        click.echo(address)
        if port is None and taken != USUAL_PORT:
            click.echo(
                f"Port {USUAL_PORT} is taken, so this is another address. A browser keeps answers "
                "by address; export them in the page to keep them.",
                err=True,
            )
        click.echo("Open it in a browser on this machine. Ctrl-C ends it.", err=True)
        if opens:
            click.launch(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Ended.", err=True)


@click.command(
    "site",
    short_help="The course as one web page that needs no network.",
    epilog="\b\nExample:\n  foveal learn export site course",
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--on", "model", metavar="MODEL", help="Put this network of yours in the explorer.")
def export_site(folder: Path, model: str | None) -> None:
    """Write the course into FOLDER: topics, quiz, drills, labs and an explorer in one file.

    It opens by a double click, sends nothing and works without a network.
    """
    from foveal.learn.web.site import write_site
    from foveal.progress import ProgressDisplay

    with ProgressDisplay() as display, display.step("Preparing the course"):
        file = write_site(folder, model=model, progress=display.advance)
    click.echo(
        f"{printable(str(file))} ({file.stat().st_size / 1e6:.1f} MB). Open it in a browser."
    )
