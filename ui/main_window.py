"""The window: puts the views together and lets them draw what the session has."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import platformdirs
from PyQt6.QtCore import QSettings, QSize, Qt, QUrl
from PyQt6.QtGui import (
    QAction,
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QIcon,
    QKeySequence,
    QPixmap,
    QResizeEvent,
    QShortcut,
)
from PyQt6.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QScrollArea,
    QSlider,
    QSplitter,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from thermoseg.assets import asset
from thermoseg.file_kinds import ALL_SUFFIXES
from thermoseg.recording.unfinished import say_unfinished
from thermoseg.session_view import SessionView
from thermoseg.tally import SessionCounts
from thermoseg.telemetry import describe_front, describe_telemetry
from ui.camera_panel import CameraPanel, address_of
from ui.event_list import EventList
from ui.live.pairing import Pairing
from ui.live.session_controller import NO_MODEL, SessionController, SessionState
from ui.picture.legend import RegionLegend
from ui.picture.palettes import PALETTES
from ui.picture.span import Span, SpanMode
from ui.picture.span_bar import TemperatureBar
from ui.picture.view import LiveView
from ui.plots.traces import TRACED, TraceView
from ui.record_panel import RecordPanel
from ui.shell.elided_label import ElidedLabel
from ui.shell.error_dialog import ErrorDialog, capitalised, describe_error
from ui.shell.theme import DARK, LIGHT, THEMES, Theme, icon, numerals, wear
from ui.state_page import StatePage

DEFAULT_MODEL: Final = "face-compact"

SIMULATED: Final = "simulated:"

TRACES_EVERY: Final = 2
"""Ticks between two drawings of the traces: 15 per second scroll smoothly."""

NUMBERS_EVERY: Final = 8
"""Ticks between two writings of numbers: four per second can be read."""

SCALES: Final = ((3200, 1800, 1.7), (2400, 1350, 1.3), (1, 1, 1.0))
"""Least width and height of the window, and the scale of text and spacing then."""

STRIP_PIXELS: Final = 600
"""Width below which the strip under the picture shows icons only, at scale 1."""

PHOTO_PIXELS: Final = 90
"""What its button needs more, where the camera takes visible pictures."""

ZOOM_STEP: Final = 1.1
ZOOMS: Final = (0.7, 2.5)
"""Smallest and largest zoom of text that the user may set."""

OPENED: Final = " ".join(f"*{suffix}" for suffix in sorted(ALL_SUFFIXES))
"""Names of files that the dialog shows, as Qt wants them."""


class MainWindow(QMainWindow):
    """Connects views and panels to the controller; holds what the user set."""

    def __init__(self, controller: SessionController, settings: QSettings) -> None:
        """Build the window; nothing is opened yet.

        Parameters
        ----------
        settings
            Where geometry, theme, palette and the last address are remembered.
        """
        super().__init__()
        self.setWindowTitle("ThermoSeg")
        self.setWindowIcon(QIcon(str(asset("icons/thermoseg.svg"))))
        self.setAcceptDrops(True)
        self.setMinimumSize(640, 420)
        self._controller = controller
        self._settings = settings
        self._errors = ErrorDialog(self)
        self._span = Span()
        self._pairing = Pairing()
        self._ticks = 0
        self._frozen = False
        self._scale = 0.0
        self._zoom = float(settings.value("zoom", 1.0))
        self._theme = THEMES.get(str(settings.value("theme", DARK.name)), DARK)
        self._folder = Path(str(settings.value("recordings", _default_folder())))
        self._record_next: Path | None = None
        self._failure = ""
        self._jpeg: bytes | None = None
        self._events = EventList(self)
        self._live = LiveView()
        self._page = StatePage()
        self._bar = TemperatureBar()
        self._traces = TraceView()
        self._legend = RegionLegend()
        self._camera = CameraPanel()
        self._record = RecordPanel()
        self._status = _StatusLine()
        self._build()
        self._connect()
        self._add_shortcuts()
        self._wear()
        self._restore()
        self._show_state(controller.state)

    @property
    def controller(self) -> SessionController:
        """Controller that runs the session."""
        return self._controller

    @property
    def model(self) -> str:
        """Name of the model chosen."""
        return self._camera.model

    @property
    def failure(self) -> str:
        """Error of the last source, one sentence; empty if there was none."""
        failed = self._controller.state is SessionState.FAILED
        return self._failure if failed else ""

    @property
    def errors(self) -> ErrorDialog:
        """Dialog that tells errors."""
        return self._errors

    def choose_model(self, name: str) -> None:
        """Segment with this model, now and next time; `NO_MODEL` for none."""
        self._settings.setValue("model", name)
        self._camera.show_models([name] if name != NO_MODEL else [], name)

    def open_source(self, address: str, model: str = "", record_to: Path | None = None) -> None:
        """Open a camera or file.

        Parameters
        ----------
        model
            Chosen in the window first; if empty, the one chosen there is used.
        record_to
            Record into this new file from the beginning.
        """
        if model:
            self.choose_model(model)
        address = address_of(address)
        self._record_next = record_to
        self._camera.set_address(address)
        self._controller.start(address, self._camera.model)

    def say_unfinished(self) -> list[str]:
        """Say, where there is no picture, what crashes have left in the folder for recordings.

        Returns
        -------
        The sentences.
        """
        sentences = say_unfinished([self._folder, Path(_default_folder())])
        self._page.show_news("\n".join(sentences))
        return sentences

    def set_theme(self, theme: Theme) -> None:
        """Wear another theme, now and next time."""
        self._theme = theme
        self._settings.setValue("theme", theme.name)
        self._wear()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802  # Qt's name
        """Remember what the user set and end the session."""
        self._settings.setValue("geometry", self.saveGeometry())
        self._settings.setValue("splitter", self._splitter.saveState())
        self._settings.setValue("address", self._camera.address)
        self.hide()
        self._controller.close()
        super().closeEvent(event)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802  # Qt's name
        """Scale text and spacing with very large windows."""
        super().resizeEvent(event)
        if self._scale and self._wanted_scale() != self._scale:
            self._wear()
        self._fit_strip()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802  # Qt's name
        """Accept files."""
        data = event.mimeData() if event is not None else None
        if event is not None and data is not None and any(u.isLocalFile() for u in data.urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802  # Qt's name
        """Open the file dropped."""
        data = event.mimeData() if event is not None else None
        files = [u.toLocalFile() for u in data.urls() if u.isLocalFile()] if data else []
        if files:
            self.open_source(files[0])

    # What the controller says.

    def _on_ticked(self) -> None:
        self._ticks += 1
        if not self._frozen:
            self._draw_picture()
        if self._ticks % TRACES_EVERY == 0:
            self._draw_traces()
        if self._ticks % NUMBERS_EVERY == 1:
            self._write_numbers()

    def _on_state_changed(self, state: SessionState) -> None:
        if state is SessionState.OPENING:
            self._live.clear()
            self._bar.clear()
            self._traces.clear()
            self._legend.clear()
            self._jpeg = None
            self._span.forget()
            self._pairing = Pairing()
            self._set_frozen(False)
            self._ticks = 0
        if state is SessionState.RUNNING and self._record_next is not None:
            self._controller.start_recording(self._record_next)
            self._record_next = None
        if state in (SessionState.ENDED, SessionState.FAILED):
            self._on_ticked()
            self._write_numbers()
        self._show_state(state)

    def _on_failed(self, error: BaseException) -> None:
        self._failure = describe_error(error)
        self._page.show_failed(self._failure)
        self._errors.report(error)

    def _on_models_found(self, names: list[str]) -> None:
        wanted = str(self._settings.value("model", DEFAULT_MODEL))
        self._camera.show_models(names, wanted)

    def _on_recording_ended(self, path: Path) -> None:
        self._record.show_ended(path)

    # What the user does.

    def _on_start_requested(self, address: str, model: str) -> None:
        self._settings.setValue("address", address)
        self._settings.setValue("model", model)
        self._controller.start(address, model)

    def _on_file_requested(self) -> None:
        start = str(self._settings.value("files", str(Path.home())))
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Open a recording or picture", start, f"Thermal ({OPENED});;All files (*)"
        )
        if chosen:
            self._settings.setValue("files", str(Path(chosen).parent))
            self.open_source(chosen)

    def _on_record_requested(self) -> None:
        stamp = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
        self._controller.start_recording(self._folder / f"{stamp}.h5")

    def _on_folder_requested(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for recordings", str(self._folder))
        if chosen:
            self._folder = Path(chosen)
            self._settings.setValue("recordings", chosen)
            self._record.show_folder(self._folder)

    def _on_palette_chosen(self, name: str) -> None:
        self._settings.setValue("palette", name)
        self._live.set_palette(name)
        self._bar.set_palette(name)

    def _on_opacity_chosen(self, percent: int) -> None:
        self._settings.setValue("opacity", percent)
        self._live.set_mask_opacity(percent / 100)

    def _on_span_mode_chosen(self, mode: SpanMode) -> None:
        self._span.mode = mode
        if mode is not SpanMode.LOCKED:
            self._settings.setValue("span", mode.value)

    def _on_length_chosen(self, seconds: int) -> None:
        self._settings.setValue("trace", seconds)

    def _set_frozen(self, frozen: bool) -> None:
        self._frozen = frozen
        self._freeze.setChecked(frozen)
        self._live.set_frozen(frozen)

    def _zoom_by(self, factor: float) -> None:
        zoom = self._zoom * factor if factor else 1.0
        self._zoom = min(max(zoom, ZOOMS[0]), ZOOMS[1])
        self._settings.setValue("zoom", self._zoom)
        self._wear()

    # Drawing.

    def _draw_picture(self) -> None:
        view = self._controller.view
        frame = view.frame
        if frame is None:
            return
        shown = self._pairing.choose(frame, view.result)
        labels = None if shown.result is None else shown.result.segmentation.labels
        rois = None if shown.result is None else shown.result.rois
        span = self._span.follow(shown.frame.celsius, labels, shown.frame.time_s, frame.radiometric)
        self._live.show_frame(
            shown.frame,
            labels,
            rois,
            span,
            shown.behind_s,
        )
        self._bar.show_span(span, self._span.mode, frame.radiometric)
        if self._stack.currentWidget() is not self._live:
            self._stack.setCurrentWidget(self._live)
            self._bar.show()

    def _draw_traces(self) -> None:
        frame = self._controller.view.frame
        if frame is not None:
            windows = self._controller.traces(TRACED, self._traces.length_s)
            self._traces.show_traces(windows, frame.time_s)

    def _write_numbers(self) -> None:
        view = self._controller.view
        lost = self._controller.state is SessionState.LOST
        measured = () if view.result is None or lost else view.result.samples
        samples = {sample.region: sample for sample in measured}
        silent = "camera lost" if lost else ""
        absent = "no segmentation" if view.model is None else silent
        self._traces.show_samples(samples, absent)
        self._legend.show_samples(samples)
        recorder = view.recorder
        if recorder is not None and self._controller.recording_path is not None:
            seconds = self._controller.recording_seconds
            self._record.show_progress(seconds, recorder.bytes_on_disk, recorder.dropped)
        self._status.show_counts(view.counts)
        info, model = view.info, view.model
        self._status.show_source(
            "" if info is None else f"{info.model} {info.width}×{info.height}",
            ""
            if info is None
            else "no segmentation"
            if model is None
            else f"{model.name} · {model.backend}",
            describe_front(view.telemetry),
            describe_telemetry(view.telemetry),
        )
        if lost:
            self._status.show_state(SessionState.LOST, live=True, loss=_loss(view))
        self._say_notes()
        self._show_photograph()
        if self._events.isVisible():
            self._events.show_events(view.events)

    def _say_notes(self) -> None:
        state, view = self._controller.state, self._controller.view
        lost = state is SessionState.LOST
        if state in (SessionState.RUNNING, SessionState.LOST) and view.frame is None:
            self._page.show_waiting(_loss(view), capitalised(view.lost))
        self._live.set_note(_note(state, view))
        self._live.set_news("" if lost else capitalised(self._controller.news))
        self._live.set_stale(lost)

    def _show_photograph(self) -> None:
        """Decode the camera's visible picture, if there is a new one and it is wanted."""
        jpeg = self._controller.view.visible_jpeg
        if self._photo.isHidden() != (jpeg is None):
            self._photo.setHidden(jpeg is None)
            self._fit_strip()
        wanted = jpeg if self._photo.isChecked() else None
        if wanted is not self._jpeg:
            self._jpeg = wanted
            photograph = QPixmap()
            if wanted is not None:
                photograph.loadFromData(wanted)
            self._live.set_photograph(photograph)

    def _show_state(self, state: SessionState) -> None:
        view = self._controller.view
        self._camera.show_state(state)
        self._camera.show_actions(view.actions)
        running = state in (SessionState.RUNNING, SessionState.LOST)
        self._record.set_enabled(running)
        live = view.info is None or view.info.live
        self._status.show_state(state, live=live, loss=_loss(view))
        if state is SessionState.IDLE:
            self._page.show_empty()
        blank = state in (SessionState.IDLE, SessionState.OPENING) or (
            state is SessionState.FAILED and view.frame is None
        )
        if blank:
            self._stack.setCurrentWidget(self._page)
            self._bar.clear()
            self._bar.hide()
            self._status.show_counts(None)
            self._status.show_source("", "")
            self._photo.hide()
        self._say_notes()

    def _wanted_scale(self) -> float:
        fitting = next(
            s for w, h, s in SCALES if (self.width() >= w and self.height() >= h) or s == 1.0
        )
        return fitting * self._zoom

    def _wear(self) -> None:
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            raise TypeError("a window needs a QApplication")
        self._scale = scale = self._wanted_scale()
        wear(app, self._theme, scale)
        for part in (
            self._page,
            self._bar,
            self._traces,
            self._legend,
            self._camera,
            self._record,
            self._status,
        ):
            part.set_theme(self._theme, scale)
        self._live.set_theme(self._theme, scale)
        side = QSize(round(16 * scale), round(16 * scale))
        for button, name in self._icons.items():
            button.setIcon(icon(name, self._theme.text, checked=self._theme.accent))
            button.setIconSize(side)
        other = "sun" if self._theme is DARK else "moon"
        self._theme_button.setIconSize(side)
        self._theme_button.setIcon(icon(other, self._theme.text))
        self._opacity.setFixedWidth(round(90 * scale))
        gap = round(10 * scale)
        self._inner.setContentsMargins(gap, gap, gap, gap)
        self._side.setMinimumWidth(round(360 * scale))

    def _fit_strip(self) -> None:
        """Leave out the words beside the icons where there is no room for them."""
        wanted = STRIP_PIXELS + (0 if self._photo.isHidden() else PHOTO_PIXELS)
        narrow = self._canvas.width() + self._bar.width() < wanted * self._scale
        style = (
            Qt.ToolButtonStyle.ToolButtonIconOnly
            if narrow
            else Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        )
        for button in (self._mask, self._outlines, self._smooth, self._photo, self._freeze):
            button.setToolButtonStyle(style)

    # Building.

    def _build(self) -> None:
        top = self._build_top()
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(8)
        self._splitter.addWidget(self._build_left())
        self._splitter.addWidget(self._build_right())
        self._splitter.setStretchFactor(0, 3)
        self._splitter.setStretchFactor(1, 2)
        self._splitter.setSizes([800, 460])
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(top)
        inner = self._inner = QHBoxLayout()
        inner.addWidget(self._splitter)
        layout.addLayout(inner, 1)
        self.setCentralWidget(body)
        bar = self.statusBar()
        if bar is not None:
            bar.setSizeGripEnabled(False)
            bar.addWidget(self._status, 1)

    def _build_top(self) -> QWidget:
        top = QFrame()
        top.setProperty("role", "bar")
        self._theme_button = QToolButton()
        self._theme_button.setToolTip("Dark or light (Ctrl+T)")
        self._theme_button.clicked.connect(self._toggle_theme)
        self._menu_button = QToolButton()
        self._menu_button.setToolTip("More")
        self._menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu_button.setMenu(self._build_menu())
        layout = QHBoxLayout(top)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(6)
        layout.addWidget(self._camera, 1)
        layout.addSpacing(8)
        layout.addWidget(self._theme_button)
        layout.addWidget(self._menu_button)
        return top

    def _build_menu(self) -> QMenu:
        menu = QMenu(self)
        entries = (
            ("Open a file…", "Ctrl+O", self._on_file_requested),
            ("Look for cameras", "F5", self._controller.find_cameras),
            ("Folder for recordings…", "", self._on_folder_requested),
            ("Show recordings", "", self._show_recordings),
            ("Events of the camera…", "Ctrl+E", self._show_events),
            None,
            ("Larger text", "Ctrl++", lambda: self._zoom_by(ZOOM_STEP)),
            ("Smaller text", "Ctrl+-", lambda: self._zoom_by(1 / ZOOM_STEP)),
            ("Normal text", "Ctrl+0", lambda: self._zoom_by(0)),
            ("Dark or light", "Ctrl+T", self._toggle_theme),
            None,
            ("Quit", "Ctrl+Q", self.close),
        )
        for entry in entries:
            if entry is None:
                menu.addSeparator()
                continue
            text, keys, slot = entry
            action = QAction(text, self)
            if keys:
                action.setShortcut(QKeySequence(keys))
            action.triggered.connect(lambda _=False, slot=slot: slot())
            menu.addAction(action)
            self.addAction(action)
        return menu

    def _build_left(self) -> QWidget:
        canvas = self._canvas = QFrame()
        canvas.setProperty("role", "canvas")
        self._stack = QStackedLayout(canvas)
        self._stack.setContentsMargins(1, 1, 1, 1)
        self._stack.addWidget(self._page)
        self._stack.addWidget(self._live)
        above = QHBoxLayout()
        above.setSpacing(8)
        above.addWidget(canvas, 1)
        above.addWidget(self._bar)
        left = QWidget()
        layout = QVBoxLayout(left)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(above, 1)
        layout.addLayout(self._build_view_strip())
        return left

    def _build_view_strip(self) -> QHBoxLayout:
        self._palette = QComboBox()
        self._palette.addItems(list(PALETTES))
        self._palette.setToolTip("Colours of the temperatures (P for the next)")
        self._mask = self._toggle("Mask", "Show the regions (M)")
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setProperty("role", "plain")
        self._opacity.setRange(5, 100)
        self._opacity.setToolTip("Opacity of the regions")
        self._outlines = self._toggle("Outlines", "Outline nostrils and perinasal region (O)")
        self._smooth = self._toggle("Smooth", "Interpolate between pixels (S)")
        self._photo = self._toggle("Photo", "Show the camera's visible picture (V)")
        self._photo.hide()
        self._freeze = self._toggle("Freeze", "Hold the picture; traces and recording go on (F)")
        self._icons = {
            self._menu_button: "menu",
            self._mask: "mask",
            self._outlines: "outline",
            self._smooth: "smooth",
            self._photo: "photo",
            self._freeze: "freeze",
        }
        strip = QHBoxLayout()
        strip.setSpacing(6)
        for widget in (self._palette, self._mask, self._opacity, self._outlines, self._smooth):
            strip.addWidget(widget)
        strip.addWidget(self._photo)
        strip.addStretch(1)
        strip.addWidget(self._freeze)
        return strip

    def _build_right(self) -> QWidget:
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._traces, 1)
        layout.addWidget(self._legend)
        layout.addWidget(self._record)
        self._side = QScrollArea()
        self._side.setWidgetResizable(True)
        self._side.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._side.setFrameShape(QFrame.Shape.NoFrame)
        self._side.setWidget(column)
        return self._side

    def _toggle(self, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setCheckable(True)
        button.setToolTip(tip)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        return button

    def _connect(self) -> None:
        controller = self._controller
        self._splitter.splitterMoved.connect(self._fit_strip)
        controller.ticked.connect(self._on_ticked)
        controller.state_changed.connect(self._on_state_changed)
        controller.stage_changed.connect(self._page.show_opening)
        controller.failed.connect(self._on_failed)
        controller.cameras_found.connect(self._camera.show_cameras)
        controller.models_found.connect(self._on_models_found)
        controller.recording_started.connect(self._record.show_started)
        controller.recording_ended.connect(self._on_recording_ended)
        self._camera.start_requested.connect(self._on_start_requested)
        self._camera.stop_requested.connect(controller.stop)
        self._camera.scan_requested.connect(controller.find_cameras)
        self._camera.file_requested.connect(self._on_file_requested)
        self._camera.action_requested.connect(controller.perform)
        self._page.file_requested.connect(self._on_file_requested)
        self._page.simulation_requested.connect(lambda: self.open_source(SIMULATED))
        self._record.record_requested.connect(self._on_record_requested)
        self._record.stop_requested.connect(controller.stop_recording)
        self._record.folder_requested.connect(self._on_folder_requested)
        self._palette.currentTextChanged.connect(self._on_palette_chosen)
        self._opacity.valueChanged.connect(self._on_opacity_chosen)
        self._mask.toggled.connect(self._live.set_mask_visible)
        self._mask.toggled.connect(self._opacity.setEnabled)
        self._outlines.toggled.connect(self._live.set_outlines_visible)
        self._smooth.toggled.connect(self._live.set_smooth)
        self._freeze.clicked.connect(self._set_frozen)
        self._bar.span_locked.connect(self._span.lock)
        self._bar.mode_chosen.connect(self._on_span_mode_chosen)
        self._traces.length_chosen.connect(self._on_length_chosen)

    def _add_shortcuts(self) -> None:
        slots = {
            "Space": self._camera.toggle,
            "R": self._record.toggle,
            "F": lambda: self._set_frozen(not self._frozen),
            "M": self._mask.toggle,
            "O": self._outlines.toggle,
            "S": self._smooth.toggle,
            "V": self._photo.toggle,
            "L": self._bar.toggle_lock,
            "P": self._next_palette,
        }
        for keys, slot in slots.items():
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(slot)

    def _restore(self) -> None:
        settings = self._settings
        self.resize(1280, 720)
        geometry, splitter = settings.value("geometry"), settings.value("splitter")
        if geometry is not None:
            self.restoreGeometry(geometry)
        if splitter is not None:
            self._splitter.restoreState(splitter)
        palette = str(settings.value("palette", "Iron"))
        self._palette.setCurrentText(palette)
        self._on_palette_chosen(self._palette.currentText())
        self._opacity.setValue(int(settings.value("opacity", 45)))
        self._span.mode = SpanMode(str(settings.value("span", SpanMode.FACE.value)))
        length_s = int(settings.value("trace", self._traces.length_s))
        self._traces.set_length(length_s)
        for button in (self._mask, self._outlines, self._smooth, self._photo):
            button.setChecked(True)
        self._camera.set_address(str(settings.value("address", "")))
        self.choose_model(str(settings.value("model", DEFAULT_MODEL)))
        self._record.show_folder(self._folder)

    def _toggle_theme(self) -> None:
        self.set_theme(LIGHT if self._theme is DARK else DARK)

    def _next_palette(self) -> None:
        self._palette.setCurrentIndex((self._palette.currentIndex() + 1) % self._palette.count())

    def _show_events(self) -> None:
        self._events.show_events(self._controller.view.events)
        self._events.show()
        self._events.raise_()

    def _show_recordings(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))


class _StatusLine(QWidget):
    """What a user must know about rates and losses, in one line."""

    def __init__(self) -> None:
        super().__init__()
        self._state = QLabel()
        self._counts = QLabel()
        self._source = ElidedLabel(Qt.TextElideMode.ElideRight)
        self._source.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 2, 10, 2)
        layout.setSpacing(14)
        layout.addWidget(self._state)
        layout.addWidget(self._counts)
        layout.addWidget(self._source, 1)

    def set_theme(self, theme: Theme, scale: float) -> None:
        self._theme = theme
        for label in (self._counts, self._source, self._state):
            label.setFont(numerals(8.75 * scale))

    def show_state(self, state: SessionState, live: bool, loss: str) -> None:
        theme = self._theme
        text, colour = {
            SessionState.IDLE: ("Ready", theme.muted),
            SessionState.OPENING: ("Opening…", theme.accent),
            SessionState.RUNNING: ("Live" if live else "Playing", theme.good),
            SessionState.LOST: (loss or "No signal", theme.danger),
            SessionState.ENDED: ("Ended", theme.muted),
            SessionState.FAILED: ("Failed", theme.danger),
        }[state]
        self._state.setText(f'<span style="color:{colour}">●</span> {text}')

    def show_counts(self, counts: SessionCounts | None) -> None:
        if counts is None:
            self._counts.setText("")
            return
        danger = self._theme.danger

        def lost(number: int, name: str) -> str:
            text = f"{name} {number}"
            return f'<span style="color:{danger}">{text}</span>' if number else text

        latency = counts.latency_p50_ms
        self._counts.setText(
            "  ·  ".join(
                [
                    f"camera {counts.camera_rate_hz:.1f}/s",
                    f"segmented {counts.segmented_rate_hz:.1f}/s",
                    f"replaced {counts.replaced}",
                    lost(counts.missed, "missed"),
                    lost(counts.dropped, "dropped"),
                    f"latency {latency:.0f} ms" if latency == latency else "latency —",
                ]
            )
        )

    def show_source(
        self, source: str, model: str, front: str = "", told: Sequence[str] = ()
    ) -> None:
        text = "  ·  ".join(part for part in (source, front, model) if part)
        self._source.set_text(text, "\n".join((text, *told)))


def _loss(view: SessionView) -> str:
    """Return what to say while the camera is away and tried to be opened again; else empty."""
    return f"Camera lost, reopening… {view.lost_seconds:.0f} s" if view.lost else ""


def _note(state: SessionState, view: SessionView) -> str:
    """Return what must be said on the picture itself."""
    said = {
        SessionState.LOST: "\n".join(filter(None, (_loss(view), capitalised(view.lost))))
        or "No signal — waiting for the camera",
        SessionState.ENDED: "End of the source",
        SessionState.FAILED: "Stopped by an error",
    }
    notes = [said.get(state, "")]
    if view.info is not None and not view.info.radiometric:
        notes.append(f"Relative counts, no temperatures: {view.info.why_relative}")
    return "\n".join(note for note in notes if note)


def _default_folder() -> str:
    return str(platformdirs.user_documents_path() / "ThermoSeg")
