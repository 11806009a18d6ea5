"""From the colours of a file to those that are worked in, sRGB in [0, 1], and back.

A profile may have colours outside sRGB: Display P3 of telephones, Adobe RGB, ProPhoto. They are clipped for the work,
since networks know nothing else, and what this takes is kept beside the picture, in the colours of its profile. It is
added again when the picture is saved in them: what the work changed of the clipped colours is then changed of the
others.
"""

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float, Float16
from numpy.typing import NDArray
from torch import Tensor

from faceops.images.bands import bands
from faceops.images.colour_profiles import has_way_back, is_srgb, usable_profile

NOTICEABLE = 0.5 / 255
"""Where clipping takes no more from any channel, eight bits round it away, and nothing is kept."""


def srgb_values(colours: NDArray, profile: bytes, grey: bool) -> NDArray[np.float32]:
    """Samples (h, w, 3) of a profile as sRGB in [0, 1]; colours outside are clipped."""
    full = np.float32(np.iinfo(colours.dtype).max)
    usable = usable_profile(profile, grey)
    if usable is None or is_srgb(profile, grey):
        return colours.astype(np.float32) / full
    values = np.empty(colours.shape, np.float32)
    for rows in bands(*colours.shape[:2]):
        values[rows] = usable.to_srgb(colours[rows].astype(np.float32) / full)
    return values


def clipped_part(colours: NDArray, srgb: NDArray[np.float32], profile: bytes) -> NDArray[np.float16] | None:
    """What clipping to sRGB took, (h, w, 3), in the colours of a profile; None if that is nothing noticeable.

    Args:
        colours: Samples (h, w, 3) of an image that is not grey.
        srgb: What `srgb_values` makes of them.
        profile: Their profile; it may be of no use.
    """
    usable = usable_profile(profile, False)
    if usable is None or is_srgb(profile, False) or not has_way_back(profile, False):
        return None
    full = np.float32(np.iinfo(colours.dtype).max)
    clipped = np.zeros(srgb.shape, np.float16)
    for rows in bands(*srgb.shape[:2]):
        # a colour that was clipped lies on the surface of the cube; those within have no part in this
        surface = ((srgb[rows] <= 0) | (srgb[rows] >= 1)).any(axis=-1)
        if surface.any():
            own = colours[rows][surface].astype(np.float32) / full
            clipped[rows][surface] = own - usable.from_srgb(srgb[rows][surface][None])[0]
    return clipped if max(clipped.max(), -clipped.min()) > NOTICEABLE else None


def resized_part(clipped: Float16[Tensor, "3 _ _"], height: int, width: int) -> Float[Tensor, "3 {height} {width}"]:
    """A clipped part at the size of a result, without overshoot, float32."""
    size = (height, width)
    return F.interpolate(clipped.cpu().float()[None], size, mode="bilinear", align_corners=False, antialias=True)[0]


def own_values(
    srgb: NDArray[np.float32], profile: bytes, grey: bool, clipped: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Values (h, w, 3) in [0, 1] of a profile that has a way back.

    Args:
        srgb: Values (h, w, 3) in [0, 1].
        profile: Profile to go back into.
        grey: Whether it is of one channel.
        clipped: What clipping took, (h, w, 3), to be added; None for nothing.
    """
    usable = usable_profile(profile, grey)
    if usable is None or is_srgb(profile, grey):
        return srgb
    values = np.empty(srgb.shape, np.float32)
    for rows in bands(*srgb.shape[:2]):
        values[rows] = usable.from_srgb(srgb[rows])
        if clipped is not None:
            values[rows] = (values[rows] + clipped[rows]).clip(0, 1)
    return values
