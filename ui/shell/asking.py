"""The one question of the window: whether something may end a recording."""

from collections.abc import Callable, Sequence

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMessageBox, QWidget

from ui.texts import shell as texts


class EndingQuestion:
    """Asks before a recording is ended by anything but Stop; the default keeps it."""

    def __init__(self, window: QWidget, keys: Sequence[QAction]) -> None:
        """Ask in front of `window`; `keys` work while the question stands."""
        self._window, self._keys = window, keys
        self._box: QMessageBox | None = None

    @property
    def box(self) -> QMessageBox | None:
        """The dialog that is open; None if none is."""
        return self._box

    def ask(self, what: str, then: Callable[[], object]) -> None:
        """Ask whether the recording may end, and do `then` only if it may.

        A second question while one is open is not asked: the first one stands.

        Parameters
        ----------
        what
            What would end it, as a verb: “open another source”.
        """
        if self._box is not None:
            self._box.raise_()
            return
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle(texts.TITLE)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(texts.STILL_RECORDING)
        box.setInformativeText(texts.WHAT_ENDS_IT.format(what=what[:1].upper() + what[1:]))
        keep = box.addButton(texts.KEEP_RECORDING, QMessageBox.ButtonRole.RejectRole)
        end = box.addButton(texts.SAVE_AND.format(what=what), QMessageBox.ButtonRole.AcceptRole)
        box.addActions(self._keys)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)

        def on_finished() -> None:
            self._box = None
            if box.clickedButton() is end:
                then()

        box.finished.connect(on_finished)
        self._box = box
        box.open()

    def close(self) -> None:
        """Take the question away, unanswered."""
        if self._box is not None:
            self._box.close()
