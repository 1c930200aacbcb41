"""Judges the gradients of blocks: exact through one, and alive after 24 new ones."""

from milestones.hidden.life import expect_weights_act
from milestones.hidden.weights import block, block_weights

from .backward import expect_backward, expect_input_gradient
from .modules import BLOCK_SIZE, N_HEAD, B, C, T, need_tensor, new_block, tokens

DEPTH, WIDTH, DEEP_HEADS = 24, 96, 4

# What DEPTH new blocks may multiply the gradient's norm by. GPT-2's first weights give 1, PyTorch's 2, Kaiming's 15;
# a standard deviation of 1 gives 600 and more, and without residuals it is under 1e-10.
WEAKEST, STRONGEST = 0.07, 200


def test_block_gradients(student, draw, expect):
    """The gradient that reaches the input is exactly that of the formula, and every parameter receives one."""
    x, seed = tokens(draw, B, T, C), draw.randn(B, T, C)
    weights = block_weights(draw, C)
    module = new_block(student, weights)
    expect_backward(student, expect, "Block", module, x, seed)
    expect_input_gradient(student, expect, "Block", module, x, seed, lambda z: block(z, weights, N_HEAD))


def test_gradient_flow(student, draw, expect):
    """Through 24 new blocks in a row, the gradient arrives at the bottom about as strong as it was at the top."""
    x, seed = draw.randn(B, T, WIDTH), draw.randn(B, T, WIDTH)
    blocks = [student.model.block.Block(WIDTH, DEEP_HEADS, BLOCK_SIZE) for _ in range(DEPTH)]
    inputs = [x]
    for number, module in enumerate(blocks):
        module.double()
        module.eval()
        inputs.append(module(inputs[-1]))
        need_tensor(expect, f"the output of new block {number}", inputs[-1], (B, T, WIDTH))
    gradient = seed
    for number, module in reversed(list(enumerate(blocks))):
        gradient = student.input_gradient(module, inputs[number], gradient)
        need_tensor(expect, f"the gradient below new block {number}", gradient, (B, T, WIDTH))
    growth = (gradient.norm() / seed.norm()).item()
    rule = f"Through {DEPTH} new blocks the gradient must neither die out nor explode."
    remains = f"what remains of the gradient below {DEPTH} new blocks, as a share of that above,"
    expect.above(remains, growth, WEAKEST, rule=rule, record=False)
    expect.below(f"the growth of the gradient through {DEPTH} new blocks", growth, STRONGEST, rule=rule, record=False)
    x, noise = tokens(draw, B, T, WIDTH), tokens(draw, B, T, WIDTH)
    expect_weights_act(student, expect, "a new block", blocks[0], x, noise)
