"""Options of the commands of the user study: docstrings are their help."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from faceops.command_help import Expert


@dataclass(frozen=True, kw_only=True)
class StudyMakeOptions:
    """Write a questionnaire that asks which method's image is best, as in HeadsUp's user study, and its key.

    Images are matched by name without the suffix, in folders at any depth. The page is one self-contained HTML file
    that names no method. PAGE.key.json maps images to methods; keep it from participants.

    Args:
        methods: Folders of restored images, two to nine; NAME=FOLDER gives a method a name other than its folder's.
        output: HTML file to write.
        questions: Number of questions of each kind; 58 in the paper.
        ask: Kind of questions: which face is most natural, which is most similar to the person, or both, naturalness
            first; by default both if --truth or --reference is given.
        truth: Folder of ground-truth images, shown with similarity questions.
        reference: Folder of other photographs of the same people, shown with similarity questions.
        input: Folder of the degraded inputs, shown with similarity questions.
        repeats: Number of questions of each kind to repeat, to measure the consistency of a participant.
        seed: Random seed.
        width: Largest width of the images in pixels; wider ones are reduced.
        lossless: Embed PNG instead of JPEG of quality 95.

    Example:
        portraitdata study make --methods ours theirs --output page.html --questions 20
    """

    methods: Sequence[str]
    output: Path
    questions: int
    ask: Literal["naturalness", "similarity", "both"] | None = None
    truth: Path | None = None
    reference: Path | None = None
    input: Path | None = None
    repeats: Expert[int] = 0
    seed: Expert[int] = 0
    width: Expert[int] = 512
    lossless: Expert[bool] = False


@dataclass(frozen=True)
class StudyScoreOptions:
    """Print how often each method was chosen, with 95% intervals: WR_N and WR_id of HeadsUp.

    Args:
        answers: Answer files of the participants.
        key: Key of their page; several for several pages about the same methods.
        output: JSON file to write.

    Example:
        portraitdata study score answers/*.json --key page.key.json
    """

    answers: Sequence[Path]
    _: KW_ONLY
    key: Sequence[Path]
    output: Path | None = None
