"""Sentences on the prompts of a training."""

from headsup.model.prompts import IndexPrompts, Prompts, TaggedPrompts
from portraitdata.restoration.datamodule import RestorationDataModule


def prompt_remarks(prompts: Prompts, data: object) -> list[str]:
    """Name the indexes without texts, where the prompts are the index's.

    Args:
        prompts: Prompts of the training.
        data: Its data module, of any kind; None if there is none.
    """
    if not isinstance(data, RestorationDataModule) or not isinstance(prompts, IndexPrompts):
        return []
    if isinstance(prompts, TaggedPrompts):
        return []
    return [
        f'{index} has neither prompts nor tags: its images are trained with the text "{prompts.otherwise}". '
        f"`portraitdata tag {index} --tagger dape` writes tags."
        for index in data.indexes_without_text()
    ]
