"""What °C are reckoned with: emissivity and the temperature of what the skin mirrors."""

from PyQt6.QtCore import QSignalBlocker, pyqtSignal
from PyQt6.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from thermoseg.frames import CameraInfo
from thermoseg.scene import Scene, scene_of
from ui.shell.theme import Theme, pad
from ui.texts import live as texts


class ScenePanel(QFrame):
    """Shows the scene in force, and lets the user set another."""

    chosen = pyqtSignal(float, float)
    """Emissivity, and reflected temperature, °C."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._scene: Scene | None = None
        self._emissivity = _number(0.01, 1.0, 0.01, 3, texts.EMISSIVITY)
        self._reflected = _number(-50.0, 100.0, 0.5, 1, texts.REFLECTED)
        self._reflected.setSuffix(" °C")
        self._apply = QPushButton(texts.APPLY_SCENE)
        self._apply.clicked.connect(self._on_apply)
        self._note = QLabel(texts.NO_SCENE)
        self._note.setProperty("role", "muted")
        self._note.setWordWrap(True)
        self._fields = QWidget()
        form = QFormLayout(self._fields)
        form.setContentsMargins(0, 0, 0, 0)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(texts.EMISSIVITY, self._emissivity)
        form.addRow(texts.REFLECTED, self._reflected)
        layout = QVBoxLayout(self)
        form.addRow(self._apply)
        layout.addWidget(self._fields)
        layout.addWidget(self._note)
        self.clear()

    def set_theme(self, _: Theme, scale: float) -> None:
        """Take the size of a theme."""
        pad(self, scale)

    def show_info(self, info: CameraInfo | None) -> None:
        """Show the scene that °C of this camera are made for; what is being typed stays."""
        scene = None if info is None else scene_of(info.radiometry)
        if scene == self._scene:
            return
        self._scene = scene
        self._fields.setVisible(scene is not None)
        self._note.setVisible(scene is None)
        if scene is not None:
            with QSignalBlocker(self._emissivity), QSignalBlocker(self._reflected):
                self._emissivity.setValue(scene.emissivity)
                self._reflected.setValue(scene.reflected_c)

    def clear(self) -> None:
        """Show no scene: no camera is open."""
        self._scene = Scene(1.0, 0.0)
        self.show_info(None)

    def _on_apply(self) -> None:
        self.chosen.emit(self._emissivity.value(), self._reflected.value())


def _number(low: float, high: float, step: float, decimals: int, name: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setDecimals(decimals)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setAccessibleName(name)
    return box
