"""Judges each call from student code into torch by the course's list of what may be called there.

A profile hook sees every call of a Python function, and every call of a builtin by Python code, under whatever name and
in whatever thread. A call counts as the student's if their code makes it, or hands the function to something that only
passes calls on: the standard library, a decorator, a module's __call__. What allowed functions call inside is free.

The hook raises nothing: an exception would switch it off, and student code could catch it. It notes what was called,
and the request that is being answered fails with it.
"""

import os
import sys
import threading
import types

import torch
from allowed import Allowed, Table, module_of
from faults import NotAllowed

STUDENTS, PASSES_ON, MADE, LIBRARY = range(4)  # whom code belongs to; MADE: by exec or eval, so to whom it serves
HERE = os.path.dirname(os.path.abspath(__file__)) + "/"
SITE = os.path.dirname(os.path.dirname(os.path.abspath(torch.__file__))) + "/"
TORCH = tuple(f"{SITE}{package}/" for package in ("torch", "torchgen", "functorch"))
STANDARD = (os.path.dirname(os.path.abspath(os.__file__)) + "/", "<frozen ", SITE)


class Watch:
    """Watches one worker. Nothing happens before `start`."""

    def __init__(self, allowed: Allowed, folder: str, instruments: str, own: types.FunctionType):
        """folder: the submission's. own: the function by which requests call what the submission defines."""
        self.allowed = allowed
        self.folder = folder.rstrip("/") + "/"
        self.instruments = instruments.rstrip("/") + "/"
        self.owners = {id(own.__code__): STUDENTS, **dict.fromkeys(allowed.passing, PASSES_ON)}
        self.kept: list[types.CodeType] = []  # so that no other code gets an id that is in a table
        self.tables: dict[tuple[str, ...], Table] = {}
        self.process = os.getpid()
        self.free: set[int] = set()  # the ids of code that may be entered without a look at who calls it
        self.hook = self._hook()
        self.on = False
        self.strict = False  # an item with `not_allowed` is running
        self.earlier: NotAllowed | None = None  # the first call while none ran: what it made may serve one
        self.now: NotAllowed | None = None

    # what requests use

    def start(self) -> None:
        """Begins an item: judges by the whole list, and keeps what it does not allow for items to come."""
        if not self.on:
            self.on = True
            torch.jit.script = torch.compile = as_plain_python
            threading.setprofile(self.hook)
        self.strict, self.now = False, None
        self._judge_by(())
        sys.setprofile(self.hook)

    def stop(self) -> None:
        """No item to come has `not_allowed`."""
        if self.on:
            self.on = self.strict = False
            threading.setprofile(None)
            sys.setprofile(None)

    def forbid(self, names: list[str]) -> None:
        """From here on, takes `names` off the list and holds everything against the item."""
        if self.on and names:
            self.strict = True
            self._judge_by(tuple(names))

    def __enter__(self) -> None:
        """Watches while a request is answered; what the harness does in between is none of its business."""
        if self.on:
            sys.setprofile(self.hook)

    def __exit__(self, *_) -> None:
        """Raises NotAllowed if an item with `not_allowed` runs, and it or the code before it called what is not."""
        if not self.on:
            return
        switched_off = sys.getprofile() is not self.hook
        sys.setprofile(None)
        if switched_off:
            self.now = self.now or NotAllowed(advice("sys.setprofile"))
        if self.strict and (self.now or self.earlier):
            raise self.now or self.earlier

    def _judge_by(self, names: tuple[str, ...]) -> None:
        if names not in self.tables:
            self.tables[names] = Table(self.allowed, names)
        self.table = self.tables[names]
        self.free.clear()
        self.free |= self.table.free

    # the hook

    def _hook(self):
        free, owners, entered, owner_of = self.free, self.owners, self._entered, self._owner

        def hook(frame, event, argument):
            if event == "call":
                if id(frame.f_code) not in free:
                    caller = frame.f_back
                    if caller is None or owners.get(id(caller.f_code)) != LIBRARY:
                        entered(frame)
            elif event == "c_call":
                code = frame.f_code
                owner = owners.get(id(code))
                if owner is None:
                    owner = owner_of(code)
                if owner == MADE and self._asker(frame):
                    owner = STUDENTS
                if owner == STUDENTS and not self.table.may_call(argument):
                    self._note(self.table.name_of_builtin(argument), frame)

        return hook

    def _entered(self, frame) -> None:
        """A function that the table does not know: the student's, the standard library's, or one to be judged."""
        code = frame.f_code
        if self._owner(code) != LIBRARY and id(code) not in self.table.refused:
            if id(code) in self.owners:
                self.free.add(id(code))
        elif asker := self._asker(frame):
            if self._harmless(code):
                self.free.add(id(code))
            elif not has_no_data(frame):
                self._note(self.table.name_of(code, SITE), asker)

    def _harmless(self, code: types.CodeType) -> bool:
        """Whether anybody may enter this code of torch's or ours."""
        if code.co_filename.startswith((HERE, self.instruments)):
            return True
        return code.co_name in ("<module>", "__getattr__") or self.allowed.whole_module(module_of(code, SITE))

    def _asker(self, frame):
        """The student's frame that makes this call, itself or through code that passes calls on; or None."""
        caller = frame.f_back
        while caller is not None:
            owner = self._owner(caller.f_code)
            if owner in (STUDENTS, LIBRARY):
                return caller if owner == STUDENTS else None
            frame, caller = caller, caller.f_back
        return frame  # what a thread of the student's began with

    def _owner(self, code: types.CodeType) -> int:
        owner = self.owners.get(id(code))
        if owner is None:
            file = code.co_filename
            if file.startswith((*TORCH, HERE, self.instruments)):
                owner = LIBRARY
            elif file.startswith(STANDARD):
                owner = PASSES_ON
            elif file.startswith(self.folder):
                owner = STUDENTS
            else:
                return MADE  # not kept, as there may be any number of those
            self.owners[id(code)] = owner
            self.kept.append(code)
        return owner

    def _note(self, name: str, frame) -> None:
        if os.getpid() != self.process:
            os._exit(1)  # a child process can't tell the worker, and must not go on
        while frame.f_back is not None and not frame.f_code.co_filename.startswith(self.folder):
            frame = frame.f_back
        told = NotAllowed(advice(name))
        if frame.f_code.co_filename.startswith(self.folder):
            told.file, told.line = frame.f_code.co_filename.removeprefix(self.folder), frame.f_lineno
        if self.strict:
            self.now = self.now or told
        else:
            self.earlier = self.earlier or told


def has_no_data(frame) -> bool:
    """Whether a function was given the meta device only: torch's operators there are Python, and compute nothing."""
    values = list(frame.f_locals.values())
    for value in tuple(values):
        values += value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    devices = [value.device if isinstance(value, torch.Tensor) else value for value in values]
    types_of_device = {device.type for device in devices if isinstance(device, torch.device)}
    return types_of_device == {"meta"}


def advice(name: str) -> str:
    return f"{name} is not allowed here: write it yourself, with torch's arithmetic"


def as_plain_python(function=None, *args, **kwargs):
    """What torch.compile and torch.jit.script are in a watched worker: the function stays what it is."""
    return as_plain_python if function is None else function
