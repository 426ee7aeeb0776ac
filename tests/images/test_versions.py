"""What decodes pixels is named, and a change of it is told."""

from __future__ import annotations

import PIL

from foveal.images import formats, pixel_versions, pixel_versions_digest, version_differences


def test_pillow_and_its_lossy_codecs_are_named():
    named = pixel_versions()
    assert named["pillow"] == PIL.__version__
    assert {"libjpeg_turbo in pillow", "webp in pillow", "pydicom"} <= set(named)


def test_a_difference_names_both_versions():
    recorded = {**pixel_versions(), "pillow": "12.3.0"}
    assert version_differences(recorded) == (f"pillow 12.3.0 then, {PIL.__version__} now",)


def test_what_was_not_installed_then_is_told(monkeypatch):
    before = pixel_versions()
    monkeypatch.setattr(formats, "pixel_versions", lambda: {**before, "python-gdcm": "3.1"})
    assert version_differences(before) == ("python-gdcm not installed then, 3.1 now",)


def test_the_key_of_cached_features_changes_with_a_decoder(monkeypatch):
    before, named = pixel_versions_digest(), pixel_versions()
    monkeypatch.setattr(formats, "pixel_versions", lambda: {**named, "pillow": "99.0"})
    assert pixel_versions_digest() != before
