"""The one place where the course prints and asks; a test puts its own lines in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from foveal.draw.text_layout import COLUMNS, Role, Style, display_width, plain
from foveal.learn.exercise import Figure
from foveal.learn.terminal.markup import render
from foveal.text import printable


class LeftError(Exception):
    """The learner wants to leave; everything answered is kept already.

    Args:
        how: ``"asked"`` by a command or the end of the input, ``"interrupted"`` by Ctrl-C.
    """

    def __init__(self, how: str = "asked") -> None:
        super().__init__(how)
        self.how = how


@dataclass(frozen=True, slots=True)
class Screen:
    """A terminal.

    Attributes:
        write: Prints a text and a line break.
        read: Asks with a prompt and returns a line; raises EOFError at the end of the input
            and KeyboardInterrupt on Ctrl-C.
        style: Colours, or none.
        is_plain: Linear text for screen readers: no columns, no drawings, words for signs.
        columns: How wide the window is; at most 80 are used.
    """

    write: Callable[[str], None]
    read: Callable[[str], str]
    style: Style = plain
    is_plain: bool = False
    columns: int = COLUMNS

    def say(self, text: str = "", role: Role | None = None) -> None:
        """Prints marked-up text; a role styles a short text as a whole."""
        if role is None:
            self.write(render(text, style=self.style, columns=self.columns))
        else:
            shown = render(self._listed(text), columns=self.columns)
            self.write("\n".join(self.style(line, role) for line in shown.split("\n")))

    def draw(self, figure: Figure | None) -> None:
        """Prints a drawing, or what it shows in words where it cannot; nothing for None."""
        if figure is None:
            return
        self.write("")
        lines = [f"    {printable(line)}" for line in figure.text.split("\n")]
        if self.is_plain or any(display_width(line) > self.columns for line in lines):
            self.say(figure.alternative)
        else:
            self.write("\n".join(lines))

    def ask(self, prompt: str) -> str:
        """Returns what was typed.

        Raises:
            LeftError: The input ended, or Ctrl-C was pressed.
        """
        try:
            return self.read(self.style(prompt, "number"))
        except EOFError:
            self.write("")
            raise LeftError("asked") from None
        except KeyboardInterrupt:
            self.write("")
            raise LeftError("interrupted") from None

    def choose(self, prompt: str, **words: str) -> str:
        """Returns the letter of one of the words; Enter gives ``""`` where that is one.

        Args:
            prompt: What is asked; may be empty.
            **words: What each letter does; ``enter`` for the empty line.
        """
        said = " · ".join(
            f"{'Enter' if letter == 'enter' else letter} {word}" for letter, word in words.items()
        )
        while True:
            self.write("")
            if prompt:
                self.say(prompt)
            self.say(said, "quiet")
            typed = self.ask("> ").strip().lower()
            letter = typed or "enter"
            if letter in words:
                if letter == "q":
                    raise LeftError("asked")
                return "" if letter == "enter" else letter
            self.say(f"{typed!r} is none of these.")

    def _listed(self, text: str) -> str:
        # A screen reader reads the dots between the parts of a line aloud.
        return text.replace(" · ", ", ") if self.is_plain else text
