"""Asks what is to be made of the recording, and shows how far that is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from PyQt6.QtCore import pyqtSignal
from PyQt6.QtGui import QStandardItemModel
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from thermoseg.export.job import Exported
from thermoseg.labels import ROI_NAMES
from ui.forms import ModelForm
from ui.replay.analyses import Analyses
from ui.replay.exporting import OPTIONS, ExportKind, ExportOrder, ReplayLook
from ui.replay.replay_controller import ReplayController
from ui.replay.work_bar import WorkBar
from ui.replay.work_queue import Work, WorkQueue
from ui.shell.defects import describe_error
from ui.shell.eliding import eliding_label, say
from ui.shell.notices import Remedy, Severity
from ui.shell.page import Surroundings
from ui.shell.preferences import PathText, Preference
from ui.shell.saved import show_folder_of
from ui.shell.theme import Theme
from ui.texts import replay as texts
from ui.texts import replay_export as words

KIND: Final = Preference[str]("replay/export", str, ExportKind.TABLES.name)
FOLDER: Final = Preference[str]("replay/export_folder", PathText, "")
"""Where exports go; empty for beside each recording."""
RECORDED_ONLY: Final = (ExportKind.FRAME, ExportKind.TIFF, ExportKind.CUT)
"""Kinds that hold no masks, or all that was recorded."""


class ExportPanel(QWidget):
    """Exports follow each other; the page can be used meanwhile."""

    asked = pyqtSignal()
    """An export was asked for."""

    def __init__(
        self,
        controller: ReplayController,
        surroundings: Surroundings,
        analyses: Analyses,
        look: Callable[[], ReplayLook],
    ) -> None:
        """Ask for exports of what `controller` has open.

        Parameters
        ----------
        analyses
            Says whether others than the stored masks are seen.
        look
            Returns how the picture looks now.
        """
        super().__init__()
        self.queue: Final = WorkQueue("export", self)
        self._controller = controller
        self._surroundings = surroundings
        self._analyses = analyses
        self._look = look
        self._form: ModelForm[Any] | None = None
        self._build()
        stored = surroundings.preferences.get(KIND)
        kinds = [kind.name for kind in ExportKind]
        self._kind.setCurrentIndex(kinds.index(stored) if stored in kinds else 0)
        self._show_kind()
        self.queue.failed.connect(self._on_failed)
        controller.state_changed.connect(self._on_another)
        controller.tables_read.connect(self._on_another)
        controller.playing_changed.connect(self._show_stretch)
        analyses.changed.connect(self._show_stretch)
        self._on_another()

    @property
    def kind(self) -> ExportKind:
        """Kind that is chosen."""
        return list(ExportKind)[self._kind.currentIndex()]

    def set_theme(self, _: Theme, scale: float) -> None:
        """Take the size of a theme."""
        self._layout.setSpacing(round(6 * scale))

    def export(self) -> None:
        """Begin the export that is described, or queue it."""
        path = self._controller.path
        if path is None or self._controller.session is None:
            return
        shown = self._controller.shown
        order = ExportOrder(
            self.kind,
            path.absolute(),
            self._folder(path),
            None if self._form is None else self._form.value(),
            self._controller.index if shown is None else shown.index,
            self._region.currentText(),
            self._controller.selection,
            self._look(),
        )
        title = words.EXPORTING.format(name=path.name)
        self.queue.add(Work(title, order.run, self._on_done))
        self.asked.emit()

    # Inside.

    def _build(self) -> None:
        self._kind = QComboBox()
        self._kind.setAccessibleName(words.KIND)
        self._kind.addItems([kind.value for kind in ExportKind])
        self._kind.activated.connect(self._on_kind)
        self._region = QComboBox()
        self._region.setAccessibleName(words.REGION)
        self._stretch = QLabel()
        self._stretch.setWordWrap(True)
        self._stretch.setProperty("role", "muted")
        self._where = eliding_label()
        self._where.setAccessibleName(words.EXPORT_TO)
        choose = QPushButton(texts.CHOOSE)
        choose.setAccessibleName(texts.CHOOSE_FOLDER)
        choose.setToolTip(words.EXPORT_TO)
        choose.clicked.connect(self._on_choose)
        self._go = QPushButton(words.EXPORT_NOW)
        self._go.clicked.connect(self.export)
        place = QHBoxLayout()
        place.addWidget(self._where, 1)
        place.addWidget(choose)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._kind, self._region, self._stretch):
            self._layout.addWidget(widget)
        self._layout.addLayout(place)
        self._layout.addWidget(self._go)
        self._layout.addWidget(WorkBar(self.queue))

    def _folder(self, session: Path) -> Path:
        chosen = self._surroundings.preferences.get(FOLDER)
        return Path(chosen) if chosen else session.absolute().parent

    def _show_kind(self) -> None:
        """Offer the options of the kind that is chosen."""
        if self._form is not None:
            self._layout.removeWidget(self._form)
            self._form.hide()
            self._form.deleteLater()
            self._form = None
        options: type[BaseModel] | None = OPTIONS.get(self.kind)
        if options is not None:
            self._form = ModelForm(options)
            self._form.changed.connect(self._show_stretch)
            self._layout.insertWidget(2, self._form)
        self._region.setVisible(self.kind is ExportKind.REGION)
        self._show_stretch()

    def _show_stretch(self) -> None:
        """Say what would be exported, or why nothing can be."""
        controller, selection = self._controller, self._controller.selection
        can, said = controller.session is not None, ""
        if not can:
            said = words.NOT_A_SESSION if len(controller.times_s) else ""
        elif self._lacks_pictures(self.kind):
            can, said = False, words.NO_PICTURES
        elif selection is not None and self.kind.of_stretch:
            begin_s, end_s = (controller.time_of(frame) for frame in selection)
            said = words.selected(begin_s, end_s, selection[1] - selection[0] + 1)
        elif self.kind is ExportKind.CUT:
            can, said = False, words.NO_SELECTION
        elif self.kind.of_stretch:
            said = self._say_all()
        if can and self._analyses.shown is not None and self.kind not in RECORDED_ONLY:
            said = f"{said} {words.STORED_ONLY}".strip()
        self._stretch.setText(said)
        self._stretch.setVisible(bool(said))
        self._go.setEnabled(can)
        self._go.setToolTip("" if can else said)

    def _say_all(self) -> str:
        """Say how much of the recording there is."""
        session = self._controller.session
        if session is None or session.complete:
            return words.WHOLE
        return words.SO_FAR if session.being_recorded else words.LEFT

    def _show_folder(self) -> None:
        chosen = self._surroundings.preferences.get(FOLDER)
        say(self._where, chosen or words.BESIDE)

    def _on_another(self, *_: object) -> None:
        """Offer the regions of the recording that is open."""
        tables, session = self._controller.tables, self._controller.session
        drawn = () if tables is None else tables.drawn
        measured = () if session is None else session.regions
        names = [name for name in ROI_NAMES if name in measured]
        names += [name for name in drawn if name not in names]
        if names != [self._region.itemText(row) for row in range(self._region.count())]:
            self._region.clear()
            self._region.addItems(names)
        self._show_folder()
        self._show_kinds()
        self._show_stretch()

    def _lacks_pictures(self, kind: ExportKind) -> bool:
        session = self._controller.session
        return session is not None and not session.has_pictures and kind.of_pictures

    def _show_kinds(self) -> None:
        """Disable the kinds that cannot be made of the recording, and say why."""
        kinds = self._kind.model()
        if not isinstance(kinds, QStandardItemModel):
            raise TypeError("a box with entries of its own has another model")
        for row, kind in enumerate(ExportKind):
            lacks, item = self._lacks_pictures(kind), kinds.item(row)
            if item is not None:
                item.setEnabled(not lacks)
                item.setToolTip(words.NO_PICTURES if lacks else "")

    # What the user does, and what comes of it.

    def _on_kind(self) -> None:
        self._surroundings.preferences.set(KIND, self.kind.name)
        self._show_kind()

    def _on_choose(self) -> None:
        path = self._controller.path
        start = str(self._folder(path) if path is not None else Path.home())
        chosen = QFileDialog.getExistingDirectory(self, texts.CHOOSE_FOLDER, start)
        if chosen:
            self._surroundings.preferences.set(FOLDER, chosen)
            self._show_folder()

    def _on_done(self, result: object) -> None:
        if not isinstance(result, Exported):
            raise TypeError(f"an export gave {type(result).__name__}")
        path = result.paths[0]
        remedies = [Remedy(texts.SHOW_IN_FOLDER, lambda: show_folder_of(path))]
        if path.suffix == ".h5":
            open_file = self._surroundings.open_file
            remedies.insert(0, Remedy(texts.REPLAY_IT, lambda: open_file(str(path))))
        text = words.exported([made.name for made in result.paths], result.notes)
        severity = Severity.WARNING if result.notes else Severity.INFO
        self._surroundings.notices.tell(text, severity, remedies, lasting=True)

    def _on_failed(self, error: BaseException) -> None:
        self._surroundings.notices.tell(describe_error(error), Severity.ERROR)
