"""Last stage: the original files in tar archives, and the portrait index of them."""

import tarfile
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from faceops.images.picture_files import READABLE_SUFFIXES
from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig
from portraitdata.builder.image_bytes import ImageBytes
from portraitdata.builder.kept_tags import TAGS_FILE, tags_set_aside
from portraitdata.builder.layout import IMAGES_SCHEMA, KEPT, SHARDS, SPLIT, SPLIT_PAIRS_FILE, read_stage
from portraitdata.builder.part_names import numbered
from portraitdata.builder.stages.download_stage import add_member
from portraitdata.builder.stages.mine_pairs import embedding_matrix, kept_faces, kept_images, pairs_among
from portraitdata.exemplars.sources.tars import tar_members
from portraitdata.loading.index_files import write_parquet
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.schemas import FACES, IMAGES_OPTIONAL, PAIRS, read_table
from portraitdata.restoration.index.takedown_list import LIST_FILE
from portraitdata.storage.places import Place
from portraitdata.storage.writing import make_folder, remove_file, writing

CARRIED = ("source", "url", "licence", "attribution", "prompt", "sha256", "phash", "sharpness", "quality", "aesthetic")
"""Columns that travel on into the index."""


def write_shards(config: BuildConfig) -> None:
    """Copy the kept images into tar files and write images.parquet, faces.parquet and pairs.parquet beside them.

    Raises:
        ValueError: If no image was kept.
    """
    images = kept_images(config)
    if not images.num_rows:
        raise ValueError(
            f"Nothing came through the stages of {config.output}; `portraitdata status {config.output}` says why."
        )
    folder = config.output / SHARDS
    make_folder(folder)
    batch: Batch = images.to_pydict()
    places: dict[str, tuple[str, str, int, int]] = {}
    archives: set[Place] = set()
    for start in range(0, images.num_rows, config.shards.images):
        archive = folder / f"images-{numbered(start // config.shards.images)}.tar"
        rows = range(start, min(start + config.shards.images, images.num_rows))
        if not _holds(archive, [_member(batch, row) for row in rows]):
            _write_tar(archive, batch, rows, ImageBytes(config))
        archives.add(archive)
        for member in tar_members(archive):
            places[PurePosixPath(member.path).stem] = member.path, archive.name, member.offset, member.size
    for left in [path for path in folder.glob("images-*.tar") if path not in archives]:
        remove_file(left)
    listed = config.output / LIST_FILE
    if listed.is_file():  # for copies of the index that were made before
        with writing(folder / LIST_FILE) as file:
            file.write(listed.read_bytes())
    # the index lies in the folder of its archives, wherever that is
    for name, table in _portrait_index(config, batch, places).stored(".").items():
        write_parquet(table, folder / name)
    remove_file(config.output / TAGS_FILE)


def _write_tar(archive: Place, batch: Batch, rows: range, files: ImageBytes) -> None:
    with writing(archive) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for row in rows:
            add_member(tar, _member(batch, row), files.read(batch, row))


def _member(batch: Batch, row: int) -> str:
    """Name of a picture, with a suffix that members of archives are told by; rows of parquet may be called anything."""
    suffix = PurePosixPath(batch["path"][row]).suffix.lower()
    return batch["uid"][row] + (suffix if suffix in READABLE_SUFFIXES else ".jpg")


def _holds(archive: Place, names: list[str]) -> bool:
    """Whether a run that was interrupted has left an archive of just these: images may have been taken down since."""
    return archive.is_file() and [member.path for member in tar_members(archive)] == names


def _portrait_index(config: BuildConfig, batch: Batch, places: dict[str, tuple[str, str, int, int]]) -> PortraitIndex:
    splits = read_stage(config.output, SPLIT)
    split_of = dict(zip(splits["uid"].to_pylist(), splits["split"].to_pylist(), strict=True))
    found = [places[uid] for uid in batch["uid"]]
    columns = {
        name: [place[number] for place in found] for number, name in enumerate(("path", "archive", "offset", "size"))
    }
    carried = {
        name: pa.array(batch[name], IMAGES_SCHEMA.field(name).type) for name in ("uid", "width", "height", *CARRIED)
    }
    images = pa.table({**columns, **carried, "split": [split_of[uid] for uid in batch["uid"]]})
    tags = tags_set_aside(config.output)
    if tags:
        column = pa.array([tags.get(uid) for uid in batch["uid"]], IMAGES_OPTIONAL.field("tags").type)
        images = images.append_column("tags", column)
    faces = kept_faces(config)
    embeddings = embedding_matrix(faces)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel(), pa.float16()), embeddings.shape[1])
    pairs = read_table(config.output / SPLIT / SPLIT_PAIRS_FILE)
    pairs = pairs_among(pairs.filter(pc.equal(pairs["status"], KEPT)), images)
    return PortraitIndex(
        Path(),
        images,
        faces.select(FACES.names).append_column("embedding", vectors),
        pairs.select(PAIRS.names),
        f"built from {', '.join(source.name for source in config.sources)}",
    )
