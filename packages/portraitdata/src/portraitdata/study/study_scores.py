"""The result of a study: win rates of both kinds of question, for people and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faceops.atomic_files import replacing
from faceops.enumeration import counted
from portraitdata.study.answers import Answers, collect_answers
from portraitdata.study.questions import WIN_RATES, QuestionKind
from portraitdata.study.study_key import StudyKey
from portraitdata.study.win_rates import WinRate, win_rates

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class StudyScores:
    """Win rates, and what they are of."""

    studies: tuple[str, ...]
    answers: Answers
    rates: Mapping[QuestionKind, tuple[WinRate, ...]]
    """Of the kinds that anybody answered, the best method first."""

    def participants(self, kind: QuestionKind) -> int:
        """Number of people who answered questions of a kind."""
        return len({answer.participant for answer in self.answers.counted if answer.kind == kind})

    def as_json(self) -> str:
        """The result as one JSON object; `by_people_and_pictures` may be null."""
        record = {
            "studies": list(self.studies),
            "win_rates": {WIN_RATES[kind]: self._record(kind) for kind in self.rates},
            "asked_again": {name: {"agreed": a, "of": n} for name, (a, n) in self.answers.agreements.items() if n},
            "notes": list(self.answers.notes),
            "problems": list(self.answers.problems),
        }
        return json.dumps(record, indent=1, ensure_ascii=False).encode(errors="backslashreplace").decode() + "\n"

    def _record(self, kind: QuestionKind) -> dict[str, object]:
        rates = self.rates[kind]
        methods = {
            rate.method: {
                "rate": rate.rate,
                "wins": rate.wins,
                "by_answers": rate.by_answers,
                "by_people_and_pictures": rate.by_people_and_pictures,
            }
            for rate in rates
        }
        return {"answers": rates[0].answers, "participants": self.participants(kind), "methods": methods}

    def write(self, path: Path) -> None:
        """Write the JSON; the file appears complete or not at all."""
        with replacing(path) as temporary:
            temporary.write_text(self.as_json(), encoding="utf-8")

    def heading(self, kind: QuestionKind) -> str:
        """Describe the answers behind a kind's win rates, and the rate of a method chosen blindly."""
        rates, people = self.rates[kind], counted(self.participants(kind), "participant")
        answers = counted(rates[0].answers, "answer")
        return f"{WIN_RATES[kind]}, {kind}: {answers} of {people}, by chance {1 / len(rates):.2f}"

    def table(self, kind: QuestionKind) -> "Table":
        """Win rates of a kind to read, the best first; "95% interval" is the one over people and pictures."""
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        table.add_column("method", overflow="fold")
        for heading in ("win rate", "chosen", "95% interval", "Wilson"):
            table.add_column(heading, justify="right", no_wrap=True)
        for rate in self.rates[kind]:
            intervals = _shown(rate.by_people_and_pictures), _shown(rate.by_answers)
            table.add_row(escape(rate.method), f"{rate.rate:.2f}", str(rate.wins), *intervals)
        return table

    def consistency(self) -> str | None:
        """A sentence on the questions that were asked again; None without any."""
        agreed = sum(count for count, _ in self.answers.agreements.values())
        asked = sum(count for _, count in self.answers.agreements.values())
        if not asked:
            return None
        return f"Asked again, the same method was chosen in {agreed} of {counted(asked, 'question')}."


def score_study(paths: Sequence[Path], keys: Sequence[StudyKey]) -> StudyScores:
    """Win rates of all answers together.

    Several keys are several pages about the same methods, as questionnaires with pictures of their own or one for each
    kind of question.

    Raises:
        ValueError: If no file counts, or the keys are about different methods.
    """
    methods = keys[0].methods
    for key in keys:
        if sorted(key.methods) != sorted(methods):
            raise ValueError(
                f"Win rates among different methods do not compare: one key is about {', '.join(methods)}, another "
                f"about {', '.join(key.methods)}."
            )
    answers = collect_answers(paths, keys)
    if not answers.counted:
        raise ValueError(" ".join(["None of the files of answers counts.", *answers.problems]))
    rates: dict[QuestionKind, tuple[WinRate, ...]] = {}
    for kind in WIN_RATES:
        of_kind = [answer for answer in answers.counted if answer.kind == kind]
        if of_kind:
            rates[kind] = tuple(sorted(win_rates(of_kind, methods), key=lambda rate: -rate.wins))
    return StudyScores(tuple(key.study for key in keys), answers, rates)


def _shown(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"
