"""Fetches ONNX Runtime Web into the package, for ``foveal export --to page``.

Version and digest are pinned. It comes by npm where that is installed, else straight from npm's
registry; either way nothing is taken whose digest is another one. Foveal itself never downloads.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from foveal.exporting.runtime import MODULE, RECORD, SCRIPT, VERSION

PACKAGE = f"onnxruntime-web@{VERSION}"
ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
TARGET = Path(__file__).parents[1] / "src" / "foveal" / "exporting" / "runtime"


def main() -> int:
    """Returns 0 where the runtime is in place, 1 where it could not be fetched."""
    if is_there():
        print(f"ONNX Runtime Web {VERSION} is there.")
        return 0
    try:
        content = by_npm() if shutil.which("npm") else by_https()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"ONNX Runtime Web {VERSION} could not be fetched: {error}", file=sys.stderr)
        return 1
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != SHA512:
        print(f"Got {PACKAGE} with SHA-512 {found}, expected {SHA512}.", file=sys.stderr)
        return 1
    unpack(content)
    print(f"ONNX Runtime Web {VERSION} is in {TARGET}.")
    return 0


def is_there() -> bool:
    """Whether what was fetched before is whole."""
    try:
        record = json.loads((TARGET / RECORD).read_text("utf-8"))
        files = {name: digest((TARGET / name).read_bytes()) for name in (SCRIPT, MODULE)}
    except (OSError, ValueError):
        return False
    return bool(record == {"version": VERSION, "files": files})


def by_npm() -> bytes:
    """Returns the package as npm fetches it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", PACKAGE, "--silent", "--pack-destination", folder],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (file,) = Path(folder).glob("*.tgz")
        return file.read_bytes()


def by_https() -> bytes:
    """Returns the package from npm's registry."""
    with urllib.request.urlopen(ADDRESS, timeout=120) as answer:
        content: bytes = answer.read()
    return content


def unpack(content: bytes) -> None:
    """Writes the two files that the page holds, and their digests last."""
    TARGET.mkdir(parents=True, exist_ok=True)
    digests = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for name in (SCRIPT, MODULE):
            member = archive.extractfile(f"package/dist/{name}")
            assert member is not None, name
            data = member.read()
            (TARGET / name).write_bytes(data)
            digests[name] = digest(data)
    record = {"version": VERSION, "files": digests}
    (TARGET / RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")


def digest(content: bytes) -> str:
    """Returns the SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
