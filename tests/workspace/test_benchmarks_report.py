"""Results of benchmarks: kept, reported and put into the documents."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import running
from benchmarks.curves.training_curves import measure as training_curves
from benchmarks.reporting import documents, report
from benchmarks.reporting.catalogue import SECTIONS, benchmarks
from benchmarks.reporting.facts import facts, surroundings
from benchmarks.reporting.results import Outcome, keep_table, read_results, write_results
from benchmarks.reporting.table import LeftOutError, Published, Suite, Table

ROOT = Path(__file__).parents[2]
FACTS = {"CPU": "of <paper>", "threads": "1"}


def table() -> Table:
    published = Published("Table 9 of a paper & its data", ("method", "dB"), (("theirs", 31.5),))
    rows = (("bicubic", 24.134, 0.6719, 12), ("<ours>", 27.391, 0.7887, 1234.5))
    columns = ("method", "dB", "SSIM", "ms")
    return Table(
        "speed",
        "Speed & <quality>",
        columns,
        rows,
        ("dB",),
        "dB",
        "A note.",
        published,
        pictures={"Sheet": torch.rand(3, 8, 9)},
    )


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Outcome]:
    measured = Outcome("full", 3.2, FACTS, [keep_table(table(), FACTS, tmp_path)])
    return {"restoring_stages": measured, "hime_table1": Outcome("quick", 0.1, FACTS, left_out="needs photographs")}


def test_results_are_read_back(results: dict[str, Outcome], tmp_path: Path) -> None:
    assert read_results(tmp_path) == {}
    write_results(results, tmp_path)
    again = read_results(tmp_path)
    assert again.keys() == results.keys()
    assert again["hime_table1"].left_out == "needs photographs"
    (kept,) = again["restoring_stages"].tables
    assert kept["rows"] == [["bicubic", 24.134, 0.6719, 12], ["<ours>", 27.391, 0.7887, 1234.5]]
    assert kept["machine"] == FACTS
    assert (tmp_path / "speed.csv").read_text().splitlines() == [
        "method,dB,SSIM,ms",
        "bicubic,24.134,0.6719,12",
        "<ours>,27.391,0.7887,1234.5",
    ]


@pytest.mark.parametrize(
    ("here", "before", "suite", "again"),
    [
        ("abc", "abc", "quick", False),
        ("abc", "abc", "full", True),
        ("abc", "xyz", "quick", True),
        ("abc, changed", "abc, changed", "quick", True),  # who knows what has changed
        ("unknown", "unknown", "quick", True),
    ],
)
def test_an_interrupted_suite_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    here: str,
    before: str,
    suite: str,
    again: bool,
) -> None:
    measured = []

    def outcome_of(name: str, suite: Suite, *_: object) -> Outcome:
        measured.append(name)
        return Outcome(suite, 1.0, {"commit": here})

    monkeypatch.setattr(running, "outcome_of", outcome_of)
    monkeypatch.setattr(running, "facts", lambda: {"commit": here, "threads": "2", "date": "today"})
    monkeypatch.setattr(running, "surroundings", dict)
    known = {"commit": before, "threads": "2", "date": "yesterday"}
    other_threads = Outcome("quick", 1.0, known | {"threads": "1"})
    left_out = Outcome("quick", 1.0, known, left_out="needs a GPU")
    write_results({"profiles": Outcome("quick", 1.0, known), "startup": other_threads, "gpu": left_out}, tmp_path)
    monkeypatch.setattr(
        "sys.argv",
        ["benchmarks", "profiles", "startup", "gpu", "--suite", suite, "--resume", "--output", str(tmp_path)],
    )
    threads = torch.get_num_threads()
    command.main()
    torch.set_num_threads(threads)
    assert measured == (["profiles", "startup", "gpu"] if again else ["startup", "gpu"])
    assert read_results(tmp_path).keys() == {"profiles", "startup", "gpu"}
    assert ("Nothing is left out by --resume" in capsys.readouterr().out) == (here != "abc")


def test_what_was_missing_before_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "facts", lambda: {"commit": "abc", "date": "today"})
    monkeypatch.delenv("PORTRAIT_RESULTS", raising=False)
    before = Outcome("quick", 1.0, {"commit": "abc", "date": "yesterday"}, surroundings=surroundings())
    assert running.is_current(before, "quick")
    monkeypatch.setenv("PORTRAIT_RESULTS", "theirs=results")
    assert not running.is_current(before, "quick")


def undrawn() -> Table:
    return replace(table(), bars=(), pictures={})


def measured(monkeypatch: pytest.MonkeyPatch, folder: Path, outcomes: Mapping[str, Iterable[Table] | Exception]) -> str:
    """Run benchmarks that have these outcomes, in this order; what the exit says."""

    def module(path: str) -> SimpleNamespace:
        def measure(suite: Suite) -> Iterable[Table]:
            found = outcomes[next(name for name, each in benchmarks().items() if each.module == path)]
            if isinstance(found, Exception):
                raise found
            return found

        return SimpleNamespace(measure=measure)

    monkeypatch.setattr(running, "import_module", module)
    monkeypatch.setattr("sys.argv", ["benchmarks", *outcomes, "--output", str(folder)])
    threads = torch.get_num_threads()
    try:
        command.main()
    except SystemExit as ended:
        return str(ended.code)
    finally:
        torch.set_num_threads(threads)
    return ""


def test_cpu_seconds_are_counted_on_one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []

    def noting() -> Iterator[Table]:
        seen.append((torch.get_num_threads(), cv2.getNumThreads()))
        yield undrawn()

    monkeypatch.setattr(running, "is_committed", lambda here: True)
    of_opencv = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        assert not measured(monkeypatch, tmp_path, {"correlation_loss": noting(), "startup": noting()})
        assert seen == [(1, 1), (2, 2)]
        found = read_results(tmp_path)
        assert {name: each.facts["threads"] for name, each in found.items()} == {
            "correlation_loss": "1",
            "startup": "2",
        }
        with running.threads_of("correlation_loss"):
            assert running.is_current(found["correlation_loss"], "quick")
    finally:
        cv2.setNumThreads(of_opencv)


def test_what_fails_ends_no_other_benchmark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def half() -> Iterator[Table]:
        yield undrawn()
        assert (tmp_path / f"{undrawn().name}.csv").is_file()  # who is killed now has lost nothing
        raise ValueError("The set b is damaged.")

    outcomes = {"loader": FileNotFoundError(2, "No such file", "a.pth"), "gpu": half(), "profiles": [undrawn()]}
    assert measured(monkeypatch, tmp_path, outcomes).splitlines() == [
        "python -m benchmarks: loader failed: a.pth: No such file.",
        "python -m benchmarks: gpu failed: The set b is damaged.",
    ]
    found = read_results(tmp_path)
    assert [(name, len(each.tables)) for name, each in found.items()] == [("loader", 0), ("gpu", 1), ("profiles", 1)]
    text = (tmp_path / "report.md").read_text()
    assert "*loader failed: a.pth: No such file.*" in text
    assert "*gpu failed: The set b is damaged.*" in text
    assert text.count("### Speed & <quality>") == 2
    assert not running.is_current(found["gpu"], "quick")


def test_what_was_measured_is_kept_where_it_cannot_be_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not measured(monkeypatch, tmp_path, {"gpu": [undrawn()], "profiles": [undrawn()]})
    before = read_results(tmp_path)
    failing = {"gpu": LeftOutError("needs a GPU"), "profiles": RuntimeError("It is out of memory.")}
    assert "profiles failed: It is out of memory." in measured(monkeypatch, tmp_path, failing)
    assert read_results(tmp_path) == before
    assert "left out" not in (tmp_path / "report.md").read_text()


def test_what_the_quick_suite_measured_is_not_published(results: dict[str, Outcome], tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("<!-- results: speed: dB -->\n<!-- end of results -->\n")
    assert documents.of_quick_suite(results, tmp_path) == []
    assert list(documents.publish(results, tmp_path, tmp_path)) == [tmp_path / "README.md"]
    published = (tmp_path / "README.md").read_text()
    kept = keep_table(replace(undrawn(), rows=(("bicubic", 1.0, 0.5, 12),)), FACTS, tmp_path)
    results["restoring_stages"] = Outcome("quick", 1.0, FACTS, [kept])
    assert list(documents.publish(results, tmp_path, tmp_path)) == []
    assert (tmp_path / "README.md").read_text() == published
    assert documents.of_quick_suite(results, tmp_path) == ["restoring_stages"]


def test_report_shows_what_there_is_and_says_what_is_not(results: dict[str, Outcome], tmp_path: Path) -> None:
    page = report.write_report(results, tmp_path).read_text()
    for section in SECTIONS:
        assert f">{section}</h2>" in page
    assert "&lt;ours&gt;" in page
    assert "<ours>" not in page
    assert "hime_table1 is left out: it needs photographs." in page
    absent = [name for name in benchmarks() if name not in results]
    assert all(f"{name} was not measured" in page for name in absent)
    assert page.index("Table 9 of a paper &amp; its data") > page.index(report.OTHER_DATA)
    images = re.findall(r'<img src="([^"]+)"', page)
    assert sorted(images) == ["speed.png", "speed_1.jpg"]
    assert all((tmp_path / image).is_file() for image in images)
    text = (tmp_path / "report.md").read_text()
    assert "| <ours> | 27.39 | 0.789 | 1234 |" in text


def test_documents_get_the_figures(results: dict[str, Outcome], tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    before = "x\n<!-- results: speed: dB, ms -->\nold\n<!-- end of results -->\ny\n"
    (tmp_path / "README.md").write_text(before)
    (tmp_path / "docs/a.md").write_text("nothing to see\n")
    assert list(documents.publish(results, tmp_path, tmp_path)) == [tmp_path / "README.md"]
    filled = (tmp_path / "README.md").read_text()
    assert filled.splitlines()[2:8] == [
        "*Speed & <quality>:*",
        "",
        "| method | dB | ms |",
        "| --- | ---: | ---: |",
        "| bicubic | 24.13 | 12 |",
        "| <ours> | 27.39 | 1234 |",
    ]
    assert list(documents.publish({}, tmp_path, tmp_path)) == []  # the published figures stay
    (tmp_path / "README.md").write_text(before.replace("ms", "hours"))
    with pytest.raises(ValueError, match=r"no column hours; it has method, dB, SSIM, ms\."):
        list(documents.publish({}, tmp_path, tmp_path))
    (tmp_path / "README.md").write_text(before.replace("speed", "unknown"))
    with pytest.raises(ValueError, match=r"unknown.json is not there: measure it"):
        list(documents.publish({}, tmp_path, tmp_path))


def test_a_published_picture_is_replaced_by_the_measured_one(results: dict[str, Outcome], tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing to see\n")
    assert list(documents.publish(results, tmp_path, tmp_path)) == []  # no picture of its name is shown
    shown = tmp_path / "docs/images/speed_1.jpg"
    shown.parent.mkdir(parents=True)
    shown.write_bytes(b"old")
    assert list(documents.publish(results, tmp_path, tmp_path)) == [shown]
    assert shown.read_bytes() == (tmp_path / "speed_1.jpg").read_bytes()
    assert list(documents.publish(results, tmp_path, tmp_path)) == []


def test_every_benchmark_is_a_module_with_a_measure() -> None:
    for name, benchmark in benchmarks().items():
        source = (ROOT / benchmark.module.replace(".", "/")).with_suffix(".py").read_text()
        wanted = "suite: Suite, weights: str = DEFAULT_WEIGHTS" if benchmark.any_weights else "suite: Suite"
        wanted += ", tests: PlannedTests | None = None" if benchmark.of_given_sets else ""
        given = "Iterator" if benchmark.of_given_sets else "list"
        assert f"def measure({wanted}) -> {given}[Table]:" in source, name


def test_facts_name_what_figures_depend_on() -> None:
    known = facts()
    assert {"CPU", "threads", "commit", "seed", "torch", "date"} <= known.keys()
    assert known["torch"] == torch.__version__.split("+")[0] or known["torch"] == torch.__version__


def test_training_curves_are_drawn(tmp_path: Path) -> None:
    for curve in training_curves("quick"):
        kept = keep_table(curve, FACTS, tmp_path)
        assert (tmp_path / kept["plot"]).stat().st_size > 5000
        for line, points in curve.curves.items():
            steps = [step for step, _ in points]
            assert steps == sorted(steps), line


def test_the_report_in_a_browser(browser: Any, results: dict[str, Outcome], tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    for curve in training_curves("quick"):
        results["training_curves"] = Outcome("quick", 1.0, FACTS, [keep_table(curve, FACTS, folder)])
    results["restoring_stages"] = Outcome("quick", 1.0, FACTS, [keep_table(table(), FACTS, folder)])
    page = report.write_report(results, folder)
    for width in (1200, 390):
        browser.resize(width, 900)
        browser.tell("Page.navigate", url=page.as_uri())
        browser.wait("document.readyState === 'complete' && document.images.length === 3")
        assert browser.value("[...document.images].every(image => image.naturalWidth > 0)")
        assert browser.value("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert browser.value("document.querySelector('.paper td').innerText") == "theirs"
    assert browser.value("document.querySelector('nav a').getAttribute('href')") == "#s0"
    assert browser.value("getComputedStyle(document.querySelector('.paper')).backgroundColor") == "rgb(246, 241, 228)"
