"""Pictures of a folder, of tar archives or of parquet files, whatever they show."""

from pathlib import Path

from faceops.images.picture_files import find_all_pictures, has_picture_name
from faceops.progress.verbosity import say
from portraitdata.exemplars.index import Photograph
from portraitdata.exemplars.sources.folders import unmeasured
from portraitdata.exemplars.sources.parquets import parquet_members
from portraitdata.exemplars.sources.scanning import is_text
from portraitdata.exemplars.sources.tars import tar_members
from portraitdata.loading.parquet_pictures import PARQUET, is_picture_file
from portraitdata.storage.object_path import ObjectPath
from portraitdata.storage.places import Place


def find_picture_files(source: Path) -> tuple[Path, list[Photograph]]:
    """The folder that paths are relative to, and the pictures, see `pictures_in`."""
    return source if source.is_dir() else source.parent, pictures_in(source)


def pictures_in(source: Place) -> list[Photograph]:
    """Pictures of a source, whose sizes in pixels are not known yet.

    Args:
        source: Folder, whose pictures are found at every depth; an uncompressed tar archive or a parquet file with a
            column of pictures; or a folder that holds no pictures but such files. What has a name that is no text is
            left out, and stderr says so.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If there are no pictures in it, an archive is compressed, or a parquet file holds no pictures.
    """
    if not source.exists():
        raise FileNotFoundError(f"There is no folder or archive {source}.")
    if source.is_dir():
        files = _files(source)
        archives = [] if files else _archives(source)
    else:
        archives, files = [source], []
    files += [row._replace(identity="") for archive in archives for row in _members(archive)]
    unnamed = [file.path for file in files if not is_text(file.path)]
    if unnamed:
        say(
            f"{source}: left out are {len(unnamed)} pictures whose names are no text in UTF-8, as in an index, such as "
            f"{unnamed[0]}; rename them."
        )
        files = [file for file in files if is_text(file.path)]
    if not files:
        raise ValueError(f"There are no pictures in {source}, neither files nor members of *.tar or *{PARQUET}.")
    return files


def _files(folder: Place) -> list[Photograph]:
    if not isinstance(folder, ObjectPath):
        return [unmeasured(path, folder) for path in find_all_pictures(folder)]
    sizes = {path: size for path, size in folder.sizes().items() if has_picture_name(path.name)}
    places = ((path.relative_to(folder).as_posix(), sizes[path]) for path in sorted(sizes))
    return [Photograph(name, None, 0, size, "", "unused", 0, 0) for name, size in places]


def _archives(folder: Place) -> list[Place]:
    parquets = [path for path in folder.glob(f"*{PARQUET}") if is_picture_file(path)]
    return sorted([*folder.glob("*.tar"), *parquets])


def _members(archive: Place) -> list[Photograph]:
    return parquet_members(archive) if archive.suffix == PARQUET else tar_members(archive)
