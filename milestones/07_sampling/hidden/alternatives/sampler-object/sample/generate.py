"""A frozen dataclass of options that turns logits into ids; categorical draws on the CPU; rows finish one by one."""

from dataclasses import dataclass, field

import torch

from sample import filters


@dataclass(frozen=True)
class Sampler:
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    stop_tokens: list = field(default_factory=list)
    generator: torch.Generator | None = None
    use_cache: bool = True

    def __call__(self, logits, past):
        logits = filters.repetition_penalty(logits.double(), past, self.repetition_penalty)
        if self.temperature == 0:
            return logits.argmax(-1)
        logits = filters.top_k(filters.apply_temperature(logits, self.temperature), self.top_k)
        if self.top_p is not None:
            logits = filters.top_p(logits, self.top_p)
        return torch.multinomial(logits.softmax(-1), 1, replacement=True, generator=self.generator).flatten()


def extend(model, ids, n, sampler):
    """Appends up to n ids to each row, as lists, and yields after each step what is there."""
    rows = ids.tolist()
    stops = frozenset(sampler.stop_tokens)
    open_rows = set(range(len(rows)))
    for _ in range(n):
        past = torch.tensor(rows, device=ids.device)
        new = sampler(model_logits(model, past, ids.shape[1], sampler), past).tolist()
        for number, row in enumerate(rows):
            row.append(new[number] if number in open_rows else row[-1])
        open_rows -= {number for number in open_rows if rows[number][-1] in stops}
        yield rows, not open_rows


def model_logits(model, past, prompt_length, sampler):
    """The cache of one call lives in a dictionary on the function, keyed by nothing else than this call."""
    size = model.config.block_size
    if not (sampler.use_cache and hasattr(model, "new_cache")) or past.shape[1] > size:
        return model(past[:, -size:])[0][:, -1]
    if past.shape[1] == prompt_length:
        model_logits.cache = model.new_cache(len(past))
        return model(past, cache=model_logits.cache)[0][:, -1]
    return model(past[:, -1:], cache=model_logits.cache)[0][:, -1]


def run(model, idx, n, options):
    sampler = Sampler(**options)
    was = model.training
    model.train(False)
    try:
        steps = extend(model, idx, n, sampler)
        while True:
            with torch.no_grad():
                step = next(steps, None)
            if step is None:
                return
            yield step
    finally:
        model.train(was)


def generate(model, idx, max_new_tokens, **options):
    rows = idx.tolist()
    for rows, _ in run(model, idx, max_new_tokens, options):
        continue
    return torch.tensor(rows, dtype=torch.int64, device=idx.device).reshape(len(idx), -1)


def stream(model, idx, max_new_tokens, **options):
    for rows, over in run(model, idx, max_new_tokens, options):
        yield rows[0][-1]
        if over:
            break
