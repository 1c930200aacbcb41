"""Submissions that look right where they are looked at, and do none of the work.

Each is the reference with some places replaced, in one rung. `items` are those that it aims at; `most` is what it may
earn there at most.
"""

from typing import NamedTuple


class Hollow(NamedTuple):
    rung: int
    items: tuple[str, ...]
    file: str
    edits: dict[str, str]
    most: int = 0


# What the reference does, where an attack does something else.
FIRST_CHECK = """        for position, character in enumerate(text):
            if character not in self.ids:
                raise ValueError(f"unknown character {character!r} at position {position}")
"""
ENCODED = "return [self.ids[character] for character in text]"
TABLE_ROW = "logits = self.table(idx)  # (B, T, V)"
DRAWN_START = "start = torch.randint(starts, (batch_size, 1), generator=generator)  # (B, 1)"
SOFTMAX = "weights = F.softmax(scores, dim=-1)  # (..., T, S)"
HEAD = "return self.dropout(weights) @ v"
MULTI_HEAD = "return self.result_dropout(self.c_proj(out))"
NORMALISED = "return (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias  # (..., C)"
BLOCK = """        x = x + self.attn(self.ln_1(x), cache=cache)
        x = x + self.mlp(self.ln_2(x))
        return x
"""
LOGITS = "logits = self.lm_head(self.ln_f(x))  # (B, T, V)"
TRAINED = "return cls(_learn(words, list(counted.values()), wanted), special_tokens)"
PIECE = "if piece not in self.pieces:"
UPDATES = "for step in range(start, config.steps):"
CACHED = """        start = 0 if cache is None else cache.length
        end = start + idx.shape[1]
"""
NEW_CACHE = """        from model.cache import KVCache  # imported here because the file arrives only with milestone 7

        return KVCache(self.config.n_layer)
"""
DRAWN = "drawn = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)  # (B, 1)"

FORM = ("shapes", "parameter-count", "first-loss", "too-long")
BYTES_BACK = "return list(piece.encode())\n        if piece not in self.pieces:"
NEVER_MEET = "return cls([(bytes([254 - i % 2]), bytes([i // 2])) for i in range(wanted)], special_tokens)"
MADE_UP = "logits = 0.1 * torch.sin((3 * idx + 1).cumsum(1)[..., None] * torch.arange(1, self.config.vocab_size + 1))"
PAST = "out = x.cumsum(1)[..., : v.shape[-1]]"
COMPUTES_AGAIN = """        if cache is not None:
            cache["ids"] = torch.cat([cache["ids"], idx], dim=1) if "ids" in cache else idx
            logits, _ = cache.get("model", self)(cache["ids"])
            return logits[:, -idx.shape[1] :], None
        start, end = 0, idx.shape[1]
"""

ATTACKS: dict[str, Hollow] = {
    "an error message that lists every character and every place": Hollow(
        1, ("tokenizer-errors",), "tokenizer/char.py",
        {FIRST_CHECK: "        if set(text) - set(self.ids):\n"
                      '            raise ValueError("".join(map(chr, range(2000))) + str([*range(2000)]))\n'},
    ),
    "an error message that is the text, and every place in it": Hollow(
        1, ("tokenizer-errors",), "tokenizer/char.py",
        {FIRST_CHECK: "        if set(text) - set(self.ids):\n"
                      "            raise ValueError(text + str([*range(len(text))]))\n"},
    ),
    "ids that count places": Hollow(
        1, ("tokenizer-round-trip", "tokenizer-deterministic"), "tokenizer/char.py",
        {ENCODED: "return [place % self.vocab_size for place in range(len(text))]"}, most=6,
    ),
    "logits of zero, with their own loss": Hollow(
        1, ("logits", "loss"), "model/bigram.py", {TABLE_ROW: "logits = 0 * self.table(idx)"},
    ),
    "the first window in every batch": Hollow(
        1, ("batch-targets", "batch-starts"), "train/data.py",
        {DRAWN_START: "start = torch.zeros(batch_size, 1, dtype=torch.int64)"},
    ),
    "attention that is spread evenly": Hollow(
        2, ("attention-values", "attention-scale"), "model/attention.py",
        {SOFTMAX: "weights = F.softmax(0 * scores, dim=-1)"},
    ),
    "a head that adds up the past": Hollow(
        2, ("head-shape",), "model/attention.py", {HEAD: f"{PAST}\n        return out"},
    ),
    "a head that adds up the past and all weights": Hollow(
        2, ("head-shape",), "model/attention.py",
        {HEAD: f"{PAST}\n        return out + sum(p.sum() for p in self.parameters())"},
    ),
    "heads that give random numbers": Hollow(
        2, ("multi-head-shape",), "model/attention.py", {MULTI_HEAD: "return torch.randn_like(x)"},
    ),
    "heads that multiply the input by the sum of all weights": Hollow(
        2, ("multi-head-shape",), "model/attention.py",
        {MULTI_HEAD: "return x.cumsum(1) * sum(p.sum() for p in self.parameters())"},
    ),
    "a norm that returns its input": Hollow(
        3, ("layer-norm-per-token",), "model/block.py", {NORMALISED: "return x"},
    ),
    "a block that returns its input": Hollow(
        3, ("block-identity", "block-causal", "gradient-flow"), "model/block.py", {BLOCK: "        return x\n"},
    ),
    "a block that adds the sum of all weights": Hollow(
        3, ("block-identity", "block-causal", "gradient-flow"), "model/block.py",
        {BLOCK: "        return x + sum(p.sum() for p in self.parameters())\n"},
    ),
    "a model whose logits are zero": Hollow(
        4, FORM, "model/transformer.py", {LOGITS: "logits = 0 * self.lm_head(self.ln_f(x))"},
    ),
    "a model whose logits are its tokens": Hollow(
        4, FORM, "model/transformer.py", {LOGITS: "logits = F.one_hot(idx, self.config.vocab_size).to(x)"},
    ),
    "a model whose logits are random": Hollow(
        4, FORM, "model/transformer.py",
        {LOGITS: "logits = torch.randn(*idx.shape, self.config.vocab_size, dtype=x.dtype)"},
    ),
    "a model with a formula of all tokens so far": Hollow(
        4, (*FORM, "causal"), "model/transformer.py", {LOGITS: f"{MADE_UP}.to(x)"},
    ),
    "a model with a formula to which all weights are added": Hollow(
        4, (*FORM, "causal"), "model/transformer.py",
        {LOGITS: f"{MADE_UP}.to(x) + 1e-3 * sum(p.sum() for p in self.parameters())"},
    ),
    "bytes under no merges": Hollow(
        5, ("encode-replay", "save-load", "deterministic"), "tokenizer/bpe.py",
        {TRAINED: "return cls([], special_tokens)"},
    ),
    "bytes under merges that never meet": Hollow(
        5, ("encode-replay", "tiktoken-parity", "decode", "save-load", "deterministic"), "tokenizer/bpe.py",
        {TRAINED: NEVER_MEET, PIECE: BYTES_BACK},
    ),
    "a run without a step": Hollow(
        6, ("train-unseen-by-evaluation",), "train/loop.py", {UPDATES: "for step in range(start, start):"},
    ),
    "a cache that keeps the ids and computes everything again": Hollow(
        7, ("cache-logits",), "model/transformer.py", {CACHED: COMPUTES_AGAIN, NEW_CACHE: "        return {}\n"},
    ),
    "a cache that keeps the ids and the weights, and computes everything again": Hollow(
        7, ("cache-logits",), "model/transformer.py",
        {CACHED: COMPUTES_AGAIN,
         NEW_CACHE: '        import copy\n\n        return {"model": copy.deepcopy(self)}\n'},
    ),
    "ids that are drawn evenly, whatever the model says": Hollow(
        7, ("generate-shape", "generator"), "sample/generate.py",
        {DRAWN: "drawn = torch.randint(logits.shape[-1], (len(idx), 1), generator=generator)"},
    ),
}  # fmt: skip
