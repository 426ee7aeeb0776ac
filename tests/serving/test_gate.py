"""Whoever is not meant is let in by no method, address, name or page."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from tests.serving.live import Server, StartServer

from foveal.errors import UsageError
from foveal.serving.settings import ServerSettings

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ADDRESSES = ("/", "/predict", "/v2/health/live", "/metrics", "/nowhere", "//evil.example/predict")
TOKEN = "correct-horse-battery"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8428",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "2130706433",
        "localhost.",
    ],
)
def test_a_foreign_host_is_refused_on_every_method(server: Server, host: str) -> None:
    for method in METHODS:
        for address in ADDRESSES:
            found = server.client.request(method, address, headers={"Host": host})
            assert found.status_code == 403, (method, address)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:1", "file://", "http://127.0.0.1.evil"],
)
def test_a_foreign_page_is_refused_on_every_method(server: Server, origin: str) -> None:
    for method in METHODS:
        found = server.client.request(method, "/predict", headers={"Origin": origin})
        assert found.status_code == 403, method
        assert "access-control-allow-origin" not in found.headers


def test_a_page_of_elsewhere_that_sends_no_origin_is_known_by_what_the_browser_adds(
    server: Server,
) -> None:
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
        assert server.client.get("/runs", headers=headers).status_code == 403
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert server.client.get("/runs", headers=link).status_code == 200


@pytest.mark.parametrize("head", ["", "Host: \r\n", "Host: localhost\r\nHost: evil.example\r\n"])
def test_no_host_or_several_are_refused(server: Server, head: str) -> None:
    with server.socket() as one:
        one.sendall(f"GET /runs HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        assert one.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_an_absolute_address_is_no_way_around_the_host(server: Server) -> None:
    with server.socket() as one:
        one.sendall(
            b"GET http://localhost/runs HTTP/1.1\r\nHost: evil.example\r\n"
            b"X-Forwarded-Host: localhost\r\nConnection: close\r\n\r\n"
        )
        assert one.recv(4096).startswith(b"HTTP/1.1 403 ")


def test_its_own_page_and_names_are_let_in(server: Server) -> None:
    port = server.port
    for host in (f"127.0.0.1:{port}", f"LOCALHOST:{port}", "localhost", f"[::1]:{port}"):
        headers = {"Host": host, "Origin": f"http://{host}"}
        assert server.client.get("/runs", headers=headers).status_code == 200, host


def test_every_answer_forbids_what_no_answer_needs(server: Server, image: bytes) -> None:
    for found in (
        server.client.get("/runs"),
        server.predict(image),
        server.predict(b""),
        server.client.get("/nowhere"),
        server.client.get("/runs", headers={"Host": "evil.example"}),
        server.client.get("/v2/health/live"),
    ):
        policy = found.headers["content-security-policy"]
        assert policy == "default-src 'none'; frame-ancestors 'none'"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "no-store"
        assert "server" not in found.headers


def test_a_token_is_asked_for_everywhere(
    start: StartServer, run_folder: Path, image: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n", "utf-8")
    server = start(
        run_folder, "--host", "0.0.0.0", "--token-file", file, "--allow-host", "shop.example"
    )
    server.client.base_url = f"http://127.0.0.1:{server.port}"
    basic = base64.b64encode(f"anyone:{TOKEN}".encode()).decode()
    wrong = (
        {},
        {"Authorization": ""},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Basic " + base64.b64encode(TOKEN.encode()).decode()},
    )
    asked = [(method, address) for method in METHODS for address in ADDRESSES]
    asked += [("GET", f"/runs?token={TOKEN}"), ("GET", f"/runs?access_token={TOKEN}")]
    for headers in wrong:
        # Every method and address without a token, some with each wrong one.
        for method, address in asked if not headers else asked[-4:]:
            found = server.client.request(method, address, headers=headers)
            assert found.status_code == 401, (method, address, headers)
        assert found.headers.get_list("www-authenticate")[0].startswith("Bearer")
    for value in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Basic {basic}"):
        headers = {"Authorization": value}
        assert server.client.get("/runs", headers=headers).status_code == 200
        assert server.predict(image, headers=headers).status_code == 200
    own = {"Authorization": f"Bearer {TOKEN}", "Host": "shop.example"}
    assert server.client.get("/runs", headers=own).status_code == 200
    assert server.client.get("/runs", headers={**own, "Host": "x.example"}).status_code == 403
    assert TOKEN not in server.stop()[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_others_than_this_machine_need_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="no token"):
        ServerSettings(host=host)
    assert TOKEN not in repr(ServerSettings(host=host, token=TOKEN))


@pytest.mark.parametrize("token", ["", "short", "with spaces in between", "ümlaut-ümlaut-ümlaut"])
def test_a_token_that_protects_little_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="token must be"):
        ServerSettings(token=token)
