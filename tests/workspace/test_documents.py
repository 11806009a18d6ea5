"""README, docs and model cards have no measured figure that a benchmark does not write."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.reporting.documents import BLOCK, FIGURE, KEPT, ROOT, documents, filled_in, names_in, publish
from benchmarks.reporting.results import Outcome

UNITS = "dB|ms|GB|MB|GiB|MiB|%|GMACs?|times (?:faster|slower|smaller)|seconds?|minutes?|hours?|days?|images a"

MEASURED = re.compile(
    rf"(?<![\w.])[+\-±~]?\d[\d.,]*\s?(?:{UNITS})(?!\w)"  # a number with a unit
    r"|(?<![\w./])\+\d+\.\d+"  # a gain
    r"|\|\s*[+-]?\d+\.\d+\s*(?=\|)"  # a cell of a table that is a fraction and nothing else
)

NOT_MEASURED = {
    ("README.md", "+0.70 dB"): "the paper's",
    ("boundary-artifact.md", "3 %"): "a setting",
    ("scoring.md", "80 dB"): "of the definition: 1e-8 is added to the error",
    ("scoring.md", "1.3 dB"): "20 lg (255 / 219), the ranges of RGB and Y",
    ("large-x8.md", "0.14 dB"): "the paper's",
    ("user-study.md", "200 MB"): "a setting",
    ("user-study.md", "95%"): "the confidence",
    **{
        ("restoration-data.md", f"| {share}"): "the paper's mixtures"
        for share in ("0.068", "0.023", "0.773", "0.136", "0.375", "0.125", "0.425", "0.075")
    },
    **{(f"small-x{scale}{kind}.md", "+0.70 dB"): "the paper's" for scale in (4, 8) for kind in ("", "-perceptual")},
}
"""What looks measured and is not, by document, with the reason."""


def written_by_hand(text: str) -> str:
    """A document without its blocks and figures, without code, which shows what commands look like, not what is so."""
    for form in (BLOCK, FIGURE, re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL), re.compile(r"`[^`\n]*`")):
        text = form.sub("", text)
    return text


def measured(text: str) -> set[str]:
    """What looks like a measured figure."""
    return {found[0].strip() for found in MEASURED.finditer(written_by_hand(text))}


@pytest.mark.parametrize("document", documents(ROOT), ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_show_the_published_figures(document: Path) -> None:
    text = document.read_text()
    assert filled_in(text, ROOT) == text, f"{document.name}: python -m benchmarks --publish"
    assert text.count("<!-- results:") == len(BLOCK.findall(text)), "a block is not closed"
    assert text.count("<!-- figure:") == len(FIGURE.findall(text)), "a figure is not closed, or not NAME: ROW: COLUMN"


@pytest.mark.parametrize("document", documents(ROOT), ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_have_no_figures_by_hand(document: Path) -> None:
    allowed = {text for name, text in NOT_MEASURED if name == document.name}
    assert measured(document.read_text()) <= allowed, "let a benchmark measure it, or say it in words"


def test_all_exceptions_are_needed() -> None:
    found = {(document.name, text) for document in documents(ROOT) for text in measured(document.read_text())}
    assert set(NOT_MEASURED) <= found


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("it gains +0.45 dB", {"+0.45 dB"}),
        ("27 ms, 2.2 images a second, 15.5 GB", {"27 ms", "2.2 images a", "15.5 GB"}),
        ("| a | 0.51 | 0.88 |", {"| 0.51", "| 0.88"}),
        ("12.4 GMACs and 98.0 %", {"12.4 GMACs", "98.0 %"}),
        ("`--memory 4 GB`, 512 pixels, sd21 days, from 0.2 to 0.3", set()),
        ("<!-- figure: a: b: c -->3.1<!-- end of figure --> dB", set()),
        ("```\n3.1 dB\n```", set()),
    ],
)
def test_what_looks_measured(text: str, figures: set[str]) -> None:
    assert measured(text) == figures


def test_every_published_figure_is_shown() -> None:
    shown = {name for document in documents(ROOT) for name in names_in(document.read_text())}
    kept = {path.stem for path in (ROOT / "docs/results").glob("*.json")}
    assert kept == shown


def test_the_readme_has_a_table_of_results() -> None:
    assert BLOCK.search((ROOT / "README.md").read_text())


def test_every_shipped_weight_has_its_table() -> None:
    for weights in ROOT.glob("packages/*/src/*/weights/*.safetensors"):
        package, name = weights.parts[-3], weights.stem.replace("-", "_")
        tables = names_in(weights.with_suffix(".md").read_text())
        titles = [json.loads((ROOT / KEPT / f"{table}.json").read_text())["title"] for table in tables]
        named = [table for table in tables if table.startswith(f"{package}_{name}")]
        assert named or any(title.startswith(f"{weights.stem} ") for title in titles), weights.name


@pytest.fixture
def outcome() -> Outcome:
    table = {
        "name": "speed",
        "title": "Speed",
        "machine": {"CPU": "a fast one"},
        "columns": ["way, in words", "ms"],
        "rows": [["ours, 4 px", 27.391], [5, 0.0]],
        "note": "",
        "pictures": [],
    }
    return Outcome("full", 1.0, {}, [table])


def test_sentences_get_their_figures(outcome: Outcome, tmp_path: Path) -> None:
    card = tmp_path / "packages/a/src/a/weights/w.md"
    card.parent.mkdir(parents=True)
    figures = "speed: ours, 4 px: ms", "speed: 5: ms", "speed: machine: CPU"
    card.write_text(", ".join(f"<!-- figure: {figure} -->?<!-- end of figure -->" for figure in figures))
    (tmp_path / "README.md").write_text("")
    assert list(publish({"a": outcome}, tmp_path, tmp_path)) == [card]
    text = card.read_text()
    assert re.findall(r"-->([^<]+)<", text) == ["27.39", ", ", "0.000", ", ", "a fast one"]
    assert json.loads((tmp_path / "docs/results/speed.json").read_text())["rows"][0][1] == 27.391
    assert list(publish({}, tmp_path, tmp_path)) == []


@pytest.mark.parametrize(
    ("figure", "sentence"),
    [
        ("speed: theirs: ms", "no row theirs; it has ours, 4 px; 5"),
        ("speed: 5: hours", "no column hours; it has way, in words, ms"),
        ("speed: machine: GPU", "says nothing of GPU, but CPU"),
        ("other: 5: ms", "other.json is not there: measure it"),
    ],
)
def test_figures_that_are_not_there(figure: str, sentence: str, outcome: Outcome, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("<!-- figure: speed: 5: ms -->?<!-- end of figure -->")
    assert list(publish({"a": outcome}, tmp_path, tmp_path))
    text = f"<!-- figure: speed: 5: ms -->0<!-- end of figure --> <!-- figure: {figure} -->?<!-- end of figure -->"
    (tmp_path / "README.md").write_text(text)
    outcome.tables[0]["rows"][1][1] = 7.0
    with pytest.raises(ValueError, match=sentence):
        list(publish({"a": outcome}, tmp_path, tmp_path))
    assert (tmp_path / "README.md").read_text() == text  # and no table was kept before that was found
    assert json.loads((tmp_path / "docs/results/speed.json").read_text())["rows"][1][1] == 0.0


def test_pictures_take_the_place_of_published_ones(outcome: Outcome, tmp_path: Path) -> None:
    table = outcome.tables[0] | {"pictures": [{"file": "sheet.jpg"}, {"file": "unpublished.jpg"}]}
    measured = {"a": Outcome("full", 1.0, {}, [table])}
    (tmp_path / "README.md").write_text("<!-- figure: speed: 5: ms -->?<!-- end of figure -->")
    published = tmp_path / "docs/images/sheet.jpg"
    published.parent.mkdir(parents=True)
    published.write_bytes(b"old")
    with pytest.raises(FileNotFoundError, match=r"sheet\.jpg"):
        list(publish(measured, tmp_path, tmp_path))
    assert not (tmp_path / "docs/results").exists()  # nothing is written where anything is missing
    (tmp_path / "sheet.jpg").write_bytes(b"new")
    assert list(publish(measured, tmp_path, tmp_path)) == [tmp_path / "README.md", published]
    assert published.read_bytes() == b"new"
    assert [path.name for path in published.parent.iterdir()] == ["sheet.jpg"]
