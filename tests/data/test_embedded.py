"""The embedded corpus: the same everywhere, unambiguous, and its entropy is what the formula says."""

import itertools
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data import embedded, registry
from data.embedded import entropy, grammar, lexicon
from data.embedded.generator import SplitMix64, Writer, generate
from data.embedded.reader import NotThisGrammar, Reader, realised, whole_scenes

ROOT = Path(__file__).resolve().parents[2]
CHECKSUM = "import hashlib; from data import embedded; print(hashlib.sha256(embedded.text().encode()).hexdigest())"


def checksum(python: str, hash_seed: str) -> str:
    """What another interpreter, which has nothing installed, makes of the corpus."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    # -S: no site-packages, so that an import of anything but the standard library fails here.
    result = subprocess.run(
        [python, "-S", "-c", CHECKSUM], env=environment, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def other_pythons() -> list[str]:
    """One interpreter for each other version of Python (3.11 or later) on this machine."""
    version = "import sys; print(*sys.version_info[:2])"
    here = Path(sys.base_prefix)
    candidates = [shutil.which(f"python3.{minor}") for minor in range(11, 20)]
    candidates += [str(path) for path in sorted(here.parent.glob("*/bin/python3"))]
    found: dict[tuple[int, int], str] = {}
    for python in filter(None, candidates):
        answer = subprocess.run([python, "-c", version], capture_output=True, text=True, timeout=60)
        if answer.returncode == 0:
            major, minor = map(int, answer.stdout.split())
            if (major, minor) >= (3, 11) and (major, minor) != sys.version_info[:2]:
                found.setdefault((major, minor), python)
    return list(found.values())


def test_the_text_is_the_pinned_one():
    text = embedded.text()
    assert len(text) == embedded.CHARACTERS
    assert text.isascii()
    assert 30 <= len(set(text)) <= 70
    assert max(map(len, text.splitlines())) <= 80


def test_the_registry_says_the_same_as_the_code():
    entry = registry.corpora()["embedded"]
    assert (entry.bytes, entry.sha256) == (embedded.CHARACTERS, embedded.SHA256)


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_the_checksum_does_not_depend_on_the_hash_seed(hash_seed):
    assert checksum(sys.executable, hash_seed) == embedded.SHA256


def test_the_checksum_does_not_depend_on_the_python_version():
    pythons = other_pythons()
    if not pythons:
        pytest.skip("needs a second Python, 3.11 or later, beside the one that runs the tests")
    assert {python: checksum(python, "1") for python in pythons} == dict.fromkeys(pythons, embedded.SHA256)


def test_a_changed_grammar_is_noticed(monkeypatch):
    monkeypatch.setattr(embedded, "SHA256", "0" * 64)
    embedded.text.cache_clear()
    with pytest.raises(RuntimeError, match="pin the new seed"):
        embedded.text()
    embedded.text.cache_clear()


def test_the_random_numbers_are_splitmix64():
    # The first outputs for this seed as the generator's authors publish them with their C code.
    random = SplitMix64(1234567)
    assert [random.next() for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_below_reaches_every_number_about_equally_often():
    random = SplitMix64(5)
    counts = [0] * 7
    for _ in range(70_000):
        counts[random.below(7)] += 1
    chi_square = sum((count - 10_000) ** 2 / 10_000 for count in counts)
    assert chi_square < 22.5  # 6 degrees of freedom: passed with probability 0.999


def test_a_student_cutting_at_90_percent_cuts_between_two_scenes():
    train, val = embedded.splits()
    text = embedded.text()
    assert train + val == text
    assert len(val) == int(len(text) * 0.1)
    assert train.endswith(".]\n\n")
    assert val.startswith("Scene: ")


class EveryTable(Writer):
    """Writes scenes and keeps each table that was chosen from."""

    def __init__(self, seed):
        super().__init__(seed)
        self.tables = set()

    def choose(self, table):
        self.tables.add(table)
        return super().choose(table)


def test_no_choice_is_ambiguous():
    writer = EveryTable(seed=11)
    for _ in range(2000):
        grammar.scene(writer)
    assert len(writer.tables) > 500
    for table in writer.tables:
        ordered = sorted(table.strings)
        assert len(set(ordered)) == len(ordered)
        # In sorted order a string stands right before those that begin with it.
        assert not [(a, b) for a, b in itertools.pairwise(ordered) if b.startswith(a)]


def test_every_rhyme_has_as_many_words_and_no_word_two_rhymes():
    assert len({len(row) for row in lexicon.RHYMES}) == 1
    assert len(grammar.RHYME_OF) == sum(map(len, lexicon.RHYMES))


def test_a_mixture_has_the_probabilities_it_was_given():
    table = grammar.mix((3, grammar.Table(["a", "b"], [1, 2])), (1, "c"), (2, grammar.Table("xyz")))
    chances = {string: weight / table.total for string, weight in zip(table.strings, table.weights, strict=True)}
    assert chances == pytest.approx({"a": 1 / 6, "b": 1 / 3, "c": 1 / 6, "x": 1 / 9, "y": 1 / 9, "z": 1 / 9})
    drawn = [table.at(ticket) for ticket in range(table.total)]
    assert {string: drawn.count(string) for string in table.strings} == dict(
        zip(table.strings, table.weights, strict=True)
    )


class Recorder(Writer):
    """Writes and adds up the surprisal of what it chooses."""

    def __init__(self, seed):
        super().__init__(seed)
        self.nats = 0.0

    def choose(self, table):
        string = super().choose(table)
        self.nats += -math.log(table.weights[table.strings.index(string)] / table.total)
        return string


def test_reading_finds_the_choices_that_were_written():
    for seed in range(20):
        writer = Recorder(seed)
        grammar.scene(writer)
        text = "".join(writer.pieces)
        found = realised(text)
        assert found.nats == pytest.approx(writer.nats, rel=1e-12)
        assert (found.characters, found.scenes) == (len(text), 1)


def test_the_exact_entropy_agrees_with_monte_carlo():
    estimate, standard_error = entropy.monte_carlo(seed=20, scenes=3000)
    assert estimate == pytest.approx(entropy.exact(), rel=0.01)
    assert abs(estimate - entropy.exact()) < 4 * standard_error


def test_expected_surprisal_and_length_of_a_scene_agree_with_monte_carlo_one_by_one():
    # Their ratio would hide an error that both have in common.
    scenes = 3000
    found = realised(generate(21, scenes))
    expected = entropy.expected_scene()
    assert found.nats / scenes == pytest.approx(expected.nats, rel=0.05)
    assert found.characters / scenes == pytest.approx(expected.characters, rel=0.05)


@pytest.mark.parametrize("people", [2, 3, 4])
def test_the_cost_of_a_scene_is_right_for_each_number_of_people(people):
    chance = entropy.people_on_stage()[people]
    writer = Writer(people)
    drawn = []
    while len(drawn) < 1500:
        writer.pieces.clear()
        grammar.scene(writer)
        text = "".join(writer.pieces)
        enter = text.split("\n")[1]
        if enter.count(",") + 2 == people:
            drawn.append(realised(text))
    expected = entropy.scene(people, chance)
    ratio = sum(scene.nats for scene in drawn) / sum(scene.characters for scene in drawn)
    assert ratio == pytest.approx(expected.nats / expected.characters, rel=0.01)


def test_people_on_stage_are_all_the_scenes():
    assert sum(entropy.people_on_stage().values()) == pytest.approx(1)


def test_each_split_has_its_own_floor_close_to_the_entropy():
    train, val = embedded.splits()
    floors = [realised(part).nats_per_character for part in (train, val)]
    assert floors == pytest.approx([entropy.exact()] * 2, rel=0.02)
    both = realised(embedded.text())
    assert both.nats == pytest.approx(sum(realised(part).nats for part in (train, val)), rel=1e-12)


def test_a_text_that_the_grammar_cannot_write_is_refused_at_the_first_impossible_character():
    text = generate(3, 2)
    place = text.index("\n[Enter ") + 3
    with pytest.raises(NotThisGrammar, match=r"line 2 .*'Xter .* where the grammar writes 'nter '") as caught:
        realised(text[:place] + "X" + text[place + 1 :])
    assert caught.value.position == place
    place = text.index("\n[Enter ") + len("\n[Enter ")
    with pytest.raises(NotThisGrammar, match="one of 16 strings like 'Ansel', 'Bruno', 'Clover'") as caught:
        realised(text[:place] + "Zoe" + text[place:])
    assert caught.value.position == place


@pytest.mark.parametrize("text", ["", "Scene: ", "To be, or not to be\n"])
def test_what_is_no_scene_has_no_floor(text):
    with pytest.raises(NotThisGrammar):
        realised(text)


def test_a_slice_of_the_corpus_is_trimmed_to_whole_scenes():
    text = generate(9, 6)
    starts = [i for i in range(len(text)) if text.startswith("Scene: ", i)]
    sliced = text[starts[0] + 5 : starts[4] + 30]
    assert whole_scenes(sliced) == text[starts[1] : starts[4]]
    assert realised(whole_scenes(sliced)).scenes == 3
    assert whole_scenes(text) == text
    with pytest.raises(NotThisGrammar):
        whole_scenes(text[5 : starts[1] - 1])


def test_the_reader_stops_where_the_text_stops():
    text = generate(4, 1)
    for end in (10, len(text) // 2, len(text) - 1):
        with pytest.raises(NotThisGrammar):
            grammar.scene(Reader(text[:end]))
