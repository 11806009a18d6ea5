"""The reasons that images are dropped for, in plain words."""

EXPLANATIONS = {
    "size or aspect": "The image is smaller than wanted, or too wide or too tall. Metadata are asked first, the file "
    "decides.",
    "opted out": "The metadata say that the owner does not want it used for training.",
    "not safe for work": "The metadata give it too high a probability of not being safe for work.",
    "taken down": "Somebody asked for its removal, or its source withdrew it.",
    "listed twice": "The same place was listed before.",
    "no URL": "The metadata have no address for it.",
    "opted out by X-Robots-Tag": "The server forbids use for training, by a header of its answer.",
    "timed out": "The server did not answer in time.",
    "download failed": "The server could not be reached, or broke off.",
    "empty file": "There is a file, with nothing in it.",
    "no image": "There is a file, but it holds no image: often a page that says that the image is gone.",
    "damaged": "The image breaks off or is corrupt.",
    "announces too many pixels": "Its header announces more pixels than are decoded: a mistake, or an attack.",
    "pixels of an unknown kind": "The image is of a kind that is not decoded.",
    "missing file": "The file is not where it was said to be.",
    "unreadable": "The file could not be read.",
    "not sharp": "It has little fine detail: blurred, or enlarged from a smaller image.",
    "low quality": "The judge of image quality gave it less than was asked for.",
    "low aesthetic": "The judge of aesthetics gave it less than was asked for.",
    "no face": "No face was found in it.",
    "faces too small": "There are faces, but with the eyes too close together to be learned from.",
    "equal file": "Another candidate has the same bytes; the first one is kept.",
    "near-duplicate": "It looks like another candidate, and shows the same face: a copy, or the same shot again.",
    "one shot twice": "The two faces are so alike that they are of one shot: as a reference, one would give the other "
    "away.",
    "alike for the split only": "Too alike to be on different sides of the split, not alike enough to be called one "
    "person.",
    "not the most similar of a face for testing": "For testing, every face has at most one reference, the most similar "
    "one.",
}
"""A sentence or two for each reason that a build gives."""

UNSHOWN = frozenset(
    ("opted out", "opted out by X-Robots-Tag", "not safe for work", "taken down", "listed twice", "no URL")
)
"""Reasons whose images a report does not show: nobody wants to see them, or has the right to."""


def explanation(reason: str) -> str:
    """Explain a reason.

    Example:
        >>> explanation("HTTP error 404")
        'The server answered with the error 404 instead of the image.'
        >>> explanation("of my own")
        'A reason that this page has no words for.'
    """
    if reason.startswith("HTTP error "):
        return f"The server answered with the error {reason.removeprefix('HTTP error ')} instead of the image."
    return EXPLANATIONS.get(reason, "A reason that this page has no words for.")
