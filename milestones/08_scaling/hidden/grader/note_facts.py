"""The facts that the notes in notes/ must state, each asked of the submission's own code, and the sections of prose.

A submission with other choices has other facts. A probe answers None if the code gives no answer, say a class without
defaults: that fact is then left to the person who reads the note.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from autograder.grading.student import Student, StudentError
from milestones.hidden.loading import count

from .layout import config_of
from .returned_values import as_number

SPECIAL = "<|endoftext|>"
SMALL = {"block_size": 8, "vocab_size": 65, "n_head": 2, "n_embd": 6, "dropout": 0.0}
DEFAULT_LAYERS, DEFAULT_WIDTH = 6, 384  # of GPTConfig()


@dataclass(frozen=True)
class Fact:
    """`probe(student)` asks the submission's code; `source` says in a message what was asked."""

    name: str
    probe: Callable[[Student], object]
    source: str

    def answer(self, student: Student):
        """The probe's answer; None if the submission's code raised."""
        try:
            return self.probe(student)
        except StudentError:
            return None


# The tokenizers


def trained_bpe(student: Student, text: str, vocab_size: int, special_tokens: tuple[str, ...] = ()):
    return student.tokenizer.bpe.BPETokenizer.train(text, vocab_size, list(special_tokens))


def bpe_with_special_token(student: Student):
    """Two merges are learned from this text, and the special token comes on top of 256 bytes and these."""
    return trained_bpe(student, "abc " * 20, 259, (SPECIAL,))


def single_id(ids) -> int | None:
    return ids[0] if isinstance(ids, list) and len(ids) == 1 and isinstance(ids[0], int) else None


def first_merge_id(student: Student):
    """The id that a text of one merged pair becomes."""
    return single_id(trained_bpe(student, "ab" * 20, 257).encode("ab"))


def special_token_id(student: Student):
    return single_id(bpe_with_special_token(student).encode(SPECIAL, [SPECIAL]))


def special_by_default(student: Student):
    """Whether a special token's text is encoded as that token without being allowed."""
    tokenizer = bpe_with_special_token(student)
    ids, special = tokenizer.encode(SPECIAL), tokenizer.encode(SPECIAL, [SPECIAL])
    return ids == special if isinstance(ids, list) else None


def bytes_of_a_word(student: Student):
    ids = trained_bpe(student, "", 256).encode("naïve")
    return len(ids) if isinstance(ids, list) else None


def bad_bytes_decode(student: Student):
    """Whether a byte that is not UTF-8 is decoded to some text."""
    text = student.attempt(trained_bpe(student, "", 256).decode, [0xFF])
    return isinstance(text, str)


def unknown_character(student: Student):
    ids = student.attempt(student.tokenizer.char.CharTokenizer.from_text("ab").encode, "abc")
    return ids.type if isinstance(ids, StudentError) else "nothing raised"


# The training


def setting(student: Student, name: str):
    """A default of TrainConfig, as a number."""
    return as_number(student.value(getattr(student.keep(student.train.loop.TrainConfig), name)))


def settings(student: Student, *names: str) -> list | None:
    values = [setting(student, name) for name in names]
    return None if None in values else values


def tokens_per_step(student: Student):
    values = settings(student, "batch_size", "block_size", "accumulation_steps")
    return None if values is None else math.prod(values)


def tokens_in_all(student: Student):
    values = settings(student, "steps", "batch_size", "block_size", "accumulation_steps")
    return None if values is None else math.prod(values)


def first_learning_rate(student: Student):
    values = settings(student, "max_lr", "min_lr", "warmup_steps", "steps")
    if values is None:
        return None
    max_lr, min_lr, warmup_steps, max_steps = values
    return as_number(
        student.train.schedule.learning_rate(
            0, max_lr=max_lr, min_lr=min_lr, warmup_steps=warmup_steps, max_steps=max_steps
        )
    )


# The model


def parameters(student: Student, **changes):
    """count_parameters of the default model, or of one that differs from it in `changes`."""
    return as_number(student.train.scaling.count_parameters(config_of(student, changes)))


def vocabulary_parameters(student: Student):
    """What 1,000 more tokens cost in parameters."""
    few, many = parameters(student), parameters(student, vocab_size=1065)
    return None if few is None or many is None else many - few


def undecayed(student: Student):
    """The parameters of the default model without weight decay, which are its vectors.

    Their number is proportional to n_embd, and what two small models of one and two layers have says the rest.
    """
    one, two = (vector_numbers(student, SMALL | {"n_layer": layers}) for layers in (1, 2))
    per_layer = (two - one) / SMALL["n_embd"]
    outside = (2 * one - two) / SMALL["n_embd"]
    return (DEFAULT_LAYERS * per_layer + outside) * DEFAULT_WIDTH


def vector_numbers(student: Student, sizes: dict) -> int:
    """How many numbers the GPT's parameters with fewer than two dimensions hold."""
    every = student.parameters(student.model.transformer.GPT(config_of(student, sizes)))
    return count(parameter for parameter in every if len(parameter["shape"]) < 2)


def flops(student: Student):
    return as_number(student.train.scaling.flops_per_token(config_of(student, {})))


def run_flops(student: Student):
    per_token, tokens = flops(student), tokens_in_all(student)
    return None if per_token is None or tokens is None else per_token * tokens


def tokens_per_parameter(student: Student):
    number, tokens = parameters(student), tokens_in_all(student)
    return None if not number or tokens is None else tokens / number


def model_default(student: Student, name: str):
    """A default of GPTConfig, as a number."""
    return as_number(student.value(getattr(config_of(student, {}), name)))


def context(student: Student):
    return model_default(student, "block_size")


def refuses_longer(student: Student):
    """Whether one id more than block_size raises ValueError."""
    model = student.model.transformer.GPT(config_of(student, SMALL | {"n_layer": 1}))
    returned = student.attempt(model, torch.zeros(1, SMALL["block_size"] + 1, dtype=torch.int64))
    return isinstance(returned, StudentError) and "ValueError" in returned.bases


def scores_at_full_context(student: Student):
    """n_layer * n_head * T * T attention scores for one sequence at the default sizes."""
    values = [model_default(student, name) for name in ("n_layer", "n_head", "block_size", "block_size")]
    return None if None in values else math.prod(values)


# The tables


def defaults(*names: str) -> list[Fact]:
    return [Fact(name, partial(setting, name=name), f"TrainConfig().{name}") for name in names]


FACTS = {
    "tokenizer": [
        Fact("character tokenizer: error for an unknown character", unknown_character, "CharTokenizer"),
        Fact('bytes in "naïve", so tokens before any merge', bytes_of_a_word, "BPETokenizer"),
        Fact("id of the first merge", first_merge_id, "BPETokenizer"),
        Fact("id of the first special token after 2 merges", special_token_id, "BPETokenizer"),
        Fact("special tokens are encoded as such without being allowed", special_by_default, "BPETokenizer"),
        Fact("decoding bytes that are not UTF-8 works", bad_bytes_decode, "BPETokenizer"),
        Fact("parameters that 1,000 more tokens cost at n_embd 384", vocabulary_parameters, "count_parameters"),
    ],
    "training": [
        *defaults("steps", "batch_size", "block_size", "accumulation_steps"),
        *defaults("max_lr", "min_lr", "warmup_steps", "weight_decay", "grad_clip"),
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
