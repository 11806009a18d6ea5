"""Whether a checkpoint is of the training that it is to go on with."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.utilities import rank_zero_info

from faceops.weights.model_card import known_fields
from headsup.model.one_step import OneStepRestorer
from headsup.model.settings import RestorerSettings
from headsup.weights.files import PREDICTION, refuse_other_prediction, refuse_other_settings


def check_restorer(stated: Mapping[str, Any], settings: RestorerSettings, restorer: OneStepRestorer) -> None:
    """Refuse a checkpoint of another restorer; say so if only its base model has another name.

    Args:
        stated: What the checkpoint says of its restorer.
        settings: Settings of the restorer at hand.
        restorer: This one.

    Raises:
        ValueError: If it is one.
    """
    found = known_fields(RestorerSettings, stated["settings"])
    refuse_other_settings("The checkpoint was", found, settings)
    refuse_other_prediction("The checkpoint was", stated.get(PREDICTION), found.base, restorer)
    if found.base != settings.base:
        rank_zero_info(f"The checkpoint was trained on {found.base}, which is now {settings.base}.")


def check_optimizers(found: int, wanted: int) -> None:
    """Refuse to go on with another number of networks that are trained.

    Raises:
        ValueError: If it is another.
    """
    if found != wanted:
        raise ValueError(
            f"The checkpoint has optimizers of {found} networks and {wanted} are trained now, of restorer, regularizer "
            "and discriminators: resume with the same distillation and adversarial losses, or begin anew with what "
            "`headsup export` makes of the checkpoint as --model.init_args.initial_weights."
        )
