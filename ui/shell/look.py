"""Theme and size of text of the window: what the user chose, and what fits its size."""

from collections.abc import Callable
from typing import Annotated, Final, Literal

from pydantic import Field
from PyQt6.QtCore import QSize
from PyQt6.QtWidgets import QWidget

from ui.shell.preferences import Preference, Preferences
from ui.shell.theme import DARK, LIGHT, THEMES, Theme, application, wear

SCALES: Final = ((3200, 1800, 1.7), (2400, 1350, 1.3), (1, 1, 1.0))
"""Least width and height of the window, and the scale of text and spacing then."""
ZOOMS: Final = (0.7, 2.5)
"""Smallest and largest zoom of text that the user may set."""
ZOOM_STEP: Final = 1.1
LEAST: Final = QSize(795, 400)
"""Smallest size of the window with normal text, if the screen is not smaller, pixels."""

ZOOM: Final = Preference("window/zoom", Annotated[float, Field(ge=ZOOMS[0], le=ZOOMS[1])], 1.0)
THEME: Final = Preference[str]("window/theme", Literal["dark", "light"], DARK.name)


class WindowLook:
    """Dresses the application and every part of the window."""

    def __init__(
        self,
        window: QWidget,
        preferences: Preferences,
        dress: Callable[[Theme, float], None],
    ) -> None:
        """Remember what was chosen; `wear` dresses.

        Parameters
        ----------
        dress
            Gives theme and scale to the parts of the window.
        """
        self._window = window
        self._preferences = preferences
        self._dress = dress
        self._zoom = preferences.get(ZOOM)
        self.theme = THEMES[preferences.get(THEME)]
        """Colours that are worn."""
        self.scale = 0.0
        """Scale of text and spacing; 0 before the first time."""

    def set_theme(self, theme: Theme) -> None:
        """Wear another theme, now and next time."""
        self.theme = theme
        self._preferences.set(THEME, theme.name)
        self.wear()

    def toggle_theme(self) -> None:
        """Change between dark and light."""
        self.set_theme(LIGHT if self.theme is DARK else DARK)

    def zoom_to(self, zoom: float) -> None:
        """Show text in this size, 1 being normal, within `ZOOMS`; now and next time."""
        self._zoom = min(max(zoom, ZOOMS[0]), ZOOMS[1])
        self._preferences.set(ZOOM, self._zoom)
        self.wear()

    def zoom_by(self, factor: float) -> None:
        """Make text larger or smaller."""
        self.zoom_to(self._zoom * factor)

    def fit(self) -> None:
        """Scale text and spacing with a window that has become very large or small again."""
        if self.scale and self._wanted_scale() != self.scale:
            self.wear()

    def prepare(self) -> None:
        """Dress the application before there is any part of the window."""
        wear(application(), self.theme, self._wanted_scale())

    def wear(self) -> None:
        """Dress everything."""
        self.scale = self._wanted_scale()
        screen = self._window.screen()
        if screen is not None:
            least = QSize(round(LEAST.width() * self._zoom), round(LEAST.height() * self._zoom))
            self._window.setMinimumSize(least.boundedTo(screen.availableGeometry().size()))
        wear(application(), self.theme, self.scale)
        self._dress(self.theme, self.scale)

    def _wanted_scale(self) -> float:
        size = self._window.size()
        fitting = next(
            scale
            for width, height, scale in SCALES
            if (size.width() >= width and size.height() >= height) or scale == 1.0
        )
        return fitting * self._zoom
