"""The server itself: one address, one loop, and an end that finishes what has begun."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foveal.errors import FovealError, MissingExtraError, UsageError
from foveal.features import num_cores
from foveal.interruption import interrupts_deferred
from foveal.serving.settings import ServerSettings
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.serving.application import Service

_BACKLOG: Final = 512
_KEEP_ALIVE_SECONDS: Final = 15
_MAX_HEAD_BYTES: Final = 32_768


def serve(
    folders: Sequence[Path],
    settings: ServerSettings,
    *,
    tell: Callable[[str], None],
    ready: Callable[[str], None],
) -> None:
    """Serves runs until SIGINT or SIGTERM, and then finishes what has begun.

    Args:
        folders: Run folders, and folders of run folders.
        settings: Where, for whom and how much.
        tell: Given one line or more for the person who started it.
        ready: Given the address, once it answers.

    Raises:
        UsageError: The address cannot be used, or two runs have the same name.
        RunError: A run cannot be read.
        MissingExtraError: Starlette or uvicorn is missing.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("'foveal[serve]'", purpose="foveal serve") from error
    with contextlib.ExitStack() as closing:
        listener = closing.enter_context(contextlib.closing(_bound(settings)))
        service = closing.enter_context(_service(folders, settings, tell))
        with interrupts_deferred() as arrived:
            _run(service, listener, arrived, ready)


@contextlib.contextmanager
def _service(
    folders: Sequence[Path], settings: ServerSettings, tell: Callable[[str], None]
) -> Iterator[Service]:
    from foveal.serving.admission import Admission
    from foveal.serving.answering import Answering
    from foveal.serving.application import Service
    from foveal.serving.audit_log import AuditLog
    from foveal.serving.metrics import Metrics, process_gauges
    from foveal.serving.preparer import Preparer
    from foveal.serving.runner import Runner
    from foveal.serving.shelf import Shelf

    metrics = Metrics()
    num_workers = settings.num_workers or num_cores()
    with contextlib.ExitStack() as closing:
        preparer = Preparer(num_workers, metrics)
        closing.callback(preparer.close)
        # The processes start while the runs are read.
        starting = threading.Thread(target=preparer.start, daemon=True)
        starting.start()
        closing.callback(starting.join)  # before the end, which a process that starts would outlive
        audit = None
        if settings.audit_file is not None:
            audit = AuditLog(settings.audit_file, metrics)
            closing.callback(audit.close)
        shelf = Shelf(settings.max_pixels, metrics, tell)
        shelf.open(folders)
        for name, run in shelf.runs.items():
            for note in run.classifier.notes:
                tell(f"{name}: {note}")
        runner = Runner(num_workers, metrics)
        closing.callback(runner.close)
        admission = Admission(settings.max_requests, settings.max_held_bytes)
        metrics.gauge("foveal_requests_held", lambda: [((), float(admission.num_requests))])
        metrics.gauge("foveal_bytes_held", lambda: [((), float(admission.num_bytes))])
        metrics.gauge("foveal_network_waiting", lambda: [((), float(runner.num_waiting))])
        metrics.gauge(
            "foveal_run_info",
            lambda: [
                ((("run", name), ("version", run.version)), 1.0) for name, run in shelf.runs.items()
            ],
        )
        for name, read in process_gauges().items():
            metrics.gauge(name, read)
        starting.join()
        yield Service(
            settings=settings,
            shelf=shelf,
            answering=Answering(preparer, runner, audit, settings.answer_seconds),
            admission=admission,
            metrics=metrics,
            tell=tell,
        )


def _bound(settings: ServerSettings) -> socket.socket:
    """Returns a socket that has the address, and listens not yet."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, OverflowError) as error:
        raise _no_address(settings, error) from None
    try:
        if os.name == "posix":  # elsewhere it would let two servers have one address
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _no_address(settings, error) from None
    return listener


def _no_address(settings: ServerSettings, error: Exception) -> FovealError:
    reason = getattr(error, "strerror", None) or str(error)
    return UsageError(
        f"Port {settings.port} of {printable(settings.host)} cannot be used: {reason}.",
        next_step="Choose another with --port; --port 0 takes any free one.",
    )


def _run(
    service: Service,
    listener: socket.socket,
    arrived: Callable[[], int | None],
    ready: Callable[[str], None],
) -> None:
    import uvicorn

    from foveal.serving.protocol import protocol_class

    settings = service.settings

    class Server(uvicorn.Server):
        """Asks for signals by itself, so that the command line leaves as it always does."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready(_address(listener, settings))

        async def on_tick(self, counter: int) -> bool:
            if arrived() is not None:
                service.admission.is_open = False
                self.should_exit = True
            return await super().on_tick(counter)

    config = uvicorn.Config(
        service.application(),
        http=protocol_class(settings),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.drain_seconds) or None,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
    )
    _quiet_library_logs()
    asyncio.run(Server(config).serve(sockets=[listener]))


def _quiet_library_logs() -> None:
    import logging

    # What strangers send wrongly is no news, and would fill the terminal at their will.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _address(listener: socket.socket, settings: ServerSettings) -> str:
    found: Any = listener.getsockname()
    host = f"[{found[0]}]" if listener.family == socket.AF_INET6 else found[0]
    if settings.host == "localhost":
        host = "localhost"
    return f"http://{host}:{found[1]}/"
