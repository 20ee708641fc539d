"""The record button, and what the recording has come to."""

from pathlib import Path

from PyQt6.QtCore import QSize, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui.shell.elided_label import ElidedLabel
from ui.shell.theme import Theme, icon, numerals, pad


class RecordPanel(QFrame):
    """Starts and stops recording; says where to, how long, how large and what was lost."""

    record_requested = pyqtSignal()
    stop_requested = pyqtSignal()
    folder_requested = pyqtSignal()
    """The user wants recordings elsewhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._recording = False
        self._button = QPushButton("Record")
        self._button.setToolTip("Record every frame to disk (R)")
        self._button.clicked.connect(self.toggle)
        self._elapsed = QLabel("")
        self._size = QLabel("")
        self._drops = QLabel("")
        self._path = ElidedLabel()
        self._path.setProperty("role", "muted")
        self._folder = QPushButton("Change…")
        self._folder.setProperty("role", "link")
        self._folder.setToolTip("Choose the folder for recordings")
        self._folder.clicked.connect(self.folder_requested)
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self._button)
        top.addWidget(self._elapsed)
        top.addStretch(1)
        top.addWidget(self._size)
        top.addWidget(self._drops)
        bottom = QHBoxLayout()
        bottom.addWidget(self._path, 1)
        bottom.addWidget(self._folder)
        layout = QVBoxLayout(self)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(bottom)

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme = theme
        side = round(16 * scale)
        self._button.setIconSize(QSize(side, side))
        self._button.setMinimumWidth(round(100 * scale))
        self._elapsed.setFont(numerals(13 * scale))
        for label in (self._size, self._drops):
            label.setFont(numerals(9.75 * scale))
        pad(self, scale)
        self._show_button()

    def set_enabled(self, enabled: bool) -> None:
        """Allow recording or not: nothing to record without a session."""
        self._button.setEnabled(enabled)

    def show_folder(self, folder: Path) -> None:
        """Say where recordings will be."""
        if not self._recording:
            self._path.set_text(f"Saved to {_from_home(folder)}")

    def show_started(self, path: Path) -> None:
        """Say that `path` is being recorded."""
        self._recording = True
        self._path.set_text(str(path))
        self._folder.setVisible(False)
        self.show_progress(0, 0, 0)
        self._show_button()

    def show_progress(self, seconds: float, size_bytes: int, dropped: int) -> None:
        """Say how long the recording is, how large, and how many frames it lost."""
        whole = int(seconds)
        hours, minutes = whole // 3600, whole // 60 % 60
        clock = f"{minutes:02d}:{whole % 60:02d}"
        self._elapsed.setText(f"{hours}:{clock}" if hours else clock)
        self._size.setText(describe_size(size_bytes))
        self._drops.setText(f"{dropped} dropped")
        self._drops.setStyleSheet(f"color: {self._theme.danger if dropped else self._theme.muted};")

    def show_ended(self, path: Path) -> None:
        """Say that `path` is complete; its numbers stay."""
        self._recording = False
        self._path.set_text(f"Saved {path}")
        self._folder.setVisible(True)
        self._show_button()

    def toggle(self) -> None:
        """Start or stop recording, if that is possible."""
        if not self._button.isEnabled():
            return
        if self._recording:
            self.stop_requested.emit()
        else:
            self.record_requested.emit()

    def _show_button(self) -> None:
        theme = self._theme
        self._button.setText("Stop" if self._recording else "Record")
        self._button.setProperty("role", "recording" if self._recording else "")
        name, colour = ("stop", theme.on_accent) if self._recording else ("record", theme.danger)
        self._button.setIcon(icon(name, colour, theme.muted))
        style = self._button.style()
        if style is not None:
            style.unpolish(self._button)
            style.polish(self._button)


def _from_home(path: Path) -> str:
    """Write a path as people do, ~ for their own folder."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)


def describe_size(size_bytes: float) -> str:
    """Write a number of bytes for people, in powers of ten as file managers do."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit in ("B", "kB") else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.2f} TB"
