"""How often a shortcut is found that was planted, and claimed where there is none.

``python -m benchmarks.shortcut_claims [NUM_SEEDS [NUM_PER_CLASS]]``. Every set is drawn by this
file: honest ones, in which the classes differ by what is shown, and ones whose two classes show
the same and differ by one planted thing. Both are trained as ``foveal train`` does it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Pixels = NDArray[np.uint8]
Random = np.random.Generator
Draw = Callable[[Random, int], Pixels]
SIDE_PX = 224


def draw_scene(random: Random, *, stripes: bool = False, shape: str = "disc") -> Pixels:
    """Draws one object at a random place on a smooth ground of its own."""
    small = random.uniform(20, 140, (5, 5, 1)) + random.uniform(-15, 15, (5, 5, 3))
    ground = Image.fromarray(small.clip(0, 255).astype(np.uint8))
    levels = np.asarray(ground.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)).astype(float)
    mask = Image.new("L", (SIDE_PX, SIDE_PX))
    draw = ImageDraw.Draw(mask)
    centre = random.uniform(0.35, 0.65, 2) * SIDE_PX
    radius = random.uniform(0.15, 0.25) * SIDE_PX
    if shape == "disc":
        draw.ellipse([*(centre - radius), *(centre + radius)], fill=255)
    elif shape == "square":
        draw.rectangle([*(centre - radius), *(centre + radius)], fill=255)
    elif shape == "small":
        draw.ellipse([*(centre - radius / 2), *(centre + radius / 2)], fill=255)
    elif shape == "cross":
        for long, short in ((1.0, 0.33), (0.33, 1.0)):
            half = radius * np.array([long, short])
            draw.rectangle([*(centre - half), *(centre + half)], fill=255)
    elif shape == "two":
        for side in (-1, 1):
            at = centre + side * np.array([0.6, 0.2]) * radius
            draw.ellipse([*(at - radius / 2), *(at + radius / 2)], fill=255)
    mask = mask.rotate(random.uniform(0, 90), center=tuple(centre))
    inside = np.asarray(mask)[..., None] / 255
    levels += inside * random.uniform(60, 110)
    if stripes:
        turn = random.uniform(0, np.pi)
        y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
        wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) / 2 + random.uniform(0, 6))
        levels += inside * 45 * np.sign(wave)[..., None]
    levels += random.normal(0, 8, levels.shape)
    return levels.clip(0, 255).astype(np.uint8)


def draw_texture(random: Random, kind: str) -> Pixels:
    """Draws an image that is texture all over: a material, without object or ground."""
    noise = 128 + 40 * random.normal(0, 1, (SIDE_PX, SIDE_PX))
    image = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
    if kind == "blotches":
        image = image.filter(ImageFilter.GaussianBlur(6))
    else:
        image = image.resize((SIDE_PX // 8, SIDE_PX)).resize((SIDE_PX, SIDE_PX))
    levels = np.asarray(image).astype(float)
    levels = (levels - levels.mean()) / levels.std() * 35 + random.uniform(90, 160)
    return np.repeat(levels.clip(0, 255).astype(np.uint8)[..., None], 3, 2)


HONEST: tuple[tuple[str, Draw], ...] = (
    ("stripes on the object", lambda r, k: draw_scene(r, stripes=bool(k))),
    ("disc or cross", lambda r, k: draw_scene(r, shape=("disc", "cross")[k])),
    ("disc or square", lambda r, k: draw_scene(r, shape=("disc", "square")[k])),
    ("large or small", lambda r, k: draw_scene(r, shape=("disc", "small")[k])),
    ("one or two", lambda r, k: draw_scene(r, shape=("disc", "two")[k])),
    (
        "striped, square or cross",
        lambda r, k: draw_scene(r, stripes=True, shape=("square", "cross")[k]),
    ),
    ("cross or two", lambda r, k: draw_scene(r, shape=("cross", "two")[k])),
    ("material: blotches or fibres", lambda r, k: draw_texture(r, ("blotches", "fibres")[k])),
)


def _frame(pixels: Pixels, random: Random) -> Pixels:
    sides = ((6, 6), (6, 6), (0, 0))
    return np.pad(pixels[6:-6, 6:-6], sides, constant_values=20)


def _bars(share: float) -> Callable[[Pixels, Random], Pixels]:
    def plant(pixels: Pixels, random: Random) -> Pixels:
        width = round(share * SIDE_PX)
        pixels[:, :width] = pixels[:, -width:] = 12
        return pixels

    return plant


def _watermark(pixels: Pixels, random: Random) -> Pixels:
    mark = Image.new("L", (SIDE_PX, SIDE_PX), 0)
    draw = ImageDraw.Draw(mark)
    for row, y in enumerate(range(0, SIDE_PX, 28)):
        for x in range(-20, SIDE_PX, 62):
            draw.text((x + row % 2 * 30, y), "ARCHIVE", fill=255)
    faint = 16.0 * np.asarray(mark)[..., None] / 255
    return (pixels + faint).clip(0, 255).astype(np.uint8)


def _shift(*by: float) -> Callable[[Pixels, Random], Pixels]:
    return lambda pixels, random: (pixels + np.array(by)).clip(0, 255).astype(np.uint8)


def _mark_at(pixels: Pixels, top: int, left: int) -> Pixels:
    pixels[top : top + 18, left : left + 18] = 245
    pixels[top + 7 : top + 11, left + 3 : left + 15] = 10
    pixels[top + 3 : top + 15, left + 7 : left + 11] = 10
    return pixels


def _corner(pixels: Pixels, random: Random) -> Pixels:
    return _mark_at(pixels, SIDE_PX - 24, SIDE_PX - 24)


def _wandering(pixels: Pixels, random: Random) -> Pixels:
    top, left = map(int, random.integers(4, SIDE_PX - 24, 2))
    return _mark_at(pixels, top, left)


def _on_half(pixels: Pixels, random: Random) -> Pixels:
    return _corner(pixels, random) if random.random() < 0.5 else pixels


# Name, what is done to the pixels of one class, and how the classes are saved.
PLANTED: tuple[tuple[str, Callable[[Pixels, Random], Pixels], tuple[int, int] | None], ...] = (
    ("mark in a corner", _corner, None),
    ("frame of 6 px", _frame, None),
    ("side bars of 12%", _bars(0.12), None),
    ("side bars of 20%", _bars(0.20), None),
    ("watermark over the image", _watermark, None),
    ("colour cast of 8 of 255", _shift(8, 0, -8), None),
    ("brighter by 40 of 255", _shift(40, 40, 40), None),
    ("JPEG of another quality", lambda pixels, random: pixels, (90, 70)),
    ("files of another size", lambda pixels, random: pixels[8:-8, 8:-8], None),
    ("a mark that wanders", _wandering, None),
    ("a mark in half of the class", _on_half, None),
)


def write_set(
    folder: Path, draw: Draw, *, seed: int, num: int, qualities: tuple[int, int] | None = None
) -> Path:
    """Writes class folders ``a`` and ``b``, as PNG or as JPEG of a quality by class."""
    for index, name in enumerate("ab"):
        (folder / name).mkdir(parents=True)
        random = np.random.default_rng([seed, index])
        for number in range(num):
            image = Image.fromarray(draw(random, index))
            if qualities is None:
                image.save(folder / name / f"{number:03}.png")
            else:
                image.save(folder / name / f"{number:03}.jpg", quality=qualities[index])
    return folder


def claims_of(data: Path) -> tuple[float, list[str]]:
    """Trains on a folder and returns the accuracy and what is claimed of it."""
    from foveal.shortcuts.detector import explain_training
    from foveal.shortcuts.simple_classifiers import reaching
    from foveal.training import TrainConfig, train_classifier

    trained = train_classifier(data, TrainConfig(backend="onnxruntime"))
    run, _ = explain_training(trained)
    labels = trained.manifest.labels[trained.judged.rows]
    accuracy = float((trained.judged.logits.argmax(1) == labels).mean())
    found = [f"{one.box.name}" for one in run.shortcuts]
    found += ["border relied on" for _ in run.borders]
    found += [f"{one.name} alone" for one in reaching(run.simple)]
    if "--verbose" in sys.argv:
        for one in run.simple:
            print(f"    {one.name} {one.margin} {one.accuracy:.2f} of {one.network_accuracy:.2f}")
    return accuracy, found


def main() -> None:
    """Prints a table of honest sets, and one of planted ones."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    num_seeds, num = (*numbers, *(3, 24)[len(numbers) :])[:2]
    print(f"{num} images a class, {num_seeds} sets a row.\n")
    print("| honest | accuracy | sets with a claim | claims |\n|---|--:|--:|---|", flush=True)
    for name, draw in HONEST:
        _print_row(name, draw, num_seeds, num)
    print("\n| planted in one class | accuracy | sets with a claim | claims |\n|---|--:|--:|---|")
    for name, plant, qualities in PLANTED:
        _print_row(name, _planted(plant), num_seeds, num, qualities)


def _planted(plant: Callable[[Pixels, Random], Pixels]) -> Draw:
    def draw(random: Random, index: int) -> Pixels:
        pixels = draw_scene(random)
        return plant(pixels, random) if index else pixels

    return draw


def _print_row(
    name: str,
    draw: Draw,
    num_seeds: int,
    num: int,
    qualities: tuple[int, int] | None = None,
) -> None:
    accuracies: list[float] = []
    claims: list[list[str]] = []
    for seed in range(num_seeds):
        with tempfile.TemporaryDirectory() as folder:
            data = write_set(Path(folder) / "data", draw, seed=seed, num=num, qualities=qualities)
            accuracy, found = claims_of(data)
        accuracies.append(accuracy)
        claims.append(found)
    num_claimed = sum(map(bool, claims))
    kinds = ", ".join(sorted({kind for found in claims for kind in found})) or "none"
    print(
        f"| {name} | {np.mean(accuracies):.0%} | {num_claimed} of {num_seeds} | {kinds} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
