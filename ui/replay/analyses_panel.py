"""Asks which masks and traces are seen, and for an analysis of every frame."""

from pathlib import Path
from typing import Final

from PyQt6.QtCore import QSignalBlocker
from PyQt6.QtWidgets import QComboBox, QFileDialog, QPushButton, QVBoxLayout, QWidget

from thermoseg.analysis import AnalysisReport
from thermoseg.analysis_settings import AnalysisSettings
from ui.forms import ModelForm
from ui.replay.analyses import Analyses
from ui.replay.work_bar import WorkBar
from ui.shell.defects import describe_error
from ui.shell.eliding import WrappingLabel
from ui.shell.notices import Remedy, Severity
from ui.shell.page import Surroundings
from ui.shell.saved import show_folder_of
from ui.shell.theme import Theme
from ui.texts import replay as texts
from ui.texts import replay_analyses as words

NONE: Final = "none"
"""Name of no model, as the live page calls it."""


class AnalysesPanel(QWidget):
    """What is stored and every analysis in a list; below it, how to make another."""

    def __init__(self, analyses: Analyses, surroundings: Surroundings) -> None:
        super().__init__()
        self._analyses = analyses
        self._surroundings = surroundings
        self._file: Path | None = None
        self._results = QComboBox()
        self._results.setAccessibleName(words.RESULTS)
        self._results.setToolTip(words.RESULTS)
        self._results.activated.connect(self._on_chosen)
        self._models = QComboBox()
        self._models.setAccessibleName(texts.MODEL)
        self._models.setToolTip(texts.MODEL)
        self._models.activated.connect(self._on_model)
        for box in (self._results, self._models):
            # Names of models may be long; the list that opens shows them whole.
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(12)
        self._form = ModelForm(AnalysisSettings)
        self._form.changed.connect(self._show_possible)
        self._note = WrappingLabel(role="muted")
        self._go = QPushButton(words.ANALYSE)
        self._go.setToolTip(words.ANALYSE_TIP)
        self._go.clicked.connect(self.analyse)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._results, self._models, self._form, self._note, self._go):
            self._layout.addWidget(widget)
        self._layout.addWidget(WorkBar(analyses.queue))
        analyses.changed.connect(self._show)
        analyses.made.connect(self._on_made)
        analyses.failed.connect(self._on_failed)
        self.look_again()

    def set_theme(self, _: Theme, scale: float) -> None:
        """Take the size of a theme."""
        self._layout.setSpacing(round(6 * scale))

    def look_again(self) -> None:
        """Look which model is in use and what lies beside the recording."""
        name = self._surroundings.model_name()
        with QSignalBlocker(self._models):
            self._models.clear()
            if name != NONE:
                self._models.addItem(words.CHOSEN_MODEL.format(name=Path(name).name), name)
            if self._file is not None:
                self._models.addItem(self._file.name, str(self._file))
                self._models.setCurrentIndex(self._models.count() - 1)
            self._models.addItem(words.MODEL_FILE, None)
        self._analyses.look()
        self._show()

    def analyse(self) -> None:
        """Begin the analysis that is described, or queue it."""
        model = self._models.currentData()
        if isinstance(model, str) and not self._form.problems():
            self._analyses.analyse(model, self._form.value())

    def _show(self) -> None:
        analyses = self._analyses
        with QSignalBlocker(self._results):
            self._results.clear()
            self._results.addItem(words.STORED, None)
            for entry in analyses.entries:
                self._results.addItem(entry.title, entry.path)
                if entry.path == analyses.shown:
                    self._results.setCurrentIndex(self._results.count() - 1)
        self._results.setEnabled(bool(analyses.entries))
        self._show_possible()

    def _show_possible(self) -> None:
        """Say why nothing can be analysed, if so."""
        note = ""
        if not self._analyses.possible:
            note = words.NOTHING_TO_ANALYSE
        elif self._models.currentData() is None:
            note = words.NO_MODEL
        self._note.setText(note)
        self._note.setVisible(bool(note))
        self._go.setEnabled(not note and not self._form.problems())

    def _on_chosen(self, row: int) -> None:
        path = self._results.itemData(row)
        self._analyses.show(path if isinstance(path, Path) else None)

    def _on_model(self, row: int) -> None:
        if self._models.itemData(row) is None:
            start = str(self._file or Path.home())
            chosen, _ = QFileDialog.getOpenFileName(self, texts.MODEL, start, words.MODEL_FILTER)
            if chosen:
                self._file = Path(chosen)
            self.look_again()
        self._show_possible()

    def _on_made(self, report: AnalysisReport) -> None:
        remarks = (*report.losses, *report.notes)
        text = words.analysed(report.path.name, report.frames, remarks)
        severity = Severity.WARNING if report.losses else Severity.INFO
        remedies = [Remedy(texts.SHOW_IN_FOLDER, lambda: show_folder_of(report.path))]
        self._surroundings.notices.tell(text, severity, remedies)

    def _on_failed(self, error: BaseException) -> None:
        self._surroundings.notices.tell(describe_error(error), Severity.ERROR)
