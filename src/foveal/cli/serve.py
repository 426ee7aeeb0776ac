"""``foveal serve``: a page and an API on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import click

from foveal.cli.options import noun
from foveal.text import printable

_TOKEN_VARIABLE = "FOVEAL_TOKEN"


@click.command(
    "serve",
    epilog="\b\nExample:\n  foveal serve runs/photos\n"
    "  curl --data-binary @image.png -H 'Content-Type: image/png' \\\n"
    "    http://127.0.0.1:8428/predict",
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8428,
    show_default=True,
    help="Port to listen at; 0 takes any free one.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"File with the token that requests must show (or set {_TOKEN_VARIABLE}); needed "
    "where others than this machine can ask.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A name by which the server is asked, beside its addresses. Repeatable.",
)
@click.option(
    "--audit-log",
    "audit_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Append a line of JSON an answer: digest, version, answer; no pixels, no names.",
)
@click.option(
    "--max-megabytes",
    type=click.FloatRange(0, min_open=True),
    default=64.0,
    show_default=True,
    help="Most bytes of one file, in millions.",
)
@click.option(
    "--max-megapixels",
    type=click.FloatRange(0, min_open=True),
    help="Most pixels of one image, in millions (default: as foveal predict).",
)
@click.option(
    "--max-requests",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Most images that are held at once; more are told to come again.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(0.1),
    default=30.0,
    show_default=True,
    help="Most time of one answer.",
)
@noun("workers", help="Processes that decode, and threads for the network (default: one a core).")
def command(
    runs: tuple[Path, ...],
    host: str,
    port: int,
    token_file: Path | None,
    allowed_hosts: tuple[str, ...],
    audit_file: Path | None,
    max_megabytes: float,
    max_megapixels: float | None,
    max_requests: int,
    max_seconds: float,
    num_workers: int | None,
) -> None:
    """Serve finished runs: a page for people, an API for programs.

    RUN is a run folder, or a folder of run folders. A run that is written anew is taken up
    without losing a request. Only this machine can ask, unless --host says otherwise.

    POST /predict takes the bytes of one image and answers as foveal predict does;
    GET /openapi.json describes all of it. Ctrl-C finishes what has begun.
    """
    from foveal.images import MAX_PIXELS
    from foveal.serving.server import serve
    from foveal.serving.settings import ServerSettings

    settings = ServerSettings(
        host=host,
        port=port,
        token=_token(token_file),
        allowed_hosts=allowed_hosts,
        audit_file=audit_file,
        num_workers=num_workers,
        max_bytes=int(max_megabytes * 1e6),
        max_held_bytes=max(256_000_000, int(2e6 * max_megabytes)),
        max_pixels=MAX_PIXELS if max_megapixels is None else max(1, int(max_megapixels * 1e6)),
        max_requests=max_requests,
        answer_seconds=max_seconds,
    )

    def ready(address: str) -> None:
        click.echo(address)
        click.echo(
            "Open it in a browser, or ask it as docs/serving.md shows. Ctrl-C ends it.", err=True
        )

    serve(runs, settings, tell=lambda text: click.echo(text, err=True), ready=ready)
    click.echo("Ended.", err=True)


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(_TOKEN_VARIABLE) or None
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise click.UsageError(
            f"--token-file: {printable(str(file))} cannot be read: {reason}."
        ) from None
