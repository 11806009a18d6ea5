"""Files of answers that participants sent, checked against the keys of their studies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from faceops.json_text import parse_json
from portraitdata.study.questions import Question, QuestionKind
from portraitdata.study.study_key import StudyKey

FORMAT = "portraitdata study answers 1"


@dataclass(frozen=True)
class AnswerSheet:
    """A file as the page writes it."""

    path: Path
    study: str
    participant: str
    saved: str
    """Date and time in ISO 8601, UTC."""
    chosen: Mapping[str, str]
    """Token of the candidate by token of the question."""


class Answer(NamedTuple):
    """One choice."""

    participant: str
    kind: QuestionKind
    picture: str
    method: str


@dataclass(frozen=True)
class Answers:
    """All choices that count, and what is to be said about the files."""

    counted: tuple[Answer, ...]
    """Without those to questions that were asked again."""
    agreements: Mapping[str, tuple[int, int]]
    """By participant: in how many questions that were asked again the same method was chosen, and of how many."""
    notes: tuple[str, ...]
    """Sentences about files that count."""
    problems: tuple[str, ...]
    """Sentences about files that do not."""


def read_answers(path: Path) -> AnswerSheet:
    """Read a file of answers.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of answers {path}.")
    try:
        record = parse_json(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']!r}, wanted was {FORMAT!r}")
        sheet = AnswerSheet(path, record["study"], record["participant"].strip(), record["saved"], record["answers"])
        if not all(isinstance(text, str) for text in (sheet.study, sheet.saved, *sheet.chosen.values())):
            raise ValueError("study, saved and answers are not text")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is no file of answers that the page of a study has written: {error}.") from error
    return sheet


def collect_answers(paths: Sequence[Path], keys: Sequence[StudyKey]) -> Answers:
    """Read all files, and translate their tokens into methods.

    A file that cannot be read, is of a study without a key here, or names what its key does not have, does not count.
    Of several files of one participant and study the one that was saved last counts. An unfinished file counts as far
    as it goes, because a win rate is a share of the choices that were made.
    """
    known = {key.study: key for key in keys}
    sheets: dict[tuple[str, str], AnswerSheet] = {}
    notes: list[str] = []
    problems: list[str] = []
    for path in dict.fromkeys(paths):
        try:
            sheet = read_answers(path)
            check_sheet(sheet, known)
        except (ValueError, OSError) as error:
            problems.append(str(error))
            continue
        place = sheet.study, sheet.participant
        if place in sheets:
            notes.append(_twice_sentence(sheets[place], sheet))
            sheet = max(sheets[place], sheet, key=lambda one: one.saved)
        sheets[place] = sheet
    counted: list[Answer] = []
    agreements: dict[str, tuple[int, int]] = {}
    for sheet in sheets.values():
        key = known[sheet.study]
        if len(sheet.chosen) < len(key.questions):
            notes.append(f"{sheet.path} answers {len(sheet.chosen)} of {len(key.questions)} questions, which count.")
        counted += answers_of(sheet, key)
        agreed, asked = agreements_of(sheet, key)
        before = agreements.get(sheet.participant, (0, 0))
        agreements[sheet.participant] = before[0] + agreed, before[1] + asked
    return Answers(tuple(counted), agreements, tuple(notes), tuple(problems))


def check_sheet(sheet: AnswerSheet, known: Mapping[str, StudyKey]) -> None:
    """Refuse answers to what was not asked.

    Raises:
        ValueError: If there is no key of its study, nobody is named, nothing is answered, or a token is not in the key.
    """
    if sheet.study not in known:
        raise ValueError(
            f"{sheet.path} answers another study, {sheet.study}, and the key is of {' and '.join(known)}; give the key "
            "that was written with its page."
        )
    if not sheet.participant:
        raise ValueError(f'{sheet.path} does not say who answered; write a name as its "participant".')
    if not sheet.chosen:
        raise ValueError(f"{sheet.path} answers no question.")
    options = {question.token: question.options for question in known[sheet.study].questions}
    strange = [token for token, choice in sheet.chosen.items() if choice not in options.get(token, ())]
    if strange:
        raise ValueError(
            f"{sheet.path} has answers that its study does not offer, as {strange[0]}: {sheet.chosen[strange[0]]}; the "
            "file has been changed."
        )


def answers_of(sheet: AnswerSheet, key: StudyKey) -> list[Answer]:
    """Choices of one participant, without those to questions that were asked again."""
    return [
        Answer(sheet.participant, question.kind, question.picture, _method(question, sheet))
        for question in key.questions
        if question.token in sheet.chosen and question.repeats is None
    ]


def agreements_of(sheet: AnswerSheet, key: StudyKey) -> tuple[int, int]:
    """In how many questions that were asked again the same method was chosen, and of how many."""
    first = {question.token: question for question in key.questions}
    pairs = [
        (first[question.repeats], question)
        for question in key.questions
        if question.repeats is not None and {question.token, question.repeats} <= sheet.chosen.keys()
    ]
    return sum(_method(one, sheet) == _method(again, sheet) for one, again in pairs), len(pairs)


def _method(question: Question, sheet: AnswerSheet) -> str:
    return question.options[sheet.chosen[question.token]]


def _twice_sentence(one: AnswerSheet, other: AnswerSheet) -> str:
    older, newer = sorted((one, other), key=lambda sheet: sheet.saved)
    both = f"{older.path} and {newer.path} are both of participant {newer.participant}"
    if older.chosen == newer.chosen:
        return f"{both} and say the same; they count once."
    return (
        f"{both}; {newer.path} was saved later and counts. If they are of two people, change participant in one of the "
        "files."
    )
