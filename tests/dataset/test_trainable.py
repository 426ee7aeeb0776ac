from __future__ import annotations

import pytest

from foveal.dataset import require_trainable, scan
from foveal.errors import DataError


def test_two_classes_of_two_images_can_be_trained_on(put, data):
    for number, name in enumerate(["a/1", "a/2", "b/1", "b/2"]):
        put(f"{name}.png", number)
    require_trainable(scan(data))


def test_an_empty_folder_is_refused(data):
    with pytest.raises(DataError, match=r"no images in .*data'.*\n.*folder of its own"):
        require_trainable(scan(data))


def test_images_without_labels_are_refused(put, data):
    put("1.png", 1)
    with pytest.raises(DataError, match=r"The 1 image in .* came without labels"):
        require_trainable(scan(data))


def test_only_bad_files_are_refused_with_their_reasons(data):
    (data / "a").mkdir()
    (data / "a/1.png").write_bytes(b"")
    (data / "a/2.png").write_bytes(b"text")
    with pytest.raises(DataError, match=r"None of 2 files .* empty_file \(1\), not_an_image \(1\)"):
        require_trainable(scan(data))


def test_one_class_is_refused_and_a_wrapper_is_suspected(put, data):
    put("wrapper/a/1.png", 1)
    put("wrapper/b/2.png", 2)
    with pytest.raises(DataError, match=r"one class, 'wrapper'(.|\n)*give 'wrapper' as the data"):
        require_trainable(scan(data))


def test_a_class_with_one_image_is_refused_by_name(put, data):
    for number, name in enumerate(["a/1", "a/2", "rare/1"]):
        put(f"{name}.png", number)
    with pytest.raises(DataError, match="Class 'rare' has only 1 usable image"):
        require_trainable(scan(data))


def test_a_class_that_is_missing_from_training_is_refused(put, data):
    for number, name in enumerate(["train/a/1", "train/a/2", "test/b/3", "test/b/4"]):
        put(f"{name}.png", number)
    with pytest.raises(DataError, match="training split has no usable image of b"):
        require_trainable(scan(data))
