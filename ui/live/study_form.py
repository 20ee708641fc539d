"""Settings of the study at hand as a form; saved as a whole or not at all."""

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from thermoseg.study_file import StudyFile
from ui.forms import ModelForm
from ui.texts import live as texts


class StudyForm(QWidget):
    """Shows what `study.toml` says and lets it be changed."""

    saved = pyqtSignal(object)
    """The `StudyFile` as it is to be."""
    taken_over = pyqtSignal()
    """The user wants camera, model, span and regions of now in the study."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._form: ModelForm[StudyFile] | None = None
        self._save = QPushButton(texts.SAVE_STUDY)
        self._save.clicked.connect(self._on_save)
        take_over = QPushButton(texts.TAKE_OVER)
        take_over.setToolTip(texts.TAKE_OVER_TIP)
        take_over.clicked.connect(self.taken_over)
        buttons = QHBoxLayout()
        buttons.addWidget(self._save)
        buttons.addWidget(take_over)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addLayout(buttons)

    def show_study(self, study: StudyFile) -> None:
        """Show these settings."""
        if self._form is None:
            self._form = ModelForm(StudyFile, study, parent=self)
            self._form.changed.connect(self._on_changed)
            self._layout.insertWidget(0, self._form)
        else:
            self._form.set_value(study)
        self._on_changed()

    def _on_changed(self) -> None:
        self._save.setEnabled(self._form is not None and not self._form.problems())

    def _on_save(self) -> None:
        if self._form is not None:
            self.saved.emit(self._form.value())
