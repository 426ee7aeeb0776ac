"""Methods that are asked for and not offered, and why.

Guided backpropagation (Springenberg et al., arXiv 1412.6806), the deconvnet (Zeiler and Fergus
2014) and guided Grad-CAM (Selvaraju et al. 2017) change the backward pass so that only
positive signals go through rectifiers. The pictures are crisp, and are nearly those of an edge
detector: Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018), replaced the weights
of the upper layers by random ones and the maps of guided backpropagation and guided Grad-CAM
stayed; Nie, Zhang and Patel, "A Theoretical Explanation for Perplexing Behaviors of
Backpropagation-based Visualizations" (ICML 2018), proved that guided backpropagation and
the deconvnet partly restore the input whatever the class. A map that would look the same had
the network learned nothing cannot show what it learned.
"""

from __future__ import annotations

from foveal.errors import UsageError

_RESTORES = (
    "it draws the picture's edges and hardly depends on the class or on the learned weights, so "
    "it fails the parameter-randomisation test (Adebayo et al. 2018; Nie et al. 2018)"
)

# Name and reason, as a clause.
LEFT_OUT: tuple[tuple[str, str], ...] = (
    ("guided-backprop", _RESTORES),
    ("guided-grad-cam", f"it is Grad-CAM times guided backpropagation: {_RESTORES}"),
    ("deconvnet", _RESTORES),
)

_NEXT_STEP = "Use cam, grad-cam or occlusion; for a map by pixel, input-gradients."


def refuse_left_out(method: str) -> None:
    """Raises if ``method`` is one that is left out on purpose; spelling is forgiven.

    >>> refuse_left_out("grad-cam")

    Raises:
        UsageError: With the reason and what to use instead.
    """
    asked = _plain(method)
    for name, reason in LEFT_OUT:
        if asked in {_plain(name), _plain(name).replace("backprop", "backpropagation")}:
            raise UsageError(f"{name} is left out: {reason}.", next_step=_NEXT_STEP)


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
