"""What a browser makes of the page of `headsup serve`; what restores is stood in for by copies."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from faceops.geometry.faces import Faces
from headsup.restoring.options import RestoreOptions
from headsup.serving import job_queue
from headsup.serving.limits import Limits
from headsup.serving.photo_job import ForceableError
from headsup.serving.restore_request import RestoreRequest
from tests.support.page_client import Client, png, serving

ALBUM = "[...document.querySelectorAll('#album li')].map((item) => item.className)"
WIDTHS = (390, 768, 1280)


def one_face(images: torch.Tensor) -> Faces:
    return Faces(torch.tensor([0]), torch.tensor([[5.0, 5.0, 25.0, 25.0]]), torch.zeros(1, 5, 2), torch.ones(1))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "jobs").mkdir()
    with serving(tmp_path / "jobs", Limits(jobs=5, waiting=1, references=2), one_face) as found:
        yield found


@pytest.fixture
def page(browser: Any, client: Client) -> Any:
    """A browser with the page, as large as a telephone."""
    browser.resize(390, 844)
    browser.tell("Page.navigate", url=f"http://127.0.0.1:{client.port}")
    browser.wait("document.getElementById('about')?.textContent.startsWith('Weights guided, tiny, on cpu')")
    return browser


def photographs(folder: Path, *names: str, width: int = 40, height: int = 20) -> list[Path]:
    for name in names:
        (folder / name).write_bytes(png(width, height))
    return [folder / name for name in names]


def text(page: Any, element: str) -> str:
    return page.value(f"document.getElementById('{element}').textContent")


def set_field(page: Any, element: str, value: str) -> None:
    page.value(
        f"(() => {{ const field = document.getElementById('{element}'); field.value = {json.dumps(value)};"
        "field.dispatchEvent(new Event('input', { bubbles: true })) })()"
    )


def test_a_bad_file_leaves_the_good_ones_alone(page: Any, client: Client, tmp_path: Path) -> None:
    good, other = photographs(tmp_path, "good.png", "other.png")
    bad, large = tmp_path / "bad.png", tmp_path / "large.png"
    bad.write_text("no picture")
    large.write_bytes(png() + bytes(50_000_000))
    page.choose("#photo", good)
    page.wait(f"{ALBUM}.join() === 'ready'")
    page.choose("#photo", bad, large)
    page.wait(f"{ALBUM}.join() === 'ready,refused'")
    assert "bad.png is not an image" in text(page, "album")
    assert text(page, "left-out") == "large.png has 50.0\u00a0MB, and up to 50 MB are taken."
    assert text(page, "trouble-words") == ""  # the good one is still looked at
    page.choose("#photo", other)
    page.choose("#references", bad, good)
    page.wait(f"{ALBUM}.join() === 'ready,refused,ready'")
    assert text(page, "restore") == "Restore 2 photographs"
    page.click("#restore")
    page.wait(f"{ALBUM}.join() === 'done,refused,done'")
    assert text(page, "status") == "2 photographs are done."
    assert "bad.png is not an image" in text(page, "reference-list")
    jobs = [client.queue.find(name) for name in client.work.done]
    assert [[reference.path.name for reference in job.references] for job in jobs] == [["good.png"], ["good.png"]]


def test_it_waits_and_tries_again_where_the_server_is_full(
    page: Any, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is in work and one may wait, so the third is told to come back."""
    monkeypatch.setattr(job_queue, "RETRY_SECONDS", 1)
    client.work.go.clear()
    page.choose("#photo", *photographs(tmp_path, "a.png", "b.png", "c.png"))
    page.wait(f"{ALBUM}.join() === 'ready,ready,ready'")
    page.click("#restore")
    page.wait("document.getElementById('album').textContent.includes('Trying again every 1 seconds')")
    assert page.value(ALBUM) == ["working", "waiting", "queued"]
    assert "1 photographs are waiting already" in text(page, "album")
    assert text(page, "status").startswith("a.png: Copying, ")
    client.work.go.set()
    page.wait(f"{ALBUM}.join() === 'done,done,done'")
    assert len(client.work.done) == 3


def test_removed_and_stopped_ones_are_not_restored(page: Any, client: Client, tmp_path: Path, wait_until: Any) -> None:
    client.work.go.clear()
    page.choose("#photo", *photographs(tmp_path, "a.png", "b.png"))
    page.wait(f"{ALBUM}.join() === 'ready,ready'")
    page.click("#restore")
    page.wait(f"{ALBUM}.join() === 'working,waiting'")
    page.click("#album li:first-child [aria-label='Remove a.png']")
    page.wait(f"{ALBUM}.join() === 'working'")
    page.click("#stop")
    assert (page.value(ALBUM), text(page, "status")) == (["ready"], "Stopped.")
    wait_until(lambda: list((tmp_path / "jobs").iterdir()) == [])
    client.work.go.set()
    page.click("#restore")
    page.wait(f"{ALBUM}.join() === 'done'")
    assert text(page, "restore") == "Restore again"
    assert len(client.work.done) == 1


def test_options_reach_the_server(page: Any, client: Client, tmp_path: Path) -> None:
    page.choose("#photo", *photographs(tmp_path, "a.png"))
    page.choose("#references", *photographs(tmp_path, "b.png"))
    page.wait("document.getElementById('result-size').textContent === 'gives 160 x 80 pixels'")
    assert "lost detail is invented" in text(page, "fidelity-words")
    fields = {
        "weights": "tiny",
        "sizing": "longer",
        "amount": "60",
        "fidelity": "1",
        "colour": "none",
        "strength": "0.5",
    }
    for element, value in {**fields, "format": "webp"}.items():
        set_field(page, element, value)
    assert text(page, "result-size") == "gives 60 x 30 pixels"
    assert "the enlarged photograph as it is" in text(page, "fidelity-words")  # tiny has nothing better
    set_field(page, "weights", "guided")
    assert "without its damage, with nothing invented" in text(page, "fidelity-words")
    page.click("#strip")
    page.click("#force")
    page.click("#restore")
    page.wait(f"{ALBUM}.join() === 'done'")
    request = client.queue.find(client.work.done[0]).request
    options = RestoreOptions(4.0, (60, 30), 1.0, "none", reference_strength=0.5, strip_metadata=True)
    assert request == RestoreRequest(options, True, None, "guided", ".webp")


def test_what_failed_says_why_and_what_helps(page: Any, client: Client, tmp_path: Path) -> None:
    client.work.error = ForceableError("Nobody is like it.", "Use it anyway")
    page.choose("#photo", *photographs(tmp_path, "a.png"))
    page.wait(f"{ALBUM}.join() === 'ready'")
    page.click("#restore")
    page.wait("document.getElementById('again').textContent === 'Use it anyway'")
    assert (text(page, "trouble-words"), page.value(ALBUM)) == ("Nobody is like it.", ["failed"])
    client.work.error = None
    page.click("#again")
    page.wait(f"{ALBUM}.join() === 'done'")
    assert page.value("document.getElementById('trouble').hidden")
    assert client.queue.find(client.work.done[0]).request.force


def test_before_and_after(page: Any, tmp_path: Path) -> None:
    """Over one another and side by side, as a whole and pixel by pixel, by mouse and keys."""
    page.choose("#photo", *photographs(tmp_path, "a.png", width=1600, height=1200))
    page.wait(f"{ALBUM}.join() === 'ready'")
    page.click("#restore")
    page.wait("document.getElementById('after').complete && document.getElementById('after').offsetWidth > 0")
    box = "(() => {{ const b = document.getElementById('{}').getBoundingClientRect(); return [b.width, b.height] }})()"
    width, height = page.value(box.format("after"))
    assert (width <= 390, width / height) == (True, pytest.approx(4 / 3, rel=0.01))
    clip = "getComputedStyle(document.getElementById('pane-before')).clipPath"
    assert "50%" in page.value(clip)
    drag(page, (0.5, 0.5), (0.2, 0.5))
    assert float(page.value("document.getElementById('split').value")) == pytest.approx(20, abs=1)
    assert page.value("document.getElementById('view').style.getPropertyValue('--split')").startswith("20")

    page.click("#arrangement label:last-child")
    assert page.value(clip) == "none"
    tops = "['before', 'after'].map((name) => document.getElementById(`pane-${name}`).offsetTop)"
    assert page.value(f"(([before, after]) => before < after)({tops})")  # on a telephone below one another

    page.click("#zoom label:nth-of-type(2)")
    assert page.value(box.format("after")) == [1600, 1200]
    moved = "document.getElementById('after').style.transform.match(/-?[\\d.]+/g).map(Number)"
    left, top = page.value(moved)
    page.value("document.getElementById('view').focus({ focusVisible: true })")
    page.press("ArrowRight")
    page.press("ArrowUp")
    (right, above), same = page.value(moved), page.value(moved.replace("'after'", "'before'"))
    assert (right < left, above > top, same) == (True, True, [right, above])
    drag(page, (0.5, 0.3), (0.3, 0.2))
    further = page.value(moved)
    assert (further[0] < right, further[1] < above) == (True, True)
    assert "the arrow keys move" in page.value("document.getElementById('view').getAttribute('aria-label')")


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag within what shows before and after, in parts of its sides."""
    page.value("document.getElementById('view').scrollIntoView({ block: 'center', behavior: 'instant' })")
    left, top, width, height = page.value(
        "(({ left, top, width, height }) => [left, top, width, height])"
        "(document.getElementById('view').getBoundingClientRect())"
    )
    for kind, (x, y) in (("Pressed", start), ("Moved", end), ("Released", end)):
        where = {"x": left + x * width, "y": top + y * height}
        page.tell("Input.dispatchMouseEvent", type=f"mouse{kind}", button="left", buttons=1, clickCount=1, **where)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read_and_reached(page: Any, tmp_path: Path, scheme: str) -> None:
    """On telephones, tablets and desks: nothing sticks out, the button is in reach, all has a name and stands out."""
    (tmp_path / "bad.png").write_text("no picture")
    long = f"{'long_name_' * 9}.png"
    page.choose("#photo", *photographs(tmp_path, "a.png", long), tmp_path / "bad.png")
    page.choose("#references", *photographs(tmp_path, "b.png"))
    page.wait(f"{ALBUM}.join() === 'ready,ready,refused'")
    page.click("#restore")
    page.wait(f"{ALBUM}.join() === 'done,done,refused'")
    for width in WIDTHS:
        page.resize(width, 844, scheme)
        assert page.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        for place in (0, 10_000):
            page.value(f"window.scrollTo({{ top: {place}, behavior: 'instant' }})")
            top, bottom, height = page.value(
                "(() => { const b = document.getElementById('restore').getBoundingClientRect();"
                "return [b.top, b.bottom, window.innerHeight] })()"
            )
            assert 0 < top < bottom <= height
            assert bottom - top >= 44
    check_names(page)
    check_contrast(page)


def check_names(page: Any) -> None:
    """Whatever can be operated has a name for those who do not see it."""
    roles = {"button", "link", "textbox", "slider", "spinbutton", "combobox", "checkbox", "radio", "group", "list"}
    nodes = page.tell("Accessibility.getFullAXTree")["nodes"]
    found = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    operated = [(role, name) for role, name in found if role in roles]
    assert len(operated) > 25
    assert [role for role, name in operated if not name] == []
    assert {("slider", "Fidelity"), ("combobox", "Size"), ("radio", "Side by side")} <= set(operated)


def check_contrast(page: Any) -> None:
    """At least 4.5 : 1, as WCAG asks of text, on what lies behind it."""
    colours = page.value(
        "[...document.querySelectorAll('p, small, span, button, a, label, h1, h2, h3, li, output')]"
        ".filter((element) => element.checkVisibility() && element.innerText?.trim())"
        ".filter((element) => !element.closest('#view, #boxes'))"
        ".map((element) => { let behind = element; const alpha = (e) => getComputedStyle(e).backgroundColor;"
        "while (alpha(behind) === 'rgba(0, 0, 0, 0)') behind = behind.parentElement ?? document.body;"
        "return [element.innerText, getComputedStyle(element).color, alpha(behind)] })"
    )
    assert len(colours) > 20
    weak = {words: contrast(ink, paper) for words, ink, paper in colours if contrast(ink, paper) < 4.5}
    assert weak == {}


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as browsers write them, by WCAG 2."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", colour)[:3])
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.005)
