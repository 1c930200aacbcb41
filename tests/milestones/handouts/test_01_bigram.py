"""The numbers in rung 1's handout are recomputed."""

import itertools
import math
import re
from collections import Counter

from autograder.handout import section
from tests.this_course import COURSE

TEXT = COURSE.rung(1).handout.read_text()


def rows(anchor, label):
    """The cells of the table row in a section that starts with `label`."""
    for line in section(TEXT, anchor).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] == label:
            return cells[1:]
    raise AssertionError(f"no row {label!r} under {anchor}")


def code(anchor):
    """The names that the section's Python block defines."""
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", section(TEXT, anchor), re.S)[1], names)
    return names


def test_the_vocabulary_of_hello_hill():
    names = code("vocabulary")
    letters = [" " if cell == "space" else cell for cell in rows("vocabulary", "character")]
    assert letters == names["alphabet"] == sorted(set("hello hill"))
    assert rows("vocabulary", "id") == [str(i) for i in range(len(letters))]
    assert f"`{' '.join(map(str, names['numbers']))}`" in section(TEXT, "vocabulary")


def test_the_split_sizes():
    for n in ("10", "1,115,394"):
        train, val = (int(cell.replace(",", "")) for cell in rows("split", n))
        size = int(n.replace(",", ""))
        assert (train, val) == (size - int(size * 0.1), int(size * 0.1))


def test_the_windows_of_the_example():
    for start, (given, asked) in enumerate(code("batches")["examples"]):
        assert rows("batches", str(start)) == [" ".join(map(str, given)), " ".join(map(str, asked))]


def test_softmax_of_the_row_after_h():
    logits = [float(cell) for cell in rows("model", "logit")]
    total = sum(map(math.exp, logits))
    assert [f"{math.exp(logit):.3f}" for logit in logits] == rows("model", "exp(logit)")
    assert [f"{math.exp(logit) / total:.3f}" for logit in logits] == rows("model", "probability")
    assert f"{total:.3f}" in section(TEXT, "model")


def test_the_surprises():
    text = section(TEXT, "loss")
    logits = [float(cell) for cell in rows("model", "logit")]
    total = math.log(sum(map(math.exp, logits)))
    assert f"-ln 0.523 = {total - logits[1]:.3f}" in text
    assert f"-ln 0.117 = {total - logits[5]:.3f}" in text
    assert f"ln 6 = {math.log(6):.3f}" in text
    assert f"ln 65 = {math.log(65):.4f}" in text
    assert math.isclose(code("loss")["surprise"], total - logits[1])


def test_the_mean_over_windows():
    text = section(TEXT, "measuring")
    assert f"= {(4 * 2.0 + 4 * 2.2 + 1 * 5.0) / 9:.3f}" in text
    assert f"mean of the three, {(2.0 + 2.2 + 5.0) / 3:.3f}" in text


def test_the_floor_on_the_real_corpus(shakespeare):
    text = shakespeare.read_text()
    letters = sorted(set(text))
    ids = [letters.index(c) for c in text]
    cut = len(ids) - int(len(ids) * 0.1)
    train, val, size = ids[:cut], ids[cut:], len(letters)
    single, double = [0] * size, [[0] * size for _ in range(size)]
    for current, following in itertools.pairwise(train):
        double[current][following] += 1
    for i in train:
        single[i] += 1
    unigram = -sum(math.log(single[i] / len(train)) for i in val) / len(val)
    sums = [sum(row) + size for row in double]
    pairs = list(itertools.pairwise(val))
    bigram = -sum(math.log((double[a][b] + 1) / sums[a]) for a, b in pairs) / len(pairs)
    assert rows("floor", "knows the alphabet (uniform, ln 65)") == [f"{math.log(size):.4f}"]
    assert rows("floor", "knows how often each letter occurs (unigram)") == [f"{unigram:.4f}"]
    assert rows("floor", "counted bigram table, add-one") == [f"{bigram:.4f}"]
    assert len(set(text.split())) > 25_000


def test_the_counts_from_the_real_corpus(shakespeare):
    text = shakespeare.read_text()
    cut = len(text) - int(len(text) * 0.1)
    heard, rest = text[:cut], text[cut:]
    idea = section(TEXT, "the-idea")
    for first, second in ("qu", "th"):
        counts = f"after `{first}` came `{second}`, {heard.count(first + second):,} times out of {heard.count(first):,}"
        assert counts in " ".join(idea.split())
    known, words = set(heard.split()), rest.split()
    why = " ".join(section(TEXT, "why-not-words").split())
    assert f"{sum(word not in known for word in words):,} of its {len(words):,}" in why
    new = re.search(r"`([^`]+)` is new", why)[1]
    assert new in words
    assert new not in known
    seen_rarely = [word for word, count in Counter(text.split()).items() if count <= 2]
    assert len(seen_rarely) > len(set(text.split())) / 2
