"""``hime weights``: the shipped weights and their model cards."""

from dataclasses import asdict

from faceops.weights import report
from hime.weights.model_card import read_header
from hime.weights.shipped import find_weights, shipped_weights


def print_weights() -> None:
    """Print the names of the shipped weights, each with what its card says."""
    files = [find_weights(name) for name in shipped_weights()]
    headers = [read_header(file) for file in files]
    report.print_weights(
        (file, {"scale": header.arguments.get("scale"), **asdict(header.card)})
        for file, header in zip(files, headers, strict=True)
    )
