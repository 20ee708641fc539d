"""Errors end in one dialog, not in the end of the program and not in a heap of dialogs."""

import subprocess
import sys

import pytest
from PyQt6.QtWidgets import QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from thermoseg.errors import CameraError
from ui.shell.error_dialog import ErrorDialog, describe_error

SURVIVES = """
import sys, threading
from PyQt6.QtCore import QThread, QTimer
from PyQt6.QtWidgets import QApplication, QWidget
import pyqtgraph
from ui.shell.error_dialog import ErrorDialog

class Failing(QThread):
    def run(self):
        raise ValueError("in a QThread")

def fail(text):
    raise ValueError(text)

app = QApplication([])
window = QWidget()
errors = ErrorDialog(window)
errors.catch_all()
def fail_in_slot():
    failed.append(True)
    fail("in a slot")

failed = []
QTimer.singleShot(0, fail_in_slot)
thread = Failing()
thread.start()
plain = threading.Thread(target=fail, args=("in a thread",))
plain.start()
def look():
    # PyQt may merge errors that coincide, so not every one of the three must arrive.
    if failed and errors.count and not plain.is_alive() and thread.isFinished():
        print(errors.text)
        app.quit()
timer = QTimer()
timer.timeout.connect(look)
timer.start(10)
app.exec()
plain.join()
thread.wait()
"""


@pytest.fixture
def errors(qtbot: QtBot) -> ErrorDialog:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    return ErrorDialog(window)


def boxes_of(errors: ErrorDialog) -> list[QMessageBox]:
    window = errors.parent()
    assert window is not None
    return window.findChildren(QMessageBox)


def test_many_errors_are_one_dialog(qtbot: QtBot, errors: ErrorDialog) -> None:
    for number in range(30):
        errors.report(CameraError(f"fault {number}; plug it in"))
    qtbot.waitUntil(lambda: errors.count == 30)

    boxes = boxes_of(errors)
    assert [box.text() for box in boxes] == ["Fault 0; plug it in."]
    assert "29 more" in boxes[0].informativeText()


def test_after_closing_the_next_error_is_shown(qtbot: QtBot, errors: ErrorDialog) -> None:
    errors.report(CameraError("first"))
    qtbot.waitUntil(lambda: errors.text == "First.")
    boxes_of(errors)[0].accept()
    errors.report(CameraError("second"))
    qtbot.waitUntil(lambda: errors.text == "Second.")


def test_a_defect_is_named_but_not_called_the_users_fault() -> None:
    assert describe_error(KeyError("x")).endswith("(KeyError: 'x')")


def test_an_address_keeps_its_spelling() -> None:
    assert describe_error(CameraError("lepton: is busy")) == "lepton: is busy."


def test_the_program_survives_errors_in_slots_and_threads() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SURVIVES], capture_output=True, text=True, timeout=100
    )

    assert done.returncode == 0, done.stderr
    assert "ValueError" in done.stdout
