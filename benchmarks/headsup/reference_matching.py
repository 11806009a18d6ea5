"""How alike a damaged face and a sharp photograph are, of one person and of strangers: what `headsup restore` goes by.

Its bounds, `headsup.restoring.references.matching.FLOOR`, `CERTAIN` and `MARGIN`, are chosen by these shares. Needs
the folder that PORTRAIT_ASSETS points to: the Face Research Lab London Set and Labeled Faces in the Wild, its test
people.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.headsup.samples import degraded
from benchmarks.hime.miniature_trainings import lfw_index
from benchmarks.photographs import photographs
from benchmarks.reporting.table import Cell, Suite, Table
from faceops.detection.selection import build_detector
from faceops.images.files import decode_picture, load_picture
from faceops.recognition.identity import build_identity
from headsup.restoring.references.face_recognition import EmbeddedFaces, FaceRecognition, detect_and_embed
from headsup.restoring.references.matching import CERTAIN, FLOOR, MARGIN
from portraitdata.degradation.presets import PresetName
from portraitdata.exemplars.index import ExemplarIndex
from portraitdata.images.resampling import bicubic

Image = Float[Tensor, "3 h w"]

LONDON_SIDE = 512
"""Side to which the London portraits are reduced, in pixels, as for the training of `tiny`."""

LFW_SIDE = 248
"""Side to which photographs of LFW are cut, in pixels: a multiple of what they are reduced by."""

LOW = 0.15
"""A bound below `FLOOR`."""

EVERY: dict[Suite, int] = {"quick": 8, "full": 1}
"""Of how many people one is taken."""


class Pair(NamedTuple):
    """Two photographs of a person: one to be damaged, one to stay."""

    spoilt: Image
    sharp: Image


@dataclass(frozen=True)
class Damage:
    """A row: photographs, and what becomes of them."""

    source: str
    preset: PresetName
    scale: int

    @property
    def words(self) -> str:
        """Name of the row."""
        return f"{self.source}, {self.preset}, reduced by {self.scale}"


DAMAGES = (
    Damage("London", "realesrgan", 4),
    Damage("LFW", "realesrgan", 2),
    Damage("LFW", "mild", 4),
    Damage("LFW", "realesrgan", 4),
)


def measure(suite: Suite) -> list[Table]:
    """Shares of the faces that reach a similarity.

    Raises:
        NoPhotographsError: If PORTRAIT_ASSETS does not lead to the photographs.
    """
    seeing = recognition()
    people = {"London": list(londoners(EVERY[suite])), "LFW": list(lfw_people(EVERY[suite]))}
    sharp = {name: [largest(detect_and_embed(pair.sharp, seeing)) for pair in pairs] for name, pairs in people.items()}
    rows = tuple(row(damage, people[damage.source], sharp[damage.source], seeing) for damage in DAMAGES)
    bounds = f"{LOW:g}", f"{FLOOR:g}", f"{seeing.threshold:g}"
    columns = (
        *("photographs and damage", "eyes apart, px", "found %"),
        *(f"own person {bound} %" for bound in bounds),
        *(f"stranger {bound} %" for bound in (*bounds[:2], f"{CERTAIN:g}", bounds[2])),
        "misled %",
    )
    counts = " and ".join(f"{len(pairs)} people of {name}" for name, pairs in people.items())
    title = f"Damaged faces of {counts} that reach a similarity with a sharp photograph"
    return [Table("reference_matching", title, columns, rows, columns[4:5], "%", note=NOTE, logarithmic=False)]


NOTE = (
    "MobileFaceNet. Of a person one photograph is damaged and another one is sharp; shares are of the faces that YuNet "
    f"finds in the damaged ones. Misled: of the matches that reach {FLOOR:g} and lead by {MARGIN:g} over one stranger, "
    "those that are the stranger."
)


def recognition() -> FaceRecognition:
    """The networks of `headsup restore`, from the assets.

    Raises:
        NoPhotographsError: If they are not there.
    """
    weights = photographs() / "weights"
    encoder = build_identity(weights / "identity/mobilefacenet_foamliu.pt")
    assert encoder.threshold is not None
    return FaceRecognition(build_detector("yunet", weights / "detect/yunet_n_640_640.onnx"), encoder, encoder.threshold)


def londoners(every: int) -> Iterator[Pair]:
    """People of the London set: smiling, to be damaged, and neutral."""
    files = sorted((photographs() / "images/portraits/london_ccby4").glob("*_smiling.jpg"))
    for file in files[::every]:
        pictures = (
            load_picture(path).pixels for path in (file, file.with_name(file.name.replace("smiling", "neutral")))
        )
        yield Pair(*(bicubic(picture[None], LONDON_SIDE, LONDON_SIDE)[0].clamp(0, 1) for picture in pictures))


def lfw_people(every: int) -> Iterator[Pair]:
    """Test people of Labeled Faces in the Wild: their first two photographs."""
    index = ExemplarIndex.read(lfw_index()).select("test")
    for photos in list(index.by_identity.values())[::every]:
        first, second = (decode_picture(index.read_bytes(photo), photo.path).pixels for photo in photos[:2])
        yield Pair(first[:, :LFW_SIDE, :LFW_SIDE], second)


def largest(seen: EmbeddedFaces) -> Float[Tensor, " d"] | None:
    """Embedding of the largest face; None where none is found."""
    return None if seen.embeddings is None or len(seen) == 0 else seen.embeddings[0]


def row(
    damage: Damage, people: Sequence[Pair], sharp: Sequence[Tensor | None], seeing: FaceRecognition
) -> tuple[Cell, ...]:
    """Shares in percent of one kind of damage."""
    seen = [
        detect_and_embed(degraded(pair.spoilt, damage.preset, damage.scale, seed), seeing)
        for seed, pair in enumerate(people)
    ]
    found = [(number, largest(faces), sharp[number]) for number, faces in enumerate(seen)]
    both = [(number, own, other) for number, own, other in found if own is not None and other is not None]
    known = [number for number, _, _ in both]
    alike = torch.stack([own for _, own, _ in both]) @ torch.stack([other for _, _, other in both]).mT
    own, strangers = alike.diagonal(), alike[~torch.eye(len(alike), dtype=torch.bool)]
    bounds = LOW, FLOOR, seeing.threshold
    eyes = median(seen[number].faces.eye_distance()[0].item() for number in known)
    return (
        damage.words,
        eyes,
        100 * len(known) / len(people),
        *(reached(own, bound) for bound in bounds),
        *(reached(strangers, bound) for bound in (LOW, FLOOR, CERTAIN, seeing.threshold)),
        misled(alike),
    )


def reached(similarities: Float[Tensor, " n"], bound: float) -> float:
    """Share that reaches a bound, in percent."""
    return 100 * (similarities >= bound).double().mean().item()


def misled(alike: Float[Tensor, "n n"]) -> float:
    """Of the matches that reach `FLOOR` and lead by `MARGIN` over one stranger, the share that is the stranger, in %.

    Args:
        alike: Of damaged faces (rows) and sharp ones; the diagonal is of one person.

    Example:
        >>> misled(torch.tensor([[0.5, 0.0], [0.6, 0.3]]))
        50.0
    """
    different = ~torch.eye(len(alike), dtype=torch.bool)
    own, stranger = alike.diagonal().unsqueeze(1).expand_as(alike)[different], alike[different]
    matched = torch.maximum(own, stranger)
    certain = (matched >= FLOOR) & ((own.clamp(min=0) - stranger.clamp(min=0)).abs() >= MARGIN)
    return 100 * (stranger > own)[certain].double().mean().item() if certain.any() else 0.0
