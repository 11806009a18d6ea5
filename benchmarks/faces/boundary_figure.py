"""``python -m benchmarks.faces.boundary_figure``: untouched and badly pasted photographs with their scores."""

import argparse
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.faces.boundary_pastes import PASTES, Image, Mask, blend, portrait, portraits_folder, yunet
from faceops.atomic_files import replacing
from faceops.metrics.seam_scores import seam_scores

PORTRAIT = "usds_usgov/dave-methvin.jpg"
"""Public domain."""

SHOWN = ("blurred", "warmer")
"""Kinds of paste, a row for every mask: mild and bad beside untouched."""


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faces.boundary_figure", description=__doc__)
    parser.add_argument("--portrait", default=PORTRAIT, help="file in the folder of portraits")
    parser.add_argument("--output", type=Path, default=Path("outputs/boundary_artifact.png"), help="picture to write")
    arguments = parser.parse_args()
    subject = portrait(portraits_folder() / arguments.portrait, yunet())
    rows = [(kind, name) for kind in SHOWN for name in ("hard square", "feathered square", "feathered oval")]
    figure = Figure(figsize=(12, 4.3 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 3)
    for row, (kind, name) in zip(axes, rows, strict=True):
        mask, (mild, bad) = subject.masks[name], PASTES[kind]
        images = (subject.photo, blend(subject, mild(subject.photo), mask), blend(subject, bad(subject.photo), mask))
        for place, degree, image in zip(row, ("untouched", f"{kind}, mild", f"{kind}, bad"), images, strict=True):
            place.imshow(image[0].permute(1, 2, 0).numpy())
            place.set_title(f"{name}: {degree}\n{scores_in_words(image, mask, subject.photo)}", fontsize=9)
            place.axis("off")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(arguments.output) as temporary:
        figure.savefig(temporary, dpi=90)


def scores_in_words(image: Image, mask: Mask, photo: Image) -> str:
    """Scores for the title of a picture."""
    alone, referenced = seam_scores(image, mask), seam_scores(image, mask, photo)
    parts = ", ".join(f"{part} {getattr(alone, part).item():.1f}" for part in ("texture", "colour", "edge"))
    return f"{alone.total.item():.1f} ({parts}); with reference {referenced.total.item():.1f}"


if __name__ == "__main__":
    main()
