"""Options of a camera as a form, which becomes the address that opens it."""

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from thermoseg.cameras import CameraOptions, options_of, with_options
from thermoseg.errors import ThermoSegError
from ui.forms import ModelForm
from ui.shell.defects import describe_error
from ui.shell.eliding import WrappingLabel
from ui.shell.theme import Theme, pad
from ui.texts import live as texts


class OptionsPanel(QFrame):
    """Shows what may be set of the camera at one address."""

    applied = pyqtSignal(str)
    """The address with the options set."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._address = ""
        self._form: ModelForm[CameraOptions] | None = None
        self._note = WrappingLabel(role="muted")
        self._apply = QPushButton(texts.APPLY_OPTIONS)
        self._apply.clicked.connect(self._on_apply)
        self._layout = QVBoxLayout(self)
        self._layout.addWidget(self._note)
        self._layout.addWidget(self._apply)
        self.show_address("")

    def set_theme(self, _: Theme, scale: float) -> None:
        """Take the size of a theme."""
        pad(self, scale)

    def show_address(self, address: str) -> None:
        """Offer the options of the camera at `address`, with the values that it gives."""
        if self._form is not None:
            self._layout.removeWidget(self._form)
            self._form.deleteLater()
            self._form = None
        self._address = address
        note = texts.NO_ADDRESS
        if address:
            try:
                options = options_of(address)
            except ThermoSegError as error:
                note = describe_error(error)
            else:
                note = "" if type(options).model_fields else texts.NO_OPTIONS
                if not note:
                    self._form = ModelForm(type(options), options)
                    self._form.changed.connect(self._on_changed)
                    self._layout.insertWidget(1, self._form)
        self._note.setText(note)
        self._note.setVisible(bool(note))
        self._apply.setVisible(self._form is not None)

    def _on_changed(self) -> None:
        if self._form is not None:
            self._apply.setEnabled(not self._form.problems())

    def _on_apply(self) -> None:
        if self._form is not None:
            self.applied.emit(with_options(self._address, self._form.value()))
