"""Claims a run folder before the work, fills it aside, and renames it at once.

While a run is made, its files gather in ``.NAME.partial`` beside the folder, and
``.NAME.lock`` is locked. The folder itself appears by one rename, complete. The system
releases the lock of a process that dies, however it dies; so a partial folder that nobody
holds is what a crash left behind, and the next run clears it away. A replacement exchanges the
two, so that a reader finds the old run or the new one at every moment, where the system can.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from foveal.errors import RunError, RunExistsError
from foveal.files import exchange
from foveal.runs.folder import MANIFEST_NAME
from foveal.text import printable

# What a file system without locks answers.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextlib.contextmanager
def claim_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Reserves ``folder`` and yields the partial folder to write into.

    When the block ends well, what was written takes the folder's place; when it ends with
    an error, nothing remains of it.

    Raises:
        RunExistsError: The folder is there already, or another process is writing it.
        RunError: It cannot be created, or not be put in place.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow a link
    partial = folder.parent / f".{folder.name}.partial"
    old = folder.parent / f".{folder.name}.old"
    with _locked(folder):
        with _named(folder, "cannot be created", "Choose a path you may write to with --out."):
            _clear_leftovers(folder, partial, old)
            _refuse_existing(folder, overwrite=overwrite)
            partial.mkdir()
        try:
            yield partial
            with _named(
                folder,
                "could not be put in place",
                "Run the command again with another --out; computed features are kept.",
            ):
                _put_in_place(partial, folder, old, overwrite=overwrite)
        finally:
            _remove(partial)


@contextlib.contextmanager
def named_as_unwritable(folder: Path) -> Iterator[None]:
    """Turns an ``OSError`` of the block, which writes a run, into a ``RunError``.

    Args:
        folder: Where it is written: the partial folder; the one it stands for is named.
    """
    name = folder.name.removeprefix(".").removesuffix(".partial")
    step = (
        "Free some space or choose another path with --out, then run the command again; "
        "computed features are kept."
    )
    with _named(folder.with_name(name), "could not be written", step):
        yield


@contextlib.contextmanager
def _named(folder: Path, failure: str, next_step: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"The run folder {printable(str(folder))} {failure}: {error.strerror or error}.",
            next_step=next_step,
        ) from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds ``.NAME.lock``, which is removed at the end; so are new parents, if left empty."""
    file = folder.parent / f".{folder.name}.lock"
    new_parents = [parent for parent in folder.parents if not parent.exists()]
    with _named(folder, "cannot be created", "Choose a path you may write to with --out."):
        folder.parent.mkdir(parents=True, exist_ok=True)
        handle = _open_locked(file)
    if handle is None:
        raise RunExistsError(
            f"Another process is writing {printable(str(folder))} right now.",
            next_step="Wait for it, or choose another folder with --out.",
        )
    try:
        yield
    finally:
        # Removed while it is held: whoever opened it meanwhile sees that it is gone.
        file.unlink(missing_ok=True)
        os.close(handle)
        with contextlib.suppress(OSError):  # from the first that holds something on, all stay
            for parent in new_parents:
                parent.rmdir()


def _open_locked(file: Path) -> int | None:
    """Returns the open lock file, or ``None`` where another process holds it."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs into one folder are not told apart there
        return os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(handle)
                raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), file.stat()):
                return handle
        os.close(handle)  # its holder ended and removed it while this process was waiting


def _clear_leftovers(folder: Path, partial: Path, old: Path) -> None:
    """Undoes what a killed process was doing; the lock says that none is doing it now."""
    if os.path.lexists(old):
        if os.path.lexists(folder):
            _remove(old)
        else:
            old.rename(folder)  # killed between the two renames of a replacement
    if os.path.lexists(partial):
        _remove(partial)


def _refuse_existing(folder: Path, *, overwrite: bool) -> None:
    name = printable(str(folder))
    if not folder.name or folder == Path.cwd():
        raise RunExistsError(
            f"{name} is the folder that this command runs in, so no run can take its place."
            if folder.name
            else f"{name} is no path for a run.",
            next_step="Give a folder that does not exist yet with --out.",
        )
    if folder.is_symlink() and not (folder / MANIFEST_NAME).is_file():
        leads = "to something that is no run" if folder.exists() else "nowhere"
        raise RunExistsError(
            f"{name} is a link that leads {leads}, so no run can be put there.",
            next_step="Remove the link, or choose another folder with --out.",
        )
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not overwrite:
        raise RunExistsError(
            f"{name} exists already.",
            next_step="Choose another folder with --out, or replace it with --overwrite.",
        )
    if not (folder / MANIFEST_NAME).is_file():
        raise RunExistsError(
            f"{name} exists and is no run folder, so --overwrite leaves it alone.",
            next_step="Choose another folder with --out.",
        )


def _put_in_place(partial: Path, folder: Path, old: Path, *, overwrite: bool) -> None:
    if not folder.exists() or not overwrite:
        try:
            partial.rename(folder)  # refuses a folder that has become non-empty meanwhile
        except OSError as error:
            if folder.exists():
                raise RunExistsError(
                    f"{printable(str(folder))} appeared while this run was working.",
                    next_step="Run the command again with another --out; features are kept.",
                ) from error
            raise
        return
    if exchange(partial, folder):
        return  # the old run stands where the new one was made, and goes with it
    folder.rename(old)
    try:
        partial.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    """Removes a folder, or the link to one; what cannot be removed stays."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
