"""Steps are announced, timed by a given clock, and remembered."""

from __future__ import annotations

import itertools

import pytest

from foveal.training import StepLog


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def begin(self, title: str) -> None:
        self.heard.append(("begin", title))

    def advance(self, done: int, total: int) -> None:
        self.heard.append(("advance", done, total))

    def say(self, line: str) -> None:
        pass

    def end(self, title: str, seconds: float, detail: str) -> None:
        self.heard.append(("end", title, seconds, detail))


def ticking(*times: float):  # type: ignore[no-untyped-def]
    clock = itertools.chain(times, itertools.repeat(times[-1]))
    return lambda: next(clock)


def test_listener_hears_a_step_from_beginning_to_end() -> None:
    listener = Listener()
    log = StepLog(listener, clock=ticking(0, 1, 4))
    with log.step("scan", "Reading") as step:
        step.progress(2, 5)
        step.note("5 images", num_images=5)
    assert listener.heard == [
        ("begin", "Reading"),
        ("advance", 2, 5),
        ("end", "Reading", 3, "5 images"),
    ]


def test_history_has_one_entry_a_step_with_its_facts() -> None:
    log = StepLog(clock=ticking(0, 1, 4.12345))
    with log.step("scan", "Reading") as step:
        step.note("", num_images=5)
        step.note("", num_bad=1)
    assert log.events == [{"step": "scan", "seconds": 3.123, "num_images": 5, "num_bad": 1}]


def test_seconds_of_a_step_that_comes_twice_add_up() -> None:
    log = StepLog(clock=ticking(0, 1, 2, 3, 5))
    for _ in range(2):
        with log.step("views", "Views"):
            pass
    assert log.seconds == {"views": 3}
    assert log.total_seconds == 5


def test_failed_step_is_not_called_done() -> None:
    listener = Listener()
    log = StepLog(listener)
    with pytest.raises(ValueError, match="broken"), log.step("scan", "Reading"):
        raise ValueError("broken")
    assert log.events == []
    assert [event[0] for event in listener.heard] == ["begin"]
