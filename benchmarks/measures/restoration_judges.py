"""The measures that restorers are judged by, those of them that can be computed here."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from benchmarks.headsup.scores import HEADINGS, Judges
from benchmarks.measures.dense_landmarks import DenseLandmarks, MouthAndEyes
from benchmarks.measures.face_psnr import FacePsnr
from benchmarks.measures.identity import NamedIdentity
from benchmarks.measures.laplacian_band import PixelGrid, Sharpness
from benchmarks.measures.niqe import Niqe
from benchmarks.measures.truth_faces import TruthFaces
from benchmarks.measures.vgg16_hed import Vgg16HedDistance, load_vgg16_hed
from benchmarks.photographs import photographs
from benchmarks.reporting.table import LeftOutError
from faceops.detection import build_detector
from faceops.identity import build_identity
from portraitdata.scoring.face_geometry import FaceEmbedder, FaceFinder
from portraitdata.scoring.metric import Column, Metric, TensorMetric
from portraitdata.scoring.psnr import psnr

IDENTITY = {
    "id_mobilefacenet": "mobilefacenet_foamliu.pt",
    "id_edgeface": "edgeface_xs_dequant_fp16.safetensors",
}
"""Files of the recognition networks, by column; the losses of the training saw the first."""


def restoration_judges(names: Sequence[str]) -> Judges:
    """Measures by the names of their columns; mouth and eyes come together, as `mouth`.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the networks' weights.
    """
    weights, metrics, left_out = photographs() / "weights", [], {}
    for name in names:
        try:
            metrics.append(builders(weights)[name]())
        except LeftOutError as error:
            left_out[HEADINGS[name]] = str(error).removeprefix("needs ")
    return Judges(tuple(metrics), left_out)


@cache
def builders(weights: Path) -> dict[str, Callable[[], Metric]]:
    """What makes each measure; all look for the face with one detector.

    Args:
        weights: Folder of the networks.
    """
    finder = TruthFaces(build_detector("yunet", weights / "detect/yunet_n_640_640.onnx"))
    return {
        "psnr": partial(TensorMetric, Column("psnr", "RGB", higher_is_better=True, digits=2), partial(psnr)),
        "psnr_face": partial(FacePsnr, finder),
        "vgg16_hed": lambda: Vgg16HedDistance(finder, load_vgg16_hed()),
        "sharpness": partial(Sharpness, finder),
        "niqe": lambda: Niqe(weights / "iqa/niqe_pris_params.npz"),
        "mouth": lambda: MouthAndEyes(finder, DenseLandmarks(weights / "landmarks/face_landmark.tflite")),
        "grid": PixelGrid,
        **{name: partial(identity, finder, weights / "identity" / file, name) for name, file in IDENTITY.items()},
    }


def identity(finder: FaceFinder, path: Path, column: str) -> NamedIdentity:
    """Likeness by the recognition network of a file."""
    encoder = build_identity(path)
    return NamedIdentity(FaceEmbedder(finder, encoder, encoder.name), column)
