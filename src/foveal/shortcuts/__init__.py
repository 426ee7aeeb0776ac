"""Where a run looks, and what it should not look at.

The network runs once over a sample of the held-out images, each seen by a head that had not
seen it; the maps of all classes and folds follow from the fold heads in closed form. Only where
a region looks like a shortcut are some images run again with that region covered.
"""
