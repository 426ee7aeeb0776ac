"""How many changed copies the search for duplicates finds, and how often it is wrong.

Copies are made of some images of each set, one kind of change at a time, and looked for among
all images of the set, by the images alone, as ``foveal audit`` does. Then the sets as they are,
without any copy: what is found there is either a copy that the set really holds, or wrong.

The page docs/duplicates.md holds what this printed.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.measuring import print_table
from foveal.dataset import Duplicates, ImageRecord, Manifest, find_duplicates
from foveal.dataset.fingerprints import fingerprint

Change = Callable[[Image.Image, np.random.Generator], Image.Image]

_NUM_COPIES = 150
_TILE_PX = 64


def _transposed(method: Image.Transpose) -> Change:
    return lambda image, rng: image.transpose(method)


def _rotated(degrees: float) -> Change:
    def change(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        angle = degrees if rng.random() < 0.5 else -degrees
        return image.rotate(angle, Image.Resampling.BICUBIC)  # corners turn black

    return change


def _cropped(share: float) -> Change:
    def change(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        width, height = round(share * image.width), round(share * image.height)
        left = int(rng.integers(0, image.width - width + 1))
        top = int(rng.integers(0, image.height - height + 1))
        return image.crop((left, top, left + width, top + height))

    return change


def _brightened(factor: float) -> Change:
    return lambda image, rng: ImageEnhance.Brightness(image).enhance(factor)


def _resaved(quality: int) -> Change:
    def change(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(io.BytesIO(buffer.getvalue())).convert(image.mode)

    return change


def _resized(share: float) -> Change:
    return lambda image, rng: image.resize(
        (round(share * image.width), round(share * image.height)), Image.Resampling.BICUBIC
    )


def _mirrored_and_resaved(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _resaved(60)(_brightened(1.1)(_cropped(0.97)(mirrored, rng), rng), rng)


CHANGES: tuple[tuple[str, Change], ...] = (
    ("mirrored left to right", _transposed(Image.Transpose.FLIP_LEFT_RIGHT)),
    ("mirrored top to bottom", _transposed(Image.Transpose.FLIP_TOP_BOTTOM)),
    ("turned by 90°", _transposed(Image.Transpose.ROTATE_90)),
    ("turned by 180°", _transposed(Image.Transpose.ROTATE_180)),
    ("turned by 270°", _transposed(Image.Transpose.ROTATE_270)),
    ("rotated by 2°", _rotated(2)),
    ("rotated by 5°", _rotated(5)),
    ("rotated by 10°", _rotated(10)),
    ("cropped to 95% a side", _cropped(0.95)),
    ("cropped to 90% a side", _cropped(0.9)),
    ("cropped to 80% a side", _cropped(0.8)),
    ("brighter by 20%", _brightened(1.2)),
    ("darker by 20%", _brightened(0.8)),
    ("JPEG, quality 50", _resaved(50)),
    ("resized to one half", _resized(0.5)),
    ("blurred (Gaussian, 2 px)", lambda image, rng: image.filter(ImageFilter.GaussianBlur(2))),
    ("mirrored, cropped to 97%, brighter by 10%, JPEG 60", _mirrored_and_resaved),
)


@dataclass(frozen=True, slots=True)
class HonestSet:
    """Images of which none is meant to be a copy of another."""

    name: str
    pictures: tuple[Image.Image, ...]


def solar_cells() -> HonestSet:
    """ELPV: all alike in layout, and most of them near their own mirror image."""
    import elpv_dataset

    folder = Path(elpv_dataset.__file__).parent / "data" / "images"
    files = sorted(folder.glob("*.png"))
    return HonestSet("solar cells", tuple(Image.open(file).convert("L") for file in files))


def photograph_tiles() -> HonestSet:
    """Tiles that do not overlap, of the two photographs that come with scikit-learn."""
    from sklearn.datasets import load_sample_images

    tiles = []
    for photograph in load_sample_images().images:
        height, width = photograph.shape[:2]
        for top in range(0, height - _TILE_PX + 1, _TILE_PX):
            for left in range(0, width - _TILE_PX + 1, _TILE_PX):
                tile = photograph[top : top + _TILE_PX, left : left + _TILE_PX]
                tiles.append(Image.fromarray(tile))
    return HonestSet("photograph tiles", tuple(tiles))


def digits() -> HonestSet:
    """Handwritten digits in 8 × 8 pixels: many people write the same one alike."""
    from sklearn.datasets import load_digits

    levels = (load_digits().images * (255 / 16)).astype(np.uint8)
    return HonestSet(
        "handwritten digits",
        tuple(Image.fromarray(one).resize((64, 64), Image.Resampling.BICUBIC) for one in levels),
    )


def textures() -> HonestSet:
    """Random images with the spectrum of natural ones."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(96)[None, :])
    frequency[0, 0] = 1.0
    pictures = []
    for _ in range(1000):
        levels = np.fft.ifft2(np.fft.fft2(rng.standard_normal((96, 96))) / frequency**1.2).real
        levels = np.clip((levels - levels.mean()) / levels.std() * 45 + 128, 0, 255)
        pictures.append(Image.fromarray(levels.astype(np.uint8)))
    return HonestSet("random textures", tuple(pictures))


SETS: tuple[Callable[[], HonestSet], ...] = (solar_cells, photograph_tiles, digits, textures)


def records_of(pictures: Sequence[Image.Image], *, start: int = 0) -> list[ImageRecord]:
    """Returns the records of images that lie in no file, numbered from ``start``."""
    records = []
    for number, picture in enumerate(pictures, start=start):
        prints = fingerprint(np.asarray(picture))
        records.append(
            ImageRecord(
                f"{number:05}.png",
                label="a",
                digest=f"file {number}",
                pixel_digest=prints.pixel_digest,
                perceptual_hash=prints.perceptual_hash,
                signature=prints.signature,
                grey_mean=prints.grey_mean,
                grey_std=prints.grey_std,
            )
        )
    return records


def search(records: Sequence[ImageRecord]) -> Duplicates:
    """Returns what is found among the records."""
    return find_duplicates(Manifest(Path("/nowhere"), tuple(records), ("a",), "class folders"))


def recall(one_set: HonestSet, records: Sequence[ImageRecord], change: Change) -> str:
    """Returns the share of copies that were found together with their originals."""
    rng = np.random.default_rng(0)
    count = len(records)
    chosen = np.linspace(0, count - 1, min(_NUM_COPIES, count)).astype(int).tolist()
    copies = [change(one_set.pictures[index], rng) for index in chosen]
    found = search([*records, *records_of(copies, start=count)])
    sets = [set(members) for members in (*found.exact, *found.near)]
    num_found = sum(
        any({index, count + position} <= members for members in sets)
        for position, index in enumerate(chosen)
    )
    return f"{num_found / len(chosen):.0%}"


def main() -> None:
    sets = [make() for make in SETS]
    records = [records_of(one_set.pictures) for one_set in sets]
    print(f"Copies found, of {_NUM_COPIES} a set (of every tile)\n")
    rows = [
        [name, *(recall(*both, change) for both in zip(sets, records, strict=True))]
        for name, change in CHANGES
    ]
    print_table(["Change", *(one_set.name for one_set in sets)], rows)
    print("\nFound among images of which none was copied\n")
    rows = []
    for one_set, known in zip(sets, records, strict=True):
        start = time.process_time()
        found = search(known)
        rows.append(
            [
                one_set.name,
                f"{len(known):,}",
                f"{len(found.near):,}",
                f"{sum(map(len, found.near)):,}",
                f"{len(found.turned):,}",
                f"{time.process_time() - start:.1f}",
            ]
        )
    print_table(
        ["Set", "Images", "Sets found", "Images in them", "Mirrored or turned", "CPU seconds"], rows
    )


if __name__ == "__main__":
    main()
