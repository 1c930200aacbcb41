"""The table as a product of two factors, in float64; the loss written out from logsumexp."""

import torch


class BigramLanguageModel(torch.nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.left = torch.nn.Embedding(vocab_size, 2 * vocab_size, dtype=torch.float64)
        self.right = torch.nn.Linear(2 * vocab_size, vocab_size, bias=False, dtype=torch.float64)
        torch.nn.init.normal_(self.left.weight, std=0.1)

    def forward(self, idx, targets=None):
        logits = self.right(self.left(idx))
        if targets is None:
            return logits, None
        chosen = torch.take_along_dim(logits, targets[..., None], dim=2).squeeze(2)
        return logits, (logits.logsumexp(2) - chosen).mean()

    @torch.no_grad()
    def generate(self, idx, max_new_tokens, generator=None):
        pieces = [idx]
        last = idx[:, -1]
        for _ in range(max_new_tokens):
            probabilities = torch.softmax(self.forward(last[:, None])[0][:, 0], dim=1)
            last = torch.multinomial(probabilities, num_samples=1, generator=generator)[:, 0]
            pieces.append(last[:, None])
        return torch.cat(pieces, dim=1)
