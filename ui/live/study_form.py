"""Settings of the study at hand as a form; saved as a whole or not at all."""

from collections.abc import Collection, Mapping

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
        self._sent: StudyFile | None = None
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
        """Show these settings, unless some are shown already, which `follow` keeps up to date."""
        if self._form is not None:
            return
        self._form = ModelForm(StudyFile, study, parent=self)
        self._form.changed.connect(self._on_changed)
        self._layout.insertWidget(0, self._form)
        self._on_changed()

    def follow(self, study: StudyFile, altered: Collection[str]) -> None:
        """Show the settings that were altered elsewhere, by name; other edits stay.

        What was saved here stands here, and may be edited further by now.
        """
        if self._form is None or study is self._sent:
            return
        self._form.set_fields({name: getattr(study, name) for name in altered})

    def take_over(self, values: Mapping[str, object]) -> None:
        """Enter some settings, by name, and save what is entered if all of it fits."""
        if self._form is None:
            return
        self._form.set_fields(values)
        if not self._form.problems():
            self._on_save()

    def _on_changed(self) -> None:
        self._save.setEnabled(self._form is not None and not self._form.problems())

    def _on_save(self) -> None:
        if self._form is not None:
            self._sent = self._form.value()
            self.saved.emit(self._sent)
