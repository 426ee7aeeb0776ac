"""From the bytes of an image to what is said of it: decoded, run, written down."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

from foveal.runs.classifier import Prediction
from foveal.runs.prediction_rows import describe
from foveal.serving.audit_log import AuditLog
from foveal.serving.preparer import Preparer
from foveal.serving.problems import RefusedError, too_late
from foveal.serving.runner import Runner
from foveal.serving.served_run import ServedRun

# What an audit log keeps of an answer.
_LOGGED = ("label", "probability", "prediction_set", "unsure", "unlike_training", "novelty")


@dataclass(frozen=True, slots=True)
class Answered:
    """One image that was answered.

    Attributes:
        run: The version of the run that answered.
        sha256: Digest of the file.
        prediction: As ``foveal predict`` gives it.
        maps: [K, h, w] where a map was asked for.
    """

    run: ServedRun
    sha256: str
    prediction: Prediction
    maps: Any = None

    def to_json(self) -> dict[str, Any]:
        """Returns the row of ``foveal predict``, and by what and of what it is."""
        row = describe(self.prediction, self.run.classifier.class_names)
        del row["path"], row["error"]
        return {
            "run": self.run.name,
            "run_version": self.run.version,
            "sha256": self.sha256,
            **row,
        }


@dataclass(frozen=True, slots=True)
class Answering:
    """The way of one image through the server."""

    preparer: Preparer
    runner: Runner
    audit: AuditLog | None
    seconds: float

    async def answer(
        self, run: ServedRun, data: bytes, *, task: Literal["classify", "explain"] = "classify"
    ) -> Answered:
        """Returns what a run says of a file.

        Raises:
            RefusedError: The image cannot be used, or not in time, or the audit log not be written.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        known = {
            "task": task,
            "run": run.name,
            "run_version": run.version,
            "sha256": sha256,
            "bytes": len(data),
        }
        try:
            result = await self._result(run, data, task)
        except RefusedError as problem:
            await self._log({**known, "status": problem.status, "code": problem.code})
            raise
        prediction, maps = result if task == "explain" else (result, None)
        answered = Answered(run, sha256, prediction, maps)
        row = answered.to_json()
        await self._log({**known, "status": 200, **{name: row[name] for name in _LOGGED}})
        return answered

    async def _result(self, run: ServedRun, data: bytes, task: str) -> Any:
        deadline = monotonic() + self.seconds
        try:
            async with asyncio.timeout(self.seconds):
                inputs = await self.preparer.prepare(data, run.preprocessing, deadline=deadline)
                return await self.runner.ask(run, task, inputs)
        except TimeoutError:
            raise too_late(f"The answer was not there after {self.seconds:g} s.") from None

    async def _log(self, record: dict[str, Any]) -> None:
        if self.audit is not None:
            await self.audit.write(record)
