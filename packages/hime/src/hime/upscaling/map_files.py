"""Files of heat maps: the similarity and the weight of every exemplar."""

from faceops.images.files import Picture, save_picture
from hime.heat_maps import heat_map, relative_similarity
from hime.upscaling.jobs import MapFiles
from hime.upscaling.picture_upscaling import Upscaled
from portraitdata.images.resampling import bicubic


def save_maps(result: Upscaled, files: MapFiles) -> None:
    """Write the similarity and the weight of every exemplar as heat maps of the output's size.

    Weights are drawn from 0 to 1, similarities as `relative_similarity`; networks without CoFA have none.

    Raises:
        OSError: If a file cannot be written.
    """
    files.folder.mkdir(parents=True, exist_ok=True)
    size = result.picture.pixels.shape[-2:]
    drawn = {} if result.weight is None else {"weight": result.weight}
    if result.weight is not None and result.similarity is not None:
        drawn["similarity"] = relative_similarity(result.weight)
    for kind, maps in drawn.items():
        for values, path in zip(bicubic(maps, *size), files.of(kind), strict=True):
            save_picture(Picture(heat_map(values)), path)
