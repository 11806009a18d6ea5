"""The table of scores: a row for each image, the means, and all that was left out with its reason."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from faceops.atomic_files import replacing
from portraitdata.scoring.metric import Column

if TYPE_CHECKING:
    from rich.table import Table

MEAN = "mean"
"""Name of the last row of a CSV."""


@dataclass(frozen=True)
class ScoreTable:
    """Scores of a set of restored images."""

    convention: str
    """Of PSNR and SSIM."""
    crop: int
    """Pixels left out along every border, by PSNR and SSIM."""
    columns: tuple[Column, ...]
    """Scores of every image."""
    rows: Mapping[str, tuple[float | None, ...]]
    """Numbers by the name of the image, in the order of `columns`; None where there was nothing to measure."""
    set_columns: tuple[Column, ...] = ()
    """Scores of the whole set."""
    set_scores: tuple[float | None, ...] = ()
    """In the order of `set_columns`."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Metrics that were asked for and could not be computed, with the reason and what to do."""
    without_face: tuple[str, ...] = ()
    """Names of images in which a face was wanted and none was found."""
    problems: tuple[str, ...] = ()
    """Sentences about files that have no score."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the packages that took part."""

    @property
    def every_column(self) -> tuple[Column, ...]:
        """Columns of images and of the set, in the order of `means`."""
        return (*self.columns, *self.set_columns)

    def values(self, name: str) -> list[float]:
        """Numbers of one column, of the images that have one; ValueError if there is no such column."""
        names = [column.name for column in self.columns]
        if name not in names:
            raise ValueError(f"The table has the columns {', '.join(names)}; there is no {name!r}.")
        place = names.index(name)
        return [value for row in self.rows.values() if (value := row[place]) is not None]

    @property
    def means(self) -> dict[str, float | None]:
        """Mean of every column over the images that have a number, and the numbers of the set; None without any.

        Example:
            >>> psnr = Column("psnr", "RGB, crop 0", True)
            >>> ScoreTable("rgb", 0, (psnr,), {"a": (20.0,), "b": (30.0,), "c": (None,)}).means
            {'psnr': 25.0}
        """
        means: dict[str, float | None] = {}
        for column in self.columns:
            found = self.values(column.name)
            means[column.name] = fmean(found) if found else None
        return means | {c.name: value for c, value in zip(self.set_columns, self.set_scores, strict=True)}

    @property
    def counts(self) -> dict[str, int]:
        """Number of images in each mean."""
        counts = {column.name: len(self.values(column.name)) for column in self.columns}
        return counts | {column.name: len(self.rows) for column in self.set_columns}

    def as_json(self) -> str:
        """The table as one JSON object; numbers that are not finite are null."""
        names = [column.name for column in self.columns]
        images = [
            {"name": name} | {key: _number(value) for key, value in zip(names, row, strict=True)}
            for name, row in self.rows.items()
        ]
        record = {
            "convention": self.convention,
            "crop": self.crop,
            "columns": {column.name: column.convention for column in self.every_column},
            "images": images,
            "means": {name: _number(value) for name, value in self.means.items()},
            "counts": self.counts,
            "skipped": dict(self.skipped),
            "without_face": list(self.without_face),
            "problems": list(self.problems),
            "versions": dict(self.versions),
        }
        return json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)

    def as_csv(self) -> str:
        r"""The table as CSV: headings with the conventions, a row for each image, and the row of the means.

        Example:
            >>> psnr = Column("psnr", "RGB, crop 0", True)
            >>> ScoreTable("rgb", 0, (psnr,), {"a": (20.0,)}).as_csv().splitlines()
            ['name,"psnr (RGB, crop 0)"', 'a,20.0', 'mean,20.0']
        """
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", *(column.heading for column in self.every_column)])
        empty = [None] * len(self.set_columns)
        for name, row in self.rows.items():
            writer.writerow([name, *map(_number, row), *empty])
        writer.writerow([MEAN, *(_number(value) for value in self.means.values())])
        return text.getvalue()

    def write(self, path: Path) -> None:
        """Write the table; it appears complete or not at all.

        Raises:
            ValueError: If the file is neither .csv nor .json.
        """
        check_table_path(path)
        text = self.as_csv() if path.suffix.lower() == ".csv" else self.as_json() + "\n"
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # of names that are no text

    def summary(self, title: str) -> "Table":
        """Means for people: a line for each metric with its convention, the number of images, and the worst of them."""
        from rich.markup import escape
        from rich.table import Table

        table = Table(title=title, box=None, pad_edge=False, title_justify="left")
        table.add_column("metric", no_wrap=True)
        for heading in ("mean", "images"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("measured as", overflow="fold")
        table.add_column("worst", overflow="fold")
        means, counts = self.means, self.counts
        for column in self.every_column:
            name = f"{column.name} {'↑' if column.higher_is_better else '↓'}"
            mean, count = column.shown(means[column.name]), str(counts[column.name])
            worst = self.worst(column.name, 1) if column in self.columns and len(self.rows) > 1 else []
            table.add_row(name, mean, count, column.convention, escape(", ".join(worst)))
        return table

    def worst(self, name: str, count: int) -> list[str]:
        """Names of the images with the worst numbers of a column, the worst first."""
        place = [column.name for column in self.columns].index(name)
        known = [(value, image) for image, row in self.rows.items() if (value := row[place]) is not None]
        known.sort(reverse=not self.columns[place].higher_is_better)
        return [image for _, image in known[:count]]


def check_table_path(path: Path) -> None:
    """Refuse, before any work is done, what could not be written.

    Raises:
        ValueError: If the file is neither .csv nor .json, or a folder.
        FileNotFoundError: If its folder is not there.
    """
    if path.suffix.lower() not in (".csv", ".json") or path.is_dir():
        raise ValueError(f"Scores are written to a .csv or .json file, got {path}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} that {path.name} is to be written to does not exist.")


def _number(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else round(value, 6)
