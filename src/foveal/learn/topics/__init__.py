"""The twenty-seven topics: what is true, a computed example, what people get wrong."""

from foveal.errors import UsageError
from foveal.learn.topics.blocks import BLOCKS
from foveal.learn.topics.counting import COUNTING
from foveal.learn.topics.looking import LOOKING
from foveal.learn.topics.seeing import SEEING
from foveal.learn.topics.topic import Activity, Chapter, Topic
from foveal.learn.topics.training import TRAINING

# In the order of the map, which is an order to learn them in.
TOPICS: tuple[Topic, ...] = (*COUNTING, *SEEING, *BLOCKS, *TRAINING, *LOOKING)


def find_topic(number: int) -> Topic:
    """Returns the topic of that number.

    Raises:
        UsageError: There is none.
    """
    for topic in TOPICS:
        if topic.number == number:
            return topic
    raise UsageError(
        f"got topic {number}, expected a number from 1 to {len(TOPICS)}.",
        next_step="`foveal learn` shows them all.",
    )


__all__ = ["TOPICS", "Activity", "Chapter", "Topic", "find_topic"]
