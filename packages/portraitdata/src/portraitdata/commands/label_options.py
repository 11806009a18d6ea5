"""Options of the commands around the training of the face detector: docstrings are their help. No torch here."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path


@dataclass(frozen=True)
class LabelFacesOptions:
    """Write a table of the faces on which YuNet and RetinaFace agree, as labels for `portraitdata fit`.

    Args:
        folder: Folder of photographs.
        output: Table to write, a CSV file.
        yunet: File of YuNet's weights; downloaded by default.
        retinaface: File of RetinaFace's weights (MobileNet-0.25); downloaded by default.
        working_side: Longer side of the copy that is searched, in pixels.

    Example:
        portraitdata label-faces photographs --output labels.csv
    """

    folder: Path
    _: KW_ONLY
    output: Path
    yunet: Path | None = None
    retinaface: Path | None = None
    working_side: int = 640


@dataclass(frozen=True)
class ExportDetectorOptions:
    """Write the detector of a training checkpoint as weights for `faceops detect --detector any-turn`.

    Args:
        checkpoint: Checkpoint of `portraitdata fit`; the averaged weights are taken if there are any.
        output: Weights file to write, ending in .safetensors.
        training_data: Photographs that it was trained on.
        licence: Licence of the weights.
        notes: Anything else.

    Example:
        portraitdata export-detector last.ckpt --output any-turn.safetensors
    """

    checkpoint: Path
    _: KW_ONLY
    output: Path
    training_data: str = "not stated"
    licence: str = "not stated"
    notes: str = ""
