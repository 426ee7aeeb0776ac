"""Shortcuts in plain sentences."""

from __future__ import annotations

from foveal.draw.numbers import percent
from foveal.shortcuts.suspicion import Shortcut
from foveal.text import count_noun, printable


def describe_shortcut(shortcut: Shortcut, *, class_name: str) -> str:
    """Returns what was found at a place, what covering it does, and what to do.

    Args:
        shortcut: The place.
        class_name: Of its class; made printable here.
    """
    trial = shortcut.trial
    name = f"“{printable(class_name)}”"
    if trial.num_changed > 0:
        effect = (
            f"covering it changes {trial.num_changed} of "
            f"{count_noun(trial.num_right, 'right answer')}, covering the places opposite changes "
            f"{_number(trial.num_changed_elsewhere)}"
        )
    else:
        effect = (
            f"covering it takes {trial.loss:.1f} logits from the lead of {name}, covering the "
            f"places opposite takes {_loss(trial.loss_elsewhere)}"
        )
    return (
        f"{_share(shortcut.suspicion.share)} of what sets {name} apart comes from the "
        f"{shortcut.box.name}, {_share(shortcut.box.area_share)} of the picture; {effect}. Look "
        "there for a mark, a label or a frame: the figures hold only as long as it comes with "
        "the class."
    )


def _share(value: float) -> str:
    return percent(min(value, 1.0))


def _number(value: float) -> str:
    return "none" if value == 0 else f"{value:.1f}".removesuffix(".0")


def _loss(value: float) -> str:
    return "none" if value < 0.05 else f"{value:.1f}"
