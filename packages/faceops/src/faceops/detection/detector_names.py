"""Names of the detectors, apart from the networks: a command line names them before torch is imported."""

from typing import Literal

DetectorName = Literal["any-turn", "yunet", "retinaface", "retinaface-resnet50", "scrfd"]

DEFAULT_DETECTOR: DetectorName = "any-turn"
"""The one whose weights come with faceops, so that it needs no download."""
