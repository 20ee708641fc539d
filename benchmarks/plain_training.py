"""What training costs when it is written down as it is published, one operation after the other."""

from math import pi, sqrt
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from trainer.tiaug import Occluder, TiAugParams

Scalar = TypeVar("Scalar", bound=np.generic)


def augment_stepwise(
    celsius: NDArray[np.float32], labels: NDArray[np.uint8], params: TiAugParams
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Do to a picture what `TiAug.apply` does, by SciPy and Pillow and without a shift.

    Flips, rotation on a canvas that grows, size, crop to the size before, objects, blur, noise;
    every interpolation is as fine as that of TiAug: linear for °C, nearest for labels.

    Parameters
    ----------
    celsius, labels
        (height, width) °C and labels.
    params
        What `TiAug.draw` drew.
    """
    size = celsius.shape
    low, high = float(celsius.min()), float(celsius.max())
    outside = None if params.border is None else low + params.border * (high - low)
    if params.flip_horizontally:
        celsius, labels = np.fliplr(celsius), np.fliplr(labels)
    if params.flip_vertically:
        celsius, labels = np.flipud(celsius), np.flipud(labels)
    mode = "nearest" if outside is None else "constant"
    turn = params.rotation_deg
    celsius = ndimage.rotate(celsius, turn, order=1, mode=mode, cval=outside or 0.0)
    labels = ndimage.rotate(labels, turn, order=0)
    zoom = params.scale * sqrt(params.aspect), params.scale / sqrt(params.aspect)
    celsius = ndimage.zoom(celsius, zoom, order=1, mode="nearest", grid_mode=True)
    labels = ndimage.zoom(labels, zoom, order=0, mode="nearest", grid_mode=True)
    celsius = _crop(celsius, size, outside)
    labels = _crop(labels, size, 0)
    if params.occluders:
        celsius = _with_objects(celsius, labels, params.occluders)
    if params.blur_sigma_px > 0:
        celsius = ndimage.gaussian_filter(celsius, params.blur_sigma_px)
    if params.netd_k > 0:
        half = params.netd_k / 2
        noise = np.random.default_rng(params.noise_seed).uniform(-half, half, size)
        celsius = (celsius + noise).astype(np.float32)
    return celsius, labels


def _crop(
    picture: NDArray[Scalar], size: tuple[int, ...], outside: float | None
) -> NDArray[Scalar]:
    """Cut the middle out; what it lacks is `outside`, or comes from the edge where that is None."""
    lacking = [max(0, wanted - side) for wanted, side in zip(size, picture.shape, strict=True)]
    around = [(lack // 2, lack - lack // 2) for lack in lacking]
    if outside is None:
        picture = np.pad(picture, around, mode="edge")
    else:
        picture = np.pad(picture, around, constant_values=outside)
    rows, columns = ((side - want) // 2 for side, want in zip(picture.shape, size, strict=True))
    return picture[rows : rows + size[0], columns : columns + size[1]]


def _with_objects(
    celsius: NDArray[np.float32], labels: NDArray[np.uint8], objects: tuple[Occluder, ...]
) -> NDArray[np.float32]:
    """Put objects of one temperature each over a picture."""
    height, width = celsius.shape
    low, high = float(celsius.min()), float(celsius.max())
    face_px = np.count_nonzero(labels) or celsius.size
    corner = 0.0, 0.0
    celsius = celsius.copy()
    for thing in objects:
        x, y = corner if thing.touches_previous else (thing.column * width, thing.row * height)
        radius = sqrt(thing.area * face_px / pi)
        points = [
            (x + radius * far * np.cos(angle), y + radius * far * np.sin(angle))
            for angle, far in thing.corners
        ]
        corner = points[0]
        mask = Image.new("1", (width, height))
        if len(points) > 2:
            ImageDraw.Draw(mask).polygon(points, fill=1)
        else:
            ImageDraw.Draw(mask).line(points, 1, max(1, round(thing.thickness * 2 * radius)))
        celsius[np.asarray(mask)] = low + thing.temperature * (high - low)
    return celsius


def rmi_by_definition(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute ½·BCE + ½·RMI as Zhao et al. (NeurIPS 2019) define it, without any shortcut.

    Probabilities, one-hot truth and their 3×3 neighbourhoods after 3×3 max-pooling are all made in
    full; covariances are float64.

    Parameters
    ----------
    logits
        (n, classes, h, w).
    labels
        (n, h, w), integer; those that are no class are ignored.
    """
    classes = logits.shape[1]
    known = (labels >= 0) & (labels < classes)
    mask = known[:, None].to(logits.dtype)
    hot = functional.one_hot(torch.where(known, labels, 0).long(), classes)
    truth = hot.permute(0, 3, 1, 2).to(logits.dtype) * mask
    bce = functional.binary_cross_entropy_with_logits(logits, truth, mask, reduction="sum")

    chance = logits.sigmoid() * mask + 1e-6
    y, p = (
        functional.unfold(functional.max_pool2d(maps, 3, 3, 1).flatten(0, 1)[:, None], 3).double()
        for maps in (truth, chance)
    )
    y, p = y - y.mean(2, keepdim=True), p - p.mean(2, keepdim=True)
    diagonal = 1e-3 * torch.eye(9, dtype=torch.float64, device=logits.device)
    between = y @ p.mT
    residual = y @ y.mT - between @ torch.linalg.inv(p @ p.mT + diagonal) @ between.mT
    factor = torch.linalg.cholesky(residual + diagonal)
    bound = torch.log(factor.diagonal(dim1=-2, dim2=-1) + 1e-8).sum(-1) / 9
    rmi = bound.view(len(logits), classes).sum(1).mean()
    return 0.5 * bce / (known.sum() + 1) + 0.5 * rmi.to(logits.dtype)
