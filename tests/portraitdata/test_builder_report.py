import base64
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faceops.images.files import decode_picture
from portraitdata.builder.layout import funnel
from portraitdata.builder.report.explanations import EXPLANATIONS, UNSHOWN, explanation
from portraitdata.builder.report.histograms import histogram
from portraitdata.builder.report.page import SECTIONS, report_page
from portraitdata.builder.report.thumbnails import thumbnail
from portraitdata.commands.build_options import ReportOptions, TakedownOptions
from portraitdata.commands.report import run_report
from portraitdata.commands.takedown import run_takedown
from tests.support.synthetic_build import write_synthetic_build

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    return write_synthetic_build(tmp_path_factory.mktemp("pristine") / "build")


@pytest.fixture
def build(pristine, tmp_path) -> Path:
    return shutil.copytree(pristine, tmp_path / "build")


def section(page: str, name: str) -> str:
    return re.search(rf'<section id="{name}">.*?</section>', page, re.DOTALL)[0]


def change(path: Path, column: str, row: int, value) -> None:
    table = pq.read_table(path)
    values = table[column].to_pylist()
    values[row] = value
    place, field = table.schema.get_field_index(column), table.schema.field(column)
    pq.write_table(table.set_column(place, field, pa.array(values, field.type)), path)


def test_one_file_that_loads_nothing(build, tmp_path, capsys):
    run_report(ReportOptions(build, output=tmp_path / "report.html"))
    assert re.search(r"report\.html: \d\.\d MB", capsys.readouterr().out)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'<script|<link|@import|@font-face|url\(|srcset|(src|href)="https?:', page)
    sources = re.findall(r'src="([^"]{23})', page)
    assert set(sources) == {"data:image/jpeg;base64,"}
    assert len(sources) == 15 + 6 + 2 * 15  # kept; not sharp, no face, equal file; pairs
    assert len(page) < 1_000_000
    assert report_page(build) == page  # and nothing in it is left to chance


def test_funnel(build):
    found = section(report_page(build), "funnel")
    rows = re.findall(
        r"<tr[^>]*><td>(\w+)</td><td>([^<]+)</td><td class=n>(\d+)</td><td class=n>([\d.]+) %</td>", found
    )
    assert [(stage, "" if reason == "came through" else reason, int(count)) for stage, reason, count, _ in rows] == [
        tuple(row) for row in funnel(build)
    ]
    total = 27  # 15 kept and twice six reasons
    assert all(float(share) == pytest.approx(100 * int(count) / total, abs=0.06) for _, _, count, share in rows)
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", found)]
    assert widths == pytest.approx([100 * left / total for left in (27, 23, 21, 19, 17, 15)], abs=0.01)
    assert explanation("not sharp") in found


def test_a_stage_that_is_not_through(build):
    page = report_page(build)
    assert "so far." not in page
    table = pq.read_table(build / "10_index/part-00000.parquet")
    rows = [row | {"partition": 1} for row in table.to_pylist()[:3]]
    more = pa.Table.from_pylist(rows, schema=table.schema)
    pq.write_table(more, build / "10_index/part-00001.parquet")
    found = section(report_page(build), "funnel")
    assert "The stage download has come to 27 of 30 candidates so far." in found
    assert "The stage index" not in found


def test_every_reason_of_the_builder_is_explained():
    """Words that the builder's sources put into Drop(...) or name as constants."""
    import portraitdata.builder as package

    sources = "".join(path.read_text() for path in Path(package.__path__[0]).rglob("*.py"))
    words = re.findall(r'Drop\("([^"]+)"', sources) + re.findall(r'(?:Error), "([^"]+)"\)', sources)
    words += re.findall(r'^[A-Z_]+ = "([a-z]+(?: [a-z]+)+)"$', sources, re.MULTILINE)
    words += re.findall(r'_drop_repeated\(batch, "\w+", "([^"]+)"\)', sources)
    assert len(words) > 15
    assert [word for word in words if word not in EXPLANATIONS] == []
    assert set(EXPLANATIONS) >= UNSHOWN


def test_wishes_are_respected(build):
    """What somebody did not want shown is counted and not shown, though the file were there."""
    table = pq.read_table(build / "50_deduplicate/images.parquet")
    rows = table.to_pylist()
    kept = next(row for row in rows if row["status"] == "kept")
    for row in rows:
        if row["reason"] == "opted out":
            row |= {name: kept[name] for name in ("path", "archive", "offset", "size")}
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), build / "50_deduplicate/images.parquet")
    found = section(report_page(build), "dropped")
    shown = found.split("<h3>opted out")[1].split("<h3>")[0]
    assert "Such images are not shown here." in shown
    assert "<img" not in shown


def test_images_that_cannot_be_read_are_said(build):
    (build / "20_download/part-00000.tar").write_bytes(b"")
    page = report_page(build)
    assert page.count(">cannot be read</span>") == 15 + 6 + 2 * 15
    assert "<img" not in page
    assert "part-00000.tar ends within" in page
    (build / "20_download/part-00000.tar").unlink()
    assert "There is no file" in report_page(build)


def test_damaged_image_is_said(build):
    row = next(row for row in pq.read_table(build / "50_deduplicate/images.parquet").to_pylist() if not row["reason"])
    archive = build / row["archive"]
    data = bytearray(archive.read_bytes())
    data[row["offset"] : row["offset"] + row["size"]] = bytes(row["size"])
    archive.write_bytes(data)
    assert "cannot be read" in section(report_page(build), "kept")


def test_text_from_the_web_is_only_text(build):
    for folder in ("10_index/part-00000", "50_deduplicate/images"):
        change(build / f"{folder}.parquet", "licence", 0, '<script>alert("x")</script>')
        change(build / f"{folder}.parquet", "source", 1, "drawings")
    row = pq.read_table(build / "50_deduplicate/images.parquet")["reason"].to_pylist().index("no face")
    change(build / "50_deduplicate/images.parquet", "detail", row, '"><img src=x onerror=alert(1)>')
    page = report_page(build)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<img src=x" not in page


def test_as_far_as_a_build_has_come(build):
    """From the last stage to none, every section is there."""
    for gone in (
        "shards",
        "70_split",
        "60_pairs",
        "50_deduplicate",
        "41_faces",
        "40_faces",
        "30_quality",
        "20_download",
    ):
        shutil.rmtree(build / gone)
        page = report_page(build)
        assert [name for name in SECTIONS if f'<section id="{name}">' not in page] == []
    assert "There is no split yet." in page
    shutil.rmtree(build / "10_index")
    page = report_page(build)
    assert "No stage has written anything yet." in page
    assert "There are no values yet." in page


def test_after_a_takedown(build):
    uids = pq.read_table(build / "shards/images.parquet")["uid"].to_pylist()[:3]
    run_takedown(TakedownOptions(build / "shards", uid=uids))
    page = report_page(build)
    assert "cannot be read" not in page
    assert "Of 27 candidates 12 are kept" in page
    assert not any(uid in page for uid in uids)
    assert explanation("taken down") in page


def test_split_and_pairs(build):
    page = report_page(build)
    split = dict(re.findall(r"<tr><td>([^<]+)</td><td class=n>([^<]+)</td></tr>", section(page, "split")))
    assert (split["Images for training"], split["Images for testing"]) == ("12", "3")
    assert (split["Pairs for training"], split["Pairs for testing"]) == ("12", "3")
    captions = re.findall(r"<figcaption>(0\.\d{3})</figcaption>", section(page, "pairs"))
    cosine = pq.read_table(build / "shards/pairs.parquet")["cosine"].to_pylist()
    assert sorted(captions) == sorted(f"{value:.3f}" for value in cosine)
    assert section(page, "charts").count("pairs above 0.65") == 1
    # a face of the other side that is as good as the same
    facts = pq.read_schema(build / "70_split/splits.parquet").metadata
    stored = facts[b"portraitdata.split"].replace(split["Largest similarity across the split"].encode(), b"0.9")
    splits = pq.read_table(build / "70_split/splits.parquet")
    raised = re.sub(rb'("largest_cross_similarity": )[\d.]+', rb"\g<1>0.9", stored)
    pq.write_table(splits.replace_schema_metadata({b"portraitdata.split": raised}), build / "70_split/splits.parquet")
    assert "somebody is on both sides" in section(report_page(build), "split")


def test_what_is_no_build(tmp_path, build):
    with pytest.raises(FileNotFoundError, match="There is no build"):
        run_report(ReportOptions(tmp_path, output=tmp_path / "report.html"))
    with pytest.raises(ValueError, match=r"does not end in \.html"):
        run_report(ReportOptions(build, output=tmp_path / "report.pdf"))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        run_report(ReportOptions(build, output=tmp_path / "absent/report.html"))


def shapes(page: str, ink: str) -> list[np.ndarray]:
    """Corners (x, y) of every path of a colour of the page."""
    paths = re.findall(rf'<path d="([^"]*)"[^>]*style="[^"]*: var\(--{ink}\)', page)
    return [np.array(re.findall(r"[\d.]+", path), float).reshape(-1, 2) for path in paths]


def test_bars_stand_for_the_values():
    """Heights of the bars against numpy's counts, and where they stand on each other."""
    random = np.random.default_rng(0)
    kept, dropped = random.normal(size=400), random.normal(2, size=100)
    page = histogram("x", "cm", kept, dropped, [(1.0, "limit")])
    edges = np.linspace(min(kept.min(), dropped.min()), max(kept.max(), dropped.max()), 33)
    counts = [np.histogram(values, edges)[0] for values in (kept, dropped)]
    bars = [shapes(page, name) for name in ("kept", "dropped")]
    floor = bars[0][0][:, 1].max()
    unit = np.ptp(bars[0][counts[0][counts[0] > 0].argmax()][:, 1]) / counts[0].max()
    for found, count in zip(bars, counts, strict=True):
        assert [np.ptp(bar[:, 1]) for bar in found] == pytest.approx((count[count > 0] * unit).tolist(), abs=0.01)
    there = counts[1] > 0
    feet = [floor - bar[:, 1].max() for bar in bars[1]]
    assert feet == pytest.approx((counts[0][there] * unit).tolist(), abs=0.01)
    left = [bar[:, 0].min() for bar in bars[0]]
    scale = (left[-1] - left[0]) / (edges[:-1][counts[0] > 0][-1] - edges[0])
    (mark,) = shapes(page, "mark")
    assert mark[:, 0] == pytest.approx(left[0] + (1.0 - edges[0]) * scale, abs=0.01)
    words = re.findall(r">([^<>]+)</text>", page)
    assert {"cm", "count", "limit 1"} <= set(words)
    assert re.search(r"<title>-?[\d.]+ to -?[\d.]+ cm: 1 dropped</title>", page)


def test_colours_are_those_of_the_page():
    """By day and by night: nothing in a chart has a colour of its own."""
    page = histogram("x", "", np.arange(9.0), np.arange(4.0), [(1.0, "limit")])
    assert set(re.findall(r"(?:fill|stroke): ([^;\"]+)", page)) == {
        "none",
        *(f"var(--{name})" for name in ("kept", "dropped", "mark", "soft", "card")),
    }
    style = files("portraitdata.builder.report").joinpath("report.css").read_text(encoding="utf-8")
    assert all(f"--{name}:" in style for name in ("kept", "dropped", "mark", "soft", "card"))


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"portraitdata\[report\]"):
        histogram("x", "", np.arange(3.0), np.zeros(0))


@pytest.mark.parametrize(
    "values",
    [[], [np.nan], [0.0], [-1.0], [5.0], [5.0, 5.0], [0.0, 1e9], [1e-9, 1e9], [np.inf, 3.0], [7.0] * 3 + [np.nan]],
)
@pytest.mark.parametrize("logarithmic", [False, True])
def test_odd_values(values, logarithmic):
    page = histogram("odd", "", np.array(values, np.float64), np.zeros(0), [(3.0, "limit")], logarithmic)
    assert "nan" not in page
    finite = [value for value in values if np.isfinite(value) and (value > 0 or not logarithmic)]
    counted = sum(int(count) for count in re.findall(r": (\d+) kept</title>", page))
    assert counted == len(finite)
    assert ("There are no values yet." in page) == (not finite)


def test_thumbnails_show_what_they_should(build):
    """A face's copy is the photograph around its box, at the scale that the longer side asks for."""
    row = pq.read_table(build / "shards/images.parquet").to_pylist()[0]
    data = (build / "shards" / row["archive"]).read_bytes()[row["offset"] : row["offset"] + row["size"]]
    whole = thumbnail(data, "x", side=72)
    assert max(whole.shape) == 72
    picture = decode_picture(data, "x").pixels.permute(1, 2, 0).numpy() * 255
    near = thumbnail(data, "x", (40.0, 30.0, 60.0, 50.0), side=400)
    assert near.shape == (38, 38, 3)  # 20 pixels and 0.45 of them on each side, not enlarged
    assert np.abs(near - picture[21:59, 31:69]).max() < 1
    assert thumbnail(data, "x", (-500.0, -500.0, -400.0, -400.0)).shape[:2] == (row["height"], row["width"])
    tag = re.search(r'src="data:image/jpeg;base64,([^"]+)" width="(\d+)" height="(\d+)"', report_page(build))
    shown = decode_picture(base64.b64decode(tag[1]), "thumbnail")
    assert shown.pixels.shape == (3, int(tag[3]), int(tag[2]))


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, to see what a browser makes of the page")
def test_in_a_browser(build, tmp_path):
    run_report(ReportOptions(build, output=tmp_path / "report.html"))
    flags = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"),
    )
    done = subprocess.run(
        [
            CHROMIUM,
            *flags,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            f"file://{tmp_path / 'report.html'}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert re.findall(r'<section id="(\w+)">', done.stdout) == list(SECTIONS)
    assert done.stdout.count("<figure") == (tmp_path / "report.html").read_text().count("<figure")
    assert done.stdout.count("<svg") == 7
