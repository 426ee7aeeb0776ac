"""What the server answers is what docs/schemas says."""

from __future__ import annotations

from typing import Any

import pytest
from tests.serving.live import Server
from tests.test_published_schemas import faults, published


@pytest.mark.parametrize("name", ["serve.answer", "serve.explanation", "serve.runs"])
def test_answers_are_as_published(server: Server, image: bytes, name: str) -> None:
    headers = {"Content-Type": "image/png"}
    asked: dict[str, Any] = {
        "serve.answer": lambda: server.predict(image),
        "serve.explanation": lambda: server.client.post(
            "/explain?class=all", content=image, headers=headers
        ),
        "serve.runs": lambda: server.client.get("/runs"),
    }
    schema = published(name)
    assert [*faults(asked[name]().json(), schema, schema)] == []
