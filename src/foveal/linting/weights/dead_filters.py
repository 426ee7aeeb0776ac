"""W202: filters that compute nothing."""

from __future__ import annotations

import torch

from foveal.draw.numbers import percent
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule
from foveal.linting.weights.stored import NO_VALUES, filters, weighted_layers
from foveal.text import count_noun

# Relative to the layer's median filter: float32 rounds at 1e-7.
RELATIVE_NORM = 1e-6
WARNING_SHARE = 0.25


def check(context: LintContext) -> Outcome:
    """Finds output channels whose weights are zero, or nothing beside the layer's others.

    A layer that is zero as a whole is the zero initialisation of a residual branch (Goyal et
    al. 2017; ControlNet's zero convolutions), an information. Scales of batch norm are not
    looked at: zero there is common and often meant.
    """
    if not context.has_values:
        return NO_VALUES
    layers = list(weighted_layers(context))
    if not layers:
        return NotApplicable("there is no convolution and no linear layer")
    found = []
    few: list[tuple[float, str, int, int]] = []
    for path, module, weight in layers:
        norms = filters(module, weight).norm(dim=1)
        norms = norms[torch.isfinite(norms)]
        if not norms.numel() or norms.numel() == 1:
            continue
        median = float(norms.median())
        dead = norms <= RELATIVE_NORM * median
        num_dead, num_filters = int(dead.sum()), norms.numel()
        if not num_dead:
            continue
        share = num_dead / num_filters
        all_zero = num_dead == num_filters
        if share < WARNING_SHARE:
            few.append((share, path, num_dead, num_filters))
            continue
        found.append(
            Finding(
                "W202",
                "info" if all_zero else "warning",
                path,
                f"All {num_filters:,} filters of {path} are zero: it adds nothing yet."
                if all_zero
                else f"{num_dead:,} of {num_filters:,} filters of {path} ({percent(share)}) have "
                "a norm "
                f"below {RELATIVE_NORM * median:.1e}, where the median is {median:.2g}: their "
                "output is the same everywhere in every picture.",
                "Nothing, if the layer was started at zero on purpose and is still to be trained."
                if all_zero
                else "Remove the channels (they cost time and give nothing), or look for what "
                "killed them: too large a learning rate, weight decay, or pruning.",
                data={"num_dead": num_dead, "num_filters": num_filters, "median_norm": median},
            )
        )
    if few:
        found.append(_scattered(few, sum(weight.shape[0] for _, _, weight in layers)))
    return Checked(tuple(found))


def _scattered(few: list[tuple[float, str, int, int]], num_filters: int) -> Finding:
    """One finding for the few dead filters that most trained networks have here and there."""
    _, worst, most, of_it = max(few)
    num_dead = sum(count for _, _, count, _ in few)
    return Finding(
        "W202",
        "info",
        worst,
        f"{count_noun(num_dead, 'filter')} of {num_filters:,} "
        + ("has" if num_dead == 1 else "have")
        + f" weights of zero, in {count_noun(len(few), 'layer')}; most of them in {worst} "
        f"({most:,} of {of_it:,}). Their output is the same everywhere in every picture.",
        "Harmless. Removing the channels makes the network a little faster and changes nothing.",
        data={"num_dead": num_dead, "layers": {path: count for _, path, count, _ in few}},
    )


RULE = Rule("W202", "dead filters", "warning", check)
