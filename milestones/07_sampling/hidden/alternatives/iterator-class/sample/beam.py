"""Beam search with tuples and heapq, one model call for each beam; ids come back as a list."""

import heapq

import torch


def beam_search(model, idx, max_new_tokens, beam_width):
    was_training = model.training
    model.eval()
    beams = [(0.0, tuple(idx[0].tolist()))]
    for _ in range(max_new_tokens):
        pool = []
        for total, ids in beams:
            context = torch.tensor([ids[-model.config.block_size :]], device=idx.device)
            with torch.no_grad():
                steps = torch.log(torch.softmax(model(context)[0][0, -1], dim=-1)).tolist()
            pool.extend((total + step, (*ids, token)) for token, step in enumerate(steps))
        beams = heapq.nlargest(beam_width, pool)
    model.train(was_training)
    return [(list(ids), total) for total, ids in beams]
