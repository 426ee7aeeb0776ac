"""Every error Foveal raises on purpose, so that one ``except`` can catch them.

::

    FovealError
    ├── UsageError            the call itself is wrong: an option, a name, a combination
    ├── DataError             the data as a whole cannot be used: empty, one class, no labels
    │   └── SourceLostError   a share, bucket or folder went away while it was read
    ├── LedgerError           a folder of shards is of other work, or damaged
    ├── ImageError            one image cannot be used; carries a code and the path
    ├── ModelError
    │   ├── UnknownModelError no model of that name; near names are offered
    │   ├── WeightsError      a checkpoint is missing, unsafe or does not fit
    │   └── TraceError        a network cannot be followed; names the layer
    ├── BackendError          a feature backend cannot run here, or disagrees
    ├── ProgressError         a learner's progress cannot be read, kept or merged
    ├── MissingExtraError     an optional package is needed; names it and the command
    └── RunError
        ├── RunExistsError    the run folder is there already
        ├── RunIncompleteError a run folder that was never finished
        └── RunAlteredError   a file of the run no longer has its recorded digest

``FovealWarning`` is no error: it says what was assumed or left out.

A message says what came and what was expected; ``next_step`` says what to do.
``exit_code`` is what the command line returns: 2 for wrong usage, 3 where the work could not be
done. With 0 the work is done and nothing is wrong; with 1 it is done and something was found.
"""

from __future__ import annotations

from typing import Any, ClassVar

from foveal.text import printable


class FovealError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What came and what was expected instead.
        next_step: What the reader can do about it, as one sentence.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return self.message if self.next_step is None else f"{self.message}\n{self.next_step}"


class FovealWarning(UserWarning):
    """What a reader of a result should know: what was assumed, or left out, and why.

    The command line prints these on stderr.
    """


class UsageError(FovealError):
    """The call is wrong: an option, a name or a combination of them."""

    exit_code: ClassVar[int] = 2


class DataError(FovealError):
    """The data as a whole cannot be used."""


class SourceLostError(DataError):
    """What the images lie on cannot be read any more: a share, a bucket, a folder."""


class LedgerError(FovealError):
    """A folder of shards is of other work, damaged, or in use."""


class ImageError(FovealError):
    """One image cannot be used.

    Args:
        message: What is wrong with it, without the path.
        code: A stable word for the reason, such as ``"truncated"``.
        path: The file, as given.
    """

    def __init__(
        self, message: str, *, code: str, path: str | None = None, next_step: str | None = None
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.code = code
        self.path = path

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.path is None else f"{printable(self.path)}: {text}"


class ModelError(FovealError):
    """A model cannot be built or used."""


class UnknownModelError(ModelError):
    """No model of that name is known."""

    exit_code: ClassVar[int] = 2


class WeightsError(ModelError):
    """A checkpoint is missing, unsafe to read or does not fit the model."""


class TraceError(ModelError):
    """A network cannot be followed from its input to its output.

    Attributes:
        seen: The ``foveal.graph.Graph`` of what ran before the failure; None where nothing did.
    """

    seen: Any = None


class BackendError(FovealError):
    """A feature backend cannot run here, or its features disagree with the reference."""


class MissingExtraError(FovealError):
    """An optional package is needed.

    Args:
        package: The package as pip knows it.
        purpose: What needs it, as a noun phrase.
    """

    def __init__(self, package: str, *, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed.",
            next_step=f"Install it with: pip install {package}",
        )
        self.package = package


class ProgressError(FovealError):
    """A learner's progress cannot be read, kept or merged."""


class SchemaError(FovealError):
    """JSON is not of the form it should have; the message begins with the field's path."""


class RunError(FovealError):
    """A run folder cannot be written or read."""


class RunExistsError(RunError):
    """The run folder is there already."""


class RunIncompleteError(RunError):
    """The folder was never finished, or is no run at all."""


class RunAlteredError(RunError):
    """A file of the run no longer has the digest it was written with."""
