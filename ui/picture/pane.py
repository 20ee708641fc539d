"""The picture with its scale, its legend and its buttons: one widget for live and for replay."""

from collections.abc import Mapping
from typing import Final

from PyQt6.QtCore import QTimerEvent, pyqtSignal
from PyQt6.QtGui import QPixmap, QResizeEvent
from PyQt6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from thermoseg.drawn_rois import DrawnRoi
from thermoseg.labels import ROI_NAMES
from thermoseg.palettes import next_palette
from ui.picture.actions import PictureActions
from ui.picture.content import PictureContent
from ui.picture.isotherm import Isotherm
from ui.picture.legend import NOTHING, Legend
from ui.picture.legend_place import LegendPlace
from ui.picture.settings import PictureSettings
from ui.picture.span import Limits, Span, SpanMode
from ui.picture.span_bar import POSSIBLE_C, SpanBar
from ui.picture.tools import PictureTools
from ui.picture.units import Unit
from ui.picture.values import say_values
from ui.picture.view import PictureView
from ui.shell.theme import Theme

NUMBERS_EVERY_MS: Final = 250
"""Between two writings of numbers: four per second can be read."""


class PicturePane(QWidget):
    """Shows one moment after the other, the way the user wants it.

    Pages call `show_content`; what the user sets is in `settings`, and `settings_changed` says so.
    """

    settings_changed = pyqtSignal()
    """The user changed something that is worth remembering: `state`."""
    face_clicked = pyqtSignal(float, float)
    """The user clicked inside the box of a face: x, y in frame pixels."""
    spots_changed = pyqtSignal(tuple)
    """tuple[DrawnRoi, …]: the user added, moved, renamed or deleted a spot."""
    rois_changed = pyqtSignal(tuple)
    """The same of regions with an outline."""
    frozen_changed = pyqtSignal(bool)
    """The picture is held, or no longer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = PictureSettings()
        self._span = Span()
        self._span_c: Limits = (0.0, 1.0)
        self._isotherm = Isotherm()
        self._fresh = True
        self._frozen = False
        self._stale = ""
        self._newest: PictureContent | None = None
        self._photograph = QPixmap()
        self._timer = 0
        self._numbers_wait = False
        self.view = PictureView()
        """The picture itself."""
        self.bar = SpanBar()
        """The scale beside it."""
        self.legend = Legend()
        """The regions beside it, or below it where there is no room."""
        self.actions_by_name = PictureActions(self)
        """Everything that menus, buttons and keys of a page may offer."""
        self.tools = PictureTools(self.actions_by_name)
        """The strip of buttons; a page that offers the actions itself may hide it."""
        self._scale = 1.0
        self.bar.offer_units(self.actions_by_name.units.actions())
        self._build()
        self._connect()
        self._apply()

    @property
    def settings(self) -> PictureSettings:
        """What the user has set."""
        return self._settings

    @property
    def state(self) -> dict[str, object]:
        """What to remember, in types that JSON and TOML have."""
        return self._settings.model_dump(mode="json")

    @property
    def frozen(self) -> bool:
        """Whether the picture is held."""
        return self._frozen

    @property
    def span(self) -> Span:
        """The source of the colours' limits."""
        return self._span

    @property
    def drawn(self) -> tuple[DrawnRoi, ...]:
        """All that the user has drawn, spots and outlines."""
        return self.view.drawn.regions

    def restore(self, remembered: Mapping[str, object]) -> None:
        """Set everything as it was; each value that does not fit is its default."""
        self._settings = PictureSettings.fitting(remembered)
        if self._settings.span_mode.follows:
            self._span.choose(self._settings.span_mode)
        self._fresh = True
        self._apply()

    def hold_span(self, low: float, high: float) -> None:
        """Spread the colours over these limits, °C, until the user chooses others."""
        self._on_span_chosen(low, high)

    def restore_drawn(self, regions: tuple[DrawnRoi, ...]) -> None:
        """Show these drawn regions, as a study file has them; tells nobody."""
        self.view.restore_drawn(regions)
        self._on_drawn_changed()

    def set_theme(self, theme: Theme, scale: float) -> None:
        """Take the colours and the size of `theme`."""
        for part in (self.view, self.bar, self.legend, self.tools):
            part.set_theme(theme, scale)
        self.actions_by_name.set_theme(theme)
        self._scale = scale
        self._fit_legend()

    def show_content(self, content: PictureContent) -> None:
        """Show a moment; while the picture is held, keep it for later."""
        self._newest = content
        if not self._frozen:
            self._draw(content)
            self._write_soon()

    def clear(self) -> None:
        """Show nothing, and forget the source: the next picture is of another one."""
        self.set_frozen(False)
        self._newest = None
        self._isotherm.forget()
        self._span.forget()
        self._fresh = True
        self._stale = ""
        self.view.clear()
        self.bar.clear()
        self._photograph = QPixmap()
        self._write_numbers()

    def set_frozen(self, frozen: bool) -> None:
        """Hold picture, mask and values of the moment shown, or go on with the newest."""
        if frozen == self._frozen:
            return
        self._frozen = frozen
        self.actions_by_name["freeze"].setChecked(frozen)
        self.view.badges.set_frozen(frozen)
        if not frozen and self._newest is not None:
            self._draw(self._newest)
        self._write_numbers()
        self.frozen_changed.emit(frozen)

    def set_stale(self, reason: str) -> None:
        """Darken the picture and say why; nothing if the reason is empty."""
        self.view.set_stale(reason)
        if reason != self._stale:
            self._stale = reason
            self._write_numbers()

    def set_note(self, text: str) -> None:
        """Write on the picture what holds for all of it; nothing if empty."""
        self.view.set_note(text)

    def set_photograph(self, photograph: QPixmap) -> None:
        """Show the camera's visible picture in the corner, if the user wants it."""
        self._photograph = photograph
        self.view.badges.set_photograph(photograph if self._settings.photo else QPixmap())
        self.actions_by_name["photo"].setVisible(not photograph.isNull())

    def timerEvent(self, event: QTimerEvent | None) -> None:  # noqa: N802  # Qt's name
        """Write the numbers that have come in since the last writing."""
        super().timerEvent(event)
        self.killTimer(self._timer)
        self._timer = 0
        if self._numbers_wait:
            self._write_soon()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Leave most of the room to the picture."""
        super().resizeEvent(event)
        self._fit_legend()

    # What is drawn.

    def _draw(self, content: PictureContent) -> None:
        frame = content.frame
        if self._fresh:
            self._fresh = False
            self._take_span(content)
        self._span_c = self._span.follow(
            frame.celsius, content.labels, frame.time_s, frame.radiometric
        )
        self.view.picture.set_isotherm(self._band(content))
        self.view.show_content(content, self._span_c)
        self._show_span(content)

    def _take_span(self, content: PictureContent) -> None:
        """Begin a source with the limits set by hand, which are °C."""
        by_hand = self._settings.span_c if self._settings.span_mode is SpanMode.HAND else None
        if by_hand is not None and content.frame.radiometric:
            self._span.lock(*by_hand)

    def _show_span(self, content: PictureContent) -> None:
        unit = self._unit_of(content)
        possible = POSSIBLE_C if content.frame.radiometric else self._span.counts_range
        self.bar.show_span(self._span_c, self._span.mode, unit, possible)

    def _band(self, content: PictureContent) -> Limits | None:
        return self._isotherm.band(self._settings, content.frame.radiometric, self._span_c)

    def _unit_of(self, content: PictureContent) -> Unit:
        return self._settings.unit if content.frame.radiometric else Unit.COUNTS

    def _write_soon(self) -> None:
        """Write the numbers now, or when the last writing is old enough."""
        self._numbers_wait = self._timer != 0
        if not self._numbers_wait:
            self._write_numbers()
            self._timer = self.startTimer(NUMBERS_EVERY_MS)

    def _write_numbers(self) -> None:
        self._numbers_wait = False
        content = self.view.content
        if content is None:
            self.legend.show_values({}, self._settings.unit)
            for roi in self.drawn:
                self.view.drawn.say(roi.name, roi.name)
            return
        unit = self._unit_of(content)
        values = say_values(content, self.drawn, unit)
        if self._stale:
            values = dict.fromkeys(values, (NOTHING, ""))
        self.legend.show_values(values, unit)
        for roi in self.drawn:
            self.view.drawn.say(roi.name, f"{roi.name}  {values[roi.name][0]} {unit.value}")

    # What the user does.

    def _change(self, **values: object) -> None:
        """Take new settings, which fit, and say so."""
        self._settings = self._settings.model_copy(update=values)
        self._apply()
        self.settings_changed.emit()

    def _apply(self) -> None:
        """Bring every part in line with the settings."""
        settings, overlay, picture = self._settings, self.view.overlay, self.view.picture
        hidden = frozenset(settings.hidden)
        tinted = settings.mask and not settings.isotherm  # under a tint the band had other colours
        picture.set_palette(settings.palette)
        picture.set_smooth(settings.smooth)
        self.bar.set_palette(settings.palette)
        overlay.set_looks(
            shown=frozenset(ROI_NAMES) - hidden,
            opacity=settings.opacity,
            tinted=tinted,
            outlined=settings.outlines,
            unsure=settings.confidence,
        )
        self.view.drawn.set_hidden(hidden)
        self.view.set_mirrored(settings.mirrored)
        self.set_photograph(self._photograph)
        for name in ("mask", "outlines", "smooth", "mirrored", "confidence", "isotherm", "photo"):
            self.actions_by_name[name].setChecked(getattr(settings, name))
        self.actions_by_name["lock_span"].setChecked(not self._span.mode.follows)
        self.actions_by_name.set_choices(settings.palette, settings.unit)
        self.actions_by_name["mask"].setEnabled(not settings.isotherm)
        self.tools.show_choices(settings.palette, settings.opacity, tinted)
        self._fit_legend()
        for name in (*ROI_NAMES, *(roi.name for roi in self.drawn)):
            self.legend.set_shown(name, name not in hidden)
        content = self.view.content
        self.view.set_unit(settings.unit)
        if content is not None:
            self.bar.set_isotherm(self._band(content))
            self._draw(content)
        else:
            self.bar.set_isotherm(settings.isotherm_c if settings.isotherm else None)
        self._write_numbers()

    def _on_span_chosen(self, low: float, high: float) -> None:
        self._span.lock(low, high)
        self._remember_span()

    def _on_mode_chosen(self, mode: SpanMode) -> None:
        self._span.choose(mode)
        self._remember_span()

    def _on_lock_toggled(self) -> None:
        self._span.toggle_lock()
        self._remember_span()

    def _remember_span(self) -> None:
        """Keep the source of the limits, and limits in °C, for the next time."""
        mode, content = self._span.mode, self.view.content
        radiometric = content is None or content.frame.radiometric
        if mode.follows:
            self._change(span_mode=mode)
        elif mode is SpanMode.HAND and radiometric and self._span.limits is not None:
            self._change(span_mode=mode, span_c=self._span.limits)
        else:
            self._change()

    def _on_isotherm_chosen(self, low: float, high: float) -> None:
        content = self.view.content
        if content is not None and not content.frame.radiometric:
            self._isotherm.choose_counts(low, high)
            self._change()
        else:
            self._change(isotherm_c=(low, high))

    def _on_switched(self, name: str, shown: bool) -> None:
        hidden = set(self._settings.hidden) - {name}
        self._change(hidden=tuple(sorted(hidden if shown else hidden | {name})))

    def _on_folded(self, folded: bool) -> None:
        self._place.note_folded(folded)
        self._change(legend_folded=folded)

    def _on_renamed(self, name: str, new: str) -> None:
        complaint = self.view.drawn.rename(name, new)
        self.legend.complain(complaint)
        if complaint:
            self.legend.reset_names()

    def _on_drawn_changed(self) -> None:
        self.legend.set_drawn([roi.name for roi in self.drawn])
        for name in ("add_spot", "add_rectangle", "add_polygon"):
            self.actions_by_name[name].setEnabled(not self.view.drawn.full)
        self._write_numbers()

    def _on_selected(self, name: str) -> None:
        self.actions_by_name["delete"].setEnabled(bool(name))

    # Building.

    def _build(self) -> None:
        canvas = QFrame()
        canvas.setProperty("role", "canvas")
        inside = QVBoxLayout(canvas)
        inside.setContentsMargins(1, 1, 1, 1)
        inside.addWidget(self.view)
        above = QHBoxLayout()
        above.setSpacing(8)
        above.addWidget(canvas, 1)
        above.addWidget(self.bar)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        grid.setColumnStretch(0, 1)
        grid.setRowStretch(0, 1)
        grid.addLayout(above, 0, 0)
        grid.addWidget(self.tools, 1, 0)
        self._place = LegendPlace(grid, self.legend)

    def _connect(self) -> None:
        view, drawn, actions = self.view, self.view.drawn, self.actions_by_name
        for name in ("mask", "outlines", "smooth", "mirrored", "confidence", "isotherm", "photo"):
            actions[name].triggered.connect(lambda on, name=name: self._change(**{name: on}))
        actions["freeze"].triggered.connect(self.set_frozen)
        actions["palette"].triggered.connect(
            lambda: self._change(palette=next_palette(self._settings.palette))
        )
        actions["lock_span"].triggered.connect(lambda: self._on_lock_toggled())
        actions["fit"].triggered.connect(lambda: view.fit())
        actions["add_spot"].triggered.connect(lambda: view.add_spot())
        actions["add_rectangle"].triggered.connect(lambda: view.add_rectangle())
        actions["add_polygon"].triggered.connect(lambda: view.add_polygon())
        actions["delete"].triggered.connect(lambda: drawn.delete(drawn.chosen))
        actions["delete"].setEnabled(False)
        actions.palettes.triggered.connect(lambda action: self._change(palette=action.data()))
        actions.units.triggered.connect(lambda action: self._change(unit=action.data()))
        self.tools.palette_chosen.connect(lambda name: self._change(palette=name))
        self.tools.opacity_chosen.connect(lambda opacity: self._change(opacity=opacity))
        self.bar.span_chosen.connect(self._on_span_chosen)
        self.bar.mode_chosen.connect(self._on_mode_chosen)
        self.bar.isotherm_chosen.connect(self._on_isotherm_chosen)
        self.legend.switched.connect(self._on_switched)
        self.legend.renamed.connect(self._on_renamed)
        self.legend.deleted.connect(drawn.delete)
        self.legend.chosen.connect(drawn.select)
        self.legend.folded.connect(self._on_folded)
        for part in (self.bar, self.legend):
            part.left.connect(lambda: view.setFocus())
        drawn.selected.connect(self._on_selected)
        for changed in (drawn.spots_changed, drawn.rois_changed):
            changed.connect(lambda _: self._on_drawn_changed())
        drawn.spots_changed.connect(self.spots_changed)
        drawn.rois_changed.connect(self.rois_changed)
        view.face_clicked.connect(self.face_clicked)

    def _fit_legend(self) -> None:
        self._place.fit(self.size(), self._scale, folded=self._settings.legend_folded)
