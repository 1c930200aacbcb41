"""Judges what all three modules promise: shape and dtype are kept, the input is left as it was; and the shape table."""

import torch

from milestones.hidden import shape_table

from .modules import BLOCK_SIZE, N_HEAD, B, C, T


def test_shapes_and_types(student, draw, expect):
    """Shape and dtype are kept, from one token to block_size; x is not changed; longer input is refused."""
    x = draw.randn(B, BLOCK_SIZE + 1, C, dtype=torch.float32)
    modules = {
        "LayerNorm": student.model.block.LayerNorm(C),
        "FeedForward": student.model.block.FeedForward(C),
        "Block": student.model.block.Block(C, N_HEAD, BLOCK_SIZE),
    }
    for name, module in modules.items():
        module.eval()
        for length in (1, T, BLOCK_SIZE):
            expect_kept(student, expect, name, module, x[:, :length].contiguous())
    expect.raises(
        "Block(x) with T = block_size + 1",
        ValueError,
        modules["Block"],
        x,
        rule="A block must refuse more than block_size positions with ValueError.",
    )


def expect_kept(student, expect, name, module, x):
    """The result is like x, and x itself stays what it was."""
    here = student.put(x)
    call = f"{name}(x), x {tuple(x.shape)},"
    expect.tensor(
        call,
        module(here),
        shape=x.shape,
        dtype=torch.float32,
        rule="Each module must return the shape and the dtype of its input, with finite numbers.",
    )
    expect.equal(
        f"x after {call}",
        student.value(here),
        x,
        record=False,
        rule="A module must leave the tensor that it was given as it was: x = x + y does, x += y does not.",
    )


def test_shape_table(student, draw, expect):
    """notes/architecture.md names the shapes of this milestone."""
    rows = {"normed": "(B, T, C)", "hidden": "(B, T, 4C)", "stream": "(B, T, C)"}
    shape_table.check(expect, student.files.get("notes/architecture.md"), rows=rows)
