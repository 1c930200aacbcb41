"""Instruments: objects of the trusted side that stubs in the submission's process may ask."""

from typing import Any, Protocol

from autograder.jail.inside.wire import Handle
from autograder.jail.worker import BadReply


class Refused(Exception):
    """What an instrument raises to refuse an answer: the stub raises ValueError with this message."""


class Instrument(Protocol):
    """`answers`: the methods that can be asked.

    Their arguments come from the worker: a method must take care with what it keeps of them.
    """

    answers: frozenset[str]


class Lent:
    """What one submission may ask during one item."""

    def __init__(self) -> None:
        self._instruments: list[Instrument] = []
        self.behind: dict[Handle, Instrument] = {}  # by the handle of the stub that asks it

    def lend(self, instrument: Instrument) -> int:
        """The number by which it can be asked."""
        self._instruments.append(instrument)
        return len(self._instruments) - 1

    def answer(self, question) -> tuple[bool, Any]:
        """(True, answer) or (False, why not) to [number, method, arguments]. Raises BadReply if no stub asks so."""
        match question:
            case [int(number), str(method), list(arguments)] if 0 <= number < len(self._instruments):
                instrument = self._instruments[number]
            case _:
                raise BadReply("the worker asked for an instrument that it was not lent")
        if method not in instrument.answers:
            raise BadReply("the worker asked an instrument for what it does not answer")
        try:
            return True, getattr(instrument, method)(*arguments)
        except Refused as refused:
            return False, str(refused)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError, RuntimeError) as error:
            # Its own stub never asks so: a method meets arguments that somebody else chose.
            raise BadReply(f"the worker asked an instrument what makes no sense ({type(error).__name__})") from None
