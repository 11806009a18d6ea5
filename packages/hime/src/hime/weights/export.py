"""Training checkpoints to weights files, and either to ONNX."""

from collections.abc import Mapping
from pathlib import Path

from faceops.weights.model_card import known_fields, merge_cards
from hime.command_options import ExportOptions
from hime.network import HIME
from hime.weights.export_request import is_checkpoint
from hime.weights.files import load_network, network_from, save_weights
from hime.weights.model_card import ModelCard, read_header
from hime.weights.shipped import find_weights
from portraitdata.networks.safe_loading import load_safely

PREFIX = "network."
"""Start of the network's names in the state of the LightningModule."""


def load_checkpoint(path: Path) -> tuple[HIME, ModelCard]:
    """Network and card of a Lightning checkpoint; nothing in it is executed.

    Of a run with weight averaging this is the averaged network: Lightning keeps it under ``state_dict`` and the current
    one under ``current_model_state``.

    Raises:
        ValueError: If it is not a checkpoint of HIME.
        OSError: If it cannot be read.
    """
    checkpoint = load_safely(path)
    if not isinstance(checkpoint, Mapping) or "state_dict" not in checkpoint:
        raise ValueError(f"{path} is not a Lightning checkpoint: it has no state_dict.")
    record = checkpoint.get("hime")
    if not isinstance(record, Mapping) or "arguments" not in record:
        raise ValueError(
            f"{path} does not say how its network was built; only checkpoints of `hime fit` can be exported."
        )
    tensors = {
        name.removeprefix(PREFIX): tensor
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith(PREFIX)
    }
    network = network_from(record["arguments"], tensors, str(path)).eval()
    return network, known_fields(ModelCard, {"steps": checkpoint.get("global_step"), **record.get("card", {})})


def export_files(options: ExportOptions) -> None:
    """Write what is asked for, see `hime.weights.export_request.check_request`.

    Raises:
        ValueError: If the source does not fit.
        OSError: If a file cannot be read or written.
    """
    source = options.source
    if is_checkpoint(source):
        network, stored = load_checkpoint(Path(source))
    else:
        network, stored = load_network(source), read_header(find_weights(source)).card
    merged = merge_cards(stored, options.card)
    if options.output is not None:
        save_weights(network, options.output, merged, options.half)
        print(options.output)
    if options.onnx is not None:
        from hime.weights.onnx_export import export_onnx

        size = merged.lr_size if options.lr_size is None else options.lr_size
        if size is None:
            raise ValueError("The card of these weights names no training size; give the input's side by --lr-size.")
        export_onnx(network, options.onnx, size, not options.without_references)
        print(options.onnx)
