"""Printed list of shipped weights with their cards."""

from collections.abc import Iterable, Mapping
from pathlib import Path


def print_weights(shipped: Iterable[tuple[Path, Mapping[str, object]]]) -> None:
    """Print the names of weights, each with what it says about itself; empty fields are left out."""
    files = list(shipped)
    if not files:
        print("No weights come with this installation; give a .safetensors file where a command takes weights.")
    for path, fields in files:
        print(f"{path.stem} ({path.stat().st_size / 1e6:.1f} MB)")
        for name, value in fields.items():
            if value not in (None, "", {}):
                print(f"  {name.replace('_', ' ')}: {described(value)}")


def described(value: object) -> str:
    """Value of a card as text.

    Example:
        >>> described({"psnr": 27.4012, "ssim": 0.8})
        'psnr 27.4, ssim 0.8'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number:.4g}" for name, number in value.items())
    return str(value)
