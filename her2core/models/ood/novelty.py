"""Out of distribution: how unlike the patches that a network knows its input is.

Two spaces are looked at, the network's pooled last features and the low-level look of the input
(appearance.py). In each the known patches are kept as references in whitened principal components,
and the distance to the nearest of them counts, together with what the components leave over:
nearest neighbours after Sun et al. (ICML 2022), whitening and residual after the Mahalanobis
distance of Lee et al. (NeurIPS 2018) and ViM (Wang et al., CVPR 2022). Beside the distances stands
the chance that the input is of another stain (other_stains.py). Each is divided by its threshold,
and the largest is the novelty: above 1 the input is unfamiliar. No tensorflow here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from her2core.models.architectures import model_name
from her2core.models.ood.appearance import appearance
from her2core.models.ood.other_stains import OtherStains, clipped_threshold
from her2core.models.verdict import UNFAMILIAR, Verdict

NEIGHBOURS = 5
LEAST_CALIBRATION = 20
FEATURE_COMPONENTS = 48
# A network's features move from core to core by more than a few cores to calibrate on can show; the
# low-level look moves less.
FEATURE_MARGIN = 1.25
# Real breast fields 1 to 1.5 times the limit away were read rightly; most brown nuclei and red
# chromogens lie there too (docs/external.md)
LESS_FAMILIAR = 1.5
FAMILIAR, LESS, UNLIKE = BANDS = ("familiar", "less familiar", "unlike what is known")
_SHRINKAGE = 0.02
_ROWS_AT_ONCE = 64

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class KnownSpace:
    """The known patches in one space of d dimensions.

    Attributes:
        mean: float32 (d,).
        basis: float32 (d, k), principal components, each divided by its deviation.
        residual: typical length of what the components leave over; 0 where they leave nothing.
        references: float32 (m, k), the known patches in these components.
        threshold: distance above which a patch is unfamiliar.
    """

    mean: Floats
    basis: Floats
    residual: float
    references: Floats
    threshold: float = 1.0

    def placed(self, vectors: Floats) -> npt.NDArray[np.float64]:
        """Whitened coordinates (n, k) of vectors (n, d)."""
        # in double precision: what is left over is a small difference of large numbers
        return (vectors.astype(np.float64) - self.mean) @ self.basis.astype(np.float64)

    def distance(self, vectors: Floats) -> Floats:
        """Distance (n,) of vectors (n, d) to the known patches, >= 0."""
        placed = self.placed(vectors)
        parts = [
            self._nearest(placed[start : start + _ROWS_AT_ONCE])
            for start in range(0, len(placed), _ROWS_AT_ONCE)
        ]
        squares = np.concatenate([np.zeros(0), *parts])
        if self.residual > 0:
            centred = vectors.astype(np.float64) - self.mean
            # what lies within the components, undone: their lengths are those of the whitening
            inside = ((placed / np.linalg.norm(self.basis, axis=0)) ** 2).sum(axis=1)
            squares += np.maximum((centred**2).sum(axis=1) - inside, 0) / self.residual**2
        return np.asarray(np.sqrt(squares), dtype=np.float32)

    def _nearest(self, placed: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Mean squared distance (n,) to the nearest references, for each component."""
        references, lengths = self._compared
        squares = (placed**2).sum(axis=1)[:, None] - 2 * placed @ references + lengths[None, :]
        near = min(NEIGHBOURS, len(self.references))
        nearest = np.partition(np.maximum(squares, 0), near - 1, axis=1)[:, :near]
        return np.asarray(nearest.mean(axis=1) / self.basis.shape[1])

    @cached_property
    def _compared(self) -> tuple[npt.NDArray[np.float64], Floats]:
        """References (k, m) as every distance needs them, and their squared lengths (m,)."""
        references = np.ascontiguousarray(self.references.T, np.float64)
        return references, (self.references**2).sum(axis=1)


class Familiarity(NamedTuple):
    """One of `BANDS`, and the distance over the limit, >= 0."""

    band: str
    distance: float


def known_space(vectors: Floats, components: int | None = None) -> KnownSpace:
    """The space of known vectors (n, d), n >= 2; `components` None keeps all dimensions."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    covariance = centred.T @ centred / len(vectors)
    variances, axes = np.linalg.eigh(covariance)
    order = np.argsort(variances)[::-1]
    variances, axes = np.maximum(variances[order], 0), axes[:, order]
    kept = min(components or len(variances), len(variances), len(vectors) - 1)
    # shrinkage (Ledoit & Wolf 2004, with a fixed weight): no direction may divide by almost nothing
    deviations = np.sqrt(variances[:kept] + _SHRINKAGE * variances[:kept].mean() + 1e-12)
    basis = axes[:, :kept] / deviations
    left = float(np.sqrt(max(variances[kept:].sum(), 0.0)))
    return KnownSpace(
        mean.astype(np.float32),
        basis.astype(np.float32),
        left if kept < len(variances) and left > 1e-6 else 0.0,
        (centred @ basis).astype(np.float32),
    )


@dataclass(frozen=True, eq=False)
class Novelty:
    """What a bundle knows in both spaces, and what it was shown of other stains."""

    features: KnownSpace
    appearance: KnownSpace
    other: OtherStains | None = None

    def measure(self, pixels: Floats, feature_maps: Floats) -> Floats:
        """Novelty (n,) of n inputs, >= 0; above 1 an input is unfamiliar.

        Args:
            pixels: float32 (n, 224, 224, 3) in [0, 1].
            feature_maps: float32 (n, h, w, c), the network's last feature maps.
        """
        return self.of(pooled(feature_maps), appearance(pixels))

    def of(self, features: Floats, looks: Floats) -> Floats:
        """The same from pooled features (n, c) and appearance figures (n, d)."""
        pairs = ((self.features, features), (self.appearance, looks))
        parts = [space.distance(vectors) / space.threshold for space, vectors in pairs]
        if self.other is not None:
            chance = self.other.chance(self.placed(features, looks))
            parts.append(chance / self.other.threshold)
        return np.asarray(np.max(parts, axis=0), dtype=np.float32)

    def placed(self, features: Floats, looks: Floats) -> Floats:
        """Coordinates (n, k) in both spaces, side by side."""
        both = [self.features.placed(features), self.appearance.placed(looks)]
        return np.hstack(both).astype(np.float32)


def calibrated(
    features: KnownSpace,
    looks: KnownSpace,
    held_out: tuple[Floats, Floats],
    groups: tuple[str, ...],
    flagged: float,
    other: OtherStains | None = None,
) -> Novelty:
    """Set the thresholds so that a share of held-out patches is called unfamiliar.

    Each space gets the same share of the blame, the features' threshold `FEATURE_MARGIN` on top;
    then both thresholds are moved together until the larger of the two novelties exceeds 1 for
    `flagged` of the patches, groups (cores, slides) weighing the same however many patches they
    have. Other stains have a threshold of their own, which half of `flagged` exceed at most.

    Args:
        features, looks: known spaces.
        held_out: features (n, c) and appearance figures (n, d) of patches not among the known.
        groups: (n,), the group of each.
        flagged: share in (0, 1) that may be called unfamiliar.
        other: what tells other stains, if anything does.

    Raises:
        ValueError: there are fewer than 20 patches to calibrate on.
    """
    if len(groups) < LEAST_CALIBRATION:
        raise ValueError(f"At least {LEAST_CALIBRATION} held-out patches are needed to calibrate.")
    sizes = {group: groups.count(group) for group in set(groups)}
    weights = np.array([1 / sizes[group] for group in groups])
    seen, looked = held_out
    of_features = quantile(features.distance(seen), weights, 1 - flagged / 2)
    of_looks = quantile(looks.distance(looked), weights, 1 - flagged / 2)
    draft = Novelty(
        replace(features, threshold=FEATURE_MARGIN * of_features),
        replace(looks, threshold=of_looks),
    )
    scale = quantile(draft.of(*held_out), weights, 1 - flagged)
    found = Novelty(
        replace(features, threshold=draft.features.threshold * scale),
        replace(looks, threshold=draft.appearance.threshold * scale),
    )
    if other is None:
        return found
    chance = quantile(other.chance(found.placed(*held_out)), weights, 1 - flagged / 2)
    return replace(found, other=replace(other, threshold=clipped_threshold(chance)))


def familiarity(verdicts: Sequence[Verdict]) -> Familiarity | None:
    """How far the farthest network finds a patch from what it knows; None where none can tell."""
    known = [verdict.novelty for verdict in verdicts if verdict.novelty is not None]
    if not known:
        return None
    farthest = max(known)
    limits = zip(BANDS, (UNFAMILIAR, LESS_FAMILIAR, np.inf), strict=True)
    return Familiarity(next(band for band, limit in limits if farthest <= limit), farthest)


def warning(verdicts: Sequence[Verdict]) -> str | None:
    """What one patch's verdicts say of how unfamiliar it is; None where none finds it so.

    Up to `LESS_FAMILIAR` times the limit it may well be HER2 of another laboratory.
    """
    found = familiarity(verdicts)
    strange = [verdict.architecture for verdict in verdicts if verdict.unfamiliar]
    if found is None or not strange:
        return None
    who = " and ".join(model_name(name) for name in strange)
    far = f"distance {found.distance:.1f} times the limit"
    if found.band == LESS:
        return (
            f"This patch is less familiar to {who} ({far}): make sure that it is HER2 in brown "
            "DAB, for brown nuclei and red chromogens lie as far as that of some laboratories."
        )
    return (
        f"This patch is unlike what {who} knows ({far}): it may "
        "be another stain, another magnification or no tissue. Do not rely on the verdicts."
    )


def pooled(feature_maps: Floats) -> Floats:
    """Mean (n, c) over the places of feature maps (n, h, w, c)."""
    return np.asarray(feature_maps.mean(axis=(1, 2), dtype=np.float32))


def quantile(values: Floats, weights: npt.NDArray[np.float64], share: float) -> float:
    """The least value that `share` of the weight does not exceed, a little above it."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    at = min(int(np.searchsorted(reached, share)), len(values) - 1)
    return float(values[order][at]) * (1 + 1e-4)
