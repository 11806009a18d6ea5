"""Objects of a store such as S3, with the names that pathlib has for what is done with files."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from fnmatch import fnmatchcase
from functools import total_ordering
from io import BufferedReader
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CLIENTS = {"s3": "s3fs", "gs": "gcsfs"}
"""Package that reaches each kind of store.

Both kinds put an object whole or not at all, and show at once what was put, which builds rely on.
"""

URL = re.compile(r"(?P<kind>[a-z][a-z0-9+.-]*)://(?P<key>.*)", re.DOTALL)


class ObjectStat(NamedTuple):
    """Facts of an object, by the names of `os.stat`."""

    st_size: int
    """Bytes."""
    st_mtime_ns: int
    st_ino: int = 0
    """Nothing: stores do not number what they hold."""


@total_ordering
class ObjectPath:
    """An object, or the folder that objects whose names begin alike make up.

    Args:
        url: As ``s3://bucket/builds/portraits``.

    Raises:
        ValueError: If it is no address on a store of a known kind.

    Example:
        >>> place = ObjectPath("s3://bucket/builds/") / "10_index/part-00000.parquet"
        >>> str(place), place.name, place.suffix, str(place.parent.parent)
        ('s3://bucket/builds/10_index/part-00000.parquet', 'part-00000.parquet', '.parquet', 's3://bucket/builds')
    """

    def __init__(self, url: str) -> None:
        found = URL.fullmatch(url)
        if found is None or found["kind"] not in CLIENTS or not found["key"].strip("/"):
            known = " and ".join(f"{kind}://bucket/folder" for kind in CLIENTS)
            raise ValueError(f"An address such as {known} was wanted, got {url}.")
        self._kind, self._key = found["kind"], found["key"].strip("/")

    def __str__(self) -> str:
        return f"{self._kind}://{self._key}"

    def __repr__(self) -> str:
        return f"ObjectPath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPath) and str(self) == str(other)

    def __lt__(self, other: "ObjectPath") -> bool:
        return PurePosixPath(str(self)) < PurePosixPath(str(other))

    def __hash__(self) -> int:
        return hash(str(self))

    def __truediv__(self, name: str) -> "ObjectPath":
        return ObjectPath(f"{self}/{name}")

    @property
    def name(self) -> str:
        """Last part."""
        return PurePosixPath(self._key).name

    @property
    def stem(self) -> str:
        """Last part without suffix."""
        return PurePosixPath(self._key).stem

    @property
    def suffix(self) -> str:
        """Suffix of the last part."""
        return PurePosixPath(self._key).suffix

    @property
    def parent(self) -> "ObjectPath":
        """Folder that it is in."""
        return ObjectPath(f"{self._kind}://{self._key.rpartition('/')[0]}")

    @property
    def key(self) -> str:
        """Bucket and name, as the filesystem calls it."""
        return self._key

    @property
    def filesystem(self) -> "AbstractFileSystem":
        """Filesystem of the store, without a memory of what was listed: other processes write to it, too.

        Raises:
            ImportError: If the package that reaches it is not installed.
        """
        try:
            import fsspec

            return fsspec.filesystem(self._kind, use_listings_cache=False)
        except ImportError as error:
            raise ImportError(
                f"{self} is reached by {CLIENTS[self._kind]}, which is not installed; "
                f"`pip install 'portraitdata[{self._kind}]'` installs it."
            ) from error

    def relative_to(self, folder: "ObjectPath") -> PurePosixPath:
        """Path from a folder that it is in; ValueError if it is not."""
        return PurePosixPath(self._key).relative_to(folder.key)

    def resolve(self) -> "ObjectPath":
        """The same: there are no links in a store."""
        return self

    def is_file(self) -> bool:
        """Whether there is such an object."""
        with reaching(self):
            return self.filesystem.isfile(self._key)

    def is_dir(self) -> bool:
        """Whether there are objects in such a folder."""
        with reaching(self):
            return self.filesystem.isdir(self._key)

    def exists(self) -> bool:
        """Whether there is such an object or folder."""
        with reaching(self):
            return self.filesystem.exists(self._key)

    def stat(self) -> ObjectStat:
        """Size and time of the last writing."""
        with reaching(self):
            facts = self.filesystem.info(self._key)
            written: datetime = self.filesystem.modified(self._key)
            return ObjectStat(facts["size"], int(written.timestamp() * 1e9))

    def iterdir(self) -> list["ObjectPath"]:
        """What is in the folder; nothing if there is no such folder."""
        with reaching(self):
            try:
                keys = self.filesystem.ls(self._key, detail=False)
            except FileNotFoundError:
                return []
        # a folder that a console has made is an object of its own name
        return [ObjectPath(f"{self._kind}://{key}") for key in keys if key.strip("/") != self._key]

    def glob(self, pattern: str) -> list["ObjectPath"]:
        """What is in the folder and has a name of a pattern, such as ``*.tar``."""
        return [path for path in self.iterdir() if fnmatchcase(path.name, pattern)]

    def sizes(self) -> dict["ObjectPath", int]:
        """Bytes of every object at any depth, by one listing."""
        with reaching(self):
            found = self.filesystem.find(self._key, detail=True)
        return {
            ObjectPath(f"{self._kind}://{key}"): facts["size"] for key, facts in found.items() if not key.endswith("/")
        }

    def open(self, mode: str = "rb", buffering: int = -1) -> BufferedReader:
        """Open for reading.

        Args:
            mode: ``rb``; see `writing` for the other way.
            buffering: Bytes that are fetched at least when some are wanted; -1 for many.
        """
        if mode != "rb":
            raise ValueError(f"An object is opened to read its bytes, by rb; got {mode}.")
        block = {"block_size": buffering} if buffering > 0 else {}
        with reaching(self):
            # with a reader of its own, as the clients' files lack some of what files can do
            return BufferedReader(self.filesystem.open(self._key, mode, **block))

    def read_range(self, start: int, size: int) -> bytes:
        """Some bytes, fewer where it ends."""
        with reaching(self):
            try:
                return self.filesystem.cat_file(self._key, start=start, end=start + size) if size else b""
            except (OSError, ValueError):  # clients refuse a range that begins at the end or after it
                if start < self.filesystem.info(self._key)["size"]:
                    raise
                return b""

    def read_bytes(self) -> bytes:
        """All bytes."""
        with reaching(self):
            return self.filesystem.cat_file(self._key)

    def read_text(self, encoding: str = "utf-8") -> str:
        """All bytes as text."""
        return self.read_bytes().decode(encoding)

    @contextmanager
    def writing(self) -> Iterator[IO[bytes]]:
        """An open file that becomes the object when it is left without an error; else the object stays as it was.

        Long files are sent on in parts while they are written; no file of this machine takes part.
        """
        with reaching(self):
            file: Any = self.filesystem.open(self._key, "wb")
        try:
            yield file
        except BaseException:
            with reaching(self):
                file.discard()
            file.closed = True  # or it would be sent when it is collected
            raise
        with reaching(self):
            file.close()

    def unlink(self) -> None:
        """Remove the object, if it is there."""
        with reaching(self):
            self.filesystem.invalidate_cache()
            try:
                self.filesystem.rm_file(self._key)
            except FileNotFoundError:
                return

    def remove_folder(self) -> None:
        """Remove all objects in the folder, if there are any."""
        with reaching(self):
            keys = self.filesystem.find(self._key)
            if keys:
                self.filesystem.rm(keys)


@contextmanager
def reaching(place: ObjectPath) -> Iterator[None]:
    """Make errors of a store such as files have them; clients have many of their own.

    Raises:
        OSError: If something goes wrong.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no file {place}.") from error
    except PermissionError as error:
        raise PermissionError(f"{place} may not be used: {error}. Give credentials that allow it.") from error
    except (OSError, ImportError):
        raise
    except Exception as error:
        said = str(error).rstrip(".") or type(error).__name__
        raise OSError(
            f"{place} cannot be reached: {said}. Address and credentials of the store come from the environment, as "
            "its own programs take them."
        ) from error
