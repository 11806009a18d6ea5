"""Command line of the user study; imports nothing heavy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal


def study_make(
    *,
    methods: Sequence[str],
    output: Path,
    questions: int,
    ask: Literal["naturalness", "similarity", "both"] | None = None,
    truth: Path | None = None,
    reference: Path | None = None,
    input: Path | None = None,
    repeats: int = 0,
    seed: int = 0,
    width: int = 512,
    lossless: bool = False,
) -> int:
    """Write a page that asks people which method's picture is best, as in HeadsUp's user study, and its key beside it.

    Pictures are matched by name, whatever their suffix, in folders at every depth. The page is one file that loads
    nothing and names no method; PAGE.key.json says which method is which and is not for participants.

    Args:
        methods: Folders of restored pictures, two to nine; NAME=FOLDER names a method otherwise than its folder.
        output: HTML file to write.
        questions: How many of each kind; the paper has 58.
        ask: For the most natural face, the one most similar to the person, or both, naturalness first; by default both
            if --truth or --reference shows the person.
        truth: Folder of what the pictures should be, shown with questions about similarity.
        reference: Folder of other photographs of the same people, shown likewise.
        input: Folder of what was restored, shown likewise.
        repeats: How many questions of each kind are asked again, to see how consistent a participant is.
        seed: Seed of everything random.
        width: Wider pictures are reduced to it, in pixels.
        lossless: Embed PNG instead of JPEG of quality 95.
    """
    from portraitdata.commands.study import run_study_make

    return run_study_make(methods, output, questions, ask, truth, reference, input, repeats, seed, width, lossless)


def study_score(answers: Sequence[Path], *, key: Sequence[Path], output: Path | None = None) -> int:
    """Print how often each method was chosen, with 95% intervals: WR_N and WR_id of HeadsUp.

    Args:
        answers: Files that participants sent.
        key: Key of their page; several, if there were several pages about the same methods.
        output: JSON file to write.
    """
    from portraitdata.commands.study import run_study_score

    return run_study_score(answers, key, output)


STUDY_COMMANDS: dict[str, Any] = {
    "_help": "Ask people which method restores best, and count what they say.",
    "make": study_make,
    "score": study_score,
}
