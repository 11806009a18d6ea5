"""Upscaling one headshot with photographs of the same person, all in memory: for nodes and pages."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from faceops.detection.detector import Detector
from faceops.images.files import Picture
from hime.network import HIME
from hime.upscaling.exemplars import Exemplar
from hime.upscaling.picture_upscaling import upscale


@dataclass(frozen=True, eq=False)
class UpscaledHeadshot:
    """An upscaled headshot, and what is to be checked."""

    picture: Picture
    notes: tuple[str, ...]
    """Sentences for a person."""


def upscale_headshot(
    network: HIME,
    picture: Picture,
    exemplars: Sequence[Picture | Exemplar] = (),
    trained_lr_size: int | None = None,
    detector: Detector | None = None,
) -> UpscaledHeadshot:
    """Upscale a headshot; the arguments are those of `upscale`, whose warnings become notes.

    Raises:
        ValueError: See `upscale`.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        made = upscale(network, picture, exemplars, trained_lr_size=trained_lr_size, detector=detector)
    notes = dict.fromkeys(str(warning.message) for warning in said if warning.category is UserWarning)
    return UpscaledHeadshot(made.picture, tuple(notes))
