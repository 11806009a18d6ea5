"""``portraitdata tag``: an index in, the same index with tags out."""

from faceops.device import select_device
from portraitdata.commands.left_out import print_left_out
from portraitdata.commands.tag_options import TagOptions
from portraitdata.loading.workers import worker_count
from portraitdata.restoration.index.taggers import build_tagger
from portraitdata.restoration.index.tagging import tag_index


def run_tag(options: TagOptions) -> None:
    """Tag the photographs of an index, and print how many.

    Raises:
        ValueError: If there is no such tagger or device, or the index is none.
        MissingWeightsError: If the tagger's weights are missing.
        OSError: If something cannot be read or written.
    """
    device = select_device(options.device)
    workers = worker_count(options.workers)
    tagging = tag_index(
        options.index,
        build_tagger(options.tagger),
        options.tagger,
        batch=options.batch,
        workers=workers,
        device=device,
        again=options.overwrite,
    )
    print_left_out(tagging.left_out, "photographs")
    print(f"{options.index}: {tagging.tagged} photographs tagged, {tagging.there} had tags")
