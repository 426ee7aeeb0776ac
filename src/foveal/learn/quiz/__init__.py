"""Questions: try first, then see why; two or more for each of the twenty-seven topics."""

from foveal.errors import UsageError
from foveal.learn.exercise import Exercise
from foveal.learn.quiz.blocks import BLOCKS
from foveal.learn.quiz.building import PREFIX
from foveal.learn.quiz.counting import COUNTING
from foveal.learn.quiz.looking import LOOKING
from foveal.learn.quiz.seeing import SEEING
from foveal.learn.quiz.training import TRAINING

QUESTIONS: tuple[Exercise, ...] = (*COUNTING, *SEEING, *BLOCKS, *TRAINING, *LOOKING)


def questions_of(topic: int) -> tuple[Exercise, ...]:
    """Returns the questions of a topic, in their order."""
    return tuple(question for question in QUESTIONS if question.topic == topic)


def find_question(name: str) -> Exercise:
    """Returns the question of that name, such as ``"quiz:15-2"``.

    Raises:
        UsageError: There is none.
    """
    for question in QUESTIONS:
        if question.template == name:
            return question
    raise UsageError(f"got the question {name!r}, expected one like {QUESTIONS[0].template!r}.")


__all__ = ["PREFIX", "QUESTIONS", "find_question", "questions_of"]
