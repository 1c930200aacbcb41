"""Which input position moves which output position, for a module called through `student`.

A causal module keeps two promises. Nothing after t moves out[t] (no leak), and everything up to t does move
it (no blind spot: splitting and merging the heads with the same wrong view is causal and correctly shaped,
and yet each position sees only a slice of its past). Both are read from the outputs on x, on x with one
position replaced (T inputs), and on x with everything after a cut replaced (T - 1 inputs).

Use `load_weights` first: under the module's own random weights an honest influence can be as small as a leak.

    call = caller(student, head)                   # or caller(student, gpt, pick=0) for (logits, loss)
    expect_causal(expect, call, x, noise)
"""

import torch

# A change is a change from here on. With well scaled float64 weights the honest ones are above 1e-4 and
# rounding stays under 1e-13; in between lie the leaks of a mask value that is too small, which must be found.
THRESHOLD = 1e-9


def caller(student, module, pick=None):
    """A function from a list of inputs to the list of the module's outputs, in one message.

    pick: the index of the tensor to look at when the module returns a tuple. The first exception of the
    student's code is raised here, as if it had been a plain call.
    """

    def call(inputs):
        results = student.batch(module, [(x,) for x in inputs])
        for result in results:
            if isinstance(result, Exception):
                raise result
        if pick is None:
            return results
        return [r[pick] if isinstance(r, (tuple, list)) and len(r) > pick else None for r in results]

    return call


def replaced(x, noise, positions):
    """x (B, T, ...) with the given positions taken from noise (same shape)."""
    changed = x.clone()
    changed[:, positions] = noise[:, positions]
    return changed


def moved(before, after, length):
    """Bool (length,): the positions of the output (B, T, ...) that differ.

    An output that lost its type, its shape or its finite values counts as moved everywhere.
    """
    if not (isinstance(before, torch.Tensor) and isinstance(after, torch.Tensor)):
        return torch.ones(length, dtype=torch.bool)
    if before.shape != after.shape or before.ndim < 2 or before.shape[1] != length:
        return torch.ones(length, dtype=torch.bool)
    distance = (before.double() - after.double()).abs().transpose(0, 1).reshape(length, -1)
    return ~(distance <= THRESHOLD).all(dim=1)  # written so that NaN counts as moved


def influence_matrix(call, x, noise):
    """Bool (T, T): entry [t, s] says whether out[:, t] moves when x[:, s] alone is replaced by noise[:, s].

    call: list of inputs -> list of outputs, see `caller`. x, noise: (B, T, ...), floats or token ids; noise
    differs from x at every position. A causal module gives the lower triangle, all of it.
    """
    T = x.shape[1]
    before, *after = call([x, *(replaced(x, noise, [s]) for s in range(T))])
    return torch.stack([moved(before, out, T) for out in after], dim=1)


def leaking_cuts(call, x, noise):
    """Bool (T - 1,), for T >= 2: entry t says whether out[:, :t + 1] moves when all of x[:, t + 1:] is replaced."""
    T = x.shape[1]
    before, *after = call([x, *(replaced(x, noise, range(t + 1, T)) for t in range(T - 1))])
    return torch.stack([moved(before, out, T)[: t + 1].any() for t, out in enumerate(after)])


def describe(matrix):
    """The first entry where the influence matrix is not the lower triangle, in words; '' if there is none."""
    lower = torch.ones_like(matrix).tril()
    leaks = (matrix & ~lower).nonzero()
    blind = (~matrix & lower).nonzero()
    if len(leaks):
        t, s = leaks[0].tolist()
        return f"The output at position {t} moves when the input at position {s}, its future, changes."
    if len(blind):
        t, s = blind[0].tolist()
        return f"The output at position {t} does not move when the input at position {s} changes."
    return ""


def expect_causal(expect, call, x, noise, label=""):
    """State that out[t] depends on x[0..t], on each of them, and on nothing else.

    label: goes in front of the labels, for an item that asks more than once.
    """
    matrix = influence_matrix(call, x, noise)
    cuts = leaking_cuts(call, x, noise)
    lower = torch.ones_like(matrix).tril()
    causal = "Nothing after position t may move the output at t, and each position up to t must move it."
    expect.true(
        f"{label}no leak", not (matrix & ~lower).any(), rule=causal, saw=f"{label}{describe(matrix)}", evidence=matrix
    )
    first = next((t for t, leaks in enumerate(cuts.tolist()) if leaks), 0)
    expect.true(
        f"{label}no leak at any cut",
        not cuts.any(),
        rule=causal,
        saw=f"{label}With every input after position {first} replaced, an output up to position {first} moves.",
        evidence=cuts,
    )
    expect.true(
        f"{label}whole past",
        bool((matrix | ~lower).all()),
        rule=causal,
        saw=f"{label}{describe(matrix)}",
        evidence=matrix,
    )
