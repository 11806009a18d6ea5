"""Portrait data: image files, MATLAB-convention resampling, exemplar sets and their loaders."""

from typing import TYPE_CHECKING

from faceops.public_names import public_name

if TYPE_CHECKING:
    from portraitdata.degradation.batched.executor import degrade_batch as degrade_batch
    from portraitdata.degradation.cpu_executor import degrade as degrade
    from portraitdata.degradation.drawing import draw_record as draw_record
    from portraitdata.degradation.presets import preset_of as preset_of
    from portraitdata.exemplars.datamodule import ExemplarDataModule as ExemplarDataModule
    from portraitdata.exemplars.sets import EvaluationExemplarSets as EvaluationExemplarSets
    from portraitdata.exemplars.sets import TrainingExemplarSets as TrainingExemplarSets
    from portraitdata.images.resampling import bicubic as bicubic
    from portraitdata.restoration.datamodule import RestorationDataModule as RestorationDataModule

    __version__: str

__all__ = [
    "EvaluationExemplarSets",
    "ExemplarDataModule",
    "RestorationDataModule",
    "TrainingExemplarSets",
    "bicubic",
    "degrade",
    "degrade_batch",
    "draw_record",
    "preset_of",
]

HOMES = {
    "EvaluationExemplarSets": "portraitdata.exemplars.sets",
    "ExemplarDataModule": "portraitdata.exemplars.datamodule",
    "RestorationDataModule": "portraitdata.restoration.datamodule",
    "TrainingExemplarSets": "portraitdata.exemplars.sets",
    "bicubic": "portraitdata.images.resampling",
    "degrade": "portraitdata.degradation.cpu_executor",
    "degrade_batch": "portraitdata.degradation.batched.executor",
    "draw_record": "portraitdata.degradation.drawing",
    "preset_of": "portraitdata.degradation.presets",
}
"""Modules of the public names; each is imported when its name is first asked for, as torch takes seconds."""


def __getattr__(name: str) -> object:
    """A public name, or the version of the installed package."""
    return public_name("portraitdata", HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
