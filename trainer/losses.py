"""Losses on logits and labels: cross-entropy, binary cross-entropy, DICE and RMI.

Each is a pure function of `logits` (n, classes, h, w) and integer `labels` (n, h, w); pixels whose
label is negative or not below `classes` are ignored.  All compute in float32 or better whatever
the precision of training, and none changes its arguments.  `BceLoss`, `DiceLoss` and `RmiLoss` are
the same as modules; for softmax cross-entropy PyTorch has one.
"""

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

RMI_RADIUS: Final = 3
"""Side of the square whose pixels RMI looks at together, pooled pixels (Zhao et al. 2019, §4)."""
RMI_POOL: Final = 3
"""Side and stride of the max-pooling before it."""
RMI_LAMBDA: Final = 0.5
"""Weight of binary cross-entropy; the region term has the rest of 1."""
RMI_DIAGONAL: Final = 1e-3
"""Added to the diagonals of covariances, so that absent classes can be inverted; SAM-CL's setting,
where the code of Zhao et al. has 5e-4."""
RMI_LOWEST_PROBABILITY: Final = 1e-6
"""Added to every probability, as in the definition."""


def is_free_to_read(tensor: Tensor) -> bool:
    """Say whether the program may look at `tensor` without waiting for a GPU to compute it."""
    return tensor.device.type == "cpu"


def count_labels(labels: Tensor, classes: int) -> Tensor:
    """Count (classes,) how often each label occurs, float64; all must be below `classes`.

    `torch.bincount` would make the program wait for a GPU, because it looks for the largest label.
    """
    if is_free_to_read(labels):
        return torch.bincount(labels.flatten(), minlength=classes).double()
    ones = torch.ones((), dtype=torch.float64, device=labels.device)
    return ones.new_zeros(classes).index_add(0, labels.flatten(), ones.expand(labels.numel()))


def known_labels(labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return labels as int64 with ignored pixels set to 0, and which pixels count."""
    labels = labels.long()
    known = (labels >= 0) & (labels < classes)
    return torch.where(known, labels, 0), known


def _check(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 4 or labels.shape != (logits.shape[0], *logits.shape[2:]):
        raise ValueError(
            f"logits must be (n, classes, h, w) and labels (n, h, w), "
            f"got {tuple(logits.shape)} and {tuple(labels.shape)}"
        )


def cross_entropy(logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
    """Softmax cross-entropy, mean over the pixels that count; 0 where none does.

    Σ -w[t]·log softmax(x)[t] / Σ w[t] over pixels of logits x and label t.

    Parameters
    ----------
    logits
        (n, classes, h, w).
    labels
        (n, h, w), integer.
    weight
        (classes,), importance of each class; the mean is weighted with it.

    Raises
    ------
    ValueError
        If the shapes do not match.
    """
    _check(logits, labels)
    with torch.autocast(logits.device.type, enabled=False):
        target, valid = known_labels(labels, logits.shape[1])
        total = functional.cross_entropy(
            logits.float(),
            torch.where(valid, target, -100),
            weight,
            ignore_index=-100,
            reduction="sum",
        )
        counted = valid.sum() if weight is None else torch.where(valid, weight[target], 0).sum()
        return total / counted.clamp_min(1e-6)


def bce_loss(logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
    """Weighted binary cross-entropy of each class against the rest.

    Σ_pixels Σ_c w[c]·(-t[c]·log σ(x[c]) - (1 - t[c])·log(1 - σ(x[c]))) / (pixels + 1), where σ is
    the sigmoid, x the logits and t the one-hot truth.  It is the first term of RMI, divided as in
    its code (Zhao et al., NeurIPS 2019, eq. 17), and the BCE of Table 1 (Joshi et al., BMVC 2022).

    Parameters
    ----------
    logits
        (n, classes, h, w).
    labels
        (n, h, w), integer.
    weight
        (classes,), importance of each class's channel; 1 for all when None.

    Raises
    ------
    ValueError
        If the shapes do not match.
    """
    _check(logits, labels)
    with torch.autocast(logits.device.type, enabled=False):
        logits = logits if logits.dtype == torch.float64 else logits.float()
        target, valid = known_labels(labels, logits.shape[1])
        # BCE(x, t) = softplus(x) - t·x, so the one-hot truth needs no memory.
        negative = functional.softplus(logits)
        positive = logits.gather(1, target[:, None])[:, 0]
        if weight is None:
            per_pixel = negative.sum(1) - positive
        else:
            per_pixel = (negative * weight[:, None, None]).sum(1) - positive * weight[target]
        return torch.where(valid, per_pixel, 0).sum() / (valid.sum() + 1)


def dice_loss(logits: Tensor, labels: Tensor, smooth: float = 1.0) -> Tensor:
    """One minus the DICE coefficient of softmax probabilities, mean over classes.

    1 - (2 Σ p·t + s) / (Σ p + Σ t + s) per class, sums over the whole batch; a class that is
    neither present nor predicted costs nothing.  The soft DICE of Milletari et al. (3DV 2016), with
    Σ p in place of Σ p², as a plain mean over classes.  The DICE of Table 1 (Joshi et al., BMVC
    2022) cites Sudre et al. (DLMIA 2017), who weight each class by 1 / (Σ t)²: that is not done
    here.

    Parameters
    ----------
    logits
        (n, classes, h, w).
    labels
        (n, h, w), integer.
    smooth
        s, in pixels.

    Raises
    ------
    ValueError
        If the shapes do not match.
    """
    _check(logits, labels)
    with torch.autocast(logits.device.type, enabled=False):
        classes = logits.shape[1]
        target, valid = known_labels(labels, classes)
        mask = valid.float()
        probabilities = logits.float().softmax(1) * mask[:, None]
        predicted = probabilities.sum((0, 2, 3))
        hit = probabilities.gather(1, target[:, None])[:, 0]
        overlap = hit.new_zeros(classes).index_add(0, target.flatten(), hit.flatten())
        # Ignored pixels are one class more, which is left out again.
        counts = count_labels(torch.where(valid, target, classes), classes + 1)
        present = counts[:classes].to(hit.dtype)
        return (1 - (2 * overlap + smooth) / (predicted + present + smooth)).mean()


def rmi_loss(
    logits: Tensor, labels: Tensor, regions: "RegionMutualInformation | None" = None
) -> Tensor:
    """λ·BCE + (1-λ)·RMI with λ = 0.5 (Zhao et al., NeurIPS 2019, eq. 17; Joshi et al., BMVC 2022).

    Parameters
    ----------
    logits
        (n, classes, h, w), before any sigmoid.
    labels
        (n, h, w), integer; left untouched.
    regions
        Region terms of the same logits and labels, where they are computed already.

    Raises
    ------
    ValueError
        If the shapes do not match, or the picture is smaller than 7×7.
    """
    if regions is None:
        regions = RegionMutualInformation(logits, labels)
    region_term = regions.bounds.sum(1).mean()
    return RMI_LAMBDA * bce_loss(logits, labels) + (1 - RMI_LAMBDA) * region_term


class BceLoss(nn.Module):
    """`bce_loss` as a module."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None) -> None:
        """Keep the importance of each class.

        Parameters
        ----------
        weight
            (classes,); 1 for all when None.
        """
        super().__init__()
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of logits (n, classes, h, w) and integer labels (n, h, w)."""
        return bce_loss(logits, labels, self.weight)


class DiceLoss(nn.Module):
    """`dice_loss` as a module."""

    def __init__(self, smooth: float = 1.0) -> None:
        """Keep s of the equation, in pixels."""
        super().__init__()
        self.smooth = smooth

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of logits (n, classes, h, w) and integer labels (n, h, w)."""
        return dice_loss(logits, labels, self.smooth)


class RmiLoss(nn.Module):
    """`rmi_loss` as a module."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of logits (n, classes, h, w) and integer labels (n, h, w)."""
        return rmi_loss(logits, labels)


class RegionMutualInformation:
    """Neighbourhoods of a prediction and of its truth, compared by their mutual information.

    The bound of a class in a picture is ½ log det(Σ_Y - Σ_YP (Σ_P)⁻¹ Σ_YPᵀ) / r², where Y and P are
    the 3×3 neighbourhoods of truth and sigmoid probability after max-pooling, as vectors of
    r² = 9.  It is low where the regions are alike.

    What belongs to the prediction is computed once for any number of truths, which is most of the
    work.  Covariances are computed in float64: they are sums over thousands of pixels whose
    difference is compared with 1e-3.
    """

    bounds: Tensor
    """(n, classes), of prediction and truth."""

    def __init__(self, logits: Tensor, labels: Tensor) -> None:
        """Compare `logits` with `labels`.

        Parameters
        ----------
        logits
            (n, classes, h, w).
        labels
            (n, h, w), integer.

        Raises
        ------
        ValueError
            If the shapes do not match, or the picture is smaller than 7×7.
        """
        _check(logits, labels)
        if min(logits.shape[2:]) < 7:
            raise ValueError(f"a picture must be at least 7x7, got {tuple(logits.shape[2:])}")
        with torch.autocast(logits.device.type, enabled=False):
            logits = logits if logits.dtype == torch.float64 else logits.float()
            target, valid = known_labels(labels, logits.shape[1])
            with torch.no_grad():
                truth = torch.zeros_like(logits)
                truth.scatter_(1, target[:, None], valid[:, None].to(truth.dtype))
                self._truth = _neighbourhoods(_pool(truth).double())
                self._of_truth = self._truth @ self._truth.mT
            if not (is_free_to_read(valid) and bool(valid.all())):
                # Sigmoid of minus infinity is the probability 0 that ignored pixels must have.
                logits = logits.masked_fill(~valid[:, None], float("-inf"))
            # The sigmoid is monotone: pooling first leaves a ninth of the work.
            probability = _pool(logits).double().sigmoid() + RMI_LOWEST_PROBABILITY
            self._predicted = _neighbourhoods(probability)
            of_predicted = _covariance(self._predicted, self._predicted)
            # `inv` would read from the GPU whether it has succeeded; here that becomes NaN.
            inverse, failed = torch.linalg.inv_ex(of_predicted + self._diagonal())
            self._inverse = inverse.masked_fill((failed != 0)[..., None, None], float("nan"))
            self._dtype = logits.dtype
            self.bounds = self._bounds_of(self._truth, self._of_truth)

    def swapped_bounds(self, swap: Tensor) -> Tensor:
        """Return the bounds, (n, classes), of the prediction and the truth with classes swapped.

        Parameters
        ----------
        swap
            (n, classes) int64: in picture i, class c becomes class swap[i, c].
        """
        # Channel swap[c] of the swapped truth is channel c of the truth.
        source = swap.argsort(1)
        picture = torch.arange(len(source), device=source.device)[:, None]
        with torch.autocast(swap.device.type, enabled=False):
            return self._bounds_of(self._truth[picture, source], self._of_truth[picture, source])

    def _bounds_of(self, vectors: Tensor, own: Tensor) -> Tensor:
        # How much of the truth the prediction does not explain: Σ_Y - Σ_YP (Σ_P)⁻¹ Σ_YPᵀ is the
        # covariance (9, 9) of Y given P under a Gaussian, and ½ log det of it bounds the entropy
        # from above.  log det is twice the sum of the logarithms on the diagonal of the Cholesky
        # factor, which stays finite where the determinant itself would underflow.  The sums are not
        # divided by the number of places, as in the definition: it would shift all bounds alike.
        between = _covariance(vectors, self._predicted)
        residual = own - between @ self._inverse @ between.mT
        # Unlike `cholesky`, this lets NaN through, which the loop answers with a clear message.
        factor, failed = torch.linalg.cholesky_ex(residual + self._diagonal())
        log_det = 2 * torch.log(factor.diagonal(dim1=-2, dim2=-1) + 1e-8).sum(-1)
        log_det = log_det.masked_fill(failed != 0, float("nan"))
        return (0.5 * log_det / RMI_RADIUS**2).to(self._dtype)

    def _diagonal(self) -> Tensor:
        truth = self._truth
        return RMI_DIAGONAL * torch.eye(RMI_RADIUS**2, dtype=truth.dtype, device=truth.device)


class _Covariance(torch.autograd.Function):
    """A Bᵀ whose backward pass multiplies as little as there is to multiply.

    PyTorch's own rule also computes a gradient of constants and, with A = B, everything twice.
    """

    @staticmethod
    def forward(  # PyTorch gives the context no public type.
        ctx: Any,  # noqa: ANN401
        left: Tensor,
        right: Tensor,
    ) -> Tensor:
        """Multiply (…, i, places) with the transpose of (…, j, places)."""
        ctx.save_for_backward(left, right)
        ctx.same = left is right
        return left @ right.mT

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401
        *gradients: Tensor,
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of both; of their sum in the second place if they are one."""
        left, right = ctx.saved_tensors
        (gradient,) = gradients
        if ctx.same:
            return None, (gradient + gradient.mT) @ right
        return None, gradient.mT @ left


def _covariance(left: Tensor, right: Tensor) -> Tensor:
    """Multiply without a gradient for `left`, unless it is `right`."""
    product: Tensor = _Covariance.apply(left, right)  # type: ignore[no-untyped-call]
    return product


def _pool(maps: Tensor) -> Tensor:
    return functional.max_pool2d(maps, RMI_POOL, RMI_POOL, padding=RMI_POOL // 2)


def _neighbourhoods(maps: Tensor) -> Tensor:
    """Stack the 3×3 neighbours of each place: (n, c, h, w) to centred (n, c, 9, places)."""
    rows, columns = (side - RMI_RADIUS + 1 for side in maps.shape[2:])
    shifted = [
        maps[:, :, row : row + rows, column : column + columns].flatten(2)
        for row in range(RMI_RADIUS)
        for column in range(RMI_RADIUS)
    ]
    vectors = torch.stack(shifted, dim=2)
    return vectors - vectors.mean(dim=3, keepdim=True)
