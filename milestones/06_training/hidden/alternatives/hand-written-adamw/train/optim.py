"""AdamW as an optimizer class of its own; groups by a dict of names, the undecayed first."""

import torch


def parameter_groups(model, weight_decay):
    by_name = dict(model.named_parameters())
    vectors = [name for name in by_name if by_name[name].dim() in (0, 1)]
    matrices = [name for name in by_name if name not in vectors]
    return [
        {"name": "vectors", "params": [by_name[name] for name in vectors], "weight_decay": 0.0},
        {"name": "matrices", "params": [by_name[name] for name in matrices], "weight_decay": weight_decay},
    ]


class DecoupledAdam(torch.optim.Optimizer):
    def __init__(self, groups, lr, betas):
        super().__init__(groups, {"lr": lr, "betas": tuple(betas), "eps": 1e-8, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            fast, slow = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["count"] = 0
                    state["mean"] = torch.zeros_like(p)
                    state["square"] = torch.zeros_like(p)
                state["count"] += 1
                state["mean"].lerp_(p.grad, 1 - fast)
                state["square"].mul_(slow).addcmul_(p.grad, p.grad, value=1 - slow)
                mean = state["mean"] / (1 - fast ** state["count"])
                root = (state["square"] / (1 - slow ** state["count"])).sqrt()
                p -= group["lr"] * (group["weight_decay"] * p + mean / (root + group["eps"]))


def make_optimizer(model, *, learning_rate, betas=(0.9, 0.95), weight_decay=0.1):
    return DecoupledAdam(parameter_groups(model, weight_decay), learning_rate, betas)
