"""The candidates of a partition, as rows about which nothing is decided yet."""

from functools import lru_cache
from hashlib import sha256
from typing import Any

import pyarrow as pa

from portraitdata.builder.config import LocalSource, MetadataColumns, MetadataPreset, MetadataSource
from portraitdata.builder.layout import IMAGES_SCHEMA, KEPT
from portraitdata.builder.plan import root_of
from portraitdata.builder.table_ranges import read_range
from portraitdata.restoration.index.face_pass import UID_LENGTH
from portraitdata.storage.parquet_tables import read_schema
from portraitdata.storage.places import Place

Batch = dict[str, list]
"""Columns of a table."""


def candidates(part: dict[str, Any], source: MetadataSource | LocalSource) -> Batch:
    """Rows of a partition.

    Args:
        part: A row of the plan.

    Raises:
        ValueError: If the metadata lack a column that the source should have.
    """
    places = {name: part[name] for name in ("path", "archive", "offset", "size")}
    known = _listed(part, source) if isinstance(source, MetadataSource) else places
    count = part["count"]
    defaults = {"offset": 0, "size": 0, "opt_out": False, "takedown": False, "status": KEPT}
    texts = dict.fromkeys(("stage", "reason", "detail"), "")
    constant = defaults | texts | {"partition": part["partition"], "source": source.name}
    batch: Batch = {name: known.get(name, [constant.get(name)] * count) for name in IMAGES_SCHEMA.names}
    batch["uid"] = [
        uid_of(source.name, url or path or "", archive)  # a listed image without a URL is dropped by the first stage
        for url, path, archive in zip(batch["url"], batch["path"], batch["archive"], strict=True)
    ]
    batch["licence"] = [licence if licence is not None else source.licence for licence in batch["licence"]]
    return batch


def uid_of(source: str, place: str, archive: str | None = None) -> str:
    """Name of an image from where it was found.

    Example:
        >>> uid_of("laion", "https://example.org/a.jpg")
        'b525343b0ba4b2bd'
    """
    return sha256("\n".join((source, archive or "", place)).encode()).hexdigest()[:UID_LENGTH]


def _listed(part: dict[str, Any], source: MetadataSource) -> Batch:
    table = _rows(root_of(source) / part["table"], part["start"], part["count"], wanted_columns(source.columns))
    batch = table.to_pydict()
    batch["url"] = [url or "" for url in batch["url"]]
    for ours, name in (("width", "listed_width"), ("height", "listed_height")):
        batch[name] = [_side(side) for side in batch.pop(ours, [None] * part["count"])]
    for name in ("opt_out", "takedown"):
        if name in batch:
            batch[name] = [bool(value) for value in batch[name]]
    for name in ("prompt", "licence", "attribution"):
        if name in batch:
            batch[name] = [None if value is None else str(value) for value in batch[name]]
    return batch


def _side(listed: Any) -> int | None:  # noqa: ANN401 (whatever a table holds)
    missing = listed is None or listed != listed  # as NaN is, which pandas writes for what is missing
    return None if missing else int(listed)


def _rows(path: Place, start: int, count: int, wanted: dict[str, str]) -> pa.Table:
    names = tuple(dict.fromkeys(wanted.values()))
    _checked(path, names)
    table = read_range(path, names, start, count)
    return pa.table({ours: table[theirs] for ours, theirs in wanted.items()})


@lru_cache(maxsize=4)
def _checked(path: Place, names: tuple[str, ...]) -> None:
    """Refuse a table that lacks columns; it is looked at once in each process."""
    there = read_schema(path).names
    missing = [name for name in names if name not in there]
    if missing:
        raise ValueError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(there)}. Name its columns in `columns` "
            "of the source."
        )


COLUMNS: dict[MetadataPreset, MetadataColumns] = {
    # LAION-2B; take Re-LAION research-safe, the original was withdrawn. Sizes are those of the crawl.
    "laion": MetadataColumns("URL", "WIDTH", "HEIGHT", "TEXT", "LICENSE", unsafe="punsafe"),
    # public-domain images with captions, on a store of their own
    "pd12m": MetadataColumns("url", "width", "height", "caption", "license", "source"),
    # photographs of Pexels with captions of CogVLM; the table has no column for the licence
    "photo-concept-bucket": MetadataColumns("url", "width", "height", "cogvlm_caption"),
}
"""Columns of the metadata that HeadsUp collected from."""


def wanted_columns(columns: MetadataPreset | MetadataColumns) -> dict[str, str]:
    """Our name of every column that the table should have, and the table's."""
    named = columns if isinstance(columns, MetadataColumns) else COLUMNS[columns]
    return {ours: theirs for ours, theirs in vars(named).items() if theirs is not None}
