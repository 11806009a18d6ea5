"""Who is for training and who for testing: a split by identity, never by photograph."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from portraitdata.exemplars.index import Split, known_split
from portraitdata.loading.csv_tables import read_csv_table

MIN_IMAGES = 4
"""Photographs that an identity needs to give a target and three references (HIME, Section 5.1)."""


def split_identities(
    counts: Mapping[str, int],
    *,
    test: int | float = 0.1,
    train: int | None = None,
    min_images: int = MIN_IMAGES,
    seed: int = 0,
) -> dict[str, Split]:
    """Split identities at random.

    Identities are drawn by a hash of seed and name, so the split depends neither on the order they come in nor on a
    random generator's version, and people added later hardly disturb it.

    Args:
        test: Identities for testing, as a number or as a fraction of those with enough photographs.
        train: Identities for training; the rest is "unused". None takes all the rest.
        min_images: Photographs that an identity needs; those with fewer are "unused".

    Raises:
        ValueError: If there are too few identities, or a negative number of them is wanted.

    Example:
        >>> sorted(split_identities({"ada": 5, "ben": 4, "cyd": 3, "dan": 9}, test=1).items())
        [('ada', 'train'), ('ben', 'test'), ('cyd', 'unused'), ('dan', 'train')]
    """
    enough = [identity for identity, count in counts.items() if count >= min_images]
    drawn = sorted(enough, key=lambda identity: sha256(f"{seed}:{identity}".encode()).digest())
    tested = test if isinstance(test, int) else max(1, round(test * len(drawn)))
    if tested < 0:
        raise ValueError(f"There are zero test identities or more, got {tested}.")
    if tested >= len(drawn):
        raise ValueError(
            f"{tested} test identities leave none to train on: "
            f"{len(drawn)} of {len(counts)} identities have at least {min_images} photographs."
        )
    trained = len(drawn) - tested if train is None else train
    if trained + tested > len(drawn):
        raise ValueError(
            f"{trained} training and {tested} test identities were wanted, "
            f"but only {len(drawn)} have at least {min_images} photographs."
        )
    split_of: dict[str, Split] = dict.fromkeys(counts, "unused")
    split_of |= dict.fromkeys(drawn[:tested], "test")
    split_of |= dict.fromkeys(drawn[tested : tested + trained], "train")
    return split_of


def read_split(path: Path) -> dict[str, Split]:
    """Read a split that somebody has fixed: a CSV file with columns identity and split, others ignored.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no CSV file, a column is missing, a split unknown, or an identity in two splits.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no split file {path}.")
    split_of: dict[str, Split] = {}
    for row in read_csv_table(path, ["identity", "split"]):
        identity = row["identity"]
        split = known_split(row["split"], f"{identity} in {path}")
        if split_of.setdefault(identity, split) != split:
            raise ValueError(f"{path} has {identity} in both {split_of[identity]!r} and {split!r}.")
    return split_of
