"""Names of the detectors, apart from the networks: a command line names them before torch is imported."""

from typing import Literal

DetectorName = Literal["yunet", "retinaface", "retinaface-resnet50", "scrfd", "any-turn"]
