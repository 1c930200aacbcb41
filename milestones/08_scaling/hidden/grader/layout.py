"""How many parameters the submission's own GPT has, as a formula: layers with and without biases are both right.

Sizes are dicts of GPTConfig's fields. C = n_embd.
"""

from typing import NamedTuple

from autograder.grading.expect import Expect
from autograder.grading.student import Ref, Student
from milestones.hidden.loading import count

from .returned_values import as_number

PROBE = {"block_size": 8, "vocab_size": 101, "n_layer": 2, "n_head": 2, "n_embd": 6, "dropout": 0.0}
MOST_VECTORS = 13  # of length C in a block: 9 for the biases of all linear layers, 4 for two norms with a shift
FEWEST_VECTORS = 2  # two norms without a shift, and no biases


class Layout(NamedTuple):
    """What the GPT has besides its matrices: a block has `in_block` vectors of length C, the last norm `in_norm`."""

    in_block: int
    in_norm: int

    def parameters(self, sizes: dict) -> int:
        C = sizes["n_embd"]
        embeddings = (sizes["vocab_size"] + sizes["block_size"]) * C
        return embeddings + sizes["n_layer"] * (12 * C * C + self.in_block * C) + self.in_norm * C

    def flops(self, sizes: dict) -> int:
        """6 N + 12 n_layer n_embd block_size, with N without wpe (Chowdhery et al. 2022, appendix B)."""
        N = self.parameters(sizes) - sizes["block_size"] * sizes["n_embd"]
        return 6 * N + 12 * sizes["n_layer"] * sizes["n_embd"] * sizes["block_size"]


def config_of(student: Student, sizes: dict) -> Ref:
    return student.keep(student.model.transformer.GPTConfig, **sizes)


def counted(student: Student, sizes: dict) -> int:
    """The number of parameters of the submission's GPT, built and counted."""
    return count(student.parameters(student.model.transformer.GPT(config_of(student, sizes))))


def own_layout(student: Student, expect: Expect) -> Layout:
    """Read from two small models, which differ by one block."""
    C = PROBE["n_embd"]
    two, three = (counted(student, PROBE | {"n_layer": layers}) for layers in (2, 3))
    block_vectors = three - two - 12 * C * C
    last_norm = two - 2 * (three - two) - (PROBE["vocab_size"] + PROBE["block_size"]) * C
    is_gpt = block_vectors % C == 0 and FEWEST_VECTORS <= block_vectors // C <= MOST_VECTORS and last_norm in (C, 2 * C)
    expect.need(
        "your GPT has the parameters of a GPT",
        is_gpt,
        rule="GPT must have the number of parameters that milestone 4 asks for; `make grade M=4` says more.",
        saw=f"With 2 layers your GPT has {two:,} parameters, with 3 layers {three:,}. No GPT of these sizes has.",
    )
    return Layout(block_vectors // C, last_norm // C)


def expect_count(expect: Expect, what: str, given, expected: int, rule: str) -> None:
    """`given` is exactly this int. A mistake is known by the excess, which is the same with and without biases."""
    number = as_number(given)
    expect.note(f"{what}: excess", type(given).__name__ if number is None else number - expected)
    expect.equal(what, given, expected, rule=rule, record=False)
