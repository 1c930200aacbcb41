"""Beam search in float32 with a fixed number of beams from the start: all but one begin at -inf, and drop out later."""

import torch


def beam_search(model, idx, max_new_tokens, beam_width):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.inference_mode():
        ids = idx.repeat(beam_width, 1)
        scores = torch.full((beam_width, 1), -torch.inf, device=idx.device)
        scores[0] = 0.0
        for _ in range(max_new_tokens):
            logits = model(ids[:, -model.config.block_size :])[0][:, -1, :].float()
            table = scores + logits - logits.logsumexp(dim=-1, keepdim=True)
            scores, flat = table.view(1, -1).topk(beam_width, dim=-1)
            scores = scores.view(-1, 1)
            rows = torch.div(flat, table.shape[1], rounding_mode="floor").view(-1)
            ids = torch.cat([ids.index_select(0, rows), torch.remainder(flat, table.shape[1]).view(-1, 1)], dim=1)
    for module, mode in modes.items():
        module.training = mode
    return [(row.clone(), score) for row, score in zip(ids, scores[:, 0], strict=True) if score > -torch.inf]
