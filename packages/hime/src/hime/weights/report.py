"""``hime weights``: the shipped weights and their model cards."""

from dataclasses import asdict

from hime.weights.model_card import read_header
from hime.weights.shipped import find_weights, shipped_weights


def print_weights() -> None:
    """Print the names of the shipped weights, each with what its card says."""
    names = shipped_weights()
    if not names:
        print("No weights come with this installation; give a .safetensors file where a command takes weights.")
    for name in names:
        path = find_weights(name)
        header = read_header(path)
        print(f"{name} ({path.stat().st_size / 1e6:.1f} MB)")
        fields = {"scale": header.arguments.get("scale"), **asdict(header.card)}
        for field, value in fields.items():
            if value not in (None, "", {}):
                print(f"  {field.replace('_', ' ')}: {described(value)}")


def described(value: object) -> str:
    """Value of a card as text.

    Example:
        >>> described({"psnr": 27.4012, "ssim": 0.8})
        'psnr 27.4, ssim 0.8'
    """
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:.4g}" for name, number in value.items())
    return str(value)
