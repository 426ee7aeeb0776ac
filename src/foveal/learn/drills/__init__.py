"""Drills: endless variants of a question, each with its answer, its mistakes and its proof."""

from __future__ import annotations

from foveal.errors import UsageError
from foveal.learn.drills import (
    batch_norms,
    blocks,
    bottlenecks,
    by_hand,
    dilation,
    fields,
    groups,
    heads,
    heat_maps,
    macs,
    networks,
    parameters,
    pointwise,
    raising,
    separable,
    settings,
    sizes,
    stacks,
)
from foveal.learn.drills.template import Template
from foveal.text import near_names

TEMPLATES: tuple[Template, ...] = (
    *sizes.TEMPLATES,
    *settings.TEMPLATES,
    *parameters.TEMPLATES,
    *macs.TEMPLATES,
    *stacks.TEMPLATES,
    *heat_maps.TEMPLATES,
    *pointwise.TEMPLATES,
    *by_hand.TEMPLATES,
    *separable.TEMPLATES,
    *dilation.TEMPLATES,
    *fields.TEMPLATES,
    *bottlenecks.TEMPLATES,
    *heads.TEMPLATES,
    *blocks.TEMPLATES,
    *networks.TEMPLATES,
    *raising.TEMPLATES,
    *groups.TEMPLATES,
    *batch_norms.TEMPLATES,
)


def template(name: str) -> Template:
    """Returns the drill of that name.

    Raises:
        UsageError: There is none; near names are offered.
    """
    for each in TEMPLATES:
        if each.name == name:
            return each
    near = near_names(name, [each.name for each in TEMPLATES])
    raise UsageError(
        f"There is no drill named {name!r}.",
        next_step=f"Did you mean {', '.join(near)}?" if near else "foveal learn drill --list",
    )


def templates_of(topic: int) -> tuple[Template, ...]:
    """Returns the drills of a topic, its own first."""
    own = [each for each in TEMPLATES if each.topic == topic]
    return (*own, *(each for each in TEMPLATES if topic in each.also_topics))


__all__ = ["TEMPLATES", "Template", "template", "templates_of"]
