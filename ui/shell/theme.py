"""The two looks of the window: colours, and what Qt needs to wear them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from PyQt6.QtCore import QByteArray, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QIcon, QPainter, QPalette, QPixmap
from PyQt6.QtSvg import QSvgRenderer
from PyQt6.QtWidgets import QApplication, QWidget

from thermoseg.assets import asset

BASE_POINTS: Final = 9.75
"""Size of ordinary text at scale 1, points: 13 pixels on a 96 dpi screen."""

ICON_PIXELS: Final = 96
"""Icons are drawn once at this size and scaled down by Qt."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by what they are for; text on `window`, `card` and `field` reads at 4.5:1 or more."""

    name: str
    window: str
    card: str
    field: str
    """Background of buttons and inputs."""
    hover: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    """Text on `accent`."""
    danger: str
    on_danger: str
    """Text on `danger`."""
    danger_text: str
    """Red of words, which must be read; `danger` is that of surfaces."""
    warning: str
    good: str
    canvas: str
    """Around the live picture."""
    nostrils: str
    perinasal: str

    def trace_colour(self, region: str) -> str:
        """Return the colour of a region's trace, read-out and outline."""
        return {"nostrils": self.nostrils, "perinasal": self.perinasal}[region]


DARK: Final = Theme(
    name="dark",
    window="#15171c",
    card="#1d2027",
    field="#2a2e37",
    hover="#353a45",
    line="#343945",
    text="#e8eaee",
    muted="#9da5b3",
    accent="#5b9dff",
    on_accent="#0a1424",
    danger="#d13b40",
    on_danger="#ffffff",
    danger_text="#ff6369",
    warning="#f2b63c",
    good="#4cc38a",
    canvas="#0c0d10",
    nostrils="#4cc9f0",
    perinasal="#ff7ac6",
)

LIGHT: Final = Theme(
    name="light",
    window="#eef0f3",
    card="#ffffff",
    field="#f1f3f6",
    hover="#e3e7ed",
    line="#d3d8e0",
    text="#1a1e26",
    muted="#5b6472",
    accent="#1a66d6",
    on_accent="#ffffff",
    danger="#cc2f35",
    on_danger="#ffffff",
    danger_text="#cc2f35",
    warning="#946000",
    good="#1b7b4c",
    canvas="#dfe3e9",
    nostrils="#0072ad",
    perinasal="#b8176f",
)

THEMES: Final = {theme.name: theme for theme in (DARK, LIGHT)}


def application() -> QApplication:
    """Return the application that runs.

    Raises
    ------
    TypeError
        If there is none with widgets.
    """
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        raise TypeError("a window needs a QApplication")
    return app


def wear(app: QApplication, theme: Theme, scale: float) -> None:
    """Dress the whole application in `theme`.

    Parameters
    ----------
    scale
        Scale of text and spacing; 1 is right for a 1280×720 window at 96 dpi.
    """
    app.setStyle("Fusion")
    app.setPalette(_palette(theme))
    font = QFont(app.font())
    font.setPointSizeF(BASE_POINTS * scale)
    app.setFont(font)
    app.setStyleSheet("".join(rules(theme, scale) for rules in RULES))


@lru_cache(maxsize=256)
def icon(name: str, colour: str, disabled: str = "", checked: str = "") -> QIcon:
    """Return `assets/icons/<name>.svg` in `colour`, and in other colours where they are given."""
    made = QIcon(_drawn(name, colour))
    if disabled:
        made.addPixmap(_drawn(name, disabled), QIcon.Mode.Disabled)
    if checked:
        made.addPixmap(_drawn(name, checked), QIcon.Mode.Normal, QIcon.State.On)
    return made


def numerals(points: float, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Return the application's font with digits of one width, so that numbers do not dance."""
    font = QFont(QApplication.font())
    font.setPointSizeF(points)
    font.setWeight(weight)
    tabular = QFont.Tag.fromString("tnum")
    if tabular is not None:
        font.setFeature(tabular, 1)
    return font


def repolish(widget: QWidget) -> None:
    """Let a changed `role` show."""
    style = widget.style()
    if style is not None:
        style.unpolish(widget)
        style.polish(widget)


def pad(card: QWidget, scale: float, *, dense: bool = False) -> None:
    """Give the contents of a card the room that all cards give them, or less above and below."""
    layout = card.layout()
    if layout is not None:
        across, above = round(12 * scale), round((4 if dense else 9) * scale)
        layout.setContentsMargins(across, above, across, above)


def _drawn(name: str, colour: str) -> QPixmap:
    source = asset(f"icons/{name}.svg").read_text(encoding="utf-8")
    renderer = QSvgRenderer(QByteArray(source.replace("currentColor", colour).encode()))
    pixmap = QPixmap(ICON_PIXELS, ICON_PIXELS)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, ICON_PIXELS, ICON_PIXELS))
    painter.end()
    return pixmap


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.card,
        role.AlternateBase: theme.field,
        role.ToolTipBase: theme.card,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.muted,
        role.Text: theme.text,
        role.Button: theme.field,
        role.ButtonText: theme.text,
        role.BrightText: theme.danger,
        role.Link: theme.accent,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.Light: theme.hover,
        role.Midlight: theme.field,
        role.Mid: theme.line,
        role.Dark: theme.line,
        role.Shadow: theme.canvas,
        role.Accent: theme.accent,
    }
    palette = QPalette()
    for which, colour in colours.items():
        palette.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(theme.muted))
    return palette


def _pixels(scale: float) -> Callable[[float], str]:
    """Return what writes pixels of scale 1 as a style sheet has them."""
    return lambda pixels: f"{max(1, round(pixels * scale))}px"


def _surface_rules(theme: Theme, scale: float) -> str:
    """Return the rules of frames, labels and the rail."""
    px = _pixels(scale)
    return f"""
QToolTip {{ background: {theme.card}; color: {theme.text}; border: 1px solid {theme.line};
    padding: {px(4)} {px(6)}; }}
QFrame[role="card"] {{ background: {theme.card}; border: 1px solid {theme.line};
    border-radius: {px(8)}; }}
QFrame[role="bar"] {{ background: {theme.card}; border: none;
    border-bottom: 1px solid {theme.line}; }}
QFrame[role="canvas"] {{ background: {theme.canvas}; border: 1px solid {theme.line};
    border-radius: {px(8)}; }}
QFrame[role="rail"] {{ background: {theme.card}; border: none;
    border-right: 1px solid {theme.line}; }}
QFrame[role="notice"] {{ background: {theme.card}; border: 1px solid {theme.line};
    border-radius: {px(4)}; }}
QToolButton[role="page"] {{ background: transparent; border-color: transparent;
    padding: {px(6)} {px(2)}; }}
QToolButton[role="page"]:hover {{ background: {theme.hover}; }}
QToolButton[role="page"]:focus {{ border-color: {theme.accent}; }}
QToolButton[role="page"]:checked {{ background: {theme.field}; color: {theme.accent};
    border-color: transparent; font-weight: 600; }}
QToolButton[role="page"]:disabled {{ color: {theme.muted}; background: transparent; }}
QToolButton[role="flat"] {{ background: transparent; border-color: transparent;
    padding: {px(2)}; min-height: 0; }}
QToolButton[role="flat"]:focus {{ border-color: {theme.accent}; }}
QToolButton[role="recording"] {{ background: {theme.danger}; color: {theme.on_danger};
    border-color: {theme.danger}; font-weight: 600; }}
QLabel[role="muted"] {{ color: {theme.muted}; }}
QLabel[role="heading"] {{ color: {theme.muted}; font-weight: 600; }}
QLabel[role="title"] {{ color: {theme.text}; font-weight: 600;
    font-size: {BASE_POINTS * scale * 1.6:.1f}pt; }}
QLabel[role="warning"] {{ color: {theme.warning}; }}
QLabel[role="danger"] {{ color: {theme.danger_text}; }}
"""


def _button_rules(theme: Theme, scale: float) -> str:
    """Return the rules of buttons."""
    px = _pixels(scale)
    return f"""
QPushButton, QToolButton {{ background: {theme.field}; color: {theme.text};
    border: 1px solid {theme.line}; border-radius: {px(6)}; padding: {px(5)} {px(10)};
    min-height: {px(18)}; }}
QToolButton {{ padding: {px(5)} {px(6)}; }}
QPushButton:hover, QToolButton:hover {{ background: {theme.hover}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {theme.accent}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {theme.muted}; background: {theme.card}; }}
QPushButton:checked, QToolButton:checked {{ border-color: {theme.accent}; color: {theme.accent}; }}
QPushButton[role="primary"] {{ background: {theme.accent}; color: {theme.on_accent};
    border-color: {theme.accent}; font-weight: 600; }}
QPushButton[role="primary"]:disabled {{ background: {theme.field}; color: {theme.muted};
    border-color: {theme.line}; }}
QPushButton[role="recording"] {{ background: {theme.danger}; color: {theme.on_danger};
    border-color: {theme.danger}; font-weight: 600; }}
QPushButton[role="link"] {{ background: transparent; border: none; color: {theme.accent};
    padding: {px(2)}; }}
QToolBar QToolButton, QToolButton[role="compact"] {{ padding: {px(3)} {px(5)};
    min-height: {px(16)}; }}
QToolBar QComboBox, QComboBox[role="compact"] {{ padding: {px(2)} {px(8)};
    min-height: {px(18)}; }}
QToolButton::menu-indicator {{ image: none; width: 0; }}
QToolButton[role="segment"] {{ border-radius: {px(4)}; padding: {px(1)} {px(7)};
    min-height: {px(14)}; background: transparent; border-color: transparent;
    color: {theme.muted}; }}
QToolButton[role="segment"]:checked {{ background: {theme.field}; color: {theme.text};
    border-color: {theme.line}; }}
"""


def _field_rules(theme: Theme, scale: float) -> str:
    """Return the rules of what is typed and chosen."""
    px = _pixels(scale)
    chevron = asset("icons/chevron.svg").as_posix()
    return f"""
QComboBox {{ background: {theme.field}; color: {theme.text}; border: 1px solid {theme.line};
    border-radius: {px(6)}; padding: {px(5)} {px(8)}; min-height: {px(18)}; }}
QComboBox:hover {{ background: {theme.hover}; }}
QComboBox:focus {{ border-color: {theme.accent}; }}
QComboBox:disabled {{ color: {theme.muted}; }}
QComboBox QLineEdit {{ background: transparent; color: {theme.text}; border: none; padding: 0; }}
QComboBox::drop-down {{ border: none; width: {px(24)}; }}
QComboBox::down-arrow {{ image: url("{chevron}"); width: {px(13)}; height: {px(13)}; }}
QComboBox QAbstractItemView {{ background: {theme.card}; color: {theme.text};
    border: 1px solid {theme.line}; padding: {px(4)}; outline: none;
    selection-background-color: {theme.accent}; selection-color: {theme.on_accent}; }}
QComboBox QAbstractItemView::item {{ padding: {px(3)} {px(4)}; }}
QComboBox QAbstractItemView::item:disabled {{ color: {theme.muted}; }}
QDoubleSpinBox {{ background: {theme.field}; color: {theme.text};
    border: 1px solid {theme.line}; border-radius: {px(4)}; padding: {px(2)} {px(2)}; }}
QDoubleSpinBox:focus {{ border-color: {theme.accent}; }}
QDoubleSpinBox:disabled {{ color: {theme.muted}; }}
QSlider[role="plain"]::groove:horizontal {{ height: {px(4)}; border-radius: {px(2)};
    background: {theme.line}; }}
QSlider[role="plain"]::sub-page:horizontal {{ border-radius: {px(2)};
    background: {theme.accent}; }}
QSlider[role="plain"]::handle:horizontal {{ background: {theme.text}; width: {px(12)};
    height: {px(12)}; margin: -{px(4)} 0; border-radius: {px(6)}; }}
QSlider[role="plain"]::sub-page:horizontal:disabled {{ background: {theme.muted}; }}
QSlider[role="plain"]::handle:horizontal:disabled {{ background: {theme.muted}; }}
"""


def _other_rules(theme: Theme, scale: float) -> str:
    """Return the rules of bars, menus and what is scrolled."""
    px = _pixels(scale)
    return f"""
QProgressBar {{ background: {theme.line}; border: none; border-radius: {px(2)};
    max-height: {px(4)}; }}
QProgressBar::chunk {{ background: {theme.accent}; border-radius: {px(2)}; }}
QPlainTextEdit, QLineEdit {{ background: {theme.field}; color: {theme.text};
    border: 1px solid {theme.line}; border-radius: {px(4)}; padding: {px(2)} {px(4)};
    selection-background-color: {theme.accent}; selection-color: {theme.on_accent};
    placeholder-text-color: {theme.muted}; }}
QPlainTextEdit:focus, QLineEdit:focus {{ border-color: {theme.accent}; }}
QLineEdit:read-only, QLineEdit:disabled {{ color: {theme.muted}; background: {theme.card}; }}
QMenu {{ background: {theme.card}; color: {theme.text}; border: 1px solid {theme.line};
    padding: {px(4)}; }}
QMenu::item {{ padding: {px(5)} {px(22)}; border-radius: {px(4)}; }}
QMenu::item:selected {{ background: {theme.accent}; color: {theme.on_accent}; }}
QMenu::separator {{ height: 1px; background: {theme.line}; margin: {px(4)} {px(8)}; }}
QScrollArea, QScrollArea > QWidget > QWidget {{ background: transparent; border: none; }}
QScrollBar:vertical {{ background: transparent; width: {px(8)}; margin: 0; }}
QScrollBar::handle:vertical {{ background: {theme.line}; border-radius: {px(4)};
    min-height: {px(30)}; }}
QScrollBar:horizontal {{ background: transparent; height: {px(8)}; margin: 0; }}
QScrollBar::handle:horizontal {{ background: {theme.line}; border-radius: {px(4)};
    min-width: {px(30)}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; width: 0; }}
QTableView, QHeaderView {{ border: none; }}
QHeaderView::section {{ background: {theme.card}; color: {theme.muted}; border: none;
    border-bottom: 1px solid {theme.line}; padding: {px(3)} {px(6)}; }}
QSplitter::handle {{ background: transparent; }}
"""


def _form_rules(theme: Theme, scale: float) -> str:
    """Return the rules of forms; superqt's own widgets take their colours as properties."""
    px = _pixels(scale)
    radius = round(6 * scale)  # more than half of the width, and Qt draws a square
    groove = max(1, round(4 * scale))
    knob = (
        f"width: {2 * radius}px; height: {2 * radius}px; border-radius: {radius}px; "
        f"margin: -{radius - groove // 2}px 0;"
    )
    chevron = asset("icons/chevron.svg").as_posix()
    chevron_up = asset("icons/chevron-up.svg").as_posix()
    return f"""
NumberBox, QLineEdit[role="field"] {{ background: {theme.field}; color: {theme.text};
    border: 1px solid {theme.line}; border-radius: {px(4)}; padding: {px(3)} {px(4)};
    selection-background-color: {theme.accent}; selection-color: {theme.on_accent}; }}
NumberBox:focus, QLineEdit[role="field"]:focus {{ border-color: {theme.accent}; }}
NumberBox:disabled, QLineEdit[role="field"]:disabled {{ color: {theme.muted}; }}
NumberBox[wrong="true"], QLineEdit[wrong="true"], QComboBox[wrong="true"] {{
    border-color: {theme.danger}; }}
NumberBox::up-button, NumberBox::down-button {{ border: none; width: {px(18)}; }}
NumberBox::up-arrow {{ image: url("{chevron_up}"); width: {px(11)}; height: {px(11)}; }}
NumberBox::down-arrow {{ image: url("{chevron}"); width: {px(11)}; height: {px(11)}; }}
QPushButton[role="section"] {{ background: transparent; border: 1px solid transparent;
    text-align: left; padding: {px(4)} {px(2)}; font-weight: 600; }}
QPushButton[role="section"]:hover {{ background: {theme.hover}; }}
QPushButton[role="section"]:focus {{ border-color: {theme.accent}; }}
QPushButton[role="section"]:checked {{ color: {theme.text}; }}
QPushButton[role="section"][wrong="true"] {{ color: {theme.danger_text}; }}
QPushButton[role="remove"] {{ background: transparent; border-color: transparent;
    color: {theme.muted}; padding: {px(2)} {px(6)}; }}
QPushButton[role="remove"]:hover {{ background: {theme.hover}; color: {theme.text}; }}
QPushButton[role="remove"]:focus {{ border-color: {theme.accent}; }}
Switch {{ qproperty-onColor: {theme.accent}; qproperty-offColor: {theme.muted};
    qproperty-handleColor: {theme.card}; }}
QSlider[role="plain"]::handle:horizontal {{ {knob} }}
QSlider[role="plain"]::handle:horizontal:focus {{ background: {theme.accent};
    border: 2px solid {theme.text}; width: {2 * radius - 4}px; height: {2 * radius - 4}px; }}
QSlider[role="plain"], SpanSlider {{ min-height: {2 * radius + 2}px; }}
SpanSlider {{ qproperty-barColor: {theme.accent}; }}
SpanSlider::groove:horizontal {{ height: {px(4)}; border-radius: {px(2)};
    background: {theme.line}; }}
SpanSlider::handle:horizontal {{ background: {theme.text}; {knob} }}
"""


RULES: Final = (_surface_rules, _button_rules, _field_rules, _other_rules, _form_rules)
"""Makers of all parts of the style sheet; a later rule wins over an earlier one."""
