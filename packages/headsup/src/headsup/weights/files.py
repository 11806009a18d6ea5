"""Weights files: what a restorer has learnt, its settings and its card in one safetensors file (nothing executable)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import get_args

import torch
from safetensors.torch import load_file
from torch import Tensor

from faceops.weights.header import Architecture, header_metadata, read_metadata, read_parts, unreadable_header
from faceops.weights.model_card import known_fields
from faceops.weights.reading import check_finite
from faceops.weights.writing import write_weights
from headsup.model.one_step import OneStepRestorer
from headsup.model.schedule import PredictionType
from headsup.model.settings import RestorerSettings
from headsup.weights.claims import check_claims
from headsup.weights.model_card import ModelCard
from headsup.weights.shipped import DEFAULT_WEIGHTS, find_weights

ARCHITECTURE = Architecture("headsup", "HeadsUp", ("settings", "card"))
"""Fields in the headers of this package's files."""

PREDICTION = "prediction_type"
"""Field of the header, text, with what the denoiser predicts; files of before it was written lack it."""


@dataclass(frozen=True, eq=False)
class RestorerWeights:
    """Content of a weights file."""

    tensors: Mapping[str, Tensor]
    """Values of the generator's parameters, by their names in `OneStepRestorer`."""
    settings: RestorerSettings
    card: ModelCard
    source: str
    """File, for errors."""
    prediction_type: PredictionType | None = None
    """What the denoiser that they were trained with predicts; None if the file does not say."""


def save_weights(
    tensors: Mapping[str, Tensor],
    settings: RestorerSettings,
    path: Path,
    card: ModelCard,
    half: bool = False,
    prediction_type: PredictionType | None = None,
) -> None:
    """Write weights; the file appears complete or not at all.

    Args:
        tensors: Values of the generator's parameters.
        settings: What they fit to.
        path: File to write; an existing one is replaced.
        card: What to say about the weights.
        half: Store float16: half the size, 11 bits of mantissa. They are float32 again when loaded.
        prediction_type: What the denoiser that they were trained with predicts; None if it is not known.

    Raises:
        ValueError: If a value is not finite or does not fit into float16.
        OSError: If the file cannot be written.
    """
    parts = {"settings": asdict(settings), "card": asdict(card)}
    metadata = header_metadata(ARCHITECTURE, parts)
    if prediction_type is not None:
        metadata[PREDICTION] = prediction_type
    write_weights(tensors, metadata, path, half)


def read_weights(name_or_path: str | Path) -> RestorerWeights:
    """Read weights.

    Args:
        name_or_path: Name of shipped weights, or a .safetensors file.

    Raises:
        ValueError: If the name is not known, or the file holds something else or values that are not finite.
        OSError: If the file is missing or cannot be read.
    """
    path = find_weights(name_or_path)
    settings, card = read_header(path)
    tensors = load_file(path)
    check_finite(tensors, path)
    return RestorerWeights(tensors, settings, card, str(path), read_prediction_type(path))


def read_prediction_type(path: Path) -> PredictionType | None:
    """What the denoiser of a weights file predicts; None if the file does not say.

    Raises:
        ValueError: If it names what no denoiser here predicts.
        OSError: If it cannot be read.
    """
    stated = read_metadata(path).get(PREDICTION)
    for known in get_args(PredictionType):
        if stated == known:
            return known
    if stated is None:
        return None
    raise unreadable_header(path, f"{PREDICTION} is {stated!r}, known are {' and '.join(get_args(PredictionType))}")


def read_header(path: Path) -> tuple[RestorerSettings, ModelCard]:
    """Settings and card of a weights file, without loading its tensors.

    Raises:
        ValueError: If it is not a safetensors file, or one of another architecture.
        OSError: If it cannot be read.
    """
    parts = read_parts(path, ARCHITECTURE)
    try:
        return known_fields(RestorerSettings, parts["settings"]), known_fields(ModelCard, parts["card"])
    except (TypeError, ValueError) as error:
        raise unreadable_header(path, error) from error


def apply_weights(restorer: OneStepRestorer, weights: RestorerWeights, settings: RestorerSettings) -> None:
    """Put weights into a restorer.

    Args:
        restorer: Restorer whose generator's parameters are replaced.
        weights: What to put in.
        settings: Settings of the restorer; all but the base must be those of the weights.

    Raises:
        ValueError: If they do not fit.
    """
    whose = f"The weights {weights.source} were"
    refuse_other_settings(whose, weights.settings, settings)
    refuse_other_prediction(whose, weights.prediction_type, weights.settings.base, restorer)
    parameters = restorer.generator_parameters()
    if parameters.keys() != weights.tensors.keys() or any(
        parameter.shape != weights.tensors[name].shape for name, parameter in parameters.items()
    ):
        raise ValueError(
            f"The weights {weights.source} are for the base model {weights.settings.base} and do not fit "
            f"{restorer.source}."
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights.tensors[name])


def refuse_other_settings(whose: str, found: RestorerSettings, wanted: RestorerSettings) -> None:
    """Refuse weights of a restorer of another shape; the base may have another name.

    Args:
        whose: Begins the sentence: what was trained with the settings found, and a verb.

    Raises:
        ValueError: If it is one.
    """
    for name in (field.name for field in fields(RestorerSettings) if field.name != "base"):
        here, there = getattr(wanted, name), getattr(found, name)
        if here != there:
            raise ValueError(
                f"{whose} trained with the {name} {there}, the restorer has {here}: make them equal, or begin without "
                "these weights."
            )


def refuse_other_prediction(whose: str, known: str | None, base: str, restorer: OneStepRestorer) -> None:
    """Refuse weights whose base model predicts something else than the restorer's.

    Args:
        whose: As of `refuse_other_settings`.
        known: What it predicts; None if it is not known.
        base: Base model of the weights.

    Raises:
        ValueError: If it does.
    """
    predicted = restorer.schedule.prediction_type
    if known is not None and known != predicted:
        raise ValueError(
            f"{whose} trained on a base model that predicts {known}, the denoiser of {restorer.source} predicts "
            f"{predicted}, which would be taken for something else: name the base model that they belong to, {base}."
        )


def load_restorer(
    name_or_path: str | Path = DEFAULT_WEIGHTS, base: str | None = None
) -> tuple[OneStepRestorer, RestorerSettings]:
    """Restorer with trained weights, ready to restore.

    Args:
        name_or_path: Name of shipped weights, or a .safetensors file.
        base: Where the base model is, if not where the weights say. Unless it is the mirror of Stable Diffusion 2.1,
            it is fetched only if it is named here: what a file says is no reason for a download.

    Raises:
        ValueError: If something does not fit.
        OSError: If something is missing.
    """
    weights = read_weights(name_or_path)
    check_claims(weights.settings, weights.tensors, weights.source)
    settings = weights.settings if base is None else replace(weights.settings, base=base)
    restorer = settings.build(fetch=base is not None)
    apply_weights(restorer, weights, settings)
    return restorer.eval(), settings
