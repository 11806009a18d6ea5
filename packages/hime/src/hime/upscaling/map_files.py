"""Files of heat maps: the similarity and the weight of every exemplar."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceops.images.files import Picture, save_picture
from faceops.images.jobs import Job
from hime.heat_maps import heat_map, relative_similarity
from hime.upscaling.picture_upscaling import Upscaled
from portraitdata.images.resampling import bicubic


@dataclass(frozen=True)
class MapFiles:
    """Heat maps of one picture, one of each kind for every exemplar."""

    folder: Path
    exemplars: int
    """Number of them."""

    def of(self, kind: str) -> list[Path]:
        """Files of the maps of the kind weight or similarity, in the order of the exemplars."""
        return [self.folder / f"{kind}_{number}.png" for number in range(1, self.exemplars + 1)]

    @property
    def paths(self) -> list[Path]:
        """All files."""
        return [*self.of("similarity"), *self.of("weight")]


def planned_maps(jobs: Sequence[Job], folder: Path, exemplars: int) -> dict[Path, MapFiles]:
    """Heat maps of every picture, by its file; none without exemplars.

    Args:
        folder: Folder of the maps if there is one picture, folder of such folders if there are several.

    Raises:
        ValueError: If a file is where the folder must be.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, but a folder is needed there; name another.")
    if not exemplars:
        return {}
    return {job.source: MapFiles(folder if len(jobs) == 1 else folder / job.name, exemplars) for job in jobs}


def save_maps(result: Upscaled, files: MapFiles) -> None:
    """Write the similarity and the weight of every exemplar as heat maps of the output's size.

    Weights are drawn from 0 to 1, similarities as `relative_similarity`; networks without CoFA have none.
    """
    files.folder.mkdir(parents=True, exist_ok=True)
    size = result.picture.pixels.shape[-2:]
    drawn = {} if result.weight is None else {"weight": result.weight}
    if result.weight is not None and result.similarity is not None:
        drawn["similarity"] = relative_similarity(result.weight)
    for kind, maps in drawn.items():
        for values, path in zip(bicubic(maps, *size), files.of(kind), strict=True):
            save_picture(Picture(heat_map(values)), path)
