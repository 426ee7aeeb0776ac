"""The page as bytes: what is in it, and what it may do."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
import re
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from foveal.errors import UsageError
from foveal.learn.drills import TEMPLATES
from foveal.learn.exercise import from_json
from foveal.learn.labs import LABS, load_lab
from foveal.learn.topics import TOPICS
from foveal.learn.web.content import recorded_labs
from foveal.learn.web.server import HOST, page_server
from foveal.learn.web.site import write_site

MOST_BYTES = 10_000_000


def block(page: str, name: str) -> str:
    found = re.search(rf'<script type="[a-z/]+" id="{re.escape(name)}">(.*?)</script>', page, re.S)
    assert found is not None, name
    return found[1]


def packed(page: str, name: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(block(page, name))))


@pytest.fixture(scope="module")
def page(site: Path) -> str:
    return site.read_text("utf-8")


def test_the_page_is_smaller_than_ten_megabytes(page: str) -> None:
    assert len(page.encode()) < MOST_BYTES


def test_two_hundred_variants_of_each_drill_are_in_it_and_are_exercises(page: str) -> None:
    for template in TEMPLATES:
        held = packed(page, f"drill-{template.name}")
        assert len(held) >= 200
        assert from_json(held[0]) == template.exercise(held[0]["seed"], held[0]["level"])
        for level in (1, 2, 3):
            traps = Counter(tuple(each.get("traps", ())) for each in held if each["level"] == level)
            assert max(traps.values()) - min(traps.values()) <= 1


def test_no_address_is_in_it_that_a_browser_would_ask_for(page: str) -> None:
    bare = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", bare)
    assert not re.search(r"@import|url\(", bare)
    assert not re.search(
        r"\b(?:fetch|XMLHttpRequest|WebSocket|sendBeacon|importScripts)\b\s*\(", bare
    )


def test_the_policy_allows_just_our_scripts_and_style_by_digest(page: str) -> None:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert found is not None
    policy = dict(part.strip().partition(" ")[::2] for part in found[1].split(";"))
    assert policy["default-src"] == policy["connect-src"] == "'none'"
    assert "unsafe" not in found[1]

    def digests(texts: list[str]) -> set[str]:
        return {
            f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'"
            for each in texts
        }

    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert set(policy["script-src"].split()) == digests(scripts)
    assert set(policy["style-src"].split()) == digests(
        re.findall(r"<style>(.*?)</style>", page, re.S)
    )


def test_all_topics_and_every_lab_that_was_recorded_are_in_it(page: str) -> None:
    course = json.loads(block(page, "course"))
    assert [each["number"] for each in course["topics"]] == [each.number for each in TOPICS]
    labs = [each["name"] for each in course["labs"]]
    assert labs
    assert set(labs) <= {name for name, _ in LABS}
    for each in course["labs"]:
        assert f'<template id="lab-{each["name"]}">' in page
        assert each["command"].startswith(f"foveal lab {each['name']} ")
        assert each["machine"]


def test_what_was_recorded_fits_the_labs_of_today() -> None:
    for each in recorded_labs():
        assert each.lab is load_lab(each.lab.name)
        assert each.result.answer in ("", *(key for key, _ in each.lab.choices))
        assert each.result.sentence


def test_the_same_course_is_the_same_bytes(site: Path, tmp_path: Path) -> None:
    again = tmp_path / "index.html"
    again.write_bytes(site.read_bytes()[:3000])  # an older page of ours is replaced
    assert write_site(tmp_path) == again
    assert again.read_bytes() == site.read_bytes()


def test_a_page_of_others_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>Mine</title>", encoding="utf-8")
    with pytest.raises(UsageError, match="is there already and is no course of Foveal"):
        write_site(tmp_path)


@pytest.fixture
def port() -> Any:
    with page_server(b"<!doctype html>the course", port=0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def answer(port: int, path: str, *, host: str = "", method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    connection.request(method, path, headers={"Host": host or f"{HOST}:{port}"})
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


def test_the_server_gives_the_page_and_nothing_else(port: int) -> None:
    assert answer(port, "/") == (200, b"<!doctype html>the course")
    assert answer(port, "/?x=1")[0] == 200
    assert answer(port, "/", method="HEAD") == (200, b"")
    assert answer(port, "/../../etc/passwd")[0] == 404
    assert answer(port, "/", method="POST")[0] == 501


def test_a_name_of_elsewhere_that_leads_here_is_refused(port: int) -> None:
    assert answer(port, "/", host=f"evil.example:{port}")[0] == 403
    assert answer(port, "/", host=f"localhost:{port}")[0] == 200


def test_a_taken_port_is_refused_where_it_was_asked_for(port: int) -> None:
    with pytest.raises(UsageError, match=f"port {port} of {HOST} cannot be used"):
        page_server(b"", port=port)
