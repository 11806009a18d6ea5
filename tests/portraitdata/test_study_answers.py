"""Files of answers: what counts, and what is said about the rest."""

import json
from pathlib import Path

import pytest

from portraitdata.commands.study import run_study_score
from portraitdata.commands.study_options import StudyScoreOptions
from portraitdata.study.answers import FORMAT, collect_answers, read_answers
from portraitdata.study.questions import draw_questions
from portraitdata.study.study_key import StudyKey
from portraitdata.study.study_scores import score_study

METHODS = ("ours", "theirs", "[red]bold")


def study(*, seed: int = 0, methods: tuple[str, ...] = METHODS, repeats: int = 0) -> StudyKey:
    kinds = ("naturalness", "similarity")
    return StudyKey(methods, draw_questions(list("abcdef"), methods, kinds, 4, repeats=repeats, seed=seed), seed=seed)


KEY = study()


def sheet(folder: Path, participant: str, chosen: str, key: StudyKey = KEY, **changed: object) -> Path:
    """Answers to the first questions: o for ours, t for theirs, b for bold."""
    methods = {"o": "ours", "t": "theirs", "b": "[red]bold"}
    answers = {
        question.token: next(token for token, method in question.options.items() if method == methods[letter])
        for question, letter in zip(key.questions, chosen, strict=False)
    }
    record = {"format": FORMAT, "study": key.study, "participant": participant, "saved": "2026-01-01T10:00:00.000Z"}
    path = folder / f"{participant}-{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(record | {"questions": 8, "answers": answers} | changed))
    return path


def test_win_rates_of_both_kinds(tmp_path):
    paths = [sheet(tmp_path, "ann", "oootbbbb"), sheet(tmp_path, "ben", "oottoooo")]
    scores = score_study(paths, [KEY])
    natural = {rate.method: (rate.wins, rate.rate) for rate in scores.rates["naturalness"]}
    assert natural == {"ours": (5, 5 / 8), "theirs": (3, 3 / 8), "[red]bold": (0, 0.0)}
    assert {rate.method: rate.wins for rate in scores.rates["similarity"]} == {"ours": 4, "theirs": 0, "[red]bold": 4}
    assert [rate.method for rate in scores.rates["naturalness"]] == ["ours", "theirs", "[red]bold"]
    assert (scores.answers.notes, scores.answers.problems, scores.consistency()) == ((), (), None)


def test_unfinished_answers_count_as_far_as_they_go(tmp_path):
    found = collect_answers([sheet(tmp_path, "ann", "oot")], [KEY])
    assert [answer.method for answer in found.counted] == ["ours", "ours", "theirs"]
    assert len(found.notes) == 1
    assert found.notes[0].endswith("ann-0.json answers 3 of 8 questions, which count.")


def test_the_later_of_two_files_of_one_person_counts(tmp_path):
    later = sheet(tmp_path, "ann", "oooooooo", saved="2026-01-02T09:00:00.000Z")
    earlier = sheet(tmp_path, " ann ", "tttttttt")
    for order in ([later, earlier], [earlier, later], [later, earlier, later]):
        found = collect_answers(order, [KEY])
        assert [answer.method for answer in found.counted] == ["ours"] * 8
        assert found.notes == (
            f"{earlier} and {later} are both of participant ann; {later} was saved later and counts. If they are of "
            "two people, change participant in one of the files.",
        )
    copy = sheet(tmp_path, "ann", "oooooooo", saved="2026-01-02T09:00:00.000Z")
    found = collect_answers([later, copy], [KEY])
    assert len(found.counted) == 8
    assert found.notes == (f"{later} and {copy} are both of participant ann and say the same; they count once.",)


def test_asked_again(tmp_path):
    key = study(repeats=2)  # naturalness 4 + 2, similarity 4 + 2
    assert len(key.questions) == 12
    scores = score_study([sheet(tmp_path, "ann", "ooooottttttt", key)], [key])
    assert scores.answers.agreements == {"ann": (3, 4)}
    assert scores.consistency() == "Asked again, the same method was chosen in 3 of 4 questions."
    assert {rate.method: rate.wins for rate in scores.rates["naturalness"]}["ours"] == 4  # not five
    found = collect_answers([sheet(tmp_path, "ben", "oooo", key)], [key])
    assert found.agreements == {"ben": (0, 0)}


def test_several_pages_are_one_study(tmp_path):
    other = study(seed=1)
    paths = [sheet(tmp_path, "ann", "oooooooo"), sheet(tmp_path, "ann", "tttttttt", other)]
    scores = score_study(paths, [KEY, other])
    assert [rate.wins for rate in scores.rates["similarity"]] == [4, 4, 0]
    assert scores.participants("similarity") == 1
    with pytest.raises(ValueError, match=r"one key is about ours, theirs, \[red\]bold, another about ours, theirs"):
        score_study(paths, [KEY, study(methods=("ours", "theirs"))])


def test_files_that_do_not_count(tmp_path, capsys):
    good = sheet(tmp_path, "ann", "oooooooo")
    foreign = sheet(tmp_path, "ben", "oooooooo", study(seed=1))
    nameless = sheet(tmp_path, "", "oooooooo")
    empty = sheet(tmp_path, "cat", "")
    token = KEY.questions[0].token
    changed = sheet(tmp_path, "dan", "o", answers={token: "ours"})
    broken, absent = tmp_path / "broken.json", tmp_path / "absent.json"
    broken.write_text('{"format": ')
    (tmp_path / "key.json").write_text(KEY.as_json())
    files = [good, foreign, nameless, empty, changed, broken, absent]
    assert run_study_score(StudyScoreOptions(files, key=[tmp_path / "key.json"], output=tmp_path / "scores.json")) == 1
    told = capsys.readouterr()
    sentences = told.err.splitlines()
    assert len(sentences) == 6
    for sentence, part in zip(
        sentences,
        (
            f"{foreign} answers another study, {study(seed=1).study}, and the key is of {KEY.study}; give the key",
            f'{nameless} does not say who answered; write a name as its "participant".',
            f"{empty} answers no question.",
            f"{changed} has answers that its study does not offer, as {token}: ours; the file has been changed.",
            f"{broken} is no file of answers that the page of a study has written: Expecting",
            f"There is no file of answers {absent}.",
        ),
        strict=True,
    ):
        assert sentence.startswith(part)
    assert "[red]bold" in told.out
    assert "WR_N, naturalness: 4 answers of 1 participant, by chance 0.33" in told.out
    record = json.loads((tmp_path / "scores.json").read_text())
    assert record["win_rates"]["WR_id"]["methods"]["ours"] == {
        "rate": 1.0,
        "wins": 4,
        "by_answers": pytest.approx([4 / (4 + 3.841459), 1.0], abs=1e-6),
        "by_people_and_pictures": None,
    }
    assert record["problems"] == sentences
    with pytest.raises(ValueError, match="None of the files of answers counts"):
        run_study_score(StudyScoreOptions([empty], key=[tmp_path / "key.json"]))
    with pytest.raises(ValueError, match=r"written to a \.json file, got scores\.csv"):
        run_study_score(StudyScoreOptions([good], key=[tmp_path / "key.json"], output=Path("scores.csv")))


@pytest.mark.parametrize(
    "text",
    ["[]", '{"format": "1"}', f'{{"format": "{FORMAT}", "study": "a"}}', '"text"']
    + [
        json.dumps({"format": FORMAT, "study": "a", "participant": "b", "saved": "c", "answers": a})
        for a in ([], {"d": 1})
    ]
    + [json.dumps({"format": FORMAT, "study": "a", "participant": 7, "saved": "c", "answers": {}})],
)
def test_other_files_are_no_answers(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"a\.json is no file of answers that the page of a study has written"):
        read_answers(tmp_path / "a.json")
