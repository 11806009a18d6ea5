"""The held-out portraits from their originals, which are larger than the copies that are indexed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from benchmarks.headsup.damage import Damage
from benchmarks.headsup.portrait_sets import TRAINING, check_unseen, held_out
from benchmarks.headsup.samples import Sample
from benchmarks.photographs import photographs
from faceops.detection.detector import Detector
from faceops.detection.selection import build_detector
from faceops.geometry.alignment import align
from faceops.geometry.faces import Faces
from faceops.images.files import load_picture
from portraitdata.images.resampling import bicubic, to_8_bit

REFERENCE = 512
"""Side of an aligned reference, in pixels."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A good photograph of a person whom nobody trained on."""

    name: str
    person: str
    truth: Float[Tensor, "3 s s"]
    """RGB in [0, 1], in eight bits."""
    face: Faces
    """The largest, in pixels of the truth."""
    aligned: Float[Tensor, "3 r r"]
    """The face out of the original, aligned to FFHQ."""

    def sample(self, damage: Damage, seed: int, references: Sequence["Portrait"] = ()) -> Sample:
        """The portrait as a test.

        Args:
            damage: What is done to it.
            seed: Of the damage.
            references: Portraits whose faces go with it.
        """
        faces = [portrait.aligned for portrait in references]
        first = faces[0] if faces else None
        return Sample(self.name, damage(self.truth, seed), self.truth, self.face, first, tuple(faces[1:]))


def londoners(side: int, every: int = 1) -> list[Portrait]:
    """Seven people of the Face Research Lab London Set, neutral and smiling one after the other.

    Args:
        side: Of the truths, in pixels.
        every: Of how many photographs one is taken.

    Raises:
        LeftOutError: If the photographs are not there, or were trained on.
    """
    return portraits([name for name in held_out("portraits") if name.startswith("london")][::every], side)


def everybody(side: int, limit: int | None = None) -> list[Portrait]:
    """The Londoners and two portraits of staff, or some of them, evenly spread.

    Args:
        side: Of the truths, in pixels.
        limit: How many; None for all.

    Raises:
        LeftOutError: If the photographs are not there, or were trained on.
    """
    return portraits(spread_names(held_out("portraits"), limit), side)


def spread_names(names: Sequence[str], limit: int | None) -> list[str]:
    """Some of the names, evenly spread; the first and the last are among them.

    Example:
        >>> spread_names("abcdefg", 3)
        ['a', 'd', 'g']
    """
    if limit is None or limit >= len(names):
        return list(names)
    return [names[round(number * (len(names) - 1) / max(limit - 1, 1))] for number in range(limit)]


def portraits(names: Sequence[str], side: int) -> list[Portrait]:
    """Portraits of the held-out list.

    Args:
        names: Of the list.
        side: Of the truths, in pixels.

    Raises:
        LeftOutError: If the photographs are not there, or were trained on.
    """
    listed = held_out("portraits")
    check_unseen(listed, listed, TRAINING / "portraits")
    folder = photographs() / "images/portraits"
    return [read_portrait(folder / name, side) for name in names]


@cache
def detector() -> Detector:
    """YuNet, from the assets.

    Raises:
        NoPhotographsError: If it is not there.
    """
    return build_detector("yunet", photographs() / "weights/detect/yunet_n_640_640.onnx")


@cache
def read_portrait(path: Path, side: int) -> Portrait:
    """A portrait of a file; the person is what its name begins with."""
    pixels = load_picture(path).pixels
    least = min(pixels.shape[1:])
    top, left = ((length - least) // 2 for length in pixels.shape[1:])
    square = pixels[None, :, top : top + least, left : left + least]
    truth = to_8_bit(bicubic(square, side, side))
    face = detector()(truth).largest()
    aligned = align(square, face.rescaled(least / side), REFERENCE).crops.clamp(0, 1)
    return Portrait(path.stem, path.stem.split("_")[0], truth[0], face, to_8_bit(aligned)[0])
