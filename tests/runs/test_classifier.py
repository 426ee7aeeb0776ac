from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import foveal
from foveal.errors import RunAlteredError, RunIncompleteError
from foveal.runs import Classifier, evaluate_classifier
from foveal.runs import classifier as classifier_module

# Exif orientation (CIPA DC-008, tag 0x0112): what a stored image needs before it is shown;
# each value's inverse gives what to store so that all eight show the same.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.fixture(scope="module")
def classifier(run_folder: Path) -> Classifier:
    return foveal.load(run_folder)


@pytest.fixture
def image(shapes: Path) -> Path:
    return shapes / "circle" / "000.png"


def test_answers_come_in_the_order_of_the_images(classifier: Classifier, shapes: Path) -> None:
    paths = sorted(shapes.rglob("*.png"), reverse=True)
    assert [one.path for one in classifier.predict(paths)] == [str(path) for path in paths]


def test_one_path_may_be_given_alone(classifier: Classifier, image: Path) -> None:
    assert classifier.predict(str(image))[0] == classifier.predict([image])[0]


def test_no_path_gives_no_answer(classifier: Classifier) -> None:
    assert classifier.predict([]) == ()


def test_probabilities_are_the_tempered_logits(classifier: Classifier, image: Path) -> None:
    (answer,) = classifier.predict(image)
    scores = np.exp(np.array(answer.logits) / classifier.temperature)
    np.testing.assert_allclose(answer.probabilities, scores / scores.sum(), atol=1e-5)


def test_the_label_has_the_highest_probability(classifier: Classifier, image: Path) -> None:
    (answer,) = classifier.predict(image)
    assert answer.probability == max(answer.probabilities)
    assert answer.label == classifier.class_names[int(np.argmax(answer.probabilities))]


def test_training_images_of_easy_classes_are_recognised(
    classifier: Classifier, shapes: Path
) -> None:
    paths = sorted(shapes.rglob("*.png"))
    right = [
        one.label == path.parent.name
        for one, path in zip(classifier.predict(paths), paths, strict=True)
    ]
    assert np.mean(right) > 0.9


def test_noise_is_unlike_training(classifier: Classifier, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    (answer,) = classifier.predict(tmp_path / "noise.png")
    assert answer.is_unlike_training is True


def test_a_bad_file_is_a_row_with_an_error(
    classifier: Classifier, image: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("not an image")
    bad, good = classifier.predict([tmp_path / "text.jpg", image])
    assert (bad.label, bad.probabilities, good.error) == (None, (), None)
    assert bad.error == "this is text, not an image"


def test_a_bad_file_changes_no_other_answer(
    classifier: Classifier, image: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    alone = classifier.predict(image)[0]
    beside = classifier.predict([tmp_path / "empty.png", image, tmp_path / "nope.png"])[1]
    np.testing.assert_allclose(beside.logits, alone.logits, atol=1e-4)


@pytest.mark.parametrize("orientation", list(STORED))
def test_the_orientation_tag_changes_no_answer(
    classifier: Classifier, image: Path, tmp_path: Path, orientation: int
) -> None:
    picture = Image.open(image)
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = picture if turn is None else picture.transpose(turn)
    stored.save(tmp_path / "turned.png", exif=exif)
    upright, turned = classifier.predict([image, tmp_path / "turned.png"])
    np.testing.assert_allclose(turned.logits, upright.logits, atol=1e-4)


def test_a_picture_and_its_dicom_negative_get_the_same_answer(
    classifier: Classifier, image: Path, tmp_path: Path, write_dicom: Callable[..., Path]
) -> None:
    levels = np.asarray(Image.open(image))
    pair = [
        write_dicom(tmp_path / "m2.dcm", levels, "MONOCHROME2"),
        write_dicom(tmp_path / "m1.dcm", 255 - levels, "MONOCHROME1"),
    ]
    positive, negative = classifier.predict(pair)
    assert positive.error is None
    np.testing.assert_allclose(positive.logits, negative.logits, atol=1e-3)


def test_sixteen_bits_get_the_answer_of_eight(
    classifier: Classifier, image: Path, tmp_path: Path
) -> None:
    levels = np.asarray(Image.open(image)).astype(np.uint16) * 16  # twelve bits in sixteen
    Image.fromarray(levels).save(tmp_path / "deep.png")
    shallow, deep = classifier.predict([image, tmp_path / "deep.png"])
    assert deep.label == shallow.label


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "L"])
def test_the_mode_of_a_grey_picture_changes_no_label(
    classifier: Classifier, image: Path, tmp_path: Path, mode: str
) -> None:
    Image.open(image).convert(mode).save(tmp_path / "other.tiff")
    original, other = classifier.predict([image, tmp_path / "other.tiff"])
    assert other.label == original.label


@pytest.fixture
def copy(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "copy"))


@pytest.mark.parametrize("name", ["model.onnx", "evaluation.json", "preprocessing.json"])
def test_an_altered_run_is_refused(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(RunAlteredError, match=f"{name} was altered"):
        foveal.load(copy)


def test_a_run_that_lacks_a_file_is_refused(copy: Path) -> None:
    (copy / "novelty.safetensors").unlink()
    with pytest.raises(RunAlteredError, match="is missing from the run"):
        foveal.load(copy)


def test_an_unfinished_run_is_refused(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(RunIncompleteError, match="never finished"):
        foveal.load(copy)


def test_a_run_may_be_moved(copy: Path, image: Path, classifier: Classifier) -> None:
    assert foveal.load(copy).predict(image) == classifier.predict(image)


def test_other_decoders_than_at_training_are_said(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.images import formats

    assert foveal.load(run_folder).notes == ()
    monkeypatch.setattr(formats, "pixel_versions", lambda: {"pillow": "99.0"})
    (note,) = foveal.load(run_folder).notes
    assert "pillow" in note
    assert "99.0 now" in note


def test_a_run_that_was_replaced_is_not_mixed_with_the_one_that_was_loaded(
    copy: Path, shapes: Path
) -> None:
    loaded = foveal.load(copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "created": "later"}))
    for use in (
        lambda: loaded.explain(shapes / "circle" / "000.png"),
        lambda: evaluate_classifier(loaded, shapes),
    ):
        with pytest.raises(RunAlteredError, match="was replaced since it was loaded"):
            use()


def test_a_run_that_is_replaced_while_it_is_read_is_read_again(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = classifier_module.read_run
    created = []

    def replace_meanwhile(folder: Path) -> object:
        if not created:
            manifest = json.loads((copy / "manifest.json").read_text())
            (copy / "manifest.json").write_text(json.dumps({**manifest, "created": "later"}))
        created.append(folder)
        return read(folder)

    monkeypatch.setattr(classifier_module, "read_run", replace_meanwhile)
    assert foveal.load(copy).manifest["created"] == "later"
    assert len(created) == 2
