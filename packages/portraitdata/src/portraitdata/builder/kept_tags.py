"""Tags of the index of a build while the index is made again: they took hours, and uids tell whose they are."""

import pyarrow as pa

from portraitdata.builder.layout import SHARDS, SINGLE_FILE
from portraitdata.loading.index_files import write_parquet
from portraitdata.restoration.index.schemas import IMAGES_OPTIONAL, read_table
from portraitdata.restoration.index.tagging import known_tags
from portraitdata.storage.places import Place

TAGS_FILE = "tags.parquet"
"""File in the folder of the build, from the removal of the shards until they are whole again."""


def set_tags_aside(build: Place) -> None:
    """Keep the tags of the index of a build, if there are any, outside of its folder."""
    images = build / SHARDS / SINGLE_FILE[SHARDS]
    tags = known_tags(read_table(images)) if images.is_file() else {}
    if tags:
        columns = {"uid": pa.array(tags), "tags": pa.array(tags.values(), IMAGES_OPTIONAL.field("tags").type)}
        write_parquet(pa.table(columns), build / TAGS_FILE)


def tags_set_aside(build: Place) -> dict[str, list[str]]:
    """Tags that were kept, by uid."""
    path = build / TAGS_FILE
    return known_tags(read_table(path)) if path.is_file() else {}
