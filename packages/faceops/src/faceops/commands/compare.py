"""``faceops compare``: do two photographs show the same person?"""

import json
from pathlib import Path

import torch

from faceops.commands.pictures import find_faces
from faceops.detection.detector_names import DetectorName
from faceops.detection.selection import build_detector
from faceops.recognition.identity import DEFAULT_NETWORK, build_identity, embed, similarity


def run_compare(
    first: Path,
    second: Path,
    network: str = DEFAULT_NETWORK,
    threshold: float | None = None,
    detector: DetectorName = "yunet",
    as_json: bool = False,
) -> None:
    """Print the similarity of the largest faces of two pictures, and whether it reaches the threshold.

    Args:
        first: Picture.
        second: Picture.
        network: Recognition network, see `build_identity`.
        threshold: Cosine similarity from which two faces are one person; None for that of the network, which one in a
            thousand pairs of different people in Labeled Faces in the Wild reaches.
        detector: See `build_detector`.
        as_json: Print ``{"similarity": x, "same_person": bool, "threshold": t}``.

    Raises:
        NoFaceError: If a picture shows no face.
        ValueError: If a file cannot be read, or the network has no threshold and none is given.
    """
    if threshold is not None and not -1 <= threshold <= 1:
        raise ValueError(f"A threshold of cosine similarity is between -1 and 1, got {threshold}.")
    encoder = build_identity(network)
    limit = encoder.threshold if threshold is None else threshold
    if limit is None:
        raise ValueError(f"Nobody has measured a threshold for {encoder.name}; give one with --threshold.")
    finder = build_detector(detector)
    embeddings = []
    for path in (first, second):
        found = find_faces(path, finder, largest=True)
        with torch.inference_mode():
            embeddings.append(embed(encoder, found.picture.pixels.unsqueeze(0), found.faces))
    value = similarity(*embeddings).item()
    if as_json:
        result = {"similarity": round(value, 4), "same_person": value >= limit, "threshold": round(limit, 4)}
        print(json.dumps(result))
    else:
        print(f"similarity {value:.3f}: {verdict(value, limit)} (threshold {limit:.3f} of {encoder.name})")


def verdict(value: float, threshold: float) -> str:
    """Verdict on a similarity.

    Example:
        >>> verdict(0.5, 0.3)
        'probably the same person'
    """
    return "probably the same person" if value >= threshold else "probably different people"
