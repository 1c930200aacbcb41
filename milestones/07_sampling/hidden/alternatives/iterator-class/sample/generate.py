"""One class with __next__ does the work; stream returns it, generate exhausts it."""

import torch

from sample import filters


class Stream:
    """Yields the new ids (B,), or a single int when `single`. The prompt is fed to the cache but for its last token."""

    def __init__(self, model, idx, n, single=False, *, temperature=1.0, top_k=None, top_p=None, repetition_penalty=1.0,
                 stop_tokens=(), generator=None, use_cache=True):  # fmt: skip
        self.model, self.ids, self.left, self.single = model, idx, n, single
        self.temperature, self.k, self.p, self.penalty = temperature, top_k, top_p, repetition_penalty
        self.stops = torch.as_tensor(tuple(stop_tokens), dtype=torch.int64, device=idx.device)
        self.generator = generator
        self.prompt_length = idx.shape[1]
        self.cache = model.new_cache(idx.shape[0]) if use_cache and hasattr(model, "new_cache") else None
        self.fed = 0

    def __iter__(self):
        return self

    @property
    def finished(self):
        if self.ids.shape[1] == self.prompt_length:
            return torch.zeros(len(self.ids), dtype=torch.bool, device=self.ids.device)
        return (self.ids[:, -1:] == self.stops).any(dim=1)

    def logits(self):
        length, limit = self.ids.shape[1], self.model.config.block_size
        if self.cache is None or length > limit:
            return self.model(self.ids[:, max(0, length - limit) :])[0][:, -1]
        if length - self.fed > 1:
            self.model(self.ids[:, self.fed : -1], cache=self.cache)
        self.fed = length
        return self.model(self.ids[:, -1:], cache=self.cache)[0][:, -1]

    @torch.no_grad()
    def __next__(self):
        if self.left == 0 or (self.single and bool(self.finished.all())):
            raise StopIteration
        self.left -= 1
        modes = {module: module.training for module in self.model.modules()}
        self.model.eval()
        logits = self.logits()
        for module, mode in modes.items():
            module.training = mode
        logits = filters.repetition_penalty(logits, self.ids, self.penalty)
        logits = filters.top_k(filters.apply_temperature(logits, self.temperature), self.k)
        logits = filters.top_p(logits, self.p) if self.p is not None else logits
        noise = torch.empty_like(logits).exponential_(generator=self.generator)
        new = (logits.softmax(-1) / noise).argmax(-1)  # the exponential race, Gumbel-max in other clothes
        new = torch.where(self.finished, self.ids[:, -1], new)
        self.ids = torch.cat([self.ids, new[:, None]], dim=1)
        return new.item() if self.single else new


def generate(model, idx, max_new_tokens, **options):
    source = Stream(model, idx, max_new_tokens, **options)
    for _ in source:
        pass
    return source.ids


def stream(model, idx, max_new_tokens, **options):
    return Stream(model, idx, max_new_tokens, single=True, **options)
