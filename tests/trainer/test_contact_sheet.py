from pathlib import Path

import cv2
import numpy as np

from trainer.contact_sheet import GAP_PX, TILE_WIDTH_PX, save_sheet


def test_pairs_stand_apart_from_each_other(tmp_path: Path) -> None:
    white = np.full((30, 60, 3), 255, np.uint8)

    save_sheet(tmp_path / "sheet.png", [white] * 6, columns=4, together=2)

    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    high = TILE_WIDTH_PX // 2
    assert sheet.shape == (2 * high + GAP_PX, 4 * TILE_WIDTH_PX + GAP_PX, 3)
    gap = slice(2 * TILE_WIDTH_PX, 2 * TILE_WIDTH_PX + GAP_PX)
    assert sheet[:high, : gap.start].min() == 255
    assert sheet[:, gap].max() == 0
    assert sheet[high : high + GAP_PX].max() == 0
    assert sheet[high + GAP_PX :, gap.stop :].max() == 0
