"""The API is as its description says, by whatever schemathesis makes of it."""

from __future__ import annotations

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.serving.live import Server


def test_every_route_is_described_and_every_description_has_a_route(server: Server) -> None:
    described = server.client.get("/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    for path, operations in described["paths"].items():
        for method in ("get", "post"):
            if method in operations:
                asked = path.replace("{model}", "shapes").replace("{version}", "1")
                found = server.client.request(method, asked)
                assert found.status_code not in (405, 500), path
                if "{" not in path:
                    assert found.status_code != 404, path


def test_every_answer_has_an_example_of_its_own_form(server: Server) -> None:
    import jsonschema

    described = server.client.get("/openapi.json").json()
    num_examples = 0
    for path, operations in described["paths"].items():
        for method in ("get", "post"):
            for status, answer in operations.get(method, {}).get("responses", {}).items():
                for kind, form in answer["content"].items():
                    if "example" not in form:
                        assert "json" not in kind, (path, status)
                        continue
                    num_examples += 1
                    text = json.dumps(form["schema"])
                    whole = {**json.loads(text), "components": described["components"]}
                    jsonschema.validate(form["example"], whole)
    assert num_examples > 40


@pytest.mark.slow
def test_schemathesis_finds_nothing(server: Server) -> None:
    schema = schemathesis.openapi.from_dict(server.client.get("/openapi.json").json())
    schema.config.update(base_url=server.address)
    checked = [0]
    for result in schema.get_all_operations():
        operation = result.ok()

        strategy = operation.as_strategy()

        @settings(
            max_examples=12,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def check(case: schemathesis.Case) -> None:
            # That bytes make an image cannot be said in a schema.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])
            checked[0] += 1

        check()
    assert checked[0] >= 100
