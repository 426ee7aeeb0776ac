"""Learning: topics, drills, questions, review and labs.

A leaf: nothing but the doors above imports it. Nothing here needs torch before a network is
built.

>>> from foveal.learn import drill
>>> question = drill("convolution-shape", seed=1)
>>> bool(question.check("32×29×29"))
False
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foveal.learn.notebook import Checked, Drill, drill

__all__ = ["Checked", "Drill", "drill"]


def __getattr__(name: str) -> Any:
    # On first use: whoever imports one part of the room does not wait for the drills.
    if name in __all__:
        from foveal.learn import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'foveal.learn' has no attribute {name!r}")
