"""What ``hime export`` cannot do, refused without torch, which takes seconds to import."""

from pathlib import Path

from faceops.existing_files import check_exists
from faceops.weights.shipped import check_suffix
from hime.command_options import ExportOptions
from hime.weights.shipped import find_weights


def is_checkpoint(source: str) -> bool:
    """Whether a source is a training checkpoint, by its name; otherwise it is weights."""
    return source.endswith(".ckpt")


def check_request(options: ExportOptions) -> None:
    """Refuse an export that cannot be done.

    Raises:
        ValueError: If there is nothing to write, a suffix does not fit, or no weights have this name.
        FileNotFoundError: If the source is missing.
    """
    if options.onnx is not None and options.onnx.suffix != ".onnx":
        raise ValueError(f"An ONNX file must end in .onnx, got {options.onnx}.")
    if options.output is None and options.onnx is None:
        raise ValueError("Say what to write: --output for a weights file, --onnx for an ONNX file, or both.")
    if options.output is not None:
        check_suffix(options.output)
    if is_checkpoint(options.source):
        check_exists("checkpoint", Path(options.source))
    else:
        find_weights(options.source)
