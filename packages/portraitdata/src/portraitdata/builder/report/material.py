"""Material of a report: the tables of a build, as far as it has come, and the images in it."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from portraitdata.builder.checks.people_checks import CrossSplit, cross_split
from portraitdata.builder.config import BuildConfig
from portraitdata.builder.config_file import read_config
from portraitdata.builder.image_bytes import ImageBytes
from portraitdata.builder.layout import (
    CONFIG_FILE,
    DEDUPLICATE,
    DOWNLOAD,
    FACES,
    FACES_IMAGES,
    FOLDER_OF,
    INDEX,
    KEPT,
    PAIRS,
    QUALITY,
    SPLIT,
    SPLIT_PAIRS_FILE,
    FunnelRow,
    SplitFacts,
    check_build,
    funnel,
    read_split_facts,
    read_stage,
)
from portraitdata.restoration.index.schemas import read_table
from portraitdata.restoration.index.tables import IndexTables
from portraitdata.storage.places import Place


class Material:
    """Tables of a build, each read when it is first asked for.

    Raises:
        FileNotFoundError: If there is no build.
        ValueError: If its configuration cannot be read.
    """

    def __init__(self, build: Place) -> None:
        check_build(build)
        self.build = build
        # A build may have been moved since it was made.
        self.config: BuildConfig = replace(read_config(build / CONFIG_FILE), output=build)
        self._files = ImageBytes(self.config)

    @cached_property
    def funnel(self) -> list[FunnelRow]:
        """Of `portraitdata.builder.layout.funnel`."""
        return funnel(self.build)

    @cached_property
    def reached(self) -> dict[str, int]:
        """Number of candidates that reached each stage of the funnel."""
        stages = [row.stage for row in self.funnel if not row.reason]
        return {stage: read_stage(self.build, FOLDER_OF[stage], ["status"]).num_rows for stage in stages}

    @cached_property
    def images(self) -> pa.Table:
        """All candidates, as the last stage that has come to them knows them."""
        parts: list[pa.Table] = []
        covered: set[int] = set()
        for folder in (DEDUPLICATE, FACES_IMAGES, QUALITY, DOWNLOAD, INDEX):
            table = read_stage(self.build, folder)
            new = set(table["partition"].unique().to_pylist()) - covered
            if new:
                parts.append(table.filter(pc.is_in(table["partition"], pa.array(sorted(new), pa.int32()))))
            covered |= new
        return pa.concat_tables(parts) if parts else read_stage(self.build, INDEX)

    @cached_property
    def is_kept(self) -> NDArray[np.bool_]:
        """True for candidates that nothing has dropped."""
        return np.array([status == KEPT for status in self.images["status"].to_pylist()], np.bool_)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of every kept image, by its uid."""
        uids = self.images["uid"].to_pylist()
        return {uids[row]: row for row in np.flatnonzero(self.is_kept).tolist()}

    @cached_property
    def faces(self) -> pa.Table:
        """Faces of the kept images."""
        faces = read_stage(self.build, FACES)
        return faces.filter(pa.array([uid in self.row_of for uid in faces["uid"].to_pylist()], pa.bool_()))

    @cached_property
    def boxes(self) -> dict[str, list[float]]:
        """Box of every face of a kept image, by the name that pairs call it."""
        columns = (self.faces[name].to_pylist() for name in ("uid", "number", "box"))
        return {f"{uid}:{number}": box for uid, number, box in zip(*columns, strict=True)}

    @cached_property
    def pairs(self) -> pa.Table:
        """Similar faces: those of the split stage, which has the last word, or else of the stage of pairs."""
        last = self.build / SPLIT / SPLIT_PAIRS_FILE
        return read_table(last) if last.is_file() else read_stage(self.build, PAIRS)

    @cached_property
    def split_of(self) -> dict[str, str]:
        """Split of every kept image; empty as long as there is none."""
        splits = read_stage(self.build, SPLIT)
        return dict(zip(splits["uid"].to_pylist(), splits["split"].to_pylist(), strict=True))

    @cached_property
    def split_facts(self) -> SplitFacts | None:
        """Facts about the split; None as long as there is none."""
        return read_split_facts(self.build)

    @cached_property
    def cross(self) -> CrossSplit | None:
        """The most similar training face of every test face; None as long as there are none."""
        uids = self.images["uid"].to_pylist()
        splits = [self.split_of.get(uid, "") if kept else "" for uid, kept in zip(uids, self.is_kept, strict=True)]
        images = pa.table({"uid": uids, "split": splits}).filter(pa.array(self.is_kept))
        return cross_split(IndexTables(Path(), images, self.faces, self.pairs))

    def values(self, column: str) -> NDArray[np.float64]:
        """A column of numbers of all candidates; not a number where one is unknown."""
        return self.images[column].cast(pa.float64()).fill_null(float("nan")).to_numpy()

    def read(self, row: int) -> bytes | OSError:
        """File of a candidate, or why it cannot be read."""
        batch = self.images.slice(row, 1).to_pydict()
        if batch["path"][0] is None:
            return FileNotFoundError("It was not kept.")
        try:
            return self._files.read(batch, 0)
        except KeyError:
            return FileNotFoundError(f"The configuration no longer has the source {batch['source'][0]}.")
        except OSError as error:
            return error
