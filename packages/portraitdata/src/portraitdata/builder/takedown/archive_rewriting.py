"""Removing members from tar archives, by writing the archive anew under another name or by overwriting them."""

import re
import shutil
import tarfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from faceops.atomic_files import replacing

GENERATION = re.compile(r"(?P<stem>.*?)(?:\.r(?P<number>\d+))?\.tar")


def next_generation(name: str) -> str:
    """Name of an archive after it was written anew.

    A new name, since an index that was read before has the offsets of the old one: it then finds no file, rather than
    other bytes.

    Example:
        >>> next_generation("images-00000.tar"), next_generation("images-00000.r1.tar")
        ('images-00000.r1.tar', 'images-00000.r2.tar')

    Raises:
        ValueError: If the name does not end in .tar.
    """
    found = GENERATION.fullmatch(name)
    if found is None:
        raise ValueError(f"{name} does not end in .tar, as an archive of an index does.")
    return f"{found['stem']}.r{int(found['number'] or 0) + 1}.tar"


def rewrite_without(archive: Path, gone: Collection[int], target: Path) -> dict[int, int]:
    """Copy an archive without some members, and without what belongs to them: members of the same name but the suffix.

    Args:
        gone: Where the bytes of the members to leave out begin.
        target: File to write, whole or not at all.

    Returns:
        For every member that was kept where its bytes began and where they begin now; empty, and no file, if none was.

    Raises:
        ValueError: If it is no tar archive.
    """
    with _divided(archive, gone) as (old, kept, _):
        if not any(member.isreg() for member in kept):
            return {}
        with replacing(target) as temporary:
            with tarfile.open(temporary, "w") as new:
                for member in kept:
                    new.addfile(member, old.extractfile(member) if member.isreg() else None)
            with tarfile.open(temporary, "r:") as new:
                return {member.offset_data: now.offset_data for member, now in zip(kept, new, strict=True)}


def blank_members(archive: Path, gone: Collection[int]) -> None:
    """Overwrite members, and what belongs to them, with zeros; everything else stays where it is.

    Args:
        archive: Archive, which is replaced by a copy.

    Raises:
        ValueError: If it is no tar archive.
    """
    with _divided(archive, gone) as (_, _, doomed), replacing(archive) as temporary:
        shutil.copyfile(archive, temporary)
        with temporary.open("r+b") as file:
            for member in doomed:
                file.seek(member.offset_data)
                file.write(bytes(member.size))


@contextmanager
def _divided(
    archive: Path, gone: Collection[int]
) -> Iterator[tuple[tarfile.TarFile, list[tarfile.TarInfo], list[tarfile.TarInfo]]]:
    """An open archive, its members that stay, and those that go."""
    try:
        with tarfile.open(archive, "r:") as tar:
            files = [member for member in tar if member.isreg()]
            stems = {_stem(member) for member in files if member.offset_data in gone}
            kept = [member for member in tar if _stem(member) not in stems]
            yield tar, kept, [member for member in files if _stem(member) in stems]
    except tarfile.ReadError as error:
        raise ValueError(f"{archive} is no uncompressed tar archive ({error}).") from error


def _stem(member: tarfile.TarInfo) -> PurePosixPath:
    return PurePosixPath(member.name).with_suffix("")
