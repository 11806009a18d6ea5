"""What ``hime export`` cannot do, refused without torch, which takes seconds to import."""

from pathlib import Path

from faceops.existing_files import check_exists
from faceops.weights.shipped import check_suffix
from hime.weights.shipped import find_weights


def is_checkpoint(source: str) -> bool:
    """Whether a source is a training checkpoint, by its name; otherwise it is weights."""
    return source.endswith(".ckpt")


def check_request(source: str, output: Path | None, onnx: Path | None) -> None:
    """Refuse an export that cannot be done.

    Raises:
        ValueError: If there is nothing to write, a suffix does not fit, or no weights have this name.
        FileNotFoundError: If the source is missing.
    """
    if onnx is not None and onnx.suffix != ".onnx":
        raise ValueError(f"An ONNX file must end in .onnx, got {onnx}.")
    if output is None and onnx is None:
        raise ValueError("Say what to write: --output for a weights file, --onnx for an ONNX file, or both.")
    if output is not None:
        check_suffix(output)
    if is_checkpoint(source):
        check_exists("checkpoint", Path(source))
    else:
        find_weights(source)
