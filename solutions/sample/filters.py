"""Rung 7: from the model's logits to the logits that are sampled.

Every function takes floating logits (..., V), with any leading dimensions, and returns new logits of the same shape and
dtype. The input stays as it was, and every row is treated by itself. A token that must not be drawn gets -inf: that is
the only logit whose probability is exactly 0.

Temperature: Ackley, Hinton & Sejnowski 1985. Top-k: Fan et al. 2018. Top-p: Holtzman et al. 2020. Repetition penalty:
Keskar et al. 2019.
"""

import torch


def apply_temperature(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Divides the logits by the temperature (Ackley, Hinton & Sejnowski 1985): below 1 sharper, above 1 flatter.

    temperature 0 is the limit: only the largest logit stays, all others become -inf. If several are equally large, keep
    all of these or any one.
    """
    ### BEGIN SOLUTION
    if temperature == 0:
        return logits.masked_fill(logits < logits.max(dim=-1, keepdim=True).values, float("-inf"))
    return logits / temperature
    ### END SOLUTION


def top_k(logits: torch.Tensor, k: int | None) -> torch.Tensor:
    """Keeps the k largest logits of each row; the others become -inf (Fan et al. 2018).

    k >= 1. None, or k >= V, keeps all. If several logits are equal to the k-th largest, keep all of these or as many as
    make k.
    """
    ### BEGIN SOLUTION
    if k is None or k >= logits.shape[-1]:
        return logits.clone()
    smallest_kept = logits.topk(k, dim=-1).values[..., -1:]  # (..., 1)
    return logits.masked_fill(logits < smallest_kept, float("-inf"))
    ### END SOLUTION


def top_p(logits: torch.Tensor, p: float) -> torch.Tensor:
    """Keeps the smallest set of likely tokens that holds the mass p (Holtzman et al. 2020, section 3.1: the nucleus).

    Going from the most probable token to the least probable one, tokens are kept until their probabilities add up to p:
    the token that crosses p is the last one kept. At least one token stays, even if p is 0; p = 1 keeps all.
    """
    ### BEGIN SOLUTION
    if p >= 1:
        return logits.clone()  # a running sum may round to 1 before its end
    ordered, order = logits.sort(dim=-1, descending=True)  # both (..., V)
    probabilities = ordered.softmax(dim=-1)
    before = probabilities.cumsum(dim=-1) - probabilities  # the mass that was there before this token
    removed = before >= p
    removed[..., 0] = False
    return logits.masked_fill(removed.scatter(-1, order, removed), float("-inf"))
    ### END SOLUTION


def repetition_penalty(logits: torch.Tensor, previous_ids: torch.Tensor, penalty: float) -> torch.Tensor:
    """Makes tokens that have occurred already less likely (CTRL, Keskar et al. 2019, section 4.1).

    previous_ids: int64 (..., N), with the leading dimensions of the logits; each row of logits has its own. A token in
    it is penalised once, however often it occurs: a positive logit is divided by the penalty, a negative one multiplied
    by it, so that penalty > 1 lowers both. penalty 1 changes nothing.
    """
    ### BEGIN SOLUTION
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, previous_ids, True)  # (..., V)
    lowered = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, lowered, logits)
    ### END SOLUTION
