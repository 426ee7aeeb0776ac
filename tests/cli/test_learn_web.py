"""``foveal learn --web`` and ``foveal learn export site``, as they are typed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NET = """
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 4, 3))
"""


@pytest.mark.slow
def test_the_site_is_written_with_a_network_of_ones_own_and_served_on_loopback(
    tmp_path: Path, foveal: Callable[..., Any]
) -> None:
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    written = foveal(
        "learn", "export", "site", str(tmp_path / "course"), "--on", f"{tmp_path}/net.py:build"
    )
    file = tmp_path / "course" / "index.html"
    assert written.out.startswith(str(file))
    found = re.search(r'id="course">(.*?)</script>', file.read_text("utf-8"), re.S)
    assert found is not None
    own = json.loads(found[1])["networks"][0]
    assert own["title"] == f"Yours: {tmp_path}/net.py:build"
    assert [row["field"] for row in own["rows"]] == [[5, 5], [5, 5], [9, 9]]
    assert own["rows"][0]["parameters"] == 8 * 3 * 25 + 8

    command = [sys.executable, "-m", "foveal", "learn", "--web"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        address = serving.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert b"Foveal learn" in answer.read()
        serving.send_signal(signal.SIGINT)
        _, said = serving.communicate(timeout=30)
    assert serving.returncode == 0
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--port", "8000"), "--port and --open belong to --web"),
        (("--web", "topic", "2"), "--web serves the whole course; give it alone"),
        (("--web", "--json"), "--web serves the whole course; give it alone"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    foveal: Callable[..., Any], words: tuple[str, ...], told: str
) -> None:
    refused = foveal("learn", *words)
    assert refused.code == 2
    assert told in refused.err


def test_a_model_that_is_not_there_is_refused_before_anything_is_written(
    foveal: Callable[..., Any], tmp_path: Path
) -> None:
    refused = foveal("learn", "export", "site", str(tmp_path / "course"), "--on", "timm:resnet5")
    assert refused.code == 2
    assert not (tmp_path / "course").exists()
