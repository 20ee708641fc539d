"""The plots as a picture, and what they show as a table."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from PyQt6.QtCore import QBuffer, QByteArray, QIODevice, QPoint, QRect, QSize, Qt
from PyQt6.QtGui import QColor, QFontMetrics, QImage, QPainter, QRegion
from PyQt6.QtWidgets import QWidget

from thermoseg.whole_file import write_whole
from ui.plots.look import Look, Scale
from ui.plots.series import Series
from ui.plots.trace_store import Store

PICTURE_SCALE: Final = 2
"""Pixels of the picture per pixel of the screen, at least: it may go into print."""
MARGIN: Final = 12
TIME_DECIMALS: Final = 6
VALUE_DECIMALS: Final = 4


def save_picture(parts: Sequence[QWidget], title: str, look: Look, path: Path) -> None:
    """Draw widgets as they are seen, below a title, and write them as a PNG.

    Parameters
    ----------
    parts
        Widgets of one parent, which keep their places.

    Raises
    ------
    OSError
        If it cannot be written; a file that was there is intact.
    """
    shown = [part for part in parts if part.isVisible()]
    parent = parts[0].parentWidget()
    places = [QRect(part.mapTo(parent, QPoint(0, 0)), part.size()) for part in shown]
    around = places[0]
    for place in places[1:]:
        around = around.united(place)
    heading = QFontMetrics(look.font).height() + MARGIN
    size = around.size() + QSize(2 * MARGIN, heading + 2 * MARGIN)
    dense = max(PICTURE_SCALE, parts[0].devicePixelRatioF())
    image = QImage(size * dense, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(dense)
    image.fill(QColor(look.theme.card))
    painter = QPainter(image)
    painter.setFont(look.font)
    painter.setPen(QColor(look.theme.text))
    line = QRect(MARGIN, MARGIN // 2, around.width(), heading)
    painter.drawText(line, int(Qt.AlignmentFlag.AlignVCenter), title)
    for part, place in zip(shown, places, strict=True):
        corner = place.topLeft() - around.topLeft() + QPoint(MARGIN, MARGIN // 2 + heading)
        # Without the window's own background, which would show behind the card's parts.
        part.render(painter, corner, QRegion(), QWidget.RenderFlag.DrawChildren)
    painter.end()
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    write_whole(path, content.data())


def save_table(
    traces: Mapping[tuple[str, Store], Series],
    window_s: tuple[float, float],
    wall_offset_s: float,
    scale: Scale,
    path: Path,
) -> None:
    """Write all samples of a stretch of time as a CSV, a row for each time and a column each.

    Parameters
    ----------
    traces
        By region and kind, in the order of the columns.
    wall_offset_s
        Seconds since 1970 UTC at which `time_s` was 0; without it there is no column of them.

    Raises
    ------
    OSError
        If it cannot be written; a file that was there is intact.
    """
    samples = {key: trace.samples(*window_s) for key, trace in traces.items()}
    times = np.unique(np.concatenate([np.empty(0), *(time_s for time_s, _ in samples.values())]))
    columns = [[f"{time_s:.{TIME_DECIMALS}f}" for time_s in times]]
    header = ["time_s"]
    if np.isfinite(wall_offset_s):
        header.append("wall_time")
        columns.append([_iso(wall_offset_s + time_s) for time_s in times])
    for (region, store), (time_s, mean_c) in samples.items():
        differs = store is Store.DIFFERENCE
        kind = "" if store is Store.NEW else f" {store.value}"
        header.append(f"{region}{kind} ({scale.difference_symbol if differs else scale.symbol})")
        values = np.full(len(times), np.nan)
        offset = 0.0 if differs else scale.offset
        values[times.searchsorted(time_s)] = scale.factor * mean_c.astype(np.float64) + offset
        # An empty field where nothing valid was measured: what every program reads as missing.
        columns.append([f"{v:.{VALUE_DECIMALS}f}" if np.isfinite(v) else "" for v in values])
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    write_whole(path, text.getvalue().encode("utf-8"))


def _iso(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")
