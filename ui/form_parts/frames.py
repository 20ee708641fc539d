"""What stands around an editor: its name, what is wrong with it, the heading of a section."""

from collections.abc import Callable, Sequence

from PyQt6.QtCore import QEvent, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from ui.form_parts.editor import Complaints, Editor, Place, chain, mark_wrong, name
from ui.form_parts.simple_editors import Switch
from ui.shell.eliding import WrappingLabel
from ui.shell.theme import icon
from ui.texts import forms as words

LABEL_CHARACTERS = 20
"""Width of the column of names."""
WIDE_CHARACTERS = 60
"""A row that is narrower than so many characters has its name above its field."""
UNLIMITED_PX = 16_777_215
"""Qt's greatest height of a widget."""


class ComplaintLabel(WrappingLabel):
    """What is wrong, in red; takes no room while nothing is."""

    def __init__(self) -> None:
        super().__init__(role="danger")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.hide()

    def say(self, sentences: Sequence[str]) -> None:
        """Show sentences, or nothing."""
        text = " ".join(dict.fromkeys(sentences))
        if text != self.text():
            self.setText(text)
            self.setVisible(bool(text))


class FieldRow(QWidget):
    """A name, the editor beside it or, in a narrow column, below, and what is wrong below that."""

    def __init__(self, label: str, description: str, editor: Editor) -> None:
        super().__init__()
        self.editor = editor
        self._label, self._description = label, words.plain(description)
        self._complaint = ComplaintLabel()
        self._name = QLabel(label)
        self._name.setWordWrap(True)
        self._name.setToolTip(words.tip_of(description))
        self._name.setBuddy(next(iter(editor.stops()), editor))
        editor.setToolTip(words.tip_of(description))
        editor.name_for(label, self._description)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(2)
        self._narrow: bool | None = None
        self._arrange(narrow=False)

    def complain(self, complaints: Complaints) -> None:
        """Show what is wrong with the value."""
        left = self.editor.complain(complaints)
        if not left and not self._complaint.text():
            return
        self._complaint.say(left)
        self.editor.name_for(self._label, " ".join([self._description, *left]).strip())

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the least size with the name above, or the row could never become narrow."""
        return QSize(self.editor.minimumSizeHint().width(), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Put the name beside or above the editor."""
        super().resizeEvent(event)
        self._arrange(narrow=self.width() < WIDE_CHARACTERS * self._character())

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Follow the size of the text."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._narrow = None
            self._arrange(narrow=self.width() < WIDE_CHARACTERS * self._character())

    def _character(self) -> int:
        return self.fontMetrics().averageCharWidth()

    def _arrange(self, *, narrow: bool) -> None:
        if narrow == self._narrow:
            return
        self._narrow = narrow
        column = 0 if narrow else 1
        top = Qt.AlignmentFlag.AlignTop if not narrow else Qt.AlignmentFlag(0)
        self._name.setMinimumWidth(0 if narrow else LABEL_CHARACTERS * self._character())
        self._name.setMaximumWidth(UNLIMITED_PX if narrow else LABEL_CHARACTERS * self._character())
        line = max((stop.sizeHint().height() for stop in self.editor.stops()), default=0)
        self._name.setMinimumHeight(0 if narrow else line)
        across = Qt.AlignmentFlag.AlignBottom if narrow else Qt.AlignmentFlag.AlignVCenter
        self._name.setAlignment(Qt.AlignmentFlag.AlignLeft | across)
        self._grid.addWidget(self._name, 0, 0, top)
        self._grid.addWidget(self.editor, 1 if narrow else 0, column)
        self._grid.addWidget(self._complaint, 2, column)
        self._grid.setColumnStretch(0, 1 if narrow else 0)
        self._grid.setColumnStretch(1, 0 if narrow else 1)


class Section(QCollapsible):
    """A heading that opens an editor, which is made when it is first needed.

    It may have a switch, without which its value is None, and a button that removes it.
    """

    edited = pyqtSignal()
    """The user changed something inside, or turned the switch."""
    removed = pyqtSignal()
    """The user pressed the button that removes it."""

    def __init__(self, title: str, description: str, make: Callable[[], Editor]) -> None:
        """Make a closed section.

        Parameters
        ----------
        title
            Of the heading.
        description
            For the tool tip and for assistive programs.
        make
            Makes the editor inside.
        """
        super().__init__(title)
        self._title, self._description, self._make = title, words.plain(description), make
        self._editor: Editor | None = None
        self._value: object = None
        self._complaints: Complaints = {}
        self._switch: Switch | None = None
        self._remove: QPushButton | None = None
        self._complaint = ComplaintLabel()
        self._prepare()
        self._button.setToolTip(words.tip_of(description))

    def add_switch(self) -> None:
        """Let the value be None, with a switch at the end of the heading."""
        self._switch = Switch()
        name(self._switch, words.set_switch(self._title), self._description)
        self._switch.setToolTip(words.set_switch(self._title))
        self._switch.clicked.connect(self._on_switched)
        self._head.addWidget(self._switch)

    def add_remove_button(self, label: str) -> None:
        """Put a button at the end of the heading that asks to be removed."""
        self._remove = remove_button(label)
        self._remove.clicked.connect(self.removed)
        self._head.addWidget(self._remove)

    def name_remove_button(self, label: str) -> None:
        """Say what the button removes."""
        if self._remove is not None:
            self._remove.setToolTip(label)
            name(self._remove, label, "")

    def set_title(self, title: str) -> None:
        """Change the heading."""
        self._title = title
        self._say_title()

    def value(self) -> object:
        """Return what is inside; None if the switch is off."""
        if self._switch is not None and not self._switch.isChecked():
            return None
        return self._value if self._editor is None else self._editor.value()

    def show_value(self, value: object) -> None:
        """Show a value, or keep it until the section is opened."""
        if self._switch is not None:
            self._switch.setChecked(value is not None)
            self._allow(open_it=False)
        if value is not None or self._switch is None:
            self._value = value
            if self._editor is not None:
                self._editor.show_value(value)

    def start_with(self, value: object) -> None:
        """Keep a value for the moment in which the switch is turned on."""
        self._value = value

    def complain(self, complaints: Complaints) -> Sequence[str]:
        """Say in the heading how much is wrong inside, and in the section what."""
        self._complaints = complaints
        self._say_title()
        if self._editor is not None:
            self._complaint.say(self._editor.complain(complaints))
        else:
            self._complaint.say([])
        return ()

    def open_up(self) -> Editor:
        """Open the section, and return the editor inside."""
        if not self.isExpanded():
            self.expand(animate=False)
        return self._built()

    def part(self, place: Place) -> QWidget | None:
        """Open the section and return the widget of a place inside, the heading for the whole.

        If the switch is off there is nothing inside, and the switch is returned.
        """
        if self._switch is not None and not self._switch.isChecked():
            return self._switch
        inside = self.open_up()
        return inside.part(place) if place else self._button

    def stops(self) -> list[QWidget]:
        """Return the heading, its buttons, and what Tab reaches inside."""
        inside = [] if self._editor is None else self._editor.stops()
        return [*self._head_stops(), *inside]

    def _prepare(self) -> None:
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.setDuration(0)
        self.setExpandedIcon(icon("chevron", "gray"))
        self.setCollapsedIcon(icon("chevron-right", "gray"))
        self._button: QPushButton = self.toggleButton()
        self._button.setStyleSheet("")  # superqt takes the ring away that shows the focus
        self._button.setProperty("role", "section")
        self._button.setAutoDefault(False)
        name(self._button, self._title, self._description)
        layout = self.layout()
        if not isinstance(layout, QVBoxLayout):
            raise TypeError(f"superqt's QCollapsible has no column, but {layout}")
        layout.setContentsMargins(0, 0, 0, 0)
        layout.removeWidget(self._button)
        self._head = QHBoxLayout()
        self._head.addWidget(self._button, 1)
        layout.insertLayout(0, self._head)
        self._inside = QVBoxLayout()
        margin = self.fontMetrics().averageCharWidth()
        self._inside.setContentsMargins(3 * margin // 2, margin // 2, 0, margin)
        self._inside.addWidget(self._complaint)
        content = QWidget()
        content.setLayout(self._inside)
        content.setMaximumHeight(0)
        old = self.content()
        layout.removeWidget(old)
        old.setParent(None)
        self.setContent(content)
        content.hide()
        self.toggled.connect(self._on_toggled)

    def _built(self) -> Editor:
        if self._editor is None:
            self._editor = self._make()
            self._inside.addWidget(self._editor)
            self._editor.name_for(self._title, self._description)
            self._editor.show_value(self._value)
            self._editor.edited.connect(self.edited)
            chain(self._head_stops()[-1], self._editor.stops())
            self.complain(self._complaints)
        return self._editor

    def _head_stops(self) -> list[QWidget]:
        ends = (self._switch, self._remove)
        return [self._button, *(widget for widget in ends if widget is not None)]

    def _on_toggled(self, opened: bool) -> None:
        if opened:
            self._built()
        self.content().setVisible(opened)
        # superqt fixes the height that the content has now; complaints make it taller.
        self.content().setMaximumHeight(UNLIMITED_PX if opened else 0)

    def _on_switched(self) -> None:
        self._allow(open_it=True)
        self.edited.emit()

    def _allow(self, *, open_it: bool) -> None:
        on = self._switch is None or self._switch.isChecked()
        self._button.setEnabled(on)
        if not on and self.isExpanded():
            self.collapse(animate=False)
        elif on and open_it and not self.isExpanded():
            self.expand(animate=False)

    def _say_title(self) -> None:
        title = words.section_title(self._title, len(self._complaints))
        if title != self.text():
            self.setText(title)
            self._button.setAccessibleName(title)
            mark_wrong([self._button], wrong=bool(self._complaints))


def remove_button(label: str) -> QPushButton:
    """Return the small button that takes a row away."""
    button = QPushButton(words.REMOVE)
    button.setProperty("role", "remove")
    button.setAutoDefault(False)
    button.setToolTip(label)
    name(button, label, "")
    return button
