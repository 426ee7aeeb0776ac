"""The page of a topic: the fact, a computed example, what people get wrong, where to go."""

from __future__ import annotations

from foveal.draw.text_layout import facts, wrap
from foveal.learn.drills import templates_of
from foveal.learn.labs import LABS
from foveal.learn.quiz import questions_of
from foveal.learn.terminal.markup import styled
from foveal.learn.terminal.screen import Screen
from foveal.learn.topics import Topic
from foveal.text import count_noun


def show_topic(screen: Screen, topic: Topic) -> None:
    """Prints the page."""
    screen.write("")
    screen.write(screen.style(f"{topic.number}. {topic.title}", "heading"))
    screen.write("")
    screen.say(topic.fact)
    screen.write("")
    screen.write(screen.style("Computed", "heading"))
    screen.say(topic.example())
    screen.draw(topic.figure())
    screen.write("")
    screen.write(screen.style("What people get wrong", "heading"))
    for each in topic.misconceptions:
        laid_out = wrap(each, columns=screen.columns, indent="  ", first="- ")
        screen.write(styled(laid_out, screen.style))
    screen.write("")
    screen.write(screen.style("Where to go", "heading"))
    screen.write(facts(ways_on(topic), style=screen.style, columns=screen.columns))


def ways_on(topic: Topic) -> list[tuple[str, str]]:
    """Returns where to practise the topic, see it and use it: a name and a text each."""
    rows = []
    drills = templates_of(topic.number)
    if drills:
        titles = ", ".join(each.title[:1].lower() + each.title[1:] for each in drills)
        rows.append(("drill", f"foveal learn drill {topic.number}: {titles}"))
    questions = len(questions_of(topic.number))
    rows.append(("quiz", f"foveal learn quiz {topic.number}: {count_noun(questions, 'question')}"))
    shown = lab_shows(topic)
    if shown:
        rows.append(("lab", f"foveal lab {topic.lab}: {shown[:1].lower()}{shown[1:]}"))
    if topic.engine:
        rows.append(("in Foveal", ", ".join(topic.engine)))
    if topic.rules:
        rows.append(("lint rules", ", ".join(topic.rules)))
    rows.append(("paper", topic.paper))
    return rows


def lab_shows(topic: Topic) -> str:
    """Returns what the topic's lab shows; empty where there is no such lab."""
    return dict(LABS).get(topic.lab, "")
