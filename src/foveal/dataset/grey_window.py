"""The window of a data set's deep images, from those that may be trained on."""

from __future__ import annotations

from foveal.dataset.manifest import ImageRecord, Manifest
from foveal.images import ChosenWindow, choose_window


def choose_grey_window(
    manifest: Manifest, choice: str = "set", *, keeps_split: bool = True
) -> ChosenWindow:
    """Returns one window for the set; see ``foveal.images.choose_window``.

    Tested images of a given split have no part in it. With cross-validation, or a share held
    out, all images have: their labels are not looked at.

    Args:
        manifest: As scanned.
        choice: A word or two levels.
        keeps_split: Whether a split that came with the data is followed.

    Raises:
        UsageError: The choice is unknown.
    """
    records = _trained_on(manifest) if keeps_split and manifest.has_splits else manifest.usable
    return choose_window([one.levels for one in records if one.levels is not None], choice)


def _trained_on(manifest: Manifest) -> tuple[ImageRecord, ...]:
    splits = {record.split for record in manifest.usable}
    tested = "test" if "test" in splits else "val"
    return tuple(one for one in manifest.usable if one.split not in (tested, None))
