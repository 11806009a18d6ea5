"""What is asked, in which order, and the key that remembers it."""

from collections import Counter
from pathlib import Path

import pytest

from portraitdata.study.questions import draw_questions
from portraitdata.study.study_key import StudyKey

METHODS = ("ours", "theirs", "bicubic")
PICTURES = [f"face{number:02}" for number in range(40)]


def drawn(**changed):
    return draw_questions(
        **({"pictures": PICTURES, "methods": METHODS, "kinds": ("naturalness",), "count": 30} | changed)
    )


def test_every_question_compares_all_methods_on_another_picture():
    questions = drawn(kinds=("similarity", "naturalness"))
    assert [question.kind for question in questions] == ["naturalness"] * 30 + ["similarity"] * 30
    for part in (questions[:30], questions[30:]):
        assert len({question.picture for question in part}) == 30
        assert all(sorted(question.options.values()) == sorted(METHODS) for question in part)
    assert [question.picture for question in questions[:30]] != [question.picture for question in questions[30:]]


def test_the_order_says_nothing():
    """Over many questions every method is at every place, in about a third of them each."""
    questions = drawn(pictures=[str(number) for number in range(600)], count=600)
    places = Counter((place, name) for question in questions for place, name in enumerate(question.options.values()))
    assert len(places) == 9
    assert all(150 < count < 250 for count in places.values())
    tokens = [token for question in questions for token in (question.token, *question.options)]
    assert len(set(tokens)) == len(tokens) == 4 * 600


def test_a_seed_draws_the_same_again():
    assert drawn(seed=3) == drawn(seed=3)
    assert drawn(seed=3) != drawn(seed=4)


def test_questions_asked_again():
    questions = drawn(count=9, repeats=5)
    first, again = questions[:9], questions[9:]
    assert all(question.repeats is None for question in first)
    pictures = {question.token: question.picture for question in first[:5]}
    assert {question.repeats: question.picture for question in again} == pictures
    assert not {token for question in first for token in question.options} & {t for q in again for t in q.options}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"count": 41}, "There are 40 pictures to ask about, so 1 to as many questions; got 41"),
        ({"count": 0}, "got 0"),
        ({"count": 5, "repeats": 4}, "Of 5 questions 0 to 3 can be asked again, got 4"),
        ({"repeats": -1}, "got -1"),
    ],
)
def test_refused_numbers(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        drawn(**changed)


def test_a_key_is_read_as_it_was_written(tmp_path):
    key = StudyKey(METHODS, drawn(count=4, repeats=1), ("truth", "input"), 0)
    key.write(tmp_path / "study.key.json")
    again = StudyKey.read(tmp_path / "study.key.json")
    assert again == key
    assert [list(question.options) for question in again.questions] == [list(q.options) for q in key.questions]
    key.write(tmp_path / "study.key.json")  # the same once more does no harm
    other = StudyKey(METHODS, drawn(count=4, repeats=1, seed=1), ("truth", "input"), 1)
    assert other.study != key.study
    with pytest.raises(FileExistsError, match=r"study\.key\.json is the key of another study, whose answers"):
        other.write(tmp_path / "study.key.json")


def test_keys_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no key absent\.json; `portraitdata study make` wrote it"):
        StudyKey.read(Path("absent.json"))
    path = tmp_path / "a.json"
    for text, reason in (("[", "Expecting"), ("{}", "'format'"), ('{"format": "2"}', "its format is '2', wanted was")):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf"a\.json is not the key of a study: {reason}"):
            StudyKey.read(path)
    path.write_text(StudyKey(METHODS, drawn()).as_json().replace('"bicubic"', '"theirs"', 1))
    with pytest.raises(ValueError, match=r"a\.json has been changed since it was written"):
        StudyKey.read(path)
