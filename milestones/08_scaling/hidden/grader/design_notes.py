"""Checks the facts in the student's design notes against what the workspace's own code does.

A note holds a table whose rows read `| fact | value |`, and sections of prose. Each fact is asked of the submission's
code, so a workspace with other choices has other facts. What contradicts the code is named, all of it at once;
whether the prose is any good is for a person to say, so it is only checked that somebody wrote some.

`None` from a probe means that the code gives no answer (a class without defaults, say): that fact is left to the
person too.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch

from autograder.grading.student import StudentError

# 12, 1,024, 10 795 776, 6e-4, 6 x 10^-4, 10.8 million, 1.5k
NUMBER = re.compile(
    r"(?=[-−]?\.?\d)(?P<digits>[-−]?(?:\d{1,3}(?:[,_'\u00a0\u2009\u202f ]\d{3})+(?!\d)|\d+)?(?:(?<!\.)\.\d+)?)"
    r"(?P<power>[eE][-+−]?\d+|\s*[x×*·]\s*10\s*(?:\^|\*\*)\s*\{?[-+−]?\d+\}?)?"
    r"\s*(?P<unit>k|K|M|G|B|T|thousand|million|billion|trillion)?(?![A-Za-z])"
)
UNITS = {
    "k": 1e3, "K": 1e3, "thousand": 1e3, "M": 1e6, "million": 1e6, "G": 1e9, "B": 1e9, "billion": 1e9, "T": 1e12,
    "trillion": 1e12,
}  # fmt: skip
YES = {"yes", "true", "y", "✓"}
NO = {"no", "false", "never", "n", "✗"}
PLACEHOLDER = "your words"
CORRECT_TO = 0.01  # 10.8 million is a fair way to write 10,795,776
MOST_LETTERS = 200_000  # of a note; more is no note


@dataclass(frozen=True)
class Fact:
    """`probe(student)` asks the submission's code; `source` says in the message whom it asked."""

    name: str
    probe: Callable
    source: str


# Reading


def numbers(text: str) -> list[float]:
    """Every number in a cell, with its thousands separators, power of ten or unit."""
    found = []
    for match in NUMBER.finditer(text[:200]):
        digits = re.sub(r"[,_'\s]", "", match["digits"]).replace("−", "-")
        power = re.search(r"[-+−]?\d+\}?$", match["power"]) if match["power"] else None
        exponent = int(power[0].rstrip("}").replace("−", "-")) if power else 0
        # Beyond a float's range the exponent would be an error; no fact is that large.
        found.append(float(digits) * 10.0 ** max(-300, min(300, exponent)) * UNITS.get(match["unit"], 1.0))
    return found


def rows(text: str) -> dict[str, str]:
    """First cell -> second cell of every table row, the first in lower case and without marks."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.strip().startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) >= 2:
                found.setdefault(plain(cells[0]), cells[1])
    return found


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[`*_]", "", text)).strip().lower()


def sections(text: str) -> dict[str, str]:
    """Heading in lower case -> the text below it, up to the next heading."""
    found: dict[str, str] = {}
    heading = ""
    for line in text.splitlines():
        title = re.match(r"#+\s+(.*)", line)
        if title:
            heading = plain(title[1])
            found.setdefault(heading, "")
        elif heading:
            found[heading] += line + "\n"
    return found


def agrees(written: str, actual) -> bool:
    """Does the cell say what the code does? Numbers to a percent, yes or no by the first word, names if they occur."""
    if isinstance(actual, bool):
        word = re.match(r"\W*([\w✓✗]+)", written.lower())
        return word is not None and word[1] in (YES if actual else NO)
    if isinstance(actual, (int, float)):
        return any(abs(number - actual) <= CORRECT_TO * abs(actual) + 1e-12 for number in numbers(written)[:1])
    return str(actual).lower() in written.lower()


# Checking


def check(expect, student, note: str) -> None:
    """Every contradiction of notes/<note>.md is named; the prose only has to be there."""
    path = f"notes/{note}.md"
    if path not in student.files.list():
        expect.true(f"{path} is there", False, rule=f"{path} is missing.")
        return
    raw = student.files.get(path)
    text = raw[:MOST_LETTERS].decode("utf-8", "replace") if isinstance(raw, bytes) else ""
    written = rows(text)
    missing, open_, wrong = [], [], []
    for fact in FACTS[note]:
        cell = written.get(plain(fact.name))
        if cell is None:
            missing.append(fact.name)
        elif not cell.strip("`* ?"):
            open_.append(fact.name)
        elif (actual := answer(fact, student)) is not None and not agrees(cell, actual):
            wrong.append((fact, cell, actual))
    expect.true(
        "every fact has its row", not missing, evidence=missing, rule=f"{path} has no row for: {'; '.join(missing)}."
    )
    expect.true(
        "every fact is filled in", not open_, evidence=open_, rule=f"{path} leaves to be filled in: {'; '.join(open_)}."
    )
    told = (f"'{fact.name}' is {cell}, but {fact.source} says {shown(actual)}" for fact, cell, actual in wrong)
    expect.true(
        "no fact is contradicted by the code",
        not wrong,
        evidence=[fact.name for fact, _, _ in wrong],
        rule=f"{path} and your code disagree: {'; '.join(told)}.",
    )
    found = sections(text)
    empty = [name for name in SECTIONS[note] if not is_written(found.get(plain(name), ""))]
    expect.true(
        "every section is written",
        not empty,
        evidence=empty,
        rule=f"{path} has no words of yours under: {'; '.join(empty)}. A person will read them; the grader only sees"
        " that"
        " they are there.",
    )


def answer(fact: Fact, student):
    try:
        return fact.probe(student)
    except StudentError:
        return None


def is_written(text: str) -> bool:
    """At least one line of prose that is not the template's."""
    lines = [line.strip() for line in text.splitlines()]
    prose = [line for line in lines if line and not line.startswith(("|", "```")) and PLACEHOLDER not in line.lower()]
    return sum(len(line.split()) for line in prose) >= 5


def shown(value) -> str:
    """A value for a message."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**30 else "an enormous number"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, torch.Tensor) and value.numel() != 1:
        return f"a tensor of shape {tuple(value.shape)}"
    text = str(value)
    return text if len(text) <= 120 else f"{text[:110]}…"


# What is asked. A probe that gets something odd answers None.


def _number(value):
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _bpe(student, text, vocab_size, special_tokens=()):
    return student.tokenizer.bpe.BPETokenizer.train(text, vocab_size, list(special_tokens))


def first_merge_id(student):
    """The single id that a text of one merged pair becomes."""
    ids = _bpe(student, "ab" * 20, 257).encode("ab")
    return ids[0] if isinstance(ids, list) and len(ids) == 1 and isinstance(ids[0], int) else None


def special_token_id(student):
    """Two merges are learned from this text, and the special token comes on top of 256 bytes and these."""
    tokenizer = _bpe(student, "abc " * 20, 259, ["<|endoftext|>"])
    ids = tokenizer.encode("<|endoftext|>", ["<|endoftext|>"])
    return ids[0] if isinstance(ids, list) and len(ids) == 1 and isinstance(ids[0], int) else None


def bytes_of_a_word(student):
    ids = _bpe(student, "", 256).encode("naïve")
    return len(ids) if isinstance(ids, list) else None


def special_by_default(student):
    """Is a special token's text one token without being allowed?"""
    tokenizer = _bpe(student, "abc " * 20, 259, ["<|endoftext|>"])
    ids, special = tokenizer.encode("<|endoftext|>"), tokenizer.encode("<|endoftext|>", ["<|endoftext|>"])
    return ids == special if isinstance(ids, list) else None


def bad_bytes_decode(student):
    tokenizer = _bpe(student, "", 256)
    try:
        return isinstance(tokenizer.decode([0xFF]), str)
    except StudentError:
        return False


def unknown_character(student):
    try:
        student.tokenizer.char.CharTokenizer.from_text("ab").encode("abc")
    except StudentError as error:
        return error.type
    return "nothing raised"


def vocabulary_parameters(student):
    """What 1,000 more tokens cost in parameters."""
    return count_of(student, vocab_size=1065) - count_of(student)


def count_of(student, **changes):
    return _number(student.train.scaling.count_parameters(_config(student, **changes)))


def _config(student, **changes):
    return student.keep(student.model.transformer.GPTConfig, **changes)


def _setting(name):
    """A default of TrainConfig, as a number."""

    def probe(student):
        return _number(student.value(getattr(student.keep(student.train.loop.TrainConfig), name)))

    return probe


def _settings(student, *names):
    values = [_setting(name)(student) for name in names]
    return values if all(value is not None for value in values) else None


def tokens_per_step(student):
    values = _settings(student, "batch_size", "block_size", "accumulation_steps")
    return None if values is None else values[0] * values[1] * values[2]


def tokens_in_all(student):
    step, steps = tokens_per_step(student), _setting("steps")(student)
    return None if step is None or steps is None else step * steps


def _learning_rate(student, step):
    names = ("max_lr", "min_lr", "warmup_steps", "steps")
    values = _settings(student, *names)
    if values is None:
        return None
    max_lr, min_lr, warmup_steps, max_steps = values
    return _number(
        student.train.schedule.learning_rate(
            step, max_lr=max_lr, min_lr=min_lr, warmup_steps=warmup_steps, max_steps=max_steps
        )
    )


def first_learning_rate(student):
    return _learning_rate(student, 0)


def undecayed(student):
    """Parameters of the default model without weight decay: vectors, whose number follows from two small models'
    shapes."""
    sizes = {"block_size": 8, "vocab_size": 65, "n_head": 2, "n_embd": 6, "dropout": 0.0}
    one, two = (
        sum(
            torch.Size(parameter["shape"]).numel()
            for parameter in student.parameters(
                student.model.transformer.GPT(_config(student, n_layer=layers, **sizes))
            )
            if len(parameter["shape"]) < 2
        )
        for layers in (1, 2)
    )
    per_layer, rest = (two - one) / 6, (2 * one - two) / 6
    return (6 * per_layer + rest) * 384  # of GPTConfig(): 6 layers, n_embd 384


def parameters(student):
    return count_of(student)


def flops(student):
    return _number(student.train.scaling.flops_per_token(_config(student)))


def run_flops(student):
    per_token, tokens = flops(student), tokens_in_all(student)
    return None if per_token is None or tokens is None else per_token * tokens


def tokens_per_parameter(student):
    count, tokens = count_of(student), tokens_in_all(student)
    return None if not count or tokens is None else tokens / count


def context(student):
    return _number(student.value(_config(student).block_size))


def refuses_longer(student):
    sizes = {"block_size": 4, "vocab_size": 7, "n_layer": 1, "n_head": 1, "n_embd": 4, "dropout": 0.0}
    model = student.model.transformer.GPT(_config(student, **sizes))
    try:
        model(torch.zeros(1, 5, dtype=torch.int64))
    except StudentError as error:
        return "ValueError" in error.bases
    return False


def scores_at_full_context(student):
    """n_layer * n_head * T * T attention scores for one sequence at the default sizes."""
    names = ("n_layer", "n_head", "block_size")
    values = [_number(student.value(getattr(_config(student), name))) for name in names]
    return None if None in values else values[0] * values[1] * values[2] ** 2


def _defaults(*names):
    return [Fact(name, _setting(name), f"TrainConfig().{name}") for name in names]


FACTS = {
    "tokenizer": [
        Fact("character tokenizer: error for an unknown character", unknown_character, "CharTokenizer"),
        Fact('bytes in "naïve", so tokens before any merge', bytes_of_a_word, "BPETokenizer"),
        Fact("id of the first merge", first_merge_id, "BPETokenizer"),
        Fact("id of the first special token after 2 merges", special_token_id, "BPETokenizer"),
        Fact("special tokens are encoded as such without being allowed", special_by_default, "BPETokenizer"),
        Fact("decoding bytes that are no UTF-8 works", bad_bytes_decode, "BPETokenizer"),
        Fact("parameters that 1,000 more tokens cost at n_embd 384", vocabulary_parameters, "count_parameters"),
    ],
    "training": [
        *_defaults("steps", "batch_size", "block_size", "accumulation_steps"),
        *_defaults("max_lr", "min_lr", "warmup_steps", "weight_decay", "grad_clip"),
        Fact("tokens per step", tokens_per_step, "TrainConfig"),
        Fact("learning rate at step 0", first_learning_rate, "learning_rate"),
        Fact("parameters of GPTConfig()", parameters, "count_parameters"),
        Fact("of these without weight decay", undecayed, "your GPT"),
        Fact("FLOPs per token", flops, "flops_per_token"),
    ],
    "limitations": [
        Fact("longest context in tokens", context, "GPTConfig().block_size"),
        Fact("the model refuses longer input with a ValueError", refuses_longer, "GPT"),
        Fact("attention scores for one full context", scores_at_full_context, "GPTConfig"),
        Fact("tokens seen in one run", tokens_in_all, "TrainConfig"),
        Fact("tokens seen per parameter", tokens_per_parameter, "TrainConfig and count_parameters"),
        Fact("FLOPs of one run", run_flops, "flops_per_token"),
    ],
}
SECTIONS = {
    "tokenizer": ["Why these tokenizers", "What they get wrong"],
    "training": ["Why these settings", "What went wrong on the way"],
    "limitations": ["What it cannot do", "What the numbers do not say", "Who should not use it"],
}
