"""What has been measured so far: one JSON file, written anew after every benchmark, and a CSV file of each table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.reporting.table import Table, as_json, plot, write_csv
from faceops.atomic_files import replacing
from faceops.images.files import Picture, save_picture

FILE = "results.json"


@dataclass
class Outcome:
    """What became of a benchmark."""

    suite: str
    seconds: float
    """Wall clock."""
    facts: Mapping[str, str]
    """Machine, versions, commit, seed."""
    tables: list[dict[str, Any]] = field(default_factory=list)
    """As `benchmarks.reporting.table.as_json` gives them, with the files of plot and pictures."""
    left_out: str = ""
    """Why there are no tables."""
    failed: str = ""
    """What went wrong, a sentence; tables are those that could be measured all the same."""
    surroundings: Mapping[str, str] = field(default_factory=dict)
    """What `benchmarks.reporting.facts.surroundings` gave, for `--resume`."""


def read_results(folder: Path) -> dict[str, Outcome]:
    """Outcomes by benchmark; none if nothing has been measured."""
    path = folder / FILE
    if not path.is_file():
        return {}
    return {name: Outcome(**outcome) for name, outcome in json.loads(path.read_text()).items()}


def write_results(results: Mapping[str, Outcome], folder: Path) -> None:
    """Write all outcomes."""
    with replacing(folder / FILE) as temporary:
        plain = {name: vars(outcome) for name, outcome in results.items()}
        temporary.write_text(json.dumps(plain, indent=1) + "\n")


def keep_table(table: Table, facts: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Write the CSV file, plot and pictures of a table; give what the JSON file says of it."""
    write_csv(table, folder / f"{table.name}.csv")
    kept = as_json(table, facts)
    kept["plot"] = ""
    if table.bars or table.curves:
        kept["plot"] = f"{table.name}.png"
        plot(table, facts, folder / kept["plot"])
    kept["pictures"] = []
    for number, (caption, pixels) in enumerate(table.pictures.items(), start=1):
        file = f"{table.name}_{number}.jpg"
        save_picture(Picture(pixels), folder / file)
        kept["pictures"].append({"caption": caption, "file": file})
    return kept
