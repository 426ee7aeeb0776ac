"""Where a run looks, and what it should not look at.

The network runs once over a sample of the held-out pictures, each seen by a head that had not
seen it; the maps of all classes and folds follow from the fold heads in closed form. Only where
a place looks like a shortcut are some pictures run again with that place covered.
"""

from foveal.shortcuts.explaining import RunPictures, explain_training
from foveal.shortcuts.showing import explain_and_show

__all__ = ["RunPictures", "explain_and_show", "explain_training"]
