"""Weights by name or path: found in the cache, fetched into it, checked, or asked for in a sentence."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faceops.atomic_files import replacing
from faceops.weights.download import Progress, ResumableDownload
from faceops.weights.table import WEIGHTS, WeightsEntry

CACHE_VARIABLE = "FACEOPS_CACHE"
"""Environment variable that names another cache folder."""

WEIGHT_SUFFIXES = (".onnx", ".pth", ".pt", ".pkl", ".safetensors")


class MissingWeightsError(FileNotFoundError):
    """Weights that are neither there nor to be had; the text says what to do."""


class DamagedWeightsError(ValueError):
    """A file that is not the one the table means."""


def cache_folder() -> Path:
    """Folder of fetched weights; it need not exist yet."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("faceops"))


def find_entry(name: str) -> WeightsEntry:
    """Row of the table.

    Raises:
        MissingWeightsError: If no weights have this name.
    """
    for entry in WEIGHTS:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in WEIGHTS)
    raise MissingWeightsError(f'No weights are called "{name}" and there is no such file; names are: {known}.')


def cached_path(entry: WeightsEntry) -> Path:
    """Where the file of an entry is, or would be."""
    return cache_folder() / entry.file


def find_weights(name_or_path: Path | str, progress: Progress | None = None) -> Path:
    """File of weights: a path as it is; a name from the cache, fetched into it if absent.

    A file that was put into the cache by hand under the entry's file name is taken, if its checksum is right. A name
    of the table wins over a file of that name; write ``./yunet`` for the file.

    Args:
        name_or_path: Name of a `WEIGHTS` entry, or a file.
        progress: Told how far a download is.

    Raises:
        MissingWeightsError: If it is neither, or the file cannot be fetched.
        DamagedWeightsError: If the file in the cache has another checksum.
    """
    text, path = str(name_or_path), Path(name_or_path)
    if text not in (entry.name for entry in WEIGHTS):
        if path.is_file():
            return path
        if path.is_dir():
            raise MissingWeightsError(f"Weights are one file; {path} is a folder.")
        if path.suffix in WEIGHT_SUFFIXES or len(path.parts) > 1:
            raise MissingWeightsError(f"There is no weights file {path}.")
    return fetch_weights(find_entry(text), progress)


def fetch_weights(entry: WeightsEntry, progress: Progress | None = None) -> Path:
    """File of an entry in the cache; downloaded, or the download continued, unless it is there.

    Raises:
        MissingWeightsError: If it cannot be fetched, or what came is another file.
        DamagedWeightsError: If the file in the cache has.
    """
    path = cached_path(entry)
    if path.is_file():
        check_weights(entry, path)
        return path
    if entry.url is None:
        raise MissingWeightsError(missing_sentence(entry, "it has no address of its own"))
    if path.parent.is_file():
        raise MissingWeightsError(f"{path.parent} is a file, but the cache is a folder; let {CACHE_VARIABLE} name one.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(path.parent):
            if not path.is_file():  # another process may have fetched it meanwhile
                _retrieve(entry, path, progress)
    except ValueError as error:
        reason = (
            f"what {entry.url} sent is another file. Nothing was kept; a proxy or a page to log in may have answered"
        )
        raise MissingWeightsError(missing_sentence(entry, reason)) from error
    except OSError as error:
        raise MissingWeightsError(missing_sentence(entry, f"fetching it failed: {reason_of(error)}")) from error
    return path


def _retrieve(entry: WeightsEntry, path: Path, progress: Progress | None) -> None:
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    pooch.retrieve(
        entry.url,
        known_hash=entry.sha256 and f"sha256:{entry.sha256}",
        fname=path.name,
        path=path.parent,
        downloader=ResumableDownload(path.with_name(f"{path.name}.part"), progress),
    )
    if not is_right(entry, path) or is_page(path):  # pooch knows no checksums of git, and some files have none
        path.unlink()
        raise ValueError(f"{path} is another file.")


def is_page(path: Path) -> bool:
    """Tell whether a file is a page of HTML, with which a proxy answers in place of another file."""
    with path.open("rb") as file:
        return file.read(512).lstrip().startswith(b"<")


def reason_of(error: OSError) -> str:
    """Why a download failed, in words.

    Example:
        >>> reason_of(PermissionError(13, "Permission denied")), reason_of(OSError("no route"))
        ('Permission denied', 'no route')
    """
    inner = getattr(error, "reason", error)
    return str(getattr(inner, "strerror", None) or inner)


def missing_sentence(entry: WeightsEntry, reason: str) -> str:
    """Advice on missing weights.

    Example:
        >>> entry = WeightsEntry("a", "a.onnx", "detector", "MIT", "", url="https://example.org/a.onnx", size=2_500_000)
        >>> missing_sentence(entry, "offline").partition(".onnx")[0]
        'The weights "a" (2.5 MB, MIT) are not in the cache: offline. Get a'
    """
    size = f"{entry.size / 1e6:.1f} MB, " if entry.size else ""
    where = f"from {entry.url}" if entry.url else f"({entry.source})"
    return (
        f'The weights "{entry.name}" ({size}{entry.licence}) are not in the cache: {reason}. '
        f"Get {entry.file} {where} and put it into {cache_folder()} under that name, or give its path where a name is "
        "asked."
    )


def check_weights(entry: WeightsEntry, path: Path) -> None:
    """Compare a file with the checksum of the table, if that has one; DamagedWeightsError if they differ."""
    if is_right(entry, path):
        return
    raise DamagedWeightsError(
        f"{path} is damaged or another file: its checksum is not the one of {entry.name}. Delete it and try again, "
        f"or move it elsewhere and give its path."
    )


def is_right(entry: WeightsEntry, path: Path) -> bool:
    """Tell whether a file has the checksum of the table; True where that has none."""
    if entry.sha256 is not None:
        return checksum(path) == entry.sha256
    return entry.git_blob is None or git_blob(path) == entry.git_blob


def verify_weights(entry: WeightsEntry) -> bool:
    """Tell whether the file in the cache was compared with a checksum; without one in the table it cannot be.

    Raises:
        MissingWeightsError: If it is not in the cache.
        DamagedWeightsError: If the checksums differ.
    """
    path = cached_path(entry)
    if not path.is_file():
        raise MissingWeightsError(missing_sentence(entry, "nobody has fetched it"))
    check_weights(entry, path)
    return entry.has_checksum


def add_weights(path: Path, name: str | None = None) -> tuple[WeightsEntry, Path]:
    """Copy a file that came another way into the cache.

    Args:
        path: The file, whatever its name.
        name: Which weights it is; told by the checksum, else by the file name, if not given.

    Returns:
        The entry, and the file in the cache.

    Raises:
        MissingWeightsError: If there is no such file or name.
        DamagedWeightsError: If the file is none of the table, or not the one named.
    """
    if not path.is_file():
        raise MissingWeightsError(f"There is no weights file {path}.")
    entry = find_entry(name) if name is not None else recognise_weights(path)
    check_weights(entry, path)
    target = cached_path(entry)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        shutil.copyfile(path, temporary)
    return entry, target


def recognise_weights(path: Path) -> WeightsEntry:
    """Entry that a file is, by its checksum, or by its name if the entry has no checksum.

    Raises:
        DamagedWeightsError: If it is none.
    """
    found, blob = checksum(path), git_blob(path)
    for entry in WEIGHTS:
        if found == entry.sha256 or blob == entry.git_blob or (not entry.has_checksum and entry.file == path.name):
            return entry
    raise DamagedWeightsError(
        f"{path} is none of the known weights, no entry has the checksum {found}; give its path where a name is asked."
    )


def checksum(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_blob(path: Path) -> str:
    """Name of a file in git: SHA-1 of its length and content, in hexadecimal; what ``git hash-object`` prints."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Let one process at a time in: all ranks of a training want the same weights.

    Where a system or file system knows no such locks, nobody waits.
    """
    handle = None
    with suppress(ImportError, OSError):
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
