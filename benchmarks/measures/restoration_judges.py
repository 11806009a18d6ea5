"""The measures that restorers are judged by, those of them that can be computed here."""

from collections.abc import Callable, Sequence
from functools import cache, partial

from benchmarks.headsup.headings import HEADINGS
from benchmarks.headsup.scores import Judges
from benchmarks.measures.dense_landmarks import DenseLandmarks, MouthAndEyes
from benchmarks.measures.face_psnr import FacePsnr
from benchmarks.measures.laplacian_band import PixelGrid, Sharpness
from benchmarks.measures.niqe import Niqe
from benchmarks.measures.truth_faces import TruthFaces
from benchmarks.measures.vgg16_hed import Vgg16HedDistance, load_vgg16_hed
from benchmarks.photographs import weight_file
from benchmarks.reporting.table import LeftOutError
from faceops.detection.selection import build_detector
from faceops.recognition.identity import build_identity
from portraitdata.scoring.face_geometry import FaceEmbedder, FaceFinder
from portraitdata.scoring.face_metrics import identity_metric
from portraitdata.scoring.metric import Column, Metric, PairMetric, TensorMetric
from portraitdata.scoring.psnr import psnr

IDENTITY = {
    "id_mobilefacenet": "mobilefacenet_foamliu.pt",
    "id_edgeface": "edgeface_xs_dequant_fp16.safetensors",
}
"""Files of the recognition networks, by column; the losses of the training saw the first."""


def restoration_judges(names: Sequence[str]) -> Judges:
    """Measures by the names of their columns; mouth and eyes come together, as `mouth`.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the detector's weights.
    """
    metrics, left_out = [], {}
    for name in names:
        try:
            metrics.append(builders()[name]())
        except LeftOutError as error:
            left_out[HEADINGS[name]] = str(error).removeprefix("needs ")
    return Judges(tuple(metrics), left_out)


@cache
def builders() -> dict[str, Callable[[], Metric]]:
    """What makes each measure; all look for the face with one detector.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the detector's weights.
    """
    finder = TruthFaces(build_detector("yunet", weight_file("detect/yunet_n_640_640.onnx")))
    return {
        "psnr": partial(TensorMetric, Column("psnr", "RGB", higher_is_better=True, digits=2), psnr),
        "psnr_face": partial(FacePsnr, finder),
        "vgg16_hed": lambda: Vgg16HedDistance(finder, load_vgg16_hed()),
        "sharpness": partial(Sharpness, finder),
        "niqe": lambda: Niqe(weight_file("iqa/niqe_pris_params.npz")),
        "mouth": lambda: MouthAndEyes(finder, DenseLandmarks(weight_file("landmarks/face_landmark.tflite"))),
        "grid": PixelGrid,
        **{name: partial(identity, finder, file, name) for name, file in IDENTITY.items()},
    }


def identity(finder: FaceFinder, file: str, column: str) -> PairMetric:
    """Likeness by the recognition network of a file.

    Raises:
        NoPhotographsError: If it is not there.
    """
    encoder = build_identity(weight_file(f"identity/{file}"))
    return identity_metric(FaceEmbedder(finder, encoder, encoder.name), column)
