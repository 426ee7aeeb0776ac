"""Writing files so that a crash leaves the old content or the new, never half of either."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_atomically(file: Path, content: bytes) -> None:
    """Writes ``content`` to ``file`` through a temporary neighbour, making its folder.

    The file gets the permissions that any new file would get.

    Raises:
        OSError: It cannot be written; nothing of the attempt is left behind.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile.mkstemp: its files are readable by their owner alone, whatever the umask.
    temporary = file.parent / f".foveal-{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        # Named after the file that was asked for; nobody knows the temporary one.
        raise OSError(error.errno, error.strerror, str(file)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
