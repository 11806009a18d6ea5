"""Benchmarks of anybody's restorers, outputs and test sets: what is found, refused, scored and said."""

import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmarks import __main__ as command
from benchmarks.command_line import parsed
from benchmarks.given.given_samples import GivenSamples
from benchmarks.given.given_sets import cells, notes
from benchmarks.given.given_tests import GivenSet
from benchmarks.given.planned_tests import INDEX, METRICS, plan_set
from benchmarks.given.restorers import rows_of
from benchmarks.given.yaml_tests import read_tests
from benchmarks.headsup.headings import HEADINGS
from benchmarks.peers.srvgg import SRVGG
from faceops.geometry.faces import Faces
from faceops.images.files import Picture, load_picture, save_picture
from faceops.settings_files import bound_settings
from headsup.restoring.public_restorers.public_restorer import Maker, PublicRestorer
from portraitdata.restoration.index.portrait_index import PortraitIndex
from portraitdata.restoration.index.synthetic_index import write_synthetic_portrait_index
from portraitdata.scoring.metric import Column
from portraitdata.scoring.table import ScoreTable

ROOT = Path(__file__).parents[2]

PUBLISHED = {
    "RealSR": ("Canon/Test/4/Canon_{}_HR", "Canon/Test/4/Canon_{}_LR4"),
    "DRealSR": ("Test_x4/test_HR/Canon_{}_x4", "Test_x4/test_LR/Canon_{}_x1"),
    "DIV2K": ("DIV2K_valid_HR/080{}", "DIV2K_valid_LR_bicubic/X4/080{}x4"),
    "StableSR/RealSRVal_crop128": ("test_HR/{}", "test_LR/{}"),
    "CelebA-Test": ("celeba_512_validation/{}", "self_celeba_512_v2/{}"),
}
"""Names of truths and inputs, as they are published."""

FIRST = {"RealSR": "Canon_1", "DRealSR": "Canon_1", "DIV2K": "0801"}
"""First pair, where its name is not 1."""


def picture(path: Path, side: int, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    save_picture(Picture(torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")[0]), path)
    return path


def published(folder: Path, name: str, side: int = 32) -> Path:
    """Two pairs of a published test set in its layout."""
    for number in (1, 2):
        truth, given = (folder / name / f"{part.format(number)}.png" for part in PUBLISHED[name])
        picture(truth, side, number)
        picture(given, side if name == "CelebA-Test" else side // 4, number)
    return folder / name


def network(path: Path) -> Path:
    """A small public network by four, under the names of Real-ESRGAN's compact one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    tensors = SRVGG(width=8, depth=1).state_dict()
    save_file(tensors, path) if path.suffix == ".safetensors" else torch.save(tensors, path)
    return path


def benchmark(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    """Run a command line on one thread."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(sys, "argv", ["benchmarks", *map(str, arguments), "--threads", "1"])
    command.main()
    torch.set_num_threads(threads)


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """The sentence that a command line ends with."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        parsed()
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "task", "tables"),
    [
        ("RealSR", "general", ((3, "RealSR"),)),
        ("DRealSR", "general", ((3, "DRealSR"),)),
        ("DIV2K", "general", ((3, "DIV2K"),)),
        ("StableSR/RealSRVal_crop128", "general", ((3, "RealSR"),)),
        ("CelebA-Test", "faces", ((1, "CelebA-Test"),)),
    ],
)
def test_published_sets_are_known_by_their_layout(tmp_path: Path, name: str, task: str, tables: object) -> None:
    found = plan_set("mine", GivenSet(published(tmp_path, name)))
    assert (found.task, found.tables) == (task, tables)
    assert found.magnification == (1 if name == "CelebA-Test" else 4)
    assert found.files is not None
    assert found.files.names[0] == FIRST.get(name, "1")
    first = found.files.names[0]
    assert load_picture(found.files.hq[first]).pixels.shape == (3, 32, 32)
    assert found.files.lq[first].stem == PUBLISHED[name][1].format(1).split("/")[-1]


def test_folders_of_any_name_and_indexes(tmp_path: Path) -> None:
    for part, side in (("sharp", 32), ("small", 8), ("hq", 32), ("lq", 8), ("reference", 512)):
        picture(tmp_path / part / "a.png", side)
    named = plan_set("holidays", GivenSet(tmp_path, hq="sharp", lq="small"))
    assert (named.task, named.magnification) == ("general", 4)
    assert [data for _, data in named.tables] == ["DIV2K", "RealSR", "DRealSR"]  # of nobody: the whole Table 3
    ours = plan_set("mine", GivenSet(tmp_path))
    assert (ours.task, ours.tables) == ("portraits", ((2, "PortraitSR-4K-Te"), (4, "PortraitSR-4K-Te")))
    assert plan_set("mine", GivenSet(tmp_path, task="faces")).tables == ((1, "CelebA-Test"),)
    (tmp_path / "build/shards").mkdir(parents=True)
    (tmp_path / "build/shards" / INDEX).touch()
    build = plan_set("mine", GivenSet(tmp_path / "build"))
    assert (build.index, build.task) == (tmp_path / "build/shards", "portraits")


def test_every_metric_of_the_tables_has_a_heading() -> None:
    assert {name for names in METRICS.values() for name in names} <= HEADINGS.keys()


def test_what_does_not_fit_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*arguments: object) -> str:
        return refused(capsys, monkeypatch, *arguments, "--output", tmp_path / "out")

    sets = published(tmp_path, "RealSR")
    assert told("--sets", tmp_path / "absent") == (
        f"python -m benchmarks: There is no folder {tmp_path / 'absent'}, which the set absent is to be.\n"
    )
    assert "is no test set that is recognised" in told("--sets", sets / "Canon/Test")
    assert "would both be called RealSR" in told("--sets", sets, sets)
    assert "got 'a/b'. Give it one with NAME=PATH." in told("--sets", f"a/b={sets}")
    assert "There is no metric pnsr; metrics of the tables are clipiqa" in told("--sets", sets, "--metrics", "pnsr")
    assert "the limit is 0" in told("--sets", sets, "--limit", 0)
    assert "There is no weights file" in told("--sets", sets, "--weights", tmp_path / "w.safetensors")
    assert "is a training checkpoint; export it first" in told("--sets", sets, "--weights", "last.ckpt")
    assert "--limit is for tests on sets of your own" in told("--limit", 3)
    assert "--sets is for given_sets alone" in told("profiles", "--sets", sets)
    results = tmp_path / "results"
    assert f"There is no folder {results}" in told("--sets", sets, "--results", f"theirs={results}")
    picture(results / "Canon_1.png", 32)
    assert "no result for 1 of 2 pairs: Canon_2. Results" in told("--sets", sets, "--results", f"theirs={results}")
    small = picture(results / "Canon_2_LR4.png", 16)
    assert f"{small} has 16 x 16 pixels, its truth" in told("--sets", sets, "--results", f"theirs={results}")
    assert "has no folder" in told("--sets", sets, f"again={sets}", "--results", f"theirs={results}")
    (sets / "Canon/Test/4/Canon_2_LR4.png").unlink()
    assert "has no partner for 1 of 2 pictures" in told("--sets", sets)
    picture(sets / "Canon/Test/4/Canon_2_LR4.png", 9)
    assert "The pair Canon_2 does not fit: 32 x 32 pixels in 4, 9 x 9 in 4" in told("--sets", sets)


def test_what_does_not_fit_is_told_without_torch(tmp_path: Path) -> None:
    code = "import sys, benchmarks.command_line as c; print('torch' in sys.modules); c.parsed()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--sets", tmp_path / "absent"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "False\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sets: [", "is no YAML"),
        ("sets: []", "sets: wanted is a NAME: and what it stands for, one or more; got []."),
        ("set: {a: b}", "there is no setting set; settings are sets, weights, results, metrics, limit, device"),
        ("weights: {a: b}", "sets is missing"),
        ("sets: {a: {hq: b}}", "sets, a: folder is missing"),
        (
            "sets: {a: {folder: b, task: face}}",
            "sets, a, task: wanted is one of faces, portraits, general; got 'face'.",
        ),
        ("sets: {a: b}\nlimit: few", "limit: wanted is a whole number, got 'few'."),
        ("sets: {a: b}\nmetrics: psnr", "metrics: wanted is a list of names, got 'psnr'."),
        ("sets: {a: b}\nweights: {a: 3}", "weights, a: wanted is a text, got 3."),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    bound_settings()
    file = tmp_path / "tests.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read_tests(file)


def test_scores_of_outputs_are_those_of_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sets, results, out = published(tmp_path, "DIV2K"), tmp_path / "results", tmp_path / "out"
    for number in (1, 2):
        truth = load_picture(sets / f"DIV2K_valid_HR/080{number}.png").pixels
        picture(results / f"080{number}x4.png", 8)  # makes the folder
        save_picture(Picture((truth * 255 + number).clamp(0, 255) / 255), results / f"080{number}x4.png")
    arguments = ["--sets", sets, "--results", f"theirs={results}", "--metrics", "psnr,niqe", "--output", out]
    benchmark(monkeypatch, *arguments)
    header, bicubic, theirs = (line.split(",") for line in (out / "given_DIV2K.csv").read_text().splitlines())
    assert header[:2] == ["method", "PSNR"]
    assert bicubic[0] == "bicubic"
    # levels off by 1 and by 2, as far as they are not clamped; Y has 219 of 255 levels
    expected = [20 * torch.log10(torch.tensor(255 / (level * 219 / 255))).item() for level in (1, 2)]
    assert float(theirs[1]) == pytest.approx(sum(expected) / 2, abs=0.1)
    report = (out / "report.md").read_text()
    assert "Without NIQE: pyiqa is not installed" in report or header == ["method", "PSNR", "NIQE"]
    assert "| ResShift-S15 | 24.69 |" in report
    assert "was not measured" not in report
    assert "HeadsUp, Table 3: DIV2K-Val" in capsys.readouterr().out


def test_pictures_that_a_run_would_write_anew_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sets, weights, out = published(tmp_path, "RealSR"), network(tmp_path / "mine.pth"), tmp_path / "out"
    rows = "mine", "mine, with reference", "blending, Real-ESRGAN compact + mine", "bicubic"
    for row in rows:
        for number in (1, 2):
            picture(out / "A" / row / f"Canon_{number}.png", 32)
        given = "--sets", f"A={sets}", "--weights", weights, "--results", f"before={out / 'A' / row}", "--output", out
        sentence = refused(capsys, monkeypatch, *given)
        assert f"{out / 'A' / row} is where this run writes pictures of its own; move it" in sentence
    (out / "A/mine").rename(out / "A/earlier")
    given = "--sets", f"A={sets}", "--weights", weights, "--results", f"before={out / 'A/earlier'}", "--output", out
    monkeypatch.setattr(sys, "argv", ["benchmarks", *map(str, given)])
    assert parsed().tests is not None
    for part, side in (("hq", 32), ("lq", 8)):
        picture(out / "B/mine" / part / "a.png", side)
    whole = "--sets", f"B={out / 'B/mine'}", "--weights", weights, "--output", out
    assert f"{out / 'B/mine'} is where this run writes" in refused(capsys, monkeypatch, *whole)


def test_fewer_pictures_leave_none_of_an_earlier_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets, out = published(tmp_path, "RealSR"), tmp_path / "out"
    for number in (1, 2):
        picture(tmp_path / f"theirs/Canon_{number}.png", 32)
    given = "--sets", sets, "--results", f"theirs={tmp_path / 'theirs'}", "--metrics", "psnr", "--output", out
    for further, names in (((), {"Canon_1.png", "Canon_2.png"}), (("--limit", 1), {"Canon_1.png"})):
        benchmark(monkeypatch, *given, *further)
        assert {path.name for path in (out / "RealSR/bicubic").iterdir()} == names


def test_a_damaged_picture_costs_only_its_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("RealSR", "DIV2K", "DRealSR"):
        for path in published(tmp_path, name).rglob("*.png"):
            picture(tmp_path / "theirs" / name / path.name, 32)
    damaged = tmp_path / "DIV2K/DIV2K_valid_LR_bicubic/X4/0802x4.png"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    given = ["--sets", *(tmp_path / name for name in ("RealSR", "DIV2K", "DRealSR"))]
    given += ["--results", f"theirs={tmp_path / 'theirs'}", "--metrics", "psnr", "--output", tmp_path / "out"]
    with pytest.raises(SystemExit, match=r"given_sets failed: DIV2K: .*0802x4\.png"):
        benchmark(monkeypatch, *given)
    text = (tmp_path / "out/report.md").read_text()
    assert text.count("\n### ") == 2
    assert "*given_sets failed: DIV2K: " in text
    assert "HeadsUp, Table 3" in capsys.readouterr().out


def test_a_table_2_of_an_index_has_rows_with_references(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    index = write_synthetic_portrait_index(tmp_path / "photos", people=2, portraits=2, size=64)
    arguments = ["--sets", f"drawn={index}", "--size", "64", "--limit", "1", "--output", str(tmp_path / "out")]
    monkeypatch.delenv("PORTRAIT_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    benchmark(monkeypatch, *arguments)
    rows = [line.split(",")[0].strip('"') for line in (tmp_path / "out/given_drawn.csv").read_text().splitlines()]
    assert rows == ["method", "bicubic", "guided", "guided"]
    made = tmp_path / "out/drawn"
    assert {path.name for path in made.iterdir()} == {
        *("hq", "lq", "reference", "bicubic", "guided", "guided, with reference")
    }
    sizes = {part: load_picture(next((made / part).iterdir())).pixels.shape[1] for part in ("hq", "lq", "guided")}
    assert sizes == {"hq": 64, "lq": 16, "guided": 64}
    told = capsys.readouterr().out
    assert "OSEDiff" in told
    assert "5 both, with" in told  # Table 4 is there, too


@pytest.mark.filterwarnings("ignore:No face is found")
def test_commands_of_the_documents_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs/read-benchmark.md").read_text().partition("## Your own restorers and test sets")[2]
    section = text.partition("\n## ")[0]
    commands, settings = (re.search(rf"```{kind}\n(.*?)```", section, re.DOTALL)[1] for kind in ("sh", "yaml"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PORTRAIT_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("RealSR", "DRealSR"):
        published(tmp_path / "data", name)
        for number in (1, 2):
            picture(tmp_path / f"results/theirs/{name}/Canon_{number}.png", 32, number)
    for part, side in (("sharp", 32), ("small", 16), ("faces", 512)):
        picture(tmp_path / "holidays" / part / "a.png", side)
    drawn = write_synthetic_portrait_index(tmp_path / "photos", people=2, portraits=2, size=64)
    PortraitIndex.read(drawn).write(tmp_path / "indexes/portraits")
    for name in ("mine.safetensors", "other.pth"):
        network(tmp_path / "runs" / name)
    (tmp_path / "tests.yaml").write_text(settings.replace("1024", "64"))
    monkeypatch.setattr(GivenSet, "size", 64)  # of the paper's 1024 pixels, a test would take minutes
    tables = []
    for line in commands.splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            done = subprocess.run(["make", "-n", "-C", ROOT, *words[1:]], capture_output=True, text=True, check=True)
            last = done.stdout.replace("\\\n", " ").partition(" -m benchmarks ")[2].splitlines()[0]
            words = ["python", "-m", "benchmarks", *shlex.split(last)]
        benchmark(monkeypatch, *words[3:])
        tables.append(sorted(path.stem for path in Path("outputs/benchmarks/given_sets").glob("*.csv")))
    assert tables[-1] == [f"given_{name}" for name in ("DRealSR", "RealSR", "holidays", "portraits")]
    assert "mine" in capsys.readouterr().out


class Grey(torch.nn.Module):
    """Makes every picture grey."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.full_like(image, 0.5)


def test_restorers_of_faces_alone_are_rows_where_there_are_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTRAIT_ASSETS", raising=False)
    face = PublicRestorer(Grey(), Maker("GFPGAN", face_side=512, note="For research only."), torch.device("cpu"))
    aligned = rows_of({"GFPGAN": face}, "faces", 1, False, None)
    assert (list(aligned.methods), aligned.remarks) == (["input", "GFPGAN"], ("For research only.",))
    for task, detector, reason in (
        ("general", None, "the set has pictures of anything"),
        ("portraits", None, "there is no detector to find them"),
        ("portraits", lambda images: Faces.none(), "what they would be pasted over needs photographs"),
    ):
        rows = rows_of({"GFPGAN": face}, task, 4, False, detector)
        assert list(rows.methods) == ["bicubic"]
        assert f"Without GFPGAN: it restores aligned faces alone, and {reason}" in rows.remarks[0]


def test_what_is_missing_is_said_once_beside_numbers_of_the_set() -> None:
    psnr, fid = Column("psnr", "RGB", higher_is_better=True), Column("fid", "clean-fid", higher_is_better=False)
    skipped = {"niqe": "pyiqa is not installed.", "musiq": "pyiqa is not installed.", "lpips": "Its weights are not."}
    whole = ScoreTable("rgb", 0, (psnr,), {"a": (20.0,), "b": (None,)}, (fid,), (12.5,), skipped, ("b (target)",))
    partly = replace(whole, rows={"a": (21.0,)}, problems=("b.png is damaged.",))
    assert cells(whole) == (20.0, 12.5)
    assert list(notes({"bicubic": whole, "theirs": partly})) == [
        "Measured as: PSNR (RGB), FID (clean-fid).",
        "Without NIQE, MUSIQ: pyiqa is not installed. Without LPIPS: Its weights are not.",
        "No face is found in b (target).",
        "theirs, of 1 picture only: b.png is damaged.",
    ]


def test_references_are_for_faces_that_are_found(tmp_path: Path) -> None:
    for part, side in (("hq", 32), ("lq", 8), ("reference", 512)):
        for name in "ab":
            picture(tmp_path / part / f"{name}.png", side)
    planned = plan_set("mine", GivenSet(tmp_path))
    blind = GivenSamples(planned, tmp_path / "out", 1, None)
    ((sample, truth, given),) = blind
    assert (blind.has_references, len(sample.face), sample.name) == (False, 0, "a")
    assert (truth, given) == (tmp_path / "hq/a.png", tmp_path / "lq/a.png")
    aligned = GivenSamples(plan_set("mine", GivenSet(tmp_path, task="faces")), tmp_path / "out", None, None)
    assert aligned.has_references
    assert [len(sample.face) for sample, _, _ in aligned] == [1, 1]
