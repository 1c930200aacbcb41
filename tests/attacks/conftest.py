import threading
from queue import Empty, Queue

import pytest

from autograder.grading import with_grader


@pytest.fixture(scope="module")
def grade(request, jail):
    """grade(submission) -> its report on the module's RUNG, all in one grading process, as in a class."""
    asked, answered = Queue(), Queue()

    def job(grader):
        while (submission := asked.get()) is not None:
            answered.put(grader.grade(submission, 5))

    thread = threading.Thread(target=with_grader, args=([request.module.RUNG], jail, job))
    thread.start()

    def grade(submission):
        asked.put(submission)
        while True:
            try:
                return answered.get(timeout=1)
            except Empty:
                assert thread.is_alive(), "the grading process ended: a class would have, too"

    yield grade
    asked.put(None)
    thread.join()
