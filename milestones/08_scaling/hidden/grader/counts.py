"""Judges count_parameters and flops_per_token: exact, up to GPT-2's size, for the submission's own GPT."""

from .layout import config_of, counted, expect_count, own_layout

DEFAULT = {"block_size": 256, "vocab_size": 65, "n_layer": 6, "n_head": 6, "n_embd": 384}
GPT2 = {"block_size": 1024, "vocab_size": 50257, "n_layer": 12, "n_head": 12, "n_embd": 768}


def drawn_sizes(draw):
    """Four small configurations; no two of their numbers play the same part."""
    for _ in range(4):
        heads = draw.integer(2, 5)
        yield {
            "block_size": draw.integer(5, 60),
            "vocab_size": draw.integer(61, 200),
            "n_layer": draw.integer(1, 4),
            "n_head": heads,
            "n_embd": heads * draw.integer(3, 9),
        }


def call(function, sizes):
    return f"{function}(GPTConfig({', '.join(f'{name}={size}' for name, size in sizes.items())}))"


def test_count_parameters(student, draw, expect):
    """count_parameters gives the number of parameters of the submission's own GPT, small or large."""
    rule = "count_parameters must return, as an int, the number of parameters of your own GPT of these sizes."
    layout = own_layout(student, expect)
    small = [(sizes, counted(student, sizes)) for sizes in drawn_sizes(draw)]
    large = [(sizes, layout.parameters(sizes)) for sizes in (DEFAULT, GPT2)]  # building these would take too long
    for sizes, expected in small + large:
        given = student.train.scaling.count_parameters(config_of(student, sizes))
        expect_count(expect, call("count_parameters", sizes), given, expected, rule)


def test_flops_per_token(student, draw, expect):
    """flops_per_token is exact for many configurations."""
    rule = (
        "flops_per_token must return 6 N + 12 n_layer n_embd block_size as an int, where N is the number of parameters"
        " of your own GPT without wpe."
    )
    layout = own_layout(student, expect)
    for sizes in (*drawn_sizes(draw), DEFAULT, GPT2):
        given = student.train.scaling.flops_per_token(config_of(student, sizes))
        expect_count(expect, call("flops_per_token", sizes), given, layout.flops(sizes), rule)
