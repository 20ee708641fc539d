"""Answers come in the window's thread, in order, and never to a question of before."""

import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from ui.shell.jobs import Jobs


@pytest.fixture
def jobs(qapp: object) -> Iterator[Jobs]:
    jobs = Jobs("test")
    yield jobs
    jobs.close()


def fail() -> None:
    raise ValueError("no")


def test_work_is_done_elsewhere_and_answered_here(qtbot: QtBot, jobs: Jobs) -> None:
    threads: list[threading.Thread] = []
    answers: list[object] = []

    def work() -> int:
        threads.append(threading.current_thread())
        return 7

    def on_done(answer: int) -> None:
        threads.append(threading.current_thread())
        answers.append(answer)

    jobs.run(work, on_done)
    qtbot.waitUntil(lambda: answers == [7])

    assert threads[0] is not threading.main_thread()
    assert threads[1] is threading.main_thread()


def test_what_was_asked_before_is_not_answered_any_more(qtbot: QtBot, jobs: Jobs) -> None:
    go, answers = threading.Event(), list[str]()
    jobs.run(lambda: go.wait(10), lambda _: answers.append("late"))
    jobs.run(fail, on_error=lambda _: answers.append("late failure"))
    jobs.run(lambda: None, lambda _: answers.append("kept"), kept=True)
    jobs.forget()
    jobs.run(lambda: None, lambda _: answers.append("now"))
    go.set()
    qtbot.waitUntil(lambda: "now" in answers)

    assert answers == ["kept", "now"]


def test_a_failure_for_which_nobody_listens_is_told(qtbot: QtBot, jobs: Jobs) -> None:
    with qtbot.waitSignal(jobs.failed) as told:
        jobs.run(fail)

    assert isinstance(told.args[0], ValueError)


def test_closing_waits_for_the_work_and_answers_nothing(qtbot: QtBot, jobs: Jobs) -> None:
    done, answers = list[str](), list[object]()
    jobs.run(lambda: done.append("work"), answers.append)
    jobs.close()
    jobs.run(lambda: done.append("too late"), answers.append)
    qtbot.wait(1)

    assert done == ["work"]
    assert answers == []
