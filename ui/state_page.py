"""What stands in the place of the picture while there is none."""

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ui.shell.theme import Theme, icon


class StatePage(QWidget):
    """One icon, one title, one sentence, and what the user can do next."""

    simulation_requested = pyqtSignal()
    file_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon_name = "camera"
        self._picture = QLabel()
        self._title = QLabel()
        self._title.setProperty("role", "title")
        self._title.setWordWrap(True)
        self._text = QLabel()
        self._text.setProperty("role", "muted")
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._news = QLabel()
        self._news.setWordWrap(True)
        self._news.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._news.hide()
        self._busy = QProgressBar()
        self._busy.setTextVisible(False)
        self._busy.setRange(0, 0)
        self._simulation = QPushButton("Use the simulated camera")
        self._simulation.clicked.connect(self.simulation_requested)
        self._file = QPushButton("Open a file…")
        self._file.clicked.connect(self.file_requested)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(self._simulation)
        buttons.addWidget(self._file)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(10)
        layout.addStretch(3)
        centre = Qt.AlignmentFlag.AlignHCenter
        layout.addWidget(self._picture, 0, centre)
        for label in (self._title, self._text):
            label.setAlignment(centre)
            layout.addWidget(label)
        layout.addWidget(self._busy, 0, centre)
        layout.addSpacing(6)
        layout.addLayout(buttons)
        layout.addSpacing(12)
        self._news.setAlignment(centre)
        layout.addWidget(self._news)
        layout.addStretch(4)
        self.show_empty()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        self._theme, self._scale = theme, scale
        self._busy.setFixedWidth(round(180 * scale))
        self._text.setMaximumWidth(16_777_215)
        self._show_icon()

    @property
    def news(self) -> str:
        """Note below everything else; empty if there is none."""
        return self._news.text()

    def show_news(self, text: str) -> None:
        """Say something below everything else, whatever is shown; an empty text takes it away."""
        self._news.setText(text)
        self._news.setVisible(bool(text))

    def show_empty(self) -> None:
        """Invite to choose a source."""
        self._show(
            "camera",
            "Choose a camera",
            "Pick one from the list above, drop a recording or picture here, or type an address.",
            choices=True,
        )

    def show_opening(self, what: str) -> None:
        """Say what is being made ready."""
        self._show("camera", what, "This takes a few seconds the first time.", busy=True)

    def show_waiting(self, loss: str, reason: str) -> None:
        """Say that the camera is open but has sent no picture, or is away again and why."""
        self._show(
            "camera",
            loss or "Waiting for the first picture",
            reason or "The camera is open and has not sent one yet.",
            busy=True,
        )

    def show_failed(self, sentence: str) -> None:
        """Say what went wrong and what to do."""
        self._show("warning", "That did not work", sentence, choices=True)

    def _show(
        self, icon_name: str, title: str, text: str, busy: bool = False, choices: bool = False
    ) -> None:
        self._icon_name = icon_name
        self._title.setText(title)
        self._text.setText(text)
        self._busy.setVisible(busy)
        self._simulation.setVisible(choices)
        self._file.setVisible(choices)
        if hasattr(self, "_theme"):
            self._show_icon()

    def _show_icon(self) -> None:
        side = round(56 * self._scale)
        danger = self._icon_name == "warning"
        colour = self._theme.danger if danger else self._theme.muted
        self._picture.setPixmap(icon(self._icon_name, colour).pixmap(QSize(side, side)))
