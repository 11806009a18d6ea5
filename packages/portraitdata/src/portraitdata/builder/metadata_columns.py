"""Columns of the metadata that HeadsUp collected from: LAION, PD12M and Photo Concept Bucket."""

from portraitdata.builder.config import MetadataColumns, MetadataPreset

LAION = MetadataColumns(url="URL", width="WIDTH", height="HEIGHT", prompt="TEXT", licence="LICENSE", unsafe="punsafe")
"""LAION-2B; take Re-LAION research-safe, the original was withdrawn. Sizes are those of the crawl."""

PD12M = MetadataColumns(
    url="url", width="width", height="height", prompt="caption", licence="license", attribution="source"
)
"""Public-domain images with captions, on a store of their own."""

PHOTO_CONCEPT_BUCKET = MetadataColumns(url="url", width="width", height="height", prompt="cogvlm_caption")
"""Photographs of Pexels with captions of CogVLM; the table has no column for the licence."""


def columns_of(columns: MetadataPreset | MetadataColumns) -> MetadataColumns:
    """Columns that a preset stands for."""
    if isinstance(columns, MetadataColumns):
        return columns
    return {"laion": LAION, "pd12m": PD12M, "photo-concept-bucket": PHOTO_CONCEPT_BUCKET}[columns]


def wanted_columns(columns: MetadataColumns) -> dict[str, str]:
    """Our name of every column that the table should have, and the table's."""
    return {ours: theirs for ours, theirs in vars(columns).items() if theirs is not None}
