"""What the course's commands write with ``--json``, as types; docs/schemas is made from them."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class TopicState(TypedDict):
    """How far a learner is with one topic."""

    number: int
    title: str
    state: str


class TopicStates(TypedDict):
    """What ``foveal learn --json`` lists."""

    topics: list[TopicState]


class Variant(TypedDict):
    """One exercise; what is empty is left out. ``foveal.learn.exercise`` says what each holds."""

    template: str
    seed: int
    level: int
    topic: int
    skill: str
    question: str
    fields: list[dict[str, Any]]
    steps: NotRequired[list[dict[str, Any]]]
    hint: NotRequired[str]
    proof: NotRequired[str]
    figure: NotRequired[dict[str, Any]]
    traps: NotRequired[list[str]]
    reasons: NotRequired[str]
    solution_figure: NotRequired[dict[str, Any]]


class Variants(TypedDict):
    """What ``foveal learn variants`` made of one drill."""

    template: str
    variants: list[Variant]


class Share(TypedDict):
    """A share with its interval; null where nobody answered."""

    value: float | None
    low: float | None
    high: float | None


class ItemCounts(TypedDict):
    """How hard one exercise was for a class; mistakes are counted by their code."""

    name: str
    level: int
    num_learners: int
    num_answers: int
    num_right: int
    num_hinted: int
    num_given_up: int
    share_right: Share
    mistakes: dict[str, int]
    num_unexplained: int


class Items(TypedDict):
    """What ``foveal learn items`` reports, the hardest first."""

    num_learners: int
    num_reviews: int
    num_repeated: int
    num_different: int
    items: list[ItemCounts]


class KeptReview(TypedDict):
    """One exercise that was answered, as progress files hold it."""

    id: str
    skill: str
    template: str
    seed: int
    level: int
    grade: Literal["again", "hard", "good"]
    hinted: bool
    answer: dict[str, str]
    mistakes: list[str]
    at_utc: str


class ChangedMark(KeptReview):
    """One review whose mark is another than it was."""

    was_right: bool
    is_right: bool
    mistakes_now: list[str]


class Rechecked(TypedDict):
    """What ``foveal learn check`` found; ``gone`` are exercises that are no more."""

    num_same: int
    num_unanswered: int
    num_own: int
    changes: list[ChangedMark]
    gone: list[KeptReview]
