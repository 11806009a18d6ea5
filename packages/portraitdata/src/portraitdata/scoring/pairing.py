"""Pairing of restored files with targets by name, without guessing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faceops.images.picture_files import is_picture

NAMED = 5
"""Names that a sentence lists before it only counts."""


@dataclass(frozen=True)
class FilePair:
    """A restored file, its target, and what else is known of the same name."""

    name: str
    """Path of the target within its folder, without the suffix."""
    restored: Path
    target: Path
    reference: Path | None = None
    """Another photograph of the person."""
    mask: Path | None = None
    """Mask that a face was pasted with."""


@dataclass(frozen=True)
class Pairing:
    """Pairs of two folders, and what is in them beside."""

    pairs: tuple[FilePair, ...]
    """Ordered by name."""
    problems: tuple[str, ...]
    """Sentences on partners that are missing and names that are there twice."""


def pair_folders(
    restored: Path,
    target: Path,
    *,
    references: Path | None = None,
    masks: Path | None = None,
    restored_suffix: str = "",
) -> Pairing:
    """Pair the pictures of two folders, at every depth: ``a/b.jpg`` and ``a/b.png`` are one name.

    A name that a folder has twice is left out. References and masks may be absent.

    Args:
        restored_suffix: What the names of restored files have after those of the targets, as ``_out``.

    Raises:
        FileNotFoundError: If a folder is not there.
        ValueError: If no two files make a pair.
    """
    problems: list[str] = []
    ours = {
        name.removesuffix(restored_suffix): path
        for name, path in pictures_by_name(restored, problems).items()
        if name.endswith(restored_suffix)
    }
    theirs = pictures_by_name(target, problems)
    others = [{} if folder is None else pictures_by_name(folder, problems) for folder in (references, masks)]
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        raise ValueError(no_pairs_sentence(restored, target, sorted(ours), sorted(theirs), problems))
    problems += missing_sentences(restored, sorted(theirs.keys() - ours.keys()), "restored image")
    problems += missing_sentences(target, sorted(ours.keys() - theirs.keys()), "target")
    pairs = tuple(FilePair(name, ours[name], theirs[name], *(files.get(name) for files in others)) for name in shared)
    return Pairing(pairs, tuple(problems))


def pictures_by_name(folder: Path, problems: list[str]) -> dict[str, Path]:
    """Pictures of a folder by their path within it without the suffix; visible ones, at every depth.

    Args:
        problems: A sentence for every name that is there twice is added here; such files are left out.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder)
        if is_picture(path) and not any(part.startswith(".") for part in within.parts):
            files.setdefault(within.with_suffix("").as_posix(), []).append(path)
    for name, found in files.items():
        if len(found) > 1:
            listed = " and ".join(path.name for path in found)
            problems.append(f"{folder} has {listed}, which have one name; keep one of them. {name} is left out.")
    return {name: found[0] for name, found in files.items() if len(found) == 1}


def listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are.

    Example:
        >>> listed(["a", "b"]), listed(list("abcdefg"))
        ('a, b', 'a, b, c, d, e and 2 more')
    """
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def missing_sentences(folder: Path, names: Sequence[str], what: str) -> list[str]:
    """One sentence if names are missing from a folder.

    Example:
        >>> missing_sentences(Path("out"), ["a", "b"], "restored image")
        ['out has no restored image for 2 names: a, b.']
        >>> missing_sentences(Path("out"), [], "target")
        []
    """
    if not names:
        return []
    count = "1 name" if len(names) == 1 else f"{len(names)} names"
    return [f"{folder} has no {what} for {count}: {listed(names)}."]


def no_pairs_sentence(
    restored: Path, target: Path, ours: Sequence[str], theirs: Sequence[str], problems: Sequence[str]
) -> str:
    """Why there is nothing to compare, and what may help.

    Example:
        >>> no_pairs_sentence(Path("out"), Path("gt"), ["a_x4"], ["a"], []).split(". ")[1]
        'If "_x4" is what the restored names have after those of the targets, give --restored-suffix _x4.'
    """
    for folder, names in ((restored, ours), (target, theirs)):
        if not names:
            return " ".join([f"There are no pictures to pair in {folder}.", *problems])
    sentence = f"No picture of {restored} ({listed(ours)}) has the name of one of {target} ({listed(theirs)})."
    suffix = common_suffix(ours, theirs)
    if suffix:
        sentence += (
            f' If "{suffix}" is what the restored names have after those of the targets, '
            f"give --restored-suffix {suffix}."
        )
    return sentence


def common_suffix(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Most common suffix of our names after theirs; empty if there is none.

    Example:
        >>> common_suffix(["a_out", "b_out", "c"], ["a", "b"]), common_suffix(["x"], ["a"])
        ('_out', '')
    """
    known = sorted(theirs)
    found: Counter[str] = Counter()
    for name in ours:
        beginnings = [other for other in known if name.startswith(other) and name != other]
        if beginnings:
            found[name.removeprefix(max(beginnings, key=len))] += 1
    if not found:
        return ""
    suffix, count = found.most_common(1)[0]
    return suffix if 2 * count >= len(ours) else ""
