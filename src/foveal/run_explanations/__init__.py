"""Heat maps of a run's held-out pictures, each by a head that had not seen it.

The network runs once over a sample of the pictures; the maps of all classes and folds follow
from the fold heads in closed form. Only where a place looks like a shortcut are some pictures
run again with that place covered.
"""

from foveal.run_explanations.explaining import RunPictures, explain_training
from foveal.run_explanations.showing import explain_and_show

__all__ = ["RunPictures", "explain_and_show", "explain_training"]
