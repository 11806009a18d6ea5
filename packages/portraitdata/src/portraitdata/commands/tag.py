"""``portraitdata tag``: an index in, the same index with tags out."""

import os
import sys

from faceops.device import select_device
from portraitdata.commands.tag_options import TagOptions
from portraitdata.restoration.index.taggers import build_tagger
from portraitdata.restoration.index.tagging import tag_index

NAMED = 20
"""Photographs left out that are named one by one."""


def run_tag(options: TagOptions) -> None:
    """Tag the photographs of an index, and print how many.

    Raises:
        ValueError: If there is no such tagger or device, or the index is none.
        MissingWeightsError: If the tagger's weights are missing.
        OSError: If something cannot be read or written.
    """
    device = select_device(options.device)
    workers = options.workers if options.workers is not None else os.cpu_count() or 1
    tagging = tag_index(
        options.index,
        build_tagger(options.tagger),
        options.tagger,
        batch=options.batch,
        workers=workers,
        device=device,
        again=options.overwrite,
    )
    for reason in tagging.left_out[:NAMED]:
        print(f"left out: {reason}", file=sys.stderr)
    if len(tagging.left_out) > NAMED:
        print(f"left out: {len(tagging.left_out) - NAMED} more photographs", file=sys.stderr)
    print(f"{options.index}: {tagging.tagged} photographs tagged, {tagging.there} had tags")
