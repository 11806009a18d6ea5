"""Upscaling one headshot with photographs of the same person, all in memory: for nodes and pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from faceops.detection.detector import Detector
from faceops.heard_warnings import heard_warnings
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
    with heard_warnings() as heard:
        made = upscale(network, picture, exemplars, trained_lr_size=trained_lr_size, detector=detector)
    return UpscaledHeadshot(made.picture, tuple(heard))
