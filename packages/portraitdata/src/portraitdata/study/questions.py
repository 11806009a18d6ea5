"""The questions of a study: which pictures, in which order, and the methods of each in which order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

QuestionKind = Literal["naturalness", "similarity"]
"""Kind of question: which candidate is most natural, or most like the person."""

WIN_RATES: dict[QuestionKind, str] = {"naturalness": "WR_N", "similarity": "WR_id"}
"""Names of the kinds' win rates in HeadsUp."""


@dataclass(frozen=True)
class Question:
    """One question, as the key knows it; the page has only the tokens."""

    token: str
    """Name of the question in the page and in answers."""
    kind: QuestionKind
    picture: str
    options: Mapping[str, str]
    """Method by the token of its candidate, in the order in which they are shown."""
    repeats: str | None = None
    """Token of the question that is asked again, if it is."""


def draw_questions(
    pictures: Sequence[str],
    methods: Sequence[str],
    kinds: Sequence[QuestionKind],
    count: int,
    *,
    repeats: int = 0,
    seed: int = 0,
) -> tuple[Question, ...]:
    """Draw the questions of HeadsUp's user study (Section 4 and "User Study Details" of Section B).

    A question shows the candidates of all methods in random order, and one of them is chosen. The pictures are a
    random sample without replacement, drawn for each kind by itself. Naturalness comes first wherever both are asked,
    because nobody has seen a true face yet then; the paper asks the two in questionnaires of their own, 58 questions
    each. It does not say whether all its questionnaires had the same questions.

    Every token is random and occurs once, so it says nothing about the method or about other questions.

    Args:
        count: Questions of each kind.
        repeats: Questions of each kind, of its first half, that are asked again at its end with the methods in
            another order, to see how consistent a participant is. The paper has none.

    Raises:
        ValueError: If there are too few pictures, or a number makes no sense.
    """
    if not 1 <= count <= len(pictures):
        raise ValueError(f"There are {len(pictures)} pictures to ask about, so 1 to as many questions; got {count}.")
    if not 0 <= repeats <= (count + 1) // 2:
        raise ValueError(f"Of {count} questions 0 to {(count + 1) // 2} can be asked again, got {repeats}.")
    random = Random(seed)
    questions: list[Question] = []
    for kind in sorted(kinds):
        asked = [_question(random, kind, name, methods) for name in random.sample(list(pictures), count)]
        again = random.sample(asked[: (count + 1) // 2], repeats)
        questions += asked
        questions += [_question(random, kind, first.picture, methods, first.token) for first in again]
    return tuple(questions)


def _question(
    random: Random, kind: QuestionKind, picture: str, methods: Sequence[str], repeats: str | None = None
) -> Question:
    order = random.sample(list(methods), len(methods))
    return Question(_token(random), kind, picture, {_token(random): method for method in order}, repeats)


def _token(random: Random) -> str:
    return f"{random.getrandbits(64):016x}"
