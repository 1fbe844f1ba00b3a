"""How large a pixel is, guessed from the nuclei where nobody says.

Scale selection after Lindeberg (Int J Comput Vis 1998;30:79): a blob of radius r answers most to a
difference of Gaussians of sigma r / sqrt(2). The scale at which the strongest nuclear blobs of an
image answer most gives their size in pixels, and nuclei have about one size in micrometres.

Where nuclei are a few pixels wide, clumps of them answer instead and seem to be nuclei of a higher
magnification. What gives such an image away is the mean size of all that answers: it is tiny.
"""

import cv2
import numpy as np

from her2core.stain.density import FloatImage

# sigma of the blobs that nuclei of all kinds make together in sections of 3 to 4 µm: 6.5 µm
# across, between the real cores (5.4) and the synthetic patches (7.3)
NUCLEAR_SIGMA_UM = 2.3
ASSUMED_UM_PER_PIXEL = 0.25
FINEST_UM_PER_PIXEL, COARSEST_UM_PER_PIXEL = 0.1, 1.5
_SIGMAS = 0.75 * 2 ** (np.arange(17) / 3)
# nuclei are looked for from this one on
_LEAST_NUCLEUS = 3
# mean sigma of all blobs below which nuclei are not resolved, in pixels: of 583 crops of real cores
# 87 % of those above 1 µm per pixel lie below it, 45 % from 0.7 to 1 and 3 % of finer ones
_UNRESOLVED_SIGMA = 3.3
UNRESOLVED_UM_PER_PIXEL = 1.0
# between 20x and 40x, give or take
USUAL_UM_PER_PIXEL, _USUAL_OCTAVES = 0.35, 1.2
_DENSE_DAB = 0.25
_LEAST_RESPONSE = 0.02
_LEAST_BLOBS = 5


def estimate_um_per_pixel(haematoxylin: FloatImage, dab: FloatImage) -> float | None:
    """Micrometres per pixel of an image given as density maps, float32 (H, W).

    Right to within a factor of about 1.5 on most images tried; tumours with very large nuclei look
    more magnified than they are. Scales far from those of scanners count as less likely.

    Returns:
        A value within [0.1, 1.5], or None where there are too few nuclei to tell. 1.0 stands for
        1.0 or more: nuclei are not resolved, so that their size cannot be measured.
    """
    capped = np.minimum(haematoxylin, np.percentile(haematoxylin, 99.5)).astype(np.float32)
    # under dense DAB the haematoxylin map is full of fine specks that are no nuclei
    capped = np.where(dab > _DENSE_DAB, np.float32(np.median(capped)), capped)
    strengths = np.array([_blob_strength(capped, float(sigma)) for sigma in _SIGMAS])
    if strengths[_LEAST_NUCLEUS:].max() < _LEAST_RESPONSE:
        return None
    mean_sigma = 2 ** float(np.average(np.log2(_SIGMAS), weights=strengths))
    sigmas, strengths = _SIGMAS[_LEAST_NUCLEUS:], strengths[_LEAST_NUCLEUS:]
    octaves = np.log2(NUCLEAR_SIGMA_UM / sigmas / USUAL_UM_PER_PIXEL)
    strengths = strengths * np.exp(-0.5 * (octaves / _USUAL_OCTAVES) ** 2)
    best = int(np.argmax(strengths))
    offset = 0.0
    if 0 < best < len(strengths) - 1:
        before, here, after = strengths[best - 1 : best + 2]
        bend = before - 2 * here + after
        offset = 0.5 * (before - after) / bend if bend < 0 else 0.0
    sigma = sigmas[0] * 2 ** ((best + offset) / 3)
    least = FINEST_UM_PER_PIXEL if mean_sigma > _UNRESOLVED_SIGMA else UNRESOLVED_UM_PER_PIXEL
    return float(np.clip(NUCLEAR_SIGMA_UM / sigma, least, COARSEST_UM_PER_PIXEL))


def _blob_strength(image: FloatImage, sigma: float) -> float:
    """Mean response of the strongest quarter of the blobs of one size; 0 where there are few."""
    # a blob of many pixels is seen as well on a coarser grid
    step = max(1, int(sigma / 3))
    if step > 1:
        size = (max(1, image.shape[1] // step), max(1, image.shape[0] // step))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        sigma = sigma / step
    fine = cv2.GaussianBlur(image, (0, 0), sigma / 1.26)
    response = fine - cv2.GaussianBlur(image, (0, 0), sigma * 1.26)
    around = np.ones((2 * int(sigma) + 1,) * 2, np.uint8)
    peaks = response[(response >= cv2.dilate(response, around)) & (response > 0)]
    if len(peaks) < _LEAST_BLOBS:
        return 0.0
    return float(np.sort(peaks)[-max(_LEAST_BLOBS, len(peaks) // 4) :].mean())
