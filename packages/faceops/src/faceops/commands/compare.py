"""``faceops compare``: do two photographs show the same person?"""

import json

import torch

from faceops.commands.options import CompareOptions
from faceops.commands.pictures import find_faces
from faceops.detection.selection import build_detector
from faceops.recognition.identity import build_identity, embed, similarity


def run_compare(options: CompareOptions) -> None:
    """Print the similarity of the largest faces of two pictures, and whether it reaches the threshold.

    The network's own threshold is the similarity that one in a thousand pairs of different people in Labeled Faces in
    the Wild reaches.

    Raises:
        NoFaceError: If a picture shows no face.
        ValueError: If a file cannot be read, or the network has no threshold and none is given.
    """
    if options.threshold is not None and not -1 <= options.threshold <= 1:
        raise ValueError(f"A threshold of cosine similarity is between -1 and 1, got {options.threshold}.")
    encoder = build_identity(options.network)
    limit = encoder.threshold if options.threshold is None else options.threshold
    if limit is None:
        raise ValueError(f"Nobody has measured a threshold for {encoder.name}; give one with --threshold.")
    finder = build_detector(options.detector)
    embeddings = []
    for path in (options.first, options.second):
        found = find_faces(path, finder, largest=True)
        with torch.inference_mode():
            embeddings.append(embed(encoder, found.picture.pixels.unsqueeze(0), found.faces))
    value = similarity(*embeddings).item()
    if options.json:
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
