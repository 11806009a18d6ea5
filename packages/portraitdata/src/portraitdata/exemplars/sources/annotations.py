"""What a data set says of its pictures: members of WebDataset archives, columns of parquet, metadata of folders."""

import tarfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from faceops.json_text import parse_json
from portraitdata.exemplars.index import Photograph
from portraitdata.loading.csv_tables import read_csv_table
from portraitdata.loading.parquet_pictures import PARQUET, is_picture_column


class Annotation(NamedTuple):
    """What is said of a picture; empty where nothing is."""

    identity: str = ""
    """Who it shows."""
    prompt: str = ""
    tags: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""


NAMES = {
    "identity": ("identity", "person", "cls"),
    "prompt": ("prompt", "caption", "text", "txt"),
    "licence": ("licence", "license"),
    "source": ("source",),
}
"""Names under which it is looked for; the first that is there counts."""

TEXT_MEMBERS = (".json", ".txt", ".cls")
"""Members of a WebDataset sample that say something of its picture."""


def annotation(fields: Mapping[str, object]) -> Annotation:
    """What the fields of a sample say; tags are a list, or a text with commas between.

    Example:
        >>> annotation({"person": 7, "caption": "a portrait", "tags": "smile, hat", "width": 640})
        Annotation(identity='7', prompt='a portrait', tags=('smile', 'hat'), licence='', source='')
    """
    texts = {
        name: next((str(fields[other]).strip() for other in others if fields.get(other) is not None), "")
        for name, others in NAMES.items()
    }
    tags = fields.get("tags") or ()
    listed = tags.split(",") if isinstance(tags, str) else tags if isinstance(tags, list) else ()
    return Annotation(**texts, tags=tuple(str(tag).strip() for tag in listed))


def annotations(root: Path, files: Sequence[Photograph]) -> dict[tuple[str | None, str], Annotation]:
    """What is said of pictures, by archive and path; those of which nothing is said are absent.

    Args:
        root: Folder that paths and archives are relative to.

    Raises:
        ValueError: If a JSON member or a metadata file cannot be read.
    """
    keys: dict[str | None, set[str]] = {}
    for file in files:
        keys.setdefault(file.archive, set()).add(_key(file))
    said: dict[str | None, dict[str, Annotation]] = {}
    for archive in keys:
        if archive is None:
            said[archive] = of_folder(root)
        elif archive.endswith(PARQUET):
            said[archive] = of_parquet(root / archive)
        else:
            said[archive] = of_tar(root / archive, keys[archive])
    found = {(file.archive, file.path): said[file.archive].get(_key(file)) for file in files}
    return {place: one for place, one in found.items() if one is not None and one != Annotation()}


def of_tar(archive: Path, keys: Collection[str]) -> dict[str, Annotation]:
    """What ``key.json``, ``key.txt`` (a prompt) and ``key.cls`` (an identity) say, by `sample_key`.

    Args:
        keys: Those of the pictures; what else lies in an archive is not read.

    Raises:
        ValueError: If a JSON member is none of fields, or a text is not in UTF-8.
    """
    fields: dict[str, dict[str, object]] = {}
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            suffix, key = PurePosixPath(member.name).suffix.lower(), sample_key(member.name)
            wanted = member.isreg() and suffix in TEXT_MEMBERS and key in keys
            content = tar.extractfile(member) if wanted else None
            if content is not None:
                fields.setdefault(key, {}).update(_fields(content.read(), suffix, f"{member.name} in {archive}"))
    return {key: annotation(known) for key, known in fields.items()}


def of_parquet(place: Path) -> dict[str, Annotation]:
    """What the columns of a parquet file say, by number of the row; class labels of `datasets` get their names.

    A label is an identity: `datasets` makes it of the folders that pictures lay in.
    """
    schema = pq.read_schema(place)
    wanted = {name for names in NAMES.values() for name in names} | {"tags", "label"}
    columns = [field.name for field in schema if field.name in wanted and not is_picture_column(field)]
    classes = {name: _class_names(schema, name) for name in columns}
    rows = pq.read_table(place, columns=columns).to_pylist() if columns else []
    for row in rows:
        for name, names in classes.items():
            if isinstance(row[name], int) and 0 <= row[name] < len(names):
                row[name] = names[row[name]]
        if row.get("cls") is None:
            row["cls"] = row.get("label")
    return {str(number): annotation(row) for number, row in enumerate(rows)}


def of_folder(folder: Path) -> dict[str, Annotation]:
    """What ``metadata.csv`` and ``metadata.jsonl`` say, at any depth, by path relative to the folder.

    Those that name no files in ``file_name`` are not of `datasets` and say nothing.

    Raises:
        ValueError: If one cannot be read.
    """
    found: dict[str, Annotation] = {}
    for name, read in (("metadata.csv", _csv_rows), ("metadata.jsonl", _json_rows)):
        for path in sorted(folder.rglob(name)):
            for row in read(path):
                if row.get("file_name"):
                    place = path.parent.relative_to(folder) / str(row["file_name"])
                    found[place.as_posix()] = annotation(row)
    return found


def sample_key(member: str) -> str:
    """What the members of a WebDataset sample have in common: the path up to the first dot of the file's name.

    Example:
        >>> sample_key("train/0001.face.jpg"), sample_key("./0001.json"), sample_key(".")
        ('train/0001', '0001', '.')
    """
    path = PurePosixPath(member)
    return str(path.parent / (path.name.split(".")[0] or path.name))


def _key(file: Photograph) -> str:
    if file.archive is None:
        return file.path
    return str(file.offset) if file.archive.endswith(PARQUET) else sample_key(file.path)


def _fields(data: bytes, suffix: str, what: str) -> dict[str, object]:
    try:
        if suffix != ".json":
            return {suffix[1:]: data.decode()}
        fields = parse_json(data)
    except ValueError as error:
        raise ValueError(f"{what} cannot be read as text in UTF-8, or as JSON ({error}).") from error
    if not isinstance(fields, dict):
        raise ValueError(f"{what} should be a JSON object with fields of the sample, got {type(fields).__name__}.")
    return fields


def _class_names(schema: pa.Schema, column: str) -> list[str]:
    """Names of the classes that a column's numbers stand for, as `datasets` stores them; none for other columns."""
    stored = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        return list(parse_json(stored)["info"]["features"][column]["names"])
    except (ValueError, KeyError, TypeError):
        return []


def _csv_rows(path: Path) -> list[dict[str, str]]:
    return read_csv_table(path, [])


def _json_rows(path: Path) -> list[dict[str, object]]:
    lines = enumerate(path.read_bytes().splitlines(), start=1)
    return [_fields(line, ".json", f"Line {number} of {path}") for number, line in lines if line.strip()]
