"""The page of a study: what is in it, what is not, and what a participant can do with it."""

import base64
import json
import re
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from faceops.images.files import Picture, decode_picture, save_picture
from portraitdata.commands.study import run_study_make, run_study_score
from portraitdata.commands.study_options import StudyMakeOptions, StudyScoreOptions
from portraitdata.study import study_page as page_module
from portraitdata.study.study_key import StudyKey

HUES = {"zyxo-red": (1.0, 0.0, 0.0), "zyxo-green": (0.0, 0.6, 0.0), "zyxo-blue": (0.0, 0.0, 1.0)}
STEMS = [f"qqq{number}" for number in range(5)]


def plain(path: Path, hue: tuple[float, float, float], width: int = 24, height: int = 16) -> None:
    path.parent.mkdir(exist_ok=True)
    save_picture(Picture(torch.tensor(hue).reshape(3, 1, 1).expand(3, height, width)), path)


@pytest.fixture
def folders(tmp_path) -> Path:
    """Each method paints everything in one colour; the truth is white, the input a small grey."""
    for stem in STEMS:
        for name, hue in (HUES | {"truth": (1.0, 1.0, 1.0)}).items():
            plain(tmp_path / name / f"{stem}.png", hue)
        plain(tmp_path / "input" / f"{stem}.jpg", (0.5, 0.5, 0.5), 6, 4)
    return tmp_path


def made(folders: Path, **changed: object) -> str:
    arguments = {"methods": [str(folders / name) for name in HUES], "output": folders / "page.html", "questions": 4}
    assert run_study_make(StudyMakeOptions(**(arguments | {"truth": folders / "truth"} | changed))) == 0
    return (folders / "page.html").read_text(encoding="utf-8")


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="study">(.*?)</script>', page, re.DOTALL)[1])


def hue_of(address: str) -> str:
    """Method whose colour a picture has, or the colour."""
    pixels = decode_picture(base64.b64decode(address.partition(",")[2]), "picture").pixels.mean(dim=(1, 2))
    known = HUES | {"white": (1.0, 1.0, 1.0), "grey": (0.5, 0.5, 0.5)}
    return min(known, key=lambda name: (pixels - torch.tensor(known[name])).abs().sum().item())


def test_one_file_that_loads_nothing_and_names_nobody(folders, capsys):
    page = made(folders, input=folders / "input")
    assert re.search(r"page\.html: 8 questions about 3 methods, 0\.0 MB", capsys.readouterr().out)
    assert not re.search(r'<link rel="(?!icon")|@import|@font-face|url\(|srcset|(src|href)="(?!data:)|https?:', page)
    assert "<!-- " not in page
    for hidden in ("zyxo", "qqq", str(folders), *STEMS):
        assert hidden not in page
    assert "zyxo-red" in (folders / "page.key.json").read_text()
    assert "--key page.key.json" in StudyScoreOptions.__doc__


def test_the_key_says_which_picture_is_whose(folders):
    data, key = data_of(made(folders, input=folders / "input", repeats=1)), None
    key = StudyKey.read(folders / "page.key.json")
    assert (data["study"], key.given) == (key.study, ("truth", "input"))
    assert [question["token"] for question in data["questions"]] == [question.token for question in key.questions]
    for asked, question in zip(data["questions"], key.questions, strict=True):
        shown = {one["token"]: hue_of(data["images"][one["image"]]) for one in asked["candidates"]}
        assert list(shown.items()) == list(question.options.items())
        given = [(one["words"], hue_of(data["images"][one["image"]])) for one in asked["given"]]
        if question.kind == "naturalness":
            assert given == []  # nothing but the candidates, as in the paper
        else:
            assert given == [("The person", "white"), ("Before restoration", "grey")]
        assert (asked["width"], asked["height"]) == (24, 16)


def test_without_the_truth_a_reference_shows_the_person(folders):
    data = data_of(made(folders, truth=None, reference=folders / "truth", ask="similarity"))
    assert {one["words"] for question in data["questions"] for one in question["given"]} == {"The person"}
    assert {question["kind"] for question in data["questions"]} == {"similarity"}
    (folders / "page.key.json").unlink()
    data = data_of(made(folders, truth=None))
    assert {question["kind"] for question in data["questions"]} == {"naturalness"}


def test_a_seed_makes_the_same_page_again(folders):
    first = made(folders, seed=1)
    assert made(folders, seed=1) == first
    with pytest.raises(FileExistsError, match=r"page\.key\.json is the key of another study"):
        made(folders, seed=2)
    assert (folders / "page.html").read_text(encoding="utf-8") == first
    (folders / "page.key.json").unlink()
    assert made(folders, seed=2) != first


def test_pictures_are_encoded_anew(folders):
    """What a file says besides its pixels could name a method."""
    for stem in STEMS:
        exif = Image.Exif()
        exif[0x0131] = "zyxo-software"
        Image.new("RGB", (40, 30), (250, 0, 0)).save(folders / "zyxo-red" / f"{stem}.jpg", exif=exif, comment=b"zyxo")
        (folders / "zyxo-red" / f"{stem}.png").unlink()
        for name in ("zyxo-green", "zyxo-blue"):
            plain(folders / name / f"{stem}.png", HUES[name], 40, 30)
    for lossless, kind in ((False, b"\xff\xd8"), (True, b"\x89PNG")):
        page = made(folders, truth=None, width=20, lossless=lossless)
        for address in data_of(page)["images"]:
            data = base64.b64decode(address.partition(",")[2])
            assert data.startswith(kind)
            assert b"zyxo" not in data
            assert decode_picture(data, "picture").pixels.shape == (3, 15, 20)


def test_refusals(folders):
    methods = [str(folders / name) for name in HUES]
    for changed, sentence in (
        ({"methods": methods[:1]}, "A question compares 2 to 9 methods, got 1"),
        ({"methods": [f"m{number}={methods[0]}" for number in range(10)]}, "got 10"),
        (
            {"methods": [methods[0], f"zyxo-red={methods[1]}"]},
            "two names, got 'zyxo-red' twice; name a folder as NAME=",
        ),
        ({"methods": [*methods, "more=absent"]}, "There is no folder absent"),
        ({"methods": [*methods, "absent"]}, "There is no folder absent"),
        ({"output": folders / "page.txt"}, r"page\.txt does not end in \.html"),
        ({"output": folders / "absent" / "page.html"}, "absent that page.html is to be written to does not exist"),
        ({"width": 0}, "at least one pixel wide, got --width 0"),
        ({"questions": 6}, "There are 5 pictures to ask about, so 1 to as many questions; got 6"),
        ({"ask": "similarity", "truth": None}, "show the person; give --truth FOLDER, or --reference FOLDER"),
        ({"ask": "naturalness"}, "show nothing but the candidates; leave --truth, --reference and --input out"),
        ({"truth": None, "input": folders / "input"}, "show nothing but the candidates"),
        ({"truth": folders / "absent"}, "There is no folder"),
    ):
        with pytest.raises((ValueError, OSError), match=sentence):
            made(folders, **changed)
    assert not (folders / "page.html").exists()
    assert not (folders / "page.key.json").exists()


def test_sizes_that_differ_are_refused(folders):
    for name in ("truth", "zyxo-blue"):
        for stem in STEMS:
            plain(folders / name / f"{stem}.png", (1.0, 1.0, 1.0), 48, 32)
        with pytest.raises(
            ValueError, match=r"has \d+ x \d+ pixels and .* \d+ x \d+; pictures are compared at one size"
        ):
            made(folders)


def test_a_page_that_no_browser_takes_is_refused(folders, monkeypatch):
    monkeypatch.setattr(page_module, "MOST_BYTES", 2000)
    with pytest.raises(ValueError, match="Ask fewer questions, give a --width below 512, or leave --lossless out"):
        made(folders)


def test_pictures_that_a_folder_lacks_are_named(folders, capsys):
    (folders / "zyxo-blue" / "qqq1.png").unlink()
    plain(folders / "zyxo-green" / "qqq2.webp", HUES["zyxo-green"])
    plain(folders / "truth" / "more.png", (1.0, 1.0, 1.0))  # which no method has; nobody misses it
    methods, output = [str(folders / name) for name in HUES], folders / "page.html"
    options = StudyMakeOptions(methods=methods, output=output, questions=3, ask="both", truth=folders / "truth")
    assert run_study_make(options) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3
    assert told[0].endswith("has qqq2.png and qqq2.webp, which have one name; keep one of them. qqq2 is left out.")
    assert told[1] == f"{folders / 'zyxo-green'} has no picture for 1 name: qqq2."
    assert told[2] == f"{folders / 'zyxo-blue'} has no picture for 1 name: qqq1."
    with pytest.raises(ValueError, match="No picture is in all the folders under one name"):
        made(folders, reference=folders / "zyxo-red" / "..", truth=None)


CHOOSES = """
window.numberOf = (red, green, blue) => {  // of the candidate whose colour this is
  const buttons = [...document.querySelectorAll('.candidate')];
  return 1 + buttons.findIndex((button) => {
    const canvas = document.createElement('canvas').getContext('2d');
    canvas.drawImage(button.querySelector('img'), 0, 0, 1, 1);
    const found = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue].every((value, index) => Math.abs(255 * value - found[index]) < 60);
  });
};
"""


def test_two_people_in_a_browser(browser, folders, capsys):
    made(folders, input=folders / "input")
    downloads = folders / "downloads"
    browser.tell("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
    browser.resize(1200, 800)
    opened(browser, folders)
    by_key(browser)
    saved(browser, downloads / f"answers-ann-bell-{time.strftime('%Y-%m-%d', time.gmtime())}.json")
    browser.resize(390, 844)
    opened(browser, folders)
    by_click(browser)
    saved(browser, downloads / f"answers-b2-{time.strftime('%Y-%m-%d', time.gmtime())}.json")
    asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert [e for e in browser.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")] == []

    capsys.readouterr()
    answers, key = sorted(downloads.iterdir()), [folders / "page.key.json"]
    assert run_study_score(StudyScoreOptions(answers, key=key, output=folders / "scores.json")) == 0
    assert "WR_id, similarity: 8 answers of 2 participants, by chance 0.33" in capsys.readouterr().out
    record = json.loads((folders / "scores.json").read_text())
    wins = {
        rate: {method: of["wins"] for method, of in found["methods"].items()}
        for rate, found in record["win_rates"].items()
    }
    # Ann: red, but green at the second question; Ben: blue
    assert wins["WR_N"] == {"zyxo-blue": 4, "zyxo-red": 3, "zyxo-green": 1}
    assert wins["WR_id"] == {"zyxo-red": 4, "zyxo-blue": 4, "zyxo-green": 0}
    assert record["notes"] == []


def opened(browser, folders: Path) -> None:
    browser.tell("Page.navigate", url=f"file://{folders / 'page.html'}")
    browser.wait("document.readyState === 'complete' && typeof showIntro === 'function'")
    browser.value(CHOOSES)


def at(browser, number: int) -> None:
    """Wait for a question, and for its pictures."""
    browser.wait(f"document.getElementById('number').textContent === 'Question {number} of 8'")
    browser.wait("!pausing && [...document.images].every((image) => image.complete && image.naturalWidth)")


def number_of(browser, name: str) -> str:
    found = browser.value(f"numberOf({', '.join(map(str, HUES[name]))})")
    assert found > 0
    return str(found)


def by_key(browser) -> None:
    """Everything with the keyboard; one answer is changed, and the page is closed and opened again in between."""
    for key in "ann bell":
        browser.press(key)
    browser.press("Enter")
    for number in (1, 2):
        at(browser, number)
        assert browser.value("document.querySelectorAll('figure').length") == 0
        browser.press("9")  # no such candidate
        browser.press(number_of(browser, "zyxo-red"))
    at(browser, 3)
    browser.press("ArrowRight")  # not before it is answered
    browser.press("ArrowLeft")
    at(browser, 2)
    pressed = "document.querySelector('[aria-pressed=true] img').alt"
    assert browser.value(pressed) == f"Candidate {number_of(browser, 'zyxo-red')}"
    browser.press(number_of(browser, "zyxo-green"))
    at(browser, 3)
    browser.tell("Page.reload")
    browser.wait("document.getElementById('known')?.textContent.startsWith('Under this name 2 of 8 questions are')")
    browser.value(CHOOSES)
    assert browser.value("document.getElementById('participant').value") == "ann bell"
    browser.press("Enter")
    for number in range(3, 9):
        at(browser, number)
        assert browser.value("document.getElementById('progress').value") == number - 1
        browser.press(number_of(browser, "zyxo-red"))
    browser.wait("document.getElementById('done').textContent.startsWith('That was the last question')")


def by_click(browser) -> None:
    """Everything with a finger on a telephone."""
    browser.value("document.getElementById('participant').value = ' b2 '")
    browser.click("form button")
    for number in range(1, 9):
        at(browser, number)
        assert browser.value("document.documentElement.scrollWidth") == 390
        assert browser.value("document.getElementById('change').hidden") == (number != 5)
        assert browser.value("[...document.querySelectorAll('figcaption')].map((one) => one.textContent)") == (
            ["The person", "Before restoration"] if number > 4 else []
        )
        if number == 4:
            browser.click("#stop")
            browser.wait("document.getElementById('missing').textContent.startsWith('5 questions of 8 are open')")
            browser.click("#review")
            at(browser, 4)
        place = browser.value("document.querySelectorAll('figure').length") + int(number_of(browser, "zyxo-blue"))
        browser.click(f"#pictures > :nth-child({place})")
        browser.click(f"#pictures > :nth-child({place})")  # a double click is one choice
    browser.wait("!document.getElementById('end').hidden")


def saved(browser, path: Path) -> None:
    browser.click("#save")
    browser.wait(f"document.getElementById('saved').textContent.startsWith({json.dumps(path.name)})")
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, list(path.parent.iterdir())
        time.sleep(0.05)
