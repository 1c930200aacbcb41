"""The exact entropy of the plays, in nats per character. docs/corpus.md derives it step by step.

Scenes are independent and identically distributed. So by the renewal-reward theorem (Ross, "Stochastic Processes",
section 3.6) both the surprisal and the length of a long text are proportional to its number of scenes, and

    entropy per character = E[surprisal of a scene] / E[characters of a scene].

Both expectations are sums: the surprisal of a scene is the sum of its choices' surprisals, its length the sum of the
strings' lengths. Where a number of repetitions is random, the decision to stop never looks at what was written before,
so Wald's identity holds: E[sum] = E[number] * E[term].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from data.embedded import grammar, lexicon
from data.embedded.generator import Writer
from data.embedded.grammar import Shape, Table
from data.embedded.reader import realised

# Each person on stage is a uniformly drawn name, whatever role the grammar gives to that person: so this mean length
# holds for a speaker, for somebody spoken to, and for each name of a list.
NAME_LENGTH = math.fsum(map(len, lexicon.NAMES)) / len(lexicon.NAMES)


@dataclass(frozen=True)
class Cost:
    """What a part of a scene costs on average: its surprisal in nats and its length in characters."""

    nats: float
    characters: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.nats + other.nats, self.characters + other.characters)

    def __mul__(self, times: float) -> Cost:
        return Cost(self.nats * times, self.characters * times)

    __rmul__ = __mul__


def text(string: str) -> Cost:
    """Text that is always the same."""
    return Cost(0.0, len(string))


def choice(table: Table) -> Cost:
    """A choice, with the strings of the table as they stand."""
    return Cost(table.entropy(), table.mean(len))


def person(among: int) -> Cost:
    """One of `among` people, all equally likely."""
    return Cost(math.log(among), NAME_LENGTH)


def probability(table: Table, wanted: Callable[[str], bool]) -> float:
    """That a choice falls on a string that is wanted."""
    return table.mean(lambda string: float(wanted(string)))


# --- lines ------------------------------------------------------------------------------------------------------------


def over_shapes(cost: Callable[[Shape], Cost]) -> Cost:
    """The expectation over the shapes of a line."""
    total = sum(weight for weight, _ in grammar.SHAPES)
    return sum((weight / total * cost(shape) for weight, shape in grammar.SHAPES), start=Cost(0, 0))


def rest_of_line(people: int) -> Cost:
    """What follows the opening, up to the rhyme and without it, if `people` are on stage."""

    def cost(shape: Shape) -> Cost:
        total = Cost(0, 0)
        for before, slot in shape.rest:
            total += text(before)
            if slot == "other":
                total += person(people - 1)
            elif slot == "same_verb":
                total += Cost(0, grammar.SLOTS["verb"].mean(len))
            elif slot != "end":
                total += choice(grammar.SLOTS[slot])
        return total

    return over_shapes(cost)


def punctuation(marks: Table) -> Cost:
    return over_shapes(lambda shape: text("?") if shape.question else choice(marks))


FIRST_END = choice(grammar.ENDS)
# The second word of a rhyme is uniform among the others of the row; seen from outside it is uniform among all words.
SECOND_END = Cost(math.log(len(lexicon.RHYMES[0]) - 1), grammar.ENDS.mean(len))
OPENING = choice(grammar.OPENINGS)


def couplet(people: int, opened: str) -> Cost:
    """A couplet after what it begins with: a line's opening (""), a bracket or a quotation mark."""
    rest = rest_of_line(people)
    second = OPENING + rest + SECOND_END + punctuation(grammar.STOP) + text("\n")
    if opened == '"':
        # The quoted line is a finished line, of which a new choice decides nothing: it costs characters, no surprise.
        quoted = Cost(0, (OPENING + rest + FIRST_END).characters)
        return quoted + text('"?\n') + second
    first = rest + FIRST_END + punctuation(grammar.COMMA) + text("\n")
    return first + second if opened == "" else OPENING + first + second + text(")")


# --- speeches and scenes ----------------------------------------------------------------------------------------------


def continued(table: Table, people: int) -> Cost:
    """The choice of what comes next in a speech and, unless that ends it, the couplet that begins so."""
    couplets = (
        probability(table, grammar.SHAPE_OF.__contains__) * couplet(people, ""),
        probability(table, "(".__eq__) * couplet(people, "("),
        probability(table, '"'.__eq__) * couplet(people, '"'),
    )
    return sum(couplets, start=choice(table))


def speech(people: int, first: Table) -> Cost:
    """One speech after the speaker's name; `first` is the table that its first couplet begins with."""
    to = probability(grammar.MANNERS, " [to ".__eq__)
    manner = choice(grammar.MANNERS) + to * (person(people - 1) + text("]:")) + text("\n")
    # One choice follows each couplet, and the speech ends when it falls on the blank line.
    couplets = 1 / probability(grammar.NEXT_COUPLET, "\n".__eq__)
    return manner + continued(first, people) + couplets * continued(grammar.NEXT_COUPLET, people)


def after_speech(people: int) -> Cost:
    """The choice of what follows a speech; after a stage direction, also the next speaker."""
    table = grammar.after_speech(tuple(lexicon.NAMES[: people - 1]))
    length = table.mean(lambda string: NAME_LENGTH if string in lexicon.NAMES else len(string))
    direction = probability(table, grammar.DIRECTIONS.surprisal.__contains__)
    return Cost(table.entropy(), length) + direction * (text("\n\n") + person(people - 1))


def name_list(people: int) -> float:
    """The characters of "A, B and C"."""
    return people * NAME_LENGTH + len(", ") * (people - 2) + len(" and ")


def scene(people: int, chance: float) -> Cost:
    """A scene with so many people on stage; `chance` is the probability that a scene has so many."""
    heading = text("Scene: ") + choice(grammar.PLACES) + text(", ") + choice(grammar.TIMES) + text(".\n")
    drawn = sum(math.log(len(lexicon.NAMES) - gone) for gone in range(people))
    enter = text("[Enter .]\n\n") + Cost(drawn - math.log(chance), name_list(people))
    speeches = 1 / probability(grammar.after_speech(tuple(lexicon.NAMES[:1])), grammar.EXEUNT.__eq__)
    spoken = (
        person(people)
        + speech(people, grammar.FIRST_COUPLET)
        + (speeches - 1) * speech(people, grammar.REPLY)
        + speeches * after_speech(people)
    )
    return heading + enter + spoken + text(" .]\n\n") + Cost(0, name_list(people))


def people_on_stage() -> dict[int, float]:
    """How many people a scene has, with what probability."""
    chances, so_far = {}, 1.0
    for people, table in grammar.AND_OR_COMMA.items():
        last = probability(table, " and ".__eq__)
        chances[people + 1] = so_far * last
        so_far *= 1 - last
    return chances


def expected_scene() -> Cost:
    """The expected surprisal (nats) and length (characters) of a scene."""
    return sum((chance * scene(people, chance) for people, chance in people_on_stage().items()), start=Cost(0, 0))


def exact() -> float:
    """The entropy of the grammar, in nats per character."""
    expected = expected_scene()
    return expected.nats / expected.characters


def monte_carlo(seed: int, scenes: int) -> tuple[float, float]:
    """(estimate, standard error) of the same number from drawn scenes, which knows nothing of the formulas above.

    The standard error is the ratio estimator's (Cochran 1977, "Sampling Techniques", section 6.3): the deviation of
    nats - estimate * characters over the scenes.
    """
    writer = Writer(seed)
    drawn = []
    for _ in range(scenes):
        writer.pieces.clear()
        grammar.scene(writer)
        drawn.append(realised("".join(writer.pieces)))
    characters = sum(scene.characters for scene in drawn)
    estimate = math.fsum(scene.nats for scene in drawn) / characters
    squares = math.fsum((scene.nats - estimate * scene.characters) ** 2 for scene in drawn)
    return estimate, math.sqrt(squares * scenes / (scenes - 1)) / characters
