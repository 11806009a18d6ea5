import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceops.images.files import load_picture
from portraitdata.cli import main
from portraitdata.exemplars.index import ExemplarIndex

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "lightning", "PIL", "cv2", "pyarrow", "numpy", "rich")


@pytest.fixture
def people(tmp_path) -> Path:
    folder = tmp_path / "people"
    for person in range(10):
        (folder / f"person {person}").mkdir(parents=True)
        for number in range(4):
            pixels = np.full((70, 80, 3), 20 * person + number, np.uint8)
            Image.fromarray(pixels).save(folder / f"person {person}" / f"{number}.png")
    return folder


def run(monkeypatch, *arguments: object) -> None:
    """Run a command as a shell does; what it raises is its exit status, unless that is 0."""
    monkeypatch.setattr(sys, "argv", ["portraitdata", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    if ended.value.code:
        raise ended.value


def test_index_and_inspect(people, monkeypatch, capsys):
    index = people.parent / "index.parquet"
    run(
        monkeypatch, "exemplar-index", people, "--output", index, "--test-identities", 3, "--seed", 5, "--note", "trial"
    )
    assert f"{index}: 40 photographs of 10 people, folders" in capsys.readouterr().out
    read = ExemplarIndex.read(index)
    assert (read.seed, read.note, len(read.select("test").by_identity)) == (5, "trial", 3)
    sheet = people.parent / "sheet.png"
    run(monkeypatch, "inspect", index, "--sheet", sheet, "--size", 32, "--sets", 2)
    shown = capsys.readouterr().out
    assert re.search(r"train.*28.*7.*4 / 4 / 4.*70 / 70 / 70", shown)
    assert re.search(r"test.*12.*3.*4 / 4 / 4", shown)
    assert "drawn with seed 5" in shown
    assert load_picture(sheet).pixels.shape == (3, 4 * 32 + 5 * 4, 4 * 32 + 5 * 4)


def test_split_file_and_left_out_photographs(people, monkeypatch, capsys):
    (people / "person 1" / "0.png").write_bytes((people / "person 1" / "0.png").read_bytes()[:-40])
    (people / "person 2" / "0.png").write_text("no photograph")
    split = people.parent / "split.csv"
    split.write_text("identity,split\nperson 0,train\nperson 1,train\nperson 3,test\n")
    index = people.parent / "index.parquet"
    run(monkeypatch, "exemplar-index", people, f"--output={index}", "--split-file", split, "--verify")
    read = ExemplarIndex.read(index)
    assert list(read.select("train").by_identity) == ["person 0"]
    assert len(read.photographs) == 38
    errors = capsys.readouterr().err
    assert "left out: person 1/0.png is damaged or cut short" in errors
    assert "left out: person 2/0.png is not an image" in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("inspect", "absent.parquet"), "portraitdata: There is no exemplar index absent.parquet"),
        (("exemplar-index", "absent", "--output", "x.parquet"), "portraitdata: There is no folder or archive absent"),
        (("exemplar-index", "PEOPLE", "--output", "absent/x.parquet"), "portraitdata: The folder absent that"),
        (
            ("exemplar-index", "PEOPLE", "--output", "x.parquet", "--test-identities", "99"),
            "portraitdata: 99 test identit",
        ),
        (
            ("exemplar-index", "PEOPLE", "--output", "x.parquet", "--split-file", "no.csv"),
            "portraitdata: There is no split",
        ),
        (
            ("exemplar-index", "PEOPLE", "--output", "x.parquet", "--test-identities", "-1"),
            "portraitdata: There are zero test identities or more, got -1",
        ),
        (
            ("exemplar-index", "PEOPLE", "--output", "x.parquet", "--split-file", "binary.csv"),
            "portraitdata: binary.csv is not a CSV file in UTF-8",
        ),
        (("exemplar-index", "PEOPLE"), "output"),
        (("exemplar-index", "PEOPLE", "--output", "x.parquet", "--layout", "heap"), "layout"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_mistakes_are_one_sentence_and_code_2(people, monkeypatch, capsys, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "binary.csv").write_bytes(b"\x89PNG")
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, *(people if argument == "PEOPLE" else argument for argument in arguments))
    assert stopped.value.code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "x.parquet").exists()


def test_an_interruption_is_one_sentence_and_code_130(monkeypatch, capsys, tmp_path):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("portraitdata.commands.exemplar_index.read_split", interrupted)
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "exemplar-index", tmp_path, "--output", tmp_path / "x.parquet", "--split-file", "a.csv")
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "portraitdata was interrupted.\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["exemplar-index", "--help"], ["inspect", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('heavy:', [name for name in {HEAVY} if name in sys.modules]))\n"
        f"sys.argv = ['portraitdata', *{arguments}]\n"
        "from portraitdata.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("heavy: []\n"), done.stdout + done.stderr
    assert done.returncode == (0 if arguments else 2)
    assert "exemplar-index" in done.stdout + done.stderr or "usage" in done.stdout


PAGES = [
    "packages/portraitdata/README.md",
    "docs/exemplar-data.md",
    "docs/restoration-data.md",
    "docs/degradation.md",
    "docs/scoring.md",
    "docs/build-dataset.md",
]


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_pages_are_understood(page):
    """Every command is parsed as written, and asked for its help instead of being run."""
    blocks = re.findall(r"```(?:bash|console|sh)\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands = [line.split("#")[0].split()[1:] for line in lines if line.startswith("portraitdata ")]
    assert commands
    known = {
        command: subprocess.run(
            [
                sys.executable,
                "-c",
                f"import sys; sys.argv = ['portraitdata', '{command}', '--help-all']\n"
                "from portraitdata.cli import main; main()",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for command in {arguments[0] for arguments in commands}
    }
    for command, *arguments in commands:
        options = [argument for argument in arguments if argument.startswith("--")]
        assert all(option.split("=")[0] in known[command] for option in options), options


@pytest.mark.parametrize("page", ["packages/portraitdata/README.md", "docs/exemplar-data.md"])
def test_python_of_the_pages_runs(page, people, monkeypatch, tmp_path):
    from portraitdata.exemplars.sources.layouts import assign_splits, scan_layout

    assign_splits(scan_layout(people, "folders").index, test_identities=2).write(tmp_path / "people.parquet")
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 50, 3), 99, np.uint8)).save(buffer, "JPEG")
    (tmp_path / "portrait.jpg").write_bytes(buffer.getvalue())
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
