"""Does the exported page answer as Python does? In a real Chromium, file by file.

    python -m benchmarks.page_parity RUN [--write]

Compared is what enters the network, number by number, and the probabilities that come out, for
some three hundred files of every kind (``benchmarks/page_files.py``). PNG, JPEG and DICOM must be
equal in every pixel, and every probability of theirs within 1e-5, or the command exits with 1.
What the browser decodes (WebP, AVIF, GIF, BMP) is measured and told. ``--write`` writes
the figures into the page that will be exported next.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import print_table
from benchmarks.page_files import MadeFile, make_files
from foveal.errors import ImageError
from foveal.exporting import export_page
from foveal.exporting.facts import Agreement, Agreements, agreements_json
from foveal.runs import Classifier, load

RECORD = Path(__file__).parents[1] / "src" / "foveal" / "exporting" / "page" / "agreement.json"
MAX_PROBABILITY_DIFFERENCE = 1e-5
DECODED_HERE = ("PNG", "JPEG", "DICOM")
_READING = """async ([name, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const file = new File([bytes], name);
  const row = await foveal.classify(file);
  if (row.error !== null) return { error: row.error };
  const input = new Uint8Array((await foveal.prepare(file)).buffer);
  let packed = "";
  for (let at = 0; at < input.length; at += 32768) {
    packed += String.fromCharCode(...input.subarray(at, at + 32768));
  }
  const { probabilities, novelty } = row;
  return { error: null, probabilities, novelty, input: btoa(packed) };
}"""


@dataclass(frozen=True)
class Compared:
    """One file in both: the largest differences, or why one of the two did not read it."""

    made: MadeFile
    level_difference: float = 0.0
    probability_difference: float = 0.0
    novelty_difference: float = 0.0
    in_page: str | None = None
    in_python: str | None = None


def compare(
    classifier: Classifier, page: Path, made: list[MadeFile], *, browser: Any
) -> Iterator[Compared]:
    """Yields each file's comparison; ``browser`` is Playwright's, with the page opened in a tab."""
    tab = browser.new_page()
    tab.goto(page.as_uri())
    tab.wait_for_selector("body[data-state=ready]", timeout=120_000)
    for one in made:
        text = base64.b64encode(one.data).decode("ascii")
        yield _compared(classifier, one, tab.evaluate(_READING, [one.name, text]))
    tab.close()


def _compared(classifier: Classifier, made: MadeFile, found: dict[str, Any]) -> Compared:
    try:
        expected = classifier.preprocessing.apply(made.data)
    except ImageError as error:
        return Compared(made, in_page=found["error"], in_python=error.message)
    if found["error"] is not None:
        return Compared(made, in_page=found["error"])
    (answer,) = classifier.predict([made.data])
    given = np.frombuffer(base64.b64decode(found["input"]), np.float32).reshape(expected.shape)
    scale = 255 * np.array(classifier.preprocessing.std).reshape(3, 1, 1)
    assert answer.novelty is not None
    return Compared(
        made,
        level_difference=float(np.abs((given.astype(np.float64) - expected) * scale).max()),
        probability_difference=float(
            np.abs(np.array(found["probabilities"]) - answer.probabilities).max()
        ),
        novelty_difference=abs(found["novelty"] - answer.novelty) / answer.novelty,
    )


def summarise(compared: list[Compared], *, browser: str, model: str) -> Agreements:
    """Returns the figures by kind of file, in the order in which the kinds came."""
    read = [one for one in compared if one.made.is_read]
    rows = []
    for kind in dict.fromkeys(one.made.kind for one in read):
        own = [one for one in read if one.made.kind == kind]
        rows.append(
            Agreement(
                kind=kind,
                num_files=len(own),
                num_equal=sum(one.level_difference == 0 and not one.in_page for one in own),
                max_level_difference=max(one.level_difference for one in own),
                max_probability_difference=max(one.probability_difference for one in own),
            )
        )
    return Agreements(browser, model, len(read), len(compared) - len(read), tuple(rows))


def faults(compared: list[Compared]) -> list[str]:
    """Returns what must not be, one line each."""
    found = []
    for one in compared:
        name = f"{one.made.kind}: {one.made.name}"
        if one.made.is_read and (one.in_page or one.in_python):
            found.append(f"{name}: page says {one.in_page!r}, Python {one.in_python!r}")
        elif not one.made.is_read and one.in_page is None:
            found.append(f"{name}: the page read what it should refuse")
        elif one.made.kind.startswith(DECODED_HERE) and one.level_difference:
            found.append(f"{name}: a level differs by {one.level_difference:.3g} of 255")
        if one.made.kind.startswith(DECODED_HERE) and (
            one.probability_difference > MAX_PROBABILITY_DIFFERENCE
        ):
            found.append(f"{name}: a probability differs by {one.probability_difference:.3g}")
    return found


def main() -> None:
    """Measures, prints, and exits with 1 where something must not be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, nargs="?", default=Path("foveal-demo/run"))
    parser.add_argument("--write", action="store_true", help="write the figures into the page")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    classifier = load(options.run)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        page = export_page(options.run, Path(folder) / "page.html").file
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        compared = list(compare(classifier, page, make_files(), browser=browser))
        name = f"Chromium {browser.version}"
        browser.close()
    model = f"the network {classifier.manifest['backbone']['name']}"
    found = summarise(compared, browser=name, model=model)
    print(f"{found.num_files} files, {found.browser}, {model}\n")
    print_table(
        ("Kind", "Files", "Equal", "Largest difference of a level", "of a probability"),
        [
            (
                row.kind,
                str(row.num_files),
                str(row.num_equal),
                f"{row.max_level_difference:.3g}",
                f"{row.max_probability_difference:.1e}",
            )
            for row in found.rows
        ],
    )
    largest = max(one.novelty_difference for one in compared)
    print(f"\nLargest relative difference of the distance from training: {largest:.1e}")
    print(f"\n{found.num_unread} files that the page must refuse:\n")
    print_table(
        ("File", "The page says", "Python says"),
        [
            (one.made.name, one.in_page or "-", one.in_python or "reads it")
            for one in compared
            if not one.made.is_read
        ],
    )
    wrong = faults(compared)
    print("\n" + "\n".join(wrong or ["Nothing that must not be."]))
    if options.write:
        text = json.dumps(agreements_json(found), indent=2, ensure_ascii=False) + "\n"
        RECORD.write_text(text, "utf-8")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
