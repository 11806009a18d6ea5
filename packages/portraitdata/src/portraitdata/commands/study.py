"""``portraitdata study``: a page with questions to people out, the win rates of their answers in."""

from pathlib import Path
from typing import Literal

from rich.console import Console

from faceops.atomic_files import replacing
from faceops.progress.verbosity import say, say_failure
from portraitdata.commands.study_options import StudyMakeOptions, StudyScoreOptions
from portraitdata.study.questions import QuestionKind, draw_questions
from portraitdata.study.study_key import StudyKey
from portraitdata.study.study_pictures import Given, match_pictures, method_folders
from portraitdata.study.study_scores import score_study

KINDS: dict[str, tuple[QuestionKind, ...]] = {
    "naturalness": ("naturalness",),
    "similarity": ("similarity",),
    "both": ("naturalness", "similarity"),
}


def run_study_make(options: StudyMakeOptions) -> int:
    """Write the page of a study, and its key beside it.

    Returns:
        Exit status: 1 if a picture that some folder has cannot be asked about.

    Raises:
        ValueError: If there is nothing to ask, pictures differ in size, or an argument is of no use.
        OSError: If a folder or file is not there or cannot be written, or there is the key of another study.
    """
    output = options.output
    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"The page of a study is an HTML file, but {output} does not end in .html.")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"The folder {output.parent} that {output.name} is to be written to does not exist.")
    if options.width < 1:
        raise ValueError(f"A picture is at least one pixel wide, got --width {options.width}.")
    folders: dict[Given, Path | None] = {
        "truth": options.truth,
        "reference": options.reference,
        "input": options.input,
    }
    given = {kind: folder for kind, folder in folders.items() if folder is not None}
    kinds = question_kinds(options.ask, given)
    named = method_folders(options.methods)
    pictures, problems = match_pictures(named, given)
    for problem in problems:
        say_failure(problem)
    from portraitdata.study.study_page import study_page  # with torch, which takes seconds to import

    names = [picture.name for picture in pictures]
    drawn = draw_questions(names, list(named), kinds, options.questions, repeats=options.repeats, seed=options.seed)
    key = StudyKey(tuple(named), drawn, tuple(given), options.seed)
    page = study_page(key, pictures, options.width, options.lossless)
    place = output.with_suffix(".key.json")
    key.write(place)
    with replacing(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"{output}: {len(drawn)} questions about {len(named)} methods, {len(page) / 1e6:.1f} MB; for participants")
    print(f"{place}: the key; not for participants")
    return 1 if problems else 0


def question_kinds(
    ask: Literal["naturalness", "similarity", "both"] | None, given: dict[Given, Path]
) -> tuple[QuestionKind, ...]:
    """Kinds to ask, checked against what there is to show.

    Raises:
        ValueError: If nothing shows the person whom candidates should be similar to, or pictures would not be shown.
    """
    shows_person = "truth" in given or "reference" in given
    kinds = KINDS[ask or ("both" if shows_person else "naturalness")]
    if "similarity" not in kinds and given:
        raise ValueError(
            "Questions about naturalness show nothing but the candidates; leave --truth, --reference and --input out, "
            "or ask about similarity too."
        )
    if "similarity" in kinds and not shows_person:
        raise ValueError("Questions about similarity show the person; give --truth FOLDER, or --reference FOLDER.")
    return kinds


def run_study_score(options: StudyScoreOptions) -> int:
    """Print the win rates of the methods, and write them.

    Returns:
        Exit status: 1 if a file of answers does not count.

    Raises:
        ValueError: If none counts, a key cannot be used, or the output is no JSON file.
        OSError: If a key is not there, or the output cannot be written.
    """
    output = options.output
    if output is not None and output.suffix.lower() != ".json":
        raise ValueError(f"The scores of a study are written to a .json file, got {output}.")
    scores = score_study(options.answers, [StudyKey.read(path) for path in options.key])
    for note in scores.answers.notes:
        say(note)
    for problem in scores.answers.problems:
        say_failure(problem)
    for kind in scores.rates:
        print(scores.heading(kind))
        Console().print(scores.table(kind))
    consistency = scores.consistency()
    if consistency is not None:
        print(consistency)
    if output is not None:
        scores.write(output)
        print(output)
    return 1 if scores.answers.problems else 0
