"""What the trusted side can ask of a submission: resolve names, call, read, differentiate, keep.

Objects that cannot cross the wall stay here and are known by number (handles).
"""

import importlib
import importlib.util
import os
import random
import types

import faults
import forbid
import numpy
import torch
import watch
import wire


class Session:
    """One submission in `folder`, and what graders have asked of it so far."""

    def __init__(self, folder: str, instruments: str, listed: watch.Allowed):
        self.folder = folder
        self.instruments = instruments
        self.objects: dict[int, object] = {}
        self.forbidden = forbid.Forbidden()
        self.watch = watch.Watch(listed, folder, instruments, called)

    # values that come and go

    def portable(self, value):
        return wire.portable(value, self._stand_in)

    def _stand_in(self, value):
        """The plain value that crosses in place of `value`, or a handle where it has no plain form."""
        if isinstance(value, numpy.ndarray) and value.dtype.kind in "biufc":
            return torch.from_numpy(numpy.array(value))
        if isinstance(value, numpy.generic) and value.dtype.kind in "biufc":
            return value.item()
        for kind in (int, float, str, bytes):
            if isinstance(value, kind):
                return kind.__new__(kind, value)
        if isinstance(value, (list, tuple, range)):
            return list(value)
        return self.keep(value)

    def keep(self, value) -> wire.Handle:
        number = len(self.objects) + 1
        self.objects[number] = value
        return wire.Handle(number)

    def local(self, value):
        """The inverse for arguments: handles become the objects they stand for."""
        if isinstance(value, wire.Handle):
            return self.objects[value.number]
        if isinstance(value, list):
            return [self.local(part) for part in value]
        if isinstance(value, dict):
            return {key: self.local(part) for key, part in value.items()}
        return value

    # requests

    def do(self, operation: str, arguments: list):
        with self.watch:
            return getattr(self, f"do_{operation}")(*arguments)

    def find(self, target):
        """The object that a target names: [dotted name, attributes…] or [handle, attributes…]."""
        root, *attributes = target
        found = self.local(root) if isinstance(root, wire.Handle) else self._package(root)
        for attribute in attributes:
            found = self._step(found, attribute)
        return found

    def _package(self, name):
        path = os.path.join(self.folder, name)
        if not (os.path.isdir(path) or os.path.isfile(path + ".py")):
            raise faults.MissingName(f"the folder {name}/ is missing")
        return importlib.import_module(name)

    def _step(self, found, attribute):
        if isinstance(found, types.ModuleType):
            name = f"{found.__name__}.{attribute}"
            if hasattr(found, "__path__") and importlib.util.find_spec(name) is not None:
                return importlib.import_module(name)
            if not hasattr(found, attribute):
                self._report_missing(found, attribute, name)
        return getattr(found, attribute)

    def _report_missing(self, module, attribute, name):
        if hasattr(module, "__path__"):
            raise faults.MissingName(f"the file {name.replace('.', '/')}.py is missing")
        file = os.path.relpath(module.__file__, self.folder)
        raise faults.MissingName(f"{file} does not define `{attribute}`", file)

    def run(self, function, args, kwargs):
        return called(function, self.local(args), self.local(kwargs))

    def do_begin(self, seed, watched):
        """Starts an item: the global generators from its seed, nothing forbidden yet. `watched`: some item forbids."""
        random.seed(seed)
        numpy.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        self.forbidden.allow_all()
        if watched:
            self.watch.start()
        else:
            self.watch.stop()

    def do_hold(self, target):
        return self.keep(self.find(target))

    def do_resolve(self, names):
        """Imports what the dotted names need and sees that each exists."""
        for name in names:
            self.find(name.split("."))

    def do_call(self, target, args, kwargs, keep):
        result = self.run(self.find(target), args, kwargs)
        return self.keep(result) if keep else result

    def do_value(self, target):
        return self.find(target)

    def do_set(self, target, attribute, value):
        setattr(self.find(target), attribute, self.local(value))

    def do_put(self, value):
        return self.keep(self.local(value))

    def do_batch(self, target, calls):
        """Each result as [True, value], or [False, description] where the student's code raised."""
        function = self.find(target)
        results = []
        for args, kwargs in calls:
            try:
                results.append([True, self.run(function, args, kwargs)])
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                results.append([False, faults.describe(error, self.folder)])
        return results

    def do_repeat(self, target, n, args, kwargs):
        function = self.find(target)
        return [self.run(function, args, kwargs) for _ in range(n)]

    def do_next(self, target):
        try:
            return [True, next(self.find(target))]
        except StopIteration:
            return [False, None]

    def do_generator(self, seed):
        return self.keep(torch.Generator().manual_seed(seed))

    def do_forbid(self, names):
        self.forbidden.forbid(names)
        self.watch.forbid(names)

    def do_instrument(self, name, args, kwargs):
        spec = importlib.util.spec_from_file_location(
            f"instrument_{name}", os.path.join(self.instruments, f"{name}.py")
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return self.keep(module.make(*self.local(args), **self.local(kwargs)))

    # modules and gradients

    def do_parameters(self, target):
        return [
            {
                "shape": list(p.shape),
                "dtype": str(p.dtype).removeprefix("torch."),
                "storage": p.untyped_storage().data_ptr(),
                "requires_grad": p.requires_grad,
                "has_grad": p.grad is not None,
                "grad_zero": p.grad is None or not bool(p.grad.ne(0).any()),
            }
            for p in self.find(target).parameters()
        ]

    def do_get_parameters(self, target):
        return [p.detach().clone() for p in self.find(target).parameters()]

    def do_set_parameters(self, target, tensors):
        parameters = list(self.find(target).parameters())
        if len(parameters) != len(tensors):
            raise ValueError(f"{len(parameters)} parameters, {len(tensors)} tensors")
        with torch.no_grad():
            for parameter, tensor in zip(parameters, tensors, strict=True):
                parameter.copy_(tensor)

    def do_zero_parameters(self, target, min_ndim):
        with torch.no_grad():
            for parameter in self.find(target).parameters():
                if parameter.ndim >= min_ndim:
                    parameter.zero_()

    def do_gradients(self, target):
        return [None if p.grad is None else p.grad.detach().clone() for p in self.find(target).parameters()]

    def do_zero_grad(self, target):
        for parameter in self.find(target).parameters():
            parameter.grad = None

    def do_modes(self, target):
        return [module.training for module in self.find(target).modules()]

    def do_backward(self, target, args, kwargs, pick, seed):
        output = self.run(self.find(target), args, kwargs)
        chosen = output if pick is None else output[pick]
        (chosen if seed is None else chosen * self.local(seed)).sum().backward()
        return output

    def do_input_gradient(self, target, x, seed, pick):
        x = self.local(x).clone().requires_grad_()
        output = self.run(self.find(target), [x], {})
        chosen = output if pick is None else output[pick]
        (gradient,) = torch.autograd.grad((chosen * self.local(seed)).sum(), x, allow_unused=True)
        return torch.zeros_like(x) if gradient is None else gradient

    # files in the submission's own folder

    def do_file_put(self, path, data):
        target = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(data)

    def do_file_get(self, path):
        with open(os.path.join(self.folder, path), "rb") as file:
            return file.read()

    def do_file_list(self):
        return sorted(
            os.path.relpath(os.path.join(root, name), self.folder)
            for root, _, names in os.walk(self.folder)
            for name in names
            if "__pycache__" not in root
        )


def called(function, args, kwargs):
    """The result of a call in the student's name: what it calls of torch must be allowed to them."""
    return function(*args, **kwargs)
