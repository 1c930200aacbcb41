"""The parse score: full marks for the real thing, none for noise, and each aspect notices its own kind of damage."""

import re

import pytest

from data.embedded.generator import SplitMix64, generate
from data.embedded.parser import score

ASPECTS = ("lines", "speakers", "rhyme", "brackets", "echoes")
PLAY = """Scene: a market square, at noon.
[Enter Iris and Robin.]

Iris:
The wind recalls the night,
My heart is like the light.

Robin [softly]:
"My heart is like the light"?
The bird adores the height.
(And she recalls the knight,
We sing of silver sight!)

[Exeunt Iris and Robin.]

"""


def shares(text):
    found = score(text)
    return {aspect: getattr(found, aspect).share for aspect in ASPECTS}


def shuffled(items, seed=1):
    items, random = list(items), SplitMix64(seed)
    for last in range(len(items) - 1, 0, -1):
        other = random.below(last + 1)
        items[last], items[other] = items[other], items[last]
    return items


def test_a_sample_of_the_generator_has_full_marks():
    found = score(generate(31, 200))
    assert {aspect: getattr(found, aspect).share for aspect in ASPECTS} == dict.fromkeys(ASPECTS, 1.0)
    assert all(getattr(found, aspect).total > 200 for aspect in ASPECTS)


def test_the_same_characters_shuffled_have_next_to_none():
    found = shares("".join(shuffled(generate(31, 100))))
    assert all(share is None or share < 0.01 for share in found.values()), found


def test_whole_lines_shuffled_keep_the_lines_and_lose_what_binds_them():
    found = shares("\n".join(shuffled(generate(31, 100).split("\n"))) + "\n")
    assert found["lines"] > 0.99
    assert found["rhyme"] < 0.1
    assert found["echoes"] < 0.1
    assert found["speakers"] < 0.5


def test_a_sample_is_judged_without_its_last_cut_off_line():
    text = generate(32, 3)
    for cut in range(len(text) - 60, len(text)):
        found = score(text[:cut])
        assert found.lines.good == found.lines.total


@pytest.mark.parametrize(
    ("damage", "aspects"),
    [
        (("The wind", "The wnid"), {"lines"}),
        (("The wind", "Teh wind"), {"lines"}),
        (("recalls the night,", "recalls the night"), {"lines"}),
        (("Robin [softly]:", "Edda [softly]:"), {"speakers"}),
        (("Robin [softly]:", "Iris [softly]:"), {"speakers"}),
        (("[Exeunt Iris and Robin.]", "[Exeunt Robin and Iris.]"), {"speakers"}),
        (("recalls the night,", "recalls the shore,"), {"rhyme"}),
        (("silver sight!)", "silver knight!)"), {"rhyme"}),
        (("silver sight!)", "silver sight!"), {"brackets"}),
        (("(And", "And"), {"brackets"}),
        (("[softly]", "[softly"), {"lines", "brackets"}),
        (("[softly]", "[loudly]"), {"lines", "brackets"}),
        (('"My heart is like the light"?', '"My heart is like the night"?'), {"echoes"}),
    ],
)
def test_each_aspect_notices_its_own_damage_and_no_other(damage, aspects):
    old, new = damage
    assert old in PLAY
    damaged = PLAY.replace(old, new)
    assert {aspect for aspect, share in shares(damaged).items() if share != 1.0} == aspects


def test_the_play_above_has_full_marks():
    assert shares(PLAY) == dict.fromkeys(ASPECTS, 1.0)


def test_what_does_not_occur_is_not_judged():
    found = score("The wind recalls the night,\n")
    assert found.lines.share == 1.0
    assert [getattr(found, aspect).share for aspect in ASPECTS[1:]] == [None] * 4
    assert str(found.echoes) == "none seen"
    assert score("").lines.share is None


def test_speakers_are_judged_once_it_is_known_who_is_on_stage():
    found = score("Edda:\nThe wind recalls the night,\n\n" + PLAY)
    assert found.speakers.share == 1.0
    assert found.speakers.total == 3


def test_a_line_that_repeats_its_verb_must_repeat_the_same():
    assert score("Who keeps must keep the night.\n").lines.share == 1.0
    assert score("Who keeps must find the night.\n").lines.share == 0.0


@pytest.mark.parametrize("text", ["[" * 500 + "\n", "\n" * 100, "(((\n)))\n", '"\n""\n', "::\n:\n", "\x00é\n"])
def test_any_text_can_be_scored(text):
    found = score(text)
    assert all(0 <= getattr(found, aspect).good <= getattr(found, aspect).total for aspect in ASPECTS)
    assert re.search("seen|%", str(found.lines))
