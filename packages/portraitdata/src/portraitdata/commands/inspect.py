"""``portraitdata inspect``: what an exemplar index holds."""

from rich.console import Console

from portraitdata.commands.index_options import InspectOptions
from portraitdata.exemplars.index import ExemplarIndex
from portraitdata.exemplars.index_summary import summary_table


def run_inspect(options: InspectOptions) -> None:
    """Print the counts, and draw the sheet.

    Raises:
        ValueError: If the index or an image cannot be read, or a number is out of range.
        OSError: If something is missing, or the sheet cannot be written.
    """
    opened = ExemplarIndex.read(options.index, options.root)
    Console().print(summary_table(opened, options.index.name))
    if options.sheet is None:
        return
    from faceops.images.files import Picture, save_picture
    from portraitdata.exemplars.contact_sheet import contact_sheet
    from portraitdata.exemplars.sets import EvaluationExemplarSets

    shown = []
    for split in ("train", "test"):
        if opened.select(split).photographs:
            chosen = EvaluationExemplarSets(opened, options.size, crop=options.crop, split=split, limit=options.sets)
            shown += [chosen[number] for number in range(len(chosen))]
    save_picture(Picture(contact_sheet(shown)), options.sheet)
    print(options.sheet)
