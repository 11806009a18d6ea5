"""The ``portraitdata`` console script.

A command imports what it needs when it runs, so that help is there at once.
"""

import sys
from pathlib import Path
from typing import Any, Literal

from jsonargparse import auto_cli

from faceops.command_line import ShellParser, run_command


def exemplar_index(
    source: Path,
    *,
    output: Path,
    layout: Literal["auto", "folders", "tar", "celebamask-hq"] = "auto",
    identities: Path | None = None,
    split_file: Path | None = None,
    min_images: int = 4,
    min_side: int = 64,
    test_identities: int | None = None,
    seed: int = 0,
    verify: bool = False,
    note: str = "",
) -> None:
    """Index the portraits in a folder or archive by who they show, and split them into train and test.

    Args:
        source: Folder of one folder for each person, tar archive, or unpacked CelebAMask-HQ.
        output: Index to write, a parquet file.
        layout: How the portraits lie; "auto" looks.
        identities: CSV file with columns file, identity and perhaps split; for CelebAMask-HQ, identity_CelebA.txt.
        split_file: CSV file with columns identity and split (train, test or unused), instead of a drawn split.
        min_images: Photographs that a person needs to be used.
        min_side: Photographs with a shorter side are left out; in pixels.
        test_identities: People to test on; by default a tenth, of CelebAMask-HQ 287.
        seed: Seed of the split.
        verify: Decode every photograph instead of reading its header, and leave out those that are damaged.
        note: Remark to keep in the index.
    """
    from dataclasses import replace

    from portraitdata.sources.layouts import assign_splits, recognised_layout, scan_layout
    from portraitdata.splits import read_split

    given = None if split_file is None else read_split(split_file)
    found = scan_layout(
        source,
        recognised_layout(source) if layout == "auto" else layout,
        identities,
        min_side=min_side,
        verify=verify,
    )
    index = assign_splits(found.index, given, test_identities=test_identities, min_images=min_images, seed=seed)
    replace(index, note=note).write(output)
    for file in found.skipped[:20]:
        print(f"left out: {file.reason}", file=sys.stderr)
    if len(found.skipped) > 20:
        print(f"left out: {len(found.skipped) - 20} more files", file=sys.stderr)
    print(f"{output}: {len(index.photographs)} photographs of {len(index.by_identity)} people, {index.source}")


def inspect(
    index: Path,
    *,
    root: Path | None = None,
    sheet: Path | None = None,
    size: int = 128,
    crop: int | None = None,
    sets: int = 6,
) -> None:
    """Count what an index holds, and show some of it.

    Args:
        index: Index that `exemplar-index` has made.
        root: Folder of the photographs, if it is not the one that the index names.
        sheet: Image to write: some exemplar sets, each a row.
        size: Side of the images on the sheet, in pixels.
        crop: Side of the centred square cut from a photograph, in its pixels; the largest one by default.
        sets: Rows of the sheet for each of train and test.
    """
    from rich.console import Console

    from portraitdata.exemplar_index import ExemplarIndex
    from portraitdata.index_summary import summary_table

    opened = ExemplarIndex.read(index, root)
    Console().print(summary_table(opened, index.name))
    if sheet is not None:
        from faceops.images import Picture, save_picture
        from portraitdata.contact_sheet import contact_sheet
        from portraitdata.exemplar_sets import EvaluationExemplarSets

        shown = []
        for split in ("train", "test"):
            if opened.select(split).photographs:
                chosen = EvaluationExemplarSets(opened, size, crop=crop, split=split, limit=sets)
                shown += [chosen[number] for number in range(len(chosen))]
        save_picture(Picture(contact_sheet(shown)), sheet)
        print(sheet)


COMMANDS: dict[str, Any] = {"exemplar-index": exemplar_index, "inspect": inspect}


def run() -> int | None:
    """Parse the command line and run its command; the result is the exit status."""
    description = sys.modules["portraitdata"].__doc__
    return auto_cli(COMMANDS, parser_class=ShellParser, prog="portraitdata", description=description)


def main() -> None:
    """Run a command; ``python -X dev -m portraitdata`` shows the traceback of an error instead of a sentence."""
    run_command("portraitdata", run)
