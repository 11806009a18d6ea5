"""A training checkpoint as a weights file."""

from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from faceops.weights.model_card import known_fields, merge_cards
from headsup.command_options import ExportOptions
from headsup.model.settings import RestorerSettings
from headsup.weights.files import PREDICTION, save_weights
from headsup.weights.model_card import ModelCard
from portraitdata.networks.safe_loading import load_safely

PREFIX = "restorer."
"""Prefix of the restorer's parameters in a checkpoint."""


def export_checkpoint(options: ExportOptions) -> None:
    """Write what the generator has learnt; the moving average, where the run had one.

    Raises:
        ValueError: If the file is no checkpoint of a restorer, has unknown settings, or a value is not finite.
        OSError: If a file cannot be read or written.
    """
    checkpoint = options.checkpoint
    content = load_safely(checkpoint)
    if not isinstance(content, dict) or "headsup" not in content:
        raise ValueError(f"{checkpoint} is no checkpoint of a restorer that `headsup fit` has trained.")
    stated = content["headsup"]["settings"]
    unknown = sorted(set(stated) - {field.name for field in fields(RestorerSettings)})
    if unknown:
        raise ValueError(
            f"{checkpoint} was made by a newer headsup: this one does not know its settings {', '.join(unknown)}. "
            "Update headsup and export again."
        )
    settings = known_fields(RestorerSettings, stated)
    if options.base is not None:
        settings = replace(settings, base=options.base)
    stored = ModelCard(steps=int(content["headsup"]["steps"]), notes=content["headsup"].get("notes", ""))
    predicts = content["headsup"].get(PREDICTION)
    card = merge_cards(stored, options.card)
    save_weights(generator_tensors(content), settings, options.output, card, options.half, predicts)


def generator_tensors(content: dict[str, Any]) -> dict[str, Tensor]:
    """Values of the generator's parameters in a checkpoint."""
    for state in content.get("callbacks", {}).values():
        if isinstance(state, dict) and state.get("average"):
            return dict(state["average"])
    trained = {name.removeprefix(PREFIX): v for name, v in content["state_dict"].items() if name.startswith(PREFIX)}
    return {name: value for name, value in trained.items() if ".regularizer." not in name and torch.is_tensor(value)}
