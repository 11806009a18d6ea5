"""``portraitdata exemplar-index``: photographs of people in, an index with a split out."""

from dataclasses import replace

from portraitdata.commands.index_options import ExemplarIndexOptions
from portraitdata.commands.left_out import print_left_out
from portraitdata.exemplars.sources.layouts import assign_splits, recognised_layout, scan_layout
from portraitdata.exemplars.splits import read_split


def run_exemplar_index(options: ExemplarIndexOptions) -> None:
    """Index the photographs, and say what was left out.

    Raises:
        ValueError: If there are too few people, or a file cannot be used.
        OSError: If something is missing, or the index cannot be written.
    """
    given = None if options.split_file is None else read_split(options.split_file)
    found = scan_layout(
        options.source,
        recognised_layout(options.source) if options.layout == "auto" else options.layout,
        options.identities,
        min_side=options.min_side,
        verify=options.verify,
    )
    index = assign_splits(
        found.index,
        given,
        test_identities=options.test_identities,
        min_images=options.min_images,
        seed=options.seed,
    )
    replace(index, note=options.note).write(options.output)
    print_left_out([file.reason for file in found.skipped], "files")
    people = len(index.by_identity)
    print(f"{options.output}: {len(index.photographs)} photographs of {people} people, {index.source}")
