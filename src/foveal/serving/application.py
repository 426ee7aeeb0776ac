"""The routes: what each address answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from foveal.errors import RunError
from foveal.evaluation.wording import describe_judged
from foveal.schema import stamped, to_json
from foveal.serving import metrics as measured
from foveal.serving import problems
from foveal.serving.admission import Admission
from foveal.serving.answering import Answering
from foveal.serving.bodies import IMAGE_TYPES, discard_body, read_body, require_type
from foveal.serving.gate import Gate
from foveal.serving.metrics import Metrics
from foveal.serving.problems import RefusedError
from foveal.serving.settings import ServerSettings
from foveal.serving.shelf import Shelf
from foveal.text import near_names, printable

Handler = Callable[[Request], Awaitable[Response]]

_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Service:
    """All that answers, made once."""

    settings: ServerSettings
    shelf: Shelf
    answering: Answering
    admission: Admission
    metrics: Metrics
    tell: Callable[[str], None]

    def application(self) -> Starlette:
        """Returns the ASGI application."""
        from foveal.serving.open_inference import OpenInference
        from foveal.serving.openapi import describe_api
        from foveal.serving.pages import Pages

        async def openapi(request: Request) -> Response:
            only(request)
            return json_response(describe_api())

        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/runs", self.list_runs),
            ("POST", "/predict", self.predict),
            ("POST", "/explain", self.explain),
            ("GET", "/metrics", self.show_metrics),
            ("GET", "/openapi.json", openapi),
            *Pages(self).routes(),
            *OpenInference(self).routes(),
        )
        app = Starlette(
            routes=[
                Route(path, self._observed(path, handler), methods=[method])
                for method, path, handler in table
            ],
            middleware=[Middleware(Gate, settings=self.settings, metrics=self.metrics)],
            exception_handlers={HTTPException: _no_route},
            lifespan=self._lifespan,
        )
        # A redirect would be built from what the request says of itself.
        app.router.redirect_slashes = False
        return app

    async def predict(self, request: Request) -> Response:
        """Answers for the image in the body."""
        only(request, "run")
        require_type(request, IMAGE_TYPES)
        run = self.shelf.named(asked_run(request))
        with self.admission.admit() as ticket:
            data = await read_body(request, ticket, self.settings)
            answered = await self.answering.answer(run, data)
        return json_response(stamped("serve.answer", answered.to_json()))

    async def explain(self, request: Request) -> Response:
        """Answers, and shows where in the image the answer comes from."""
        only(request, "run", "class")
        require_type(request, IMAGE_TYPES)
        run = self.shelf.named(asked_run(request))
        wanted = request.query_params.getlist("class")
        indices = _classes(wanted, run.classifier.class_names)
        with self.admission.admit() as ticket:
            data = await read_body(request, ticket, self.settings)
            try:
                source = await asyncio.to_thread(run.map_source)
            except RunError:  # it was replaced before its maps were ever asked for
                await asyncio.to_thread(self.shelf.look)
                run = self.shelf.named(run.name)
                source = await asyncio.to_thread(run.map_source)
            centres = source.require()
            answered = await self.answering.answer(run, data, task="explain")
        names = run.classifier.class_names
        if indices is None:
            indices = [names.index(str(answered.prediction.label))]
        maps = [{"class": names[n], "values": answered.maps[n].tolist()} for n in indices]
        settings = run.preprocessing
        content = {
            **answered.to_json(),
            "maps": maps,
            "cell_centres_px": centres,
            "input_size_px": [settings.height_px, settings.width_px],
        }
        return json_response(stamped("serve.explanation", content))

    async def list_runs(self, request: Request) -> Response:
        """Names the runs, with what is known of each."""
        only(request)
        rows = []
        for name, run in sorted(self.shelf.runs.items()):
            evidence, point = run.classifier.evidence, run.classifier.operating_point
            rows.append(
                {
                    "name": name,
                    "version": run.version,
                    "class_names": list(run.classifier.class_names),
                    "accuracy": to_json(evidence.metrics.accuracy),
                    "judged_on": describe_judged(evidence),
                    "operating_point": None if point is None else to_json(point),
                    "notes": list(run.classifier.notes),
                    "problem": self.shelf.problems.get(name),
                }
            )
        return json_response(stamped("serve.runs", {"runs": rows}))

    async def show_metrics(self, request: Request) -> Response:
        """Shows the metrics."""
        only(request)
        return Response(self.metrics.text(), media_type=measured.MEDIA_TYPE)

    def _observed(self, path: str, handler: Handler) -> Handler:
        async def observed(request: Request) -> Response:
            began = perf_counter()
            response = await self._answered(handler, request)
            self.metrics.observe("foveal_request_seconds", perf_counter() - began, route=path)
            self.metrics.count(
                "foveal_requests_total", route=path, status=str(response.status_code)
            )
            return response

        return observed

    async def _answered(self, handler: Handler, request: Request) -> Response:
        try:
            return await handler(request)
        except RefusedError as problem:
            refused = problem
        except RunError as error:  # it was replaced or altered since it was loaded
            refused = problems.busy(error.message, code="run_changes", seconds=2)
        except Exception as error:
            self.tell("".join(traceback.format_exception(error)).rstrip())
            refused = RefusedError(
                500,
                "fault",
                "The server failed at this request.",
                next_step="What went wrong stands in what the server wrote; please report it.",
            )
        await discard_body(request)
        return problem_response(refused, is_open_inference=request.scope["path"].startswith("/v2"))

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async def look() -> None:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                try:
                    await asyncio.to_thread(self.shelf.look)
                except Exception as error:  # the next look may succeed
                    self.tell("".join(traceback.format_exception(error)).rstrip())

        watching = asyncio.create_task(look())
        try:
            yield
        finally:
            watching.cancel()


def json_response(content: Any, *, status: int = 200) -> Response:
    """Returns values as JSON."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    return Response(body, status, media_type="application/json")


def problem_response(problem: RefusedError, *, is_open_inference: bool = False) -> Response:
    """Returns a problem in the form of RFC 9457, or in that of the Open Inference Protocol."""
    if is_open_inference:
        response = json_response({"error": str(problem)}, status=problem.status)
        response.headers.update(problem.headers)
        return response
    return Response(
        problem.body(), problem.status, headers=problem.headers, media_type=problems.MEDIA_TYPE
    )


def only(request: Request, *names: str) -> None:
    """Refuses parameters that the address does not have.

    Raises:
        RefusedError: 400.
    """
    for name in request.query_params:
        if name not in names:
            near = near_names(name, names)
            known = f"it has {', '.join(names)}" if names else "it has none"
            raise RefusedError(
                400,
                "parameter",
                f"There is no parameter {printable(name)[:40]!r} here; {known}.",
                next_step=f"Did you mean {near[0]}?" if near else "Leave it out.",
            )


def asked_run(request: Request) -> str | None:
    """Returns the run that a request names, if it does.

    Raises:
        RefusedError: 400, it names several.
    """
    names = request.query_params.getlist("run")
    if len(names) > 1:
        raise RefusedError(
            400, "parameter", "The request names several runs.", next_step="Name one of them."
        )
    return names[0] if names else None


def _classes(wanted: list[str], names: tuple[str, ...]) -> list[int] | None:
    if not wanted:
        return None
    if wanted == ["all"] and "all" not in names:
        return list(range(len(names)))
    for name in wanted:
        if name not in names:
            near = near_names(name, names) or names[:20]
            raise RefusedError(
                400,
                "unknown_class",
                f"The run has no class {printable(name)[:80]!r}.",
                next_step=f"Give {' or '.join(near)}, or all.",
            )
    return [names.index(name) for name in dict.fromkeys(wanted)]


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = RefusedError(
        error.status_code,
        "address" if error.status_code == 404 else "method",
        "There is nothing at this address."
        if error.status_code == 404
        else f"This address does not take {printable(request.method)[:20]}.",
        next_step="GET /openapi.json lists all addresses.",
        headers=error.headers,
    )
    await discard_body(request)
    return problem_response(problem)
