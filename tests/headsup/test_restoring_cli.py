"""What the command line is told about restoring comes to the restorer."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from faceops.images.memory_budget import DECODING_BYTES, DETECTION_BYTES, check_memory
from headsup.cli import main
from headsup.restoring.options import RestoreOptions

SAID = {
    **{"--fidelity": "0.25", "--colour": "adain", "--tile": "512", "--overlap": "64", "--memory": "3.5"},
}
MEANT = RestoreOptions(2.0, None, 0.25, "adain", 512, 64, 3.5)
OTHERS = {"confine_references": False, "reference_strength": 0.5, "strip_metadata": True, "give_back": 0.2}
OTHERS_MEANT = replace(MEANT, scale=None, size=(64, 48), **OTHERS)


@pytest.mark.parametrize(
    ("command", "worker", "more", "meant"),
    [
        (
            "restore",
            "files.restore_files",
            [
                *("--confine-references", "false", "--reference-strength", "0.5"),
                "--strip-metadata",
                "--give-back",
                "0.2",
                "--size",
                "64x48",
            ],
            OTHERS_MEANT,
        ),
        ("restore", "files.restore_files", ["--scale", "2"], MEANT),
        ("blend", "blended_files.blend_files", ["--general", "tiny", "--face", "tiny", "--scale", "2"], MEANT),
    ],
)
def test_every_option_arrives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, worker: str, more: list[str], meant: RestoreOptions
) -> None:
    given: list[Any] = []

    def noted(*arguments: Any) -> int:
        given.extend(arguments)
        return 0

    monkeypatch.setattr(f"headsup.restoring.{worker}", noted)
    monkeypatch.chdir(tmp_path)
    Path("a.ppm").write_bytes(b"P6 1 1 255 abc")
    said = [word for pair in SAID.items() for word in pair]
    monkeypatch.setattr("sys.argv", ["headsup", command, "a.ppm", "--output", "b.png", *said, *more])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert [(job.source, job.output) for job in given[0]] == [(Path("a.ppm"), Path("b.png"))]
    assert given[1] == meant


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ([], DECODING_BYTES),
        (["--reference", "a.ppm"], DETECTION_BYTES),
        (["--report", "report.json"], DETECTION_BYTES),
        (["--compare", "sheet.png"], DETECTION_BYTES),
    ],
)
def test_the_memory_counts_the_search_of_faces_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    wanted: int,
) -> None:
    monkeypatch.setattr("headsup.restoring.files.restore_files", lambda *arguments: check_memory("a.png", (10**6, 10)))
    monkeypatch.chdir(tmp_path)
    Path("a.ppm").write_bytes(b"P6 1 1 255 abc")
    said = ["headsup", "restore", "a.ppm", "--output", "b.png", "--memory", "0.1", *more]
    monkeypatch.setattr("sys.argv", said)
    with pytest.raises(SystemExit):
        main()
    assert f"for which {wanted * 1e7 / 1e9:.2g} GB of memory are needed" in capsys.readouterr().err


def test_no_option_is_left_out_above() -> None:
    usual = RestoreOptions()
    for each in fields(usual):
        assert {getattr(MEANT, each.name), getattr(OTHERS_MEANT, each.name)} != {getattr(usual, each.name)}
