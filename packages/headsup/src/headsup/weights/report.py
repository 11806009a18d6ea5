"""``headsup weights``: the shipped weights and their model cards."""

from dataclasses import asdict

from faceops.weights import report
from headsup.weights.files import read_header
from headsup.weights.shipped import find_weights, shipped_weights


def print_weights() -> None:
    """Print the names of the shipped weights, each with its settings and what its card says."""
    files = [find_weights(name) for name in shipped_weights()]
    headers = [read_header(file) for file in files]
    report.print_weights(
        (file, asdict(settings) | asdict(card)) for file, (settings, card) in zip(files, headers, strict=True)
    )
