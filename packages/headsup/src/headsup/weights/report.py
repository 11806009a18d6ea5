"""``headsup weights``: the shipped weights and their model cards."""

from dataclasses import asdict

from headsup.weights.files import read_header
from headsup.weights.shipped import find_weights, shipped_weights


def print_weights() -> None:
    """Print the names of the shipped weights, each with its settings and what its card says."""
    for name in shipped_weights():
        path = find_weights(name)
        settings, card = read_header(path)
        print(f"{name} ({path.stat().st_size / 1e6:.1f} MB)")
        for field, value in {**asdict(settings), **asdict(card)}.items():
            if value not in (None, "", {}):
                print(f"  {field.replace('_', ' ')}: {value}")
