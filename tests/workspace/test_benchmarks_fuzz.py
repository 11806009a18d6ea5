"""The judge of the fuzz finds planted faults; two rounds of the fuzz find none in the commands."""

import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.fuzz.bombs import BOMBS, INFLATED, endless_frames, inflating
from benchmarks.fuzz.damage import DAMAGES, altered_tensors, false_number, flipped, truncated
from benchmarks.fuzz.inputs import STEMS, write_damaged
from benchmarks.fuzz.judging import KINDS, faults
from benchmarks.fuzz.pictures import FORMATS, huge_png, odd_png, picture_bytes, repaired_png
from benchmarks.fuzz.running import run_forked

ROOT = Path(__file__).parents[2]
FORMAT_OF = {".png": "PNG", ".tif": "TIFF", ".gif": "GIF"}


def written(data: bytes = b"", name: str = "o.png", status: int = 0, said: str = "") -> None:
    """Stand-in for a command that writes a file, says something and exits."""
    if data:
        Path("output", name).write_bytes(data)
    print(said, file=sys.stderr)
    sys.exit(status)


def raised() -> None:
    raise KeyError("a")


def turned_in_circles() -> None:
    while True:
        pass


def ate() -> None:
    print(len(bytearray(os.urandom(1)) * 200_000_000))


PNG = picture_bytes(0, 16)
REFUSAL = "It is damaged."

PLANTED = {
    "nothing": (lambda: written(PNG), set()),
    "a refusal": (lambda: written(status=2, said=REFUSAL), set()),
    "a part": (lambda: written(PNG, status=1, said=REFUSAL), set()),
    "an exception": (raised, {"traceback", "exit status"}),
    "a crash": (lambda: os.kill(os.getpid(), signal.SIGKILL), {"traceback", "exit status"}),
    "a wait": (lambda: time.sleep(60), {"hang"}),
    "a loop": (turned_in_circles, {"hang"}),
    "memory": (ate, {"memory", "exit status"}),
    "half a picture": (lambda: written(PNG[:300]), {"half file", "exit status"}),
    "half a table": (lambda: written(b"a,b\n1", "o.csv", 2, REFUSAL), {"half file"}),
    "a temporary file": (lambda: written(PNG, ".o.png.ab-1.png", 2, REFUSAL), {"half file"}),
    "success without a file": (lambda: written(), {"exit status"}),
    "failure with a file": (lambda: written(PNG, status=2, said=REFUSAL), {"exit status"}),
    "a part without a file": (lambda: written(status=1, said=REFUSAL), {"exit status"}),
    "silence": (lambda: written(status=2), {"exit status"}),
    "an unknown status": (lambda: written(status=3, said=REFUSAL), {"exit status"}),
}
"""What a command does, and the kinds of faults that are found."""


@pytest.mark.parametrize("planted", PLANTED)
def test_the_judge_finds_planted_faults_and_no_others(planted, tmp_path):
    command, kinds = PLANTED[planted]
    folder = tmp_path / "case"
    (folder / "output").mkdir(parents=True)
    ending = run_forked(command, folder, seconds=1 if kinds == {"hang"} else 60)
    assert set(faults(ending, folder / "output", wanted=1, budget=150_000_000)) == kinds
    assert set(KINDS) >= kinds


def test_a_check_says_what_it_found(tmp_path):
    (tmp_path / "output").mkdir()
    for words, status, kinds in (("3 faces", 0, set()), ("", 0, {"exit status"}), ("3 problems", 1, set())):

        def check(words: str = words, status: int = status) -> None:
            print(words)
            sys.exit(status)

        ending = run_forked(check, tmp_path, 60)
        assert (ending.printed, ending.status) == (f"{words}\n", status)
        assert set(faults(ending, tmp_path / "output", None)) == kinds


@pytest.mark.parametrize("kind", range(len(FORMATS)), ids=lambda kind: "-".join(FORMATS[kind]))
def test_drawn_pictures_are_whole(kind):
    with Image.open(io.BytesIO(picture_bytes(kind, 16))) as picture:
        picture.load()
        assert (picture.format, picture.size) == (FORMATS[kind][1], (16, 16))


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_seed_decides_the_damage_and_every_length_can_be_damaged(damage):
    for data in (b"", b"a", PNG):
        once, again = (damage(data, np.random.default_rng(3)) for _ in range(2))
        assert once == again
    assert (damage(PNG, np.random.default_rng(3)) != PNG) == (damage.__name__ != "whole")


def test_damage_does_what_it_says():
    generator = np.random.default_rng(0)
    cut, turned, lied = (damage(PNG, generator) for damage in (truncated, flipped, false_number))
    assert PNG.startswith(cut)
    assert len(turned) == len(PNG)
    assert 1 <= sum(a != b for a, b in zip(turned, PNG, strict=True)) <= 16
    assert lied[68:] == PNG[68:]


def test_altered_tensors_keep_a_header_that_is_read_as_json():
    header = json.dumps({"__metadata__": {"a": "b"}, "t": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}})
    data = struct.pack("<Q", len(header)) + header.encode() + bytes(8)
    altered = {altered_tensors(data, np.random.default_rng(seed)) for seed in range(60)}
    assert data not in altered
    lengths = {each: struct.unpack("<Q", each[:8])[0] for each in altered}
    right = [each[8 : 8 + length] for each, length in lengths.items() if each[8 + length :] == bytes(8)]
    assert len(right) < len(altered), "no length is false"
    assert len(right) > 10
    assert all(json.loads(text) != json.loads(header) for text in right)


def test_a_repaired_png_has_right_checksums_and_a_huge_one_says_so():
    broken = PNG[:30] + b"\0\0\0" + PNG[33:]
    assert broken != PNG
    assert repaired_png(broken) == PNG == repaired_png(PNG)
    with Image.open(io.BytesIO(huge_png(12_000, 7))) as picture:
        assert picture.size == (12_000, 7)
    assert b"\xff\xfe" in STEMS


def test_bombs_are_small_until_they_are_read():
    for suffix, made in BOMBS:
        data = made(16)
        assert data == made(16)
        assert len(data) < 4_000_000
        if inflating() in data:
            with pytest.raises(ValueError, match="too large"):
                Image.open(io.BytesIO(data))
            continue
        with Image.open(io.BytesIO(data), formats=[FORMAT_OF[suffix]]) as picture:
            assert picture.size == (16, 16)
    assert len(inflating()) < INFLATED / 1000
    assert len(zlib.decompress(inflating())) == INFLATED


def test_frames_and_sides_are_as_many_as_said():
    with Image.open(io.BytesIO(endless_frames(16))) as picture:
        assert picture.n_frames == 20_000
    with Image.open(io.BytesIO(odd_png(5, 4000))) as picture:
        picture.load()
        assert picture.size == (5, 4000)


def test_damaged_settings_are_of_their_format(tmp_path):
    settings = tmp_path / "s.yaml"
    settings.write_text("scale: 4\ntile: 64\n")
    seen = {
        write_damaged(settings, tmp_path / "t.yaml", np.random.default_rng(seed)).read_bytes() for seed in range(80)
    }
    assert any(b"&a [*a]" in text for text in seen)
    assert any(b"[*a, *a" in text for text in seen)
    assert any(text.startswith(b"scale: 4\ntile: 64\ntile: ") for text in seen)


@pytest.mark.slow
def test_damage_of_every_command_finds_no_fault(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", "--cases", "46", "--seed", "1", "--kept", str(tmp_path / "kept")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [int(count) for count in re.findall(r"^[a-z -]+: (\d+)$", done.stdout, re.MULTILINE)]
    assert sum(counts) == 46
    assert len(counts) >= 18, "not every command had a turn"
