"""The process that serves has no torch in it, whatever it is asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, signal, sys, threading
from pathlib import Path

import httpx

from foveal.serving.server import serve
from foveal.serving.settings import ServerSettings

run, image, page = sys.argv[1:]
UNNEEDED = {"torch", "timm", "torchvision", "sklearn", "scipy", "pandas", "pyarrow", "cleanlab"}

class Refuse:  # as where they are not installed
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in UNNEEDED:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refuse())

def ask(address):
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        data = Path(image).read_bytes()
        headers = {"Content-Type": "image/png"}
        statuses = [
            client.post("/predict", content=data, headers=headers).status_code,
            client.post("/explain", content=data, headers=headers).status_code,
            *(client.get(one).status_code for one in ("/runs", "/metrics", "/openapi.json", "/v2")),
            *(client.get(one).status_code for one in page.split()),
        ]
    loaded = sorted(UNNEEDED & set(sys.modules))
    print(statuses, loaded, flush=True)
    os.kill(os.getpid(), signal.SIGINT)

def ready(address):
    threading.Thread(target=ask, args=(address,), daemon=True).start()

serve([Path(run)], ServerSettings(port=0), tell=print, ready=ready)
print("ended")
"""


def test_nothing_of_torch_is_imported(run_folder: Path, shapes: Path, runtime: None) -> None:
    image = shapes / "circle" / "000.png"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, run_folder, image, "/ /offline"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines() == ["[200, 200, 200, 200, 200, 200, 200, 200] []", "ended"], (
        done.stderr
    )
