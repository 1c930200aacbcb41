"""Runs a model as if it lived on another device, and says whether it mixes that device with the CPU.

torch's meta device computes shapes without data, so it is there on every machine; this mode adds what a real device
would say when an operation is given tensors of two places. It holds no expected value.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Copies between devices are what `.to()` is made of; indexing with a CPU tensor is allowed on every device.
ALLOWED = {
    "aten::_to_copy",
    "aten::copy_",
    "aten::index",
    "aten::index_put_",
    "aten::index_put",
    "aten::_index_put_impl_",
}


class Mixed(RuntimeError):
    """An operation met tensors of two devices."""


class OneDevice(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        places = {tensor.device.type for tensor in tensors if tensor.ndim > 0}
        if len(places) > 1 and func.name().split(".")[0] not in ALLOWED:
            raise Mixed(f"{func.name().split('.')[0].removeprefix('aten::')} met tensors of two devices")
        return func(*args, **kwargs)


def make(model, batch_size, length):
    """'' or what went wrong when `model`, moved away from the CPU, was given token ids and targets there.

    A model that looks at values in between can't be judged without data, so other errors count as nothing wrong.
    """
    model.to("meta")
    idx = torch.zeros(batch_size, length, dtype=torch.int64, device="meta")
    with OneDevice():
        try:
            model(idx, idx)
        except Mixed as error:
            return str(error)
        except (RuntimeError, NotImplementedError):
            return ""
    return ""
