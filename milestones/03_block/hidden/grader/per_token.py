"""Whether a module of (B, T, C) treats each token alone: which input token moves which output token."""

import torch

from milestones.hidden.influence import THRESHOLD, caller

from .modules import B, T, is_float_tensor


def expect_per_token(student, expect, what, module, x, noise):
    """Each token of the result depends on its own input, and on no other token."""
    matrix = token_influence(student, module, x, noise)
    mixed = matrix & ~torch.eye(B * T, dtype=torch.bool)
    rule = f"{what} must treat each token alone: its result must depend on that token and on nothing else."
    expect.true(f"{what} mixes no tokens", not mixed.any(), rule=rule, saw=first_mixed(what, mixed), evidence=matrix)
    expect.true(f"each result of {what} depends on its own token", matrix.diagonal().all(), rule=rule, evidence=matrix)


def token_influence(student, module, x, noise):
    """Bool (B*T, B*T): entry [o, i] says whether token o of the output changes if token i of the input is replaced."""
    inputs = [x]
    for b in range(B):
        for t in range(T):
            changed = x.clone()
            changed[b, t] = noise[b, t]
            inputs.append(changed)
    before, *after = caller(student, module)(inputs)
    return torch.stack([moved_tokens(before, out) for out in after], dim=1)


def moved_tokens(before, after):
    """Bool (B*T,): which tokens of two outputs (B, T, C) differ; all, if they are not two such outputs."""
    if not (isinstance(before, torch.Tensor) and is_float_tensor(after, before.shape) and before.ndim == 3):
        return torch.ones(B * T, dtype=torch.bool)
    near = (before.double() - after.double()).abs() <= THRESHOLD  # NaN is not near
    return ~near.all(dim=-1).reshape(-1)


def first_mixed(what, mixed):
    """The first pair of tokens that are mixed, in words; '' if there is none."""
    if not mixed.any():
        return ""
    output, source = mixed.nonzero()[0].tolist()
    (row_out, t_out), (row_in, t_in) = divmod(output, T), divmod(source, T)
    return f"A change of token {t_in} in row {row_in} changes what {what} returns for token {t_out} in row {row_out}."
