"""The trusted side's view of jailed code: `student.model.attention.Head(…)` and what comes back.

Nothing of the submission is ever imported here. A call becomes a request to the worker; tensors and plain values come
back as copies, anything else as a `Ref` that stands for the object over there:

    head = student.model.attention.Head(12, 5, 7)     # builds it there; a Ref comes back
    head.load_weights({"q": wq, "k": wk, "v": wv})    # arguments: tensors, numbers, strings, bytes, lists, dicts, Refs
    out = head(x)                                     # a tensor, detached and on the CPU
    student.value(head.training)                      # an attribute is a Ref until it is read or called

A call raises `StudentError` if the student's code raised. A worker that died, hangs or floods raises a `WorkerLost`,
which ends the item: a grader must not catch that one.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from autograder.grading import replies
from autograder.grading.files import Files
from autograder.grading.lent import Instrument, Lent
from autograder.jail.inside.wire import Handle
from autograder.jail.worker import BadReply, Worker, WorkerLost

MAX_WORDS, MAX_BASES, MAX_LINE = 2000, 20, 10**6  # what an honest description of an exception keeps to


class StudentError(Exception):
    """The submission's code raised. Its own file and line are known if the traceback passed through them."""

    def __init__(self, description: dict):
        try:
            self.kind = _words(description["kind"])
            self.type = _words(description["type"])
            self.bases = [_words(name) for name in description["bases"][:MAX_BASES]]
            self.message = _words(description["message"])
            self.file = None if description["file"] is None else _words(description["file"])
            line = description["line"]
            self.line = line if isinstance(line, int) and 0 < line < MAX_LINE else None
            self.source = _words(description["source"])
        except (KeyError, TypeError) as error:
            raise BadReply(f"the worker sent a malformed description of an exception ({error!r})") from None
        super().__init__(f"{self.type}: {self.message}" if self.message else self.type)

    def place(self) -> str:
        """`model/attention.py:31`, as far as it is known."""
        return ":".join(str(part) for part in (self.file, self.line) if part is not None)


def _words(value) -> str:
    """Text from the worker that may go into a report, whatever is in it."""
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} where text belongs")
    return value[:MAX_WORDS].encode("utf-8", "replace").decode()


class Ref:
    """Stands for a name in the submission, or for an object that stays in the worker."""

    def __init__(self, student: "Student", target: list):
        self._student = student
        self._target = target

    def __getattr__(self, attribute: str) -> "Ref":
        return Ref(self._student, [*self._target, attribute])

    def __call__(self, *args, **kwargs):
        return self._student._call(self, args, kwargs, keep=False)

    def __repr__(self) -> str:
        return f"<{'.'.join(str(part) for part in self._target)}>"


class Student:
    """One submission, for as long as one rung is graded. `open_worker` starts its process, again after each death."""

    def __init__(self, open_worker: Callable[[], Worker], open_twin: Callable[[], Worker] | None = None):
        self.watched = False  # this item or a later one has `not_allowed`
        self._open_worker = open_worker
        self._open_twin = open_twin
        self._worker: Worker | None = None
        self._twin: Student | None = None
        self._lost_modules: dict[str, WorkerLost] = {}
        self._deadline = 0.0
        self._item: tuple[int, list[str]] = (0, [])
        self._lent = Lent()
        self.files = Files(self._request)

    # the life of a worker

    def begin(self, *, seed: int, seconds: float, names: Iterable[str] = (), not_allowed: Iterable[str] = ()) -> None:
        """Starts an item: a living worker, its clock and seed, the names it needs, then the names it forbids.

        In this order: a module that is imported while a name is forbidden would keep the stand-in for good.
        """
        if self._twin is not None:
            self._twin.close()
            self._twin = None
        self._deadline = time.monotonic() + seconds
        self._item = seed, list(not_allowed)
        self._lent = Lent()
        self._ensure_worker(seconds)
        self._resolve(list(names))
        self._request("forbid", self._item[1])

    def _ensure_worker(self, seconds: float) -> None:
        if self._worker is None or not self._worker.alive:
            self._worker = self._open_worker()
        self._worker.start_item(seconds)
        self._deadline = time.monotonic() + seconds
        self._request("begin", self._item[0], self.watched)

    def _resolve(self, names: list[str]) -> None:
        """Imports the modules of `names`. One whose import killed a worker is not tried again."""
        for name in names:
            module = ".".join(name.split(".")[:2])
            if module in self._lost_modules:
                raise self._lost_modules[module]
            try:
                self._request("resolve", [name])
            except WorkerLost as lost:
                file = module.replace(".", "/") + ".py"
                self._lost_modules[module] = type(lost)(f"importing {file}: {lost}", lost.output)
                raise self._lost_modules[module] from None

    def printed(self) -> str:
        """The last lines that the submission printed in this item.

        expect.equal("printed", student.printed(), "")
        """
        return self._worker.printed() if self._worker is not None and self._worker.alive else ""

    def close(self) -> None:
        for side in (self._worker, self._twin):
            if side is not None:
                side.close()

    def twin(self) -> "Student":
        """The same submission in a second process with another PYTHONHASHSEED.

        student.twin().tokenizer.char.CharTokenizer(text)
        """
        if self._twin is None:
            if self._open_twin is None:
                raise RuntimeError("a twin has no twin")
            self._twin = Student(self._open_twin)
            self._twin.watched = self.watched
            self._twin._item = self._item
            self._twin._ensure_worker(max(0.0, self._deadline - time.monotonic()))
            self._twin._request("forbid", self._item[1])
        return self._twin

    # requests

    def __getattr__(self, package: str) -> Ref:
        if package.startswith("_"):
            raise AttributeError(package)
        return Ref(self, [package])

    def _request(self, operation: str, *arguments):
        assert self._worker is not None
        held, value = self._worker.request(operation, *arguments, answer=self._lent.answer)
        if not held:
            raise StudentError(value)
        return self._incoming(value)

    def _incoming(self, value):
        if isinstance(value, Handle):
            return Ref(self, [value])
        if isinstance(value, list):
            return [self._incoming(part) for part in value]
        if isinstance(value, dict):
            return {key: self._incoming(part) for key, part in value.items()}
        return value

    def _outgoing(self, value):
        if isinstance(value, Ref):
            target = self._target(value)
            if isinstance(target[0], Handle) and len(target) == 1:
                return target[0]
            return self._held(self._request("hold", target))._target[0]
        if isinstance(value, (list, tuple)):
            return [self._outgoing(part) for part in value]
        if isinstance(value, dict):
            return {key: self._outgoing(part) for key, part in value.items()}
        return value

    def _held(self, value) -> Ref:
        """A reply that an honest worker always sends as a handle."""
        if not isinstance(value, Ref):
            raise BadReply("the worker sent an answer of the wrong form")
        return value

    def _target(self, ref: Ref) -> list:
        if ref._student is not self:
            raise ValueError("an object of one worker was passed to another")
        return ref._target

    def _call(self, ref: Ref, args, kwargs, *, keep: bool):
        return self._request("call", self._target(ref), self._outgoing(args), self._outgoing(kwargs), keep)

    # what graders call

    def value(self, ref: Ref):
        """What an attribute, a name or a held object is, by value.

        student.value(head.training)
        """
        return self._request("value", self._target(ref))

    def set(self, ref: Ref, attribute: str, value) -> None:
        """Sets an attribute of an object over there.

        student.set(model, "training", False)
        """
        self._request("set", self._target(ref), attribute, self._outgoing(value))

    def put(self, value) -> Ref:
        """Keeps a large input on the far side, so that it is sent once.

        ids = student.put(long_tensor)
        """
        return self._held(self._request("put", self._outgoing(value)))

    def keep(self, ref: Ref, *args, **kwargs) -> Ref:
        """Calls, and leaves the result over there.

        optimizer = student.keep(student.train.optim.make_optimizer, model, learning_rate=0.1)
        """
        return self._call(ref, args, kwargs, keep=True)

    def attempt(self, ref: Ref, *args, **kwargs):
        """The result, or the StudentError in its place; a name that is missing still raises.

        groups = student.attempt(hands.read_groups, made)
        expect.need("groups of parameters", not isinstance(groups, StudentError), saw=f"They raised {groups}.")
        """
        try:
            return self._call(ref, args, kwargs, keep=False)
        except StudentError as error:
            if error.kind == "missing":
                raise
            return error

    def batch(self, ref: Ref, calls: Iterable) -> list:
        """Many calls in one message: results in order, a StudentError in place of a call that raised.

        student.batch(tokenizer.encode, [(text,) for text in texts])
        """
        packed = [[self._outgoing(args), {}] for args in calls]
        results = replies.listed(self._request("batch", self._target(ref), packed), len(packed))
        return [self._unpack(reply) for reply in results]

    def _unpack(self, reply):
        held, value = replies.listed(reply, 2)
        return value if held else StudentError(value)

    def repeat(self, ref: Ref, n: int, *args, **kwargs) -> list:
        """The results of n equal calls in one message; raises the first StudentError.

        student.repeat(get_batch, 1000, ids, 4, 8, generator)
        """
        results = self._request("repeat", self._target(ref), n, self._outgoing(args), self._outgoing(kwargs))
        return replies.listed(results, n)

    def generator(self, seed: int) -> Ref:
        """A torch.Generator over there.

        student.generator(draw.seed())
        """
        return self._held(self._request("generator", seed))

    def next(self, ref: Ref):
        """The next value of an iterator over there. Raises StopIteration at its end.

        student.next(stream)
        """
        more, value = replies.listed(self._request("next", self._target(ref)), 2)
        if not more:
            raise StopIteration
        return value

    def instrument(self, name: str, *args, asks: Instrument | None = None, **kwargs) -> Ref:
        """What `make(…)` of the course's hidden/instruments/NAME.py returns, built over there.

        It must hold no expected value, and what it says of itself is no evidence. What it must not hold stays here, in
        the instrument that it `asks` (lent.py): `make` gets the number of that one first, for inside/line.py.

        model = student.instrument("table_model", vocab_size, asks=TableModel(tables))
        """
        first = [] if asks is None else [self._lent.lend(asks)]
        stub = self._held(self._request("instrument", name, first + self._outgoing(args), self._outgoing(kwargs)))
        if asks is not None:
            self._lent.behind[stub._target[0]] = asks
        return stub

    def behind(self, stub: Ref) -> Any:
        """The instrument that a stub asks.

        calls = student.behind(model).calls
        """
        return self._lent.behind[stub._target[0]]

    def forbid(self, *names: str) -> "Forbid":
        """Forbids library names besides the item's own `not_allowed`, for a `with` block.

        with student.forbid("torch.nn.functional.layer_norm"): out = norm(x)
        """
        return Forbid(self, list(names))

    def parameters(self, module: Ref) -> list[dict]:
        """Of each parameter: shape, dtype, storage (its address), requires_grad, has_grad, grad_zero.

        trainable = [p for p in student.parameters(model) if p["requires_grad"]]
        """
        return replies.parameters(self._request("parameters", self._target(module)))

    def get_parameters(self, module: Ref) -> list:
        """The parameters' values, in the module's own order.

        before = student.get_parameters(model)
        """
        return replies.tensors(self._request("get_parameters", self._target(module)))

    def set_parameters(self, module: Ref, tensors: list) -> None:
        """Gives the parameters values, in the module's own order.

        student.set_parameters(model, [draw.randn(*p["shape"]) for p in student.parameters(model)])
        """
        self._request("set_parameters", self._target(module), list(tensors))

    def zero_parameters(self, module: Ref, min_ndim: int = 0) -> None:
        """Sets the parameters with at least so many dimensions to 0.

        student.zero_parameters(model, min_ndim=2)
        """
        self._request("zero_parameters", self._target(module), min_ndim)

    def zero_grad(self, module: Ref) -> None:
        """Sets every gradient to None.

        student.zero_grad(model)
        """
        self._request("zero_grad", self._target(module))

    def gradients(self, module: Ref) -> list:
        """The parameters' gradients, None where there is none.

        student.backward(model, x, seed=noise); gradients = student.gradients(model)
        """
        return replies.tensors(self._request("gradients", self._target(module)))

    def modes(self, module: Ref) -> list[bool]:
        """The training flags of the module and of all modules in it.

        expect.true("everything is in eval mode", not any(student.modes(model)))
        """
        return replies.flags(self._request("modes", self._target(module)))

    def backward(self, ref: Ref, *args, pick=None, seed=None, **kwargs):
        """Calls, and runs backward from the sum of output[pick] times `seed`; returns the output.

        out = student.backward(model, idx, targets, pick=1)
        """
        packed = self._outgoing(args), self._outgoing(kwargs)
        return self._request("backward", self._target(ref), *packed, pick, self._outgoing(seed))

    def input_gradient(self, ref: Ref, x, seed, pick=None):
        """The gradient of the sum of ref(x)[pick] times `seed` with respect to x.

        student.input_gradient(norm, x, noise)
        """
        return self._request("input_gradient", self._target(ref), self._outgoing(x), self._outgoing(seed), pick)


class Forbid:
    """Forbids library names besides the item's own while a `with` block runs."""

    def __init__(self, student: Student, names: list[str]):
        self._student, self._names = student, names

    def __enter__(self) -> None:
        self._student._request("forbid", self._student._item[1] + self._names)

    def __exit__(self, *_) -> None:
        worker = self._student._worker
        if worker is not None and worker.alive:
            self._student._request("forbid", self._student._item[1])
