"""Checkpoints: all that a training needs to go on, so that it ends as if never stopped.

Two files take turns, each written in one step and with a digest, so that a crash, also in
the middle of writing, leaves a good one. What the training was made of stands beside them,
name by name: going on with anything else is refused, and the difference named.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from foveal.errors import RunAlteredError, RunError, RunExistsError, RunIncompleteError
from foveal.files import write_atomically
from foveal.text import count_noun, printable

_FORMAT = "foveal fine-tuning 1"
_ORIGIN_NAME = "fine-tuning.json"
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Origin:
    """What a fine-tuning was made of.

    Attributes:
        parts: Digests or values by name, such as ``{"network weights": "3f…"}``.
        images: The digest of every image by its path.
    """

    parts: Mapping[str, str]
    images: Mapping[str, str] = field(default_factory=dict)


class CheckpointFolder:
    """The checkpoints of all fits of one fine-tuning.

    Args:
        folder: Where.
        origin: What is trained.
        resume: Whether a training that was stopped goes on there; else the folder must be new.

    Raises:
        RunExistsError: It holds checkpoints, and nobody said that they shall be used.
        RunIncompleteError: It shall be resumed, but holds no fine-tuning.
        RunAlteredError: It holds a fine-tuning of something else.
    """

    def __init__(self, folder: Path, origin: Origin, *, resume: bool) -> None:
        self.folder = folder
        file = folder / _ORIGIN_NAME
        if resume:
            _require_same(read_origin(folder), origin, folder)
        else:
            require_new(folder)
            content = {
                "format": _FORMAT,
                "parts": dict(origin.parts),
                "images": dict(origin.images),
            }
            write_atomically(file, json.dumps(content, indent=1).encode())

    def of(self, fit: str) -> Checkpoints:
        """Returns those of one fit."""
        return Checkpoints(self.folder / fit)

    def remove(self) -> None:
        """Deletes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Checkpoints:
    """The last two checkpoints of one fit, and its result."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0

    def save(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Writes a checkpoint over the older of the two.

        Raises:
            RunError: The disk does not take it; the last good one is kept.
        """
        self._number += 1
        self._write(f"checkpoint-{self._number % 2}.bin", tensors, facts, self._number)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Returns the newest good one, or ``None``."""
        found = [
            read
            for name in ("checkpoint-0.bin", "checkpoint-1.bin")
            if (read := self._read(name)) is not None
        ]
        if not found:
            return None
        tensors, facts, self._number = max(found, key=lambda read: read[2])
        return tensors, facts

    def finish(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Writes the result; the checkpoints are not needed any more."""
        self._write("result.bin", tensors, facts, 0)
        for name in ("checkpoint-0.bin", "checkpoint-1.bin"):
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()

    def result(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Returns the result, if the fit was finished."""
        read = self._read("result.bin")
        return None if read is None else read[:2]

    def _write(
        self, name: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], number: int
    ) -> None:
        from safetensors.torch import save

        told = {"format": _FORMAT, "number": str(number), "facts": json.dumps(dict(facts))}
        content = save({key: value.contiguous() for key, value in tensors.items()}, told)
        try:
            write_atomically(self._folder / name, hashlib.sha256(content).digest() + content)
        except OSError as error:
            raise RunError(
                f"A checkpoint cannot be written to {printable(str(self._folder))}: "
                f"{error.strerror or error}.",
                next_step="Make room there; the last good checkpoint is kept, and --resume "
                f"{printable(str(self._folder.parent))} goes on from it.",
            ) from error

    def _read(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any], int] | None:
        from safetensors.torch import load

        try:
            stored = (self._folder / name).read_bytes()
            digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
            if hashlib.sha256(content).digest() != digest:
                return None
            length = int.from_bytes(content[:8], "little")
            told = json.loads(content[8 : 8 + length])["__metadata__"]
            return load(content), json.loads(told["facts"]), int(told["number"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def require_new(folder: Path) -> None:
    """Refuses to begin where a fine-tuning was left.

    Raises:
        RunExistsError: The folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise RunExistsError(
            f"{printable(str(folder))} holds what a fine-tuning left that did not finish.",
            next_step=f"Go on with --resume {printable(str(folder))}, or delete it.",
        )


def read_origin(folder: Path) -> Origin:
    """Returns what the checkpoints in a folder were made of.

    Raises:
        RunIncompleteError: It holds no fine-tuning.
    """
    file = folder / _ORIGIN_NAME
    try:
        content = json.loads(file.read_text("utf-8"))
        if content["format"] == _FORMAT:
            return Origin(dict(content["parts"]), dict(content["images"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise RunIncompleteError(
        f"{printable(str(folder))} holds no fine-tuning that can be continued: expected "
        f"{_ORIGIN_NAME} as foveal train writes it.",
        next_step="Give the folder that was named when the training stopped, or leave --resume "
        "out to begin anew.",
    )


def _require_same(then: Origin, now: Origin, folder: Path) -> None:
    """Refuses another training and names what differs."""
    differing = [
        f"{name} ({then.parts.get(name, 'none')[:40]} then, {now.parts.get(name, 'none')[:40]} now)"
        for name in sorted({*then.parts, *now.parts})
        if then.parts.get(name) != now.parts.get(name)
    ]
    for what, paths in (
        (
            "changed",
            [p for p in now.images if p in then.images and then.images[p] != now.images[p]],
        ),
        ("added", [p for p in now.images if p not in then.images]),
        ("gone", [p for p in then.images if p not in now.images]),
    ):
        if paths:
            differing.append(
                f"{count_noun(len(paths), 'image')} {what}, first {printable(paths[0])}"
            )
    if differing:
        raise RunAlteredError(
            f"{printable(str(folder))} holds a fine-tuning of something else: "
            f"{'; '.join(differing)}.",
            next_step="Give the same data and options as then, or leave --resume out to begin "
            "anew.",
        )
