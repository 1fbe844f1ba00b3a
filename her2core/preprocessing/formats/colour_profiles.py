"""From the colours a file declares to sRGB: decided by what a profile does, never by its name."""

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from her2core.preprocessing.formats.decoded_image import RGBArray

IGNORED = "The embedded colour profile is not usable and was ignored; the colours may be off."
# A profile that moves no colour further than this does what sRGB does.
_SAME_LEVELS = 2
_ICC_SPACE = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}
# CIE xy of the sRGB primaries red, green, blue and of its white point D65.
SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
D65 = (0.3127, 0.3290)
# Encoders write 1/2.2 for sRGB; libpng, too, takes a gamma that near for the same.
_GAMMA_TOLERANCE = 0.05
_PRIMARY_TOLERANCE = 0.005
_SRGB_GAMMA = 2.2


@dataclass(frozen=True)
class ToSRGB:
    """The way from a profile's colours to sRGB.

    Attributes:
        source: what it takes: "L", "RGB" or "CMYK".
        icc: the profile.
        transform: of 8-bit pictures.
    """

    source: str
    icc: bytes
    transform: ImageCms.ImageCmsTransform

    def image(self, image: Image.Image) -> Image.Image:
        """A picture of mode `source`, or one that can be made so, as 8-bit sRGB."""
        given = image if image.mode == self.source else image.convert(self.source)
        converted = ImageCms.applyTransform(given, self.transform)
        assert converted is not None  # only in-place application returns None
        return converted

    def levels(self, levels: npt.NDArray[np.unsignedinteger]) -> RGBArray:
        """uint8 or uint16 (H, W, channels of `source`) as uint8 (H, W, 3)."""
        flat = np.ascontiguousarray(levels[..., 0] if self.source == "L" else levels)
        if flat.dtype == np.uint8:
            return np.asarray(self.image(Image.fromarray(flat, self.source)))
        import imagecodecs  # only few files need it

        return np.asarray(
            imagecodecs.cms_transform(
                flat,
                self.icc,
                _srgb_icc(),
                colorspace={"L": "gray", "RGB": "rgb", "CMYK": "cmyk"}[self.source],
                outcolorspace="rgb",
                outdtype="u1",
                intent=int(ImageCms.Intent.PERCEPTUAL),
            )
        )


def way_to_srgb(icc: bytes | None, channels: str, notes: list[str]) -> ToSRGB | None:
    """How a picture gets from its embedded profile to sRGB; None where nothing is to be done.

    Args:
        icc: the profile.
        channels: what the picture holds: "L", "RGB" or "CMYK".
        notes: what the reviewer should know is added here.
    """
    if not icc:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        source = _ICC_SPACE[profile.profile.xcolor_space.strip()]
        # Grey is a colour like any other to a profile for colours.
        if source != channels and (source, channels) != ("RGB", "L"):
            raise ValueError("the profile is for another kind of image")
        transform = ImageCms.buildTransform(profile, _srgb(), source, "RGB")
        way = ToSRGB(source, icc, transform)
        if source != "CMYK" and _does_nothing(way):
            return None
    except Exception:  # a damaged profile is no reason to refuse the picture
        notes.append(IGNORED)
        return None
    notes.append("The colours were converted from those the file declares to sRGB.")
    return way


def _does_nothing(way: ToSRGB) -> bool:
    """Whether a grid of colours, and each channel's whole ramp, come out as they went in."""
    ramp = np.arange(256, dtype=np.uint8)
    if way.source == "L":
        probe = ramp[None, :, None]
    else:
        grid = np.stack(np.meshgrid(*[ramp[::15]] * 3), axis=-1).reshape(-1, 3)
        ramps = [ramp[:, None] * np.array(axis, np.uint8) for axis in np.ndindex(2, 2, 2)]
        probe = np.concatenate([grid, *ramps])[None]
    moved = np.abs(way.levels(probe).astype(int) - probe)
    return bool(moved.max() <= _SAME_LEVELS)


def adobe_rgb() -> bytes:
    """A profile that does what Adobe RGB (1998) does."""
    import imagecodecs

    return bytes(imagecodecs.cms_profile("adobergb"))


def declared_profile(
    gamma: float | None, white: tuple[float, ...] | None, primaries: tuple[float, ...] | None
) -> bytes | None:
    """A profile for colours given by numbers; None where they mean sRGB.

    Args:
        gamma: exponent of the display, 2.2 for usual pictures; None where it is not given.
        white: CIE xy of the white point; None where it is not given.
        primaries: CIE xy of red, green and blue; None where they are not given.

    Raises:
        ValueError: no colours are described by these numbers.
    """
    gamma = _SRGB_GAMMA if gamma is None else gamma
    white, primaries = white or D65, primaries or SRGB_PRIMARIES
    if not (0.2 <= gamma <= 5 and all(0 < value < 1 for value in (*white, *primaries))):
        raise ValueError("These are no colours of a display.")
    moved = np.abs(np.subtract((*white, *primaries), (*D65, *SRGB_PRIMARIES))).max()
    usual_gamma = abs(gamma / _SRGB_GAMMA - 1) < _GAMMA_TOLERANCE
    if usual_gamma and moved < _PRIMARY_TOLERANCE:
        return None
    import imagecodecs

    curve = {"transferfunction": _srgb_curve()} if usual_gamma else {"gamma": gamma}
    return bytes(imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, **curve))


def _srgb_curve() -> npt.NDArray[np.uint16]:
    value = np.linspace(0, 1, 1024)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.round(linear * 65_535).astype(np.uint16)


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _srgb_icc() -> bytes:
    return _srgb().tobytes()
