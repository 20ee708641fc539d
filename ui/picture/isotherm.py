"""The band of temperatures, or of counts, that is drawn in one colour."""

from typing import Final

from ui.picture.settings import PictureSettings
from ui.picture.span import Limits

COUNTS_BAND: Final = (0.6, 0.8)
"""Band of a camera without °C before the user sets one, shares of the span."""


class Isotherm:
    """Knows the band; that of temperatures is a setting, that of counts holds for one source."""

    def __init__(self) -> None:
        self._counts: Limits | None = None

    def band(self, settings: PictureSettings, radiometric: bool, span: Limits) -> Limits | None:
        """Return the band, °C or counts; None if the user wants none.

        Parameters
        ----------
        span
            Limits of the colours, from which the first band of counts is taken.
        """
        if not settings.isotherm or radiometric:
            return settings.isotherm_c if settings.isotherm else None
        if self._counts is None:
            low, width = span[0], span[1] - span[0]
            self._counts = (
                round(low + COUNTS_BAND[0] * width),
                round(low + COUNTS_BAND[1] * width),
            )
        return self._counts

    def choose_counts(self, low: float, high: float) -> None:
        """Take this band for pictures without °C."""
        self._counts = low, high

    def forget(self) -> None:
        """Forget the band of counts: another source."""
        self._counts = None
