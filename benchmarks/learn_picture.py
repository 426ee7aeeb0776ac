"""Draws the picture of the README's section on learning: one wrong answer, met by name.

A real session in a pseudo-terminal, typed by this script, drawn as the terminal showed it. Needs
a headless Chromium for the last step. Writes ``docs/learn.png``.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# The bias is counted although there is none; then it is not.
SESSION = ("19232", "19200", "q")
_SILENCE_SECONDS = 3.0
COMMAND = ("learn", "drill", "4", "--seed", "1")
TARGET = Path(__file__).parents[1] / "docs" / "learn.png"


def record(command: tuple[str, ...], typed: tuple[str, ...], folder: Path) -> str:
    """Returns all that the terminal received, escape codes included."""
    settings = {
        **os.environ,
        "XDG_DATA_HOME": str(folder),
        "TERM": "xterm-256color",
        "COLUMNS": "80",
    }
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(sys.executable, [sys.executable, "-m", "foveal", *command], settings)
    shown = b""
    waiting = list(typed)
    while True:
        # The program is silent while it waits for an answer, and only then.
        ready, _, _ = select.select([terminal], [], [], _SILENCE_SECONDS)
        if not ready:
            if not waiting:
                break
            os.write(terminal, waiting.pop(0).encode() + b"\n")
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux: the program has ended
            break
        if not piece:
            break
        shown += piece
    os.waitpid(child, 0)
    return shown.decode("utf-8", "replace").replace("\r\n", "\n")


def draw(ansi: str, target: Path) -> None:
    """Draws text with escape codes as a picture of a terminal."""
    from rich.console import Console
    from rich.text import Text

    text = Text.from_ansi(ansi)
    console = Console(record=True, width=82, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    console.print(text)
    with tempfile.TemporaryDirectory() as name:
        svg = Path(name) / "learn.svg"
        console.save_svg(str(svg), title=f"foveal {' '.join(COMMAND)}")
        height = round(75 + 24.4 * text.plain.count("\n"))
        browser = shutil.which("chromium") or sys.exit("Chromium is needed to draw it.")
        page = Path(name) / "page.html"
        page.write_text(f"<body style='margin:0'>{svg.read_text('utf-8')}</body>", "utf-8")
        subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *(f"--window-size=1020,{height}", f"--screenshot={target}", page.as_uri()),
            ],
            check=True,
            capture_output=True,
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        ansi = record(COMMAND, SESSION, Path(name))
    print(re.sub(r"\x1b\[[0-9;]*m", "", ansi))
    draw(ansi, TARGET)
    print(f"written to {TARGET}")


if __name__ == "__main__":
    main()
