"""What a restoration imports, and what it refuses before it imports anything heavy."""

import os
import subprocess
import sys

import pytest
import torch

from faceops.images.files import Picture, save_picture

HEAVY = ("torchmetrics", "lightning", "matplotlib")


def ran(code, *words):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_plain_restoration_imports_nothing_of_training_or_metrics(tmp_path):
    save_picture(Picture(torch.rand(3, 16, 16)), tmp_path / "small.png")
    code = f"""
import sys
from headsup.cli import run
assert not run()
print([name for name in {HEAVY} if name in sys.modules], "torch" in sys.modules)
"""
    done = ran(code, "restore", tmp_path / "small.png", "--output", tmp_path / "large.png", "--scale", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[] True"
    assert (tmp_path / "large.png").is_file()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["headsup", "restore", "missing.png", "--output", "o.png"], "There is no file missing.png."),
        (["headsup", "restore", "{there}", "--output", "o.gif"], "must end in one of"),
        (["headsup", "restore", "{there}", "--output", "o.png", "--fidelity", "2"], "The fidelity is from 0 to 1"),
        (["headsup", "restore", "{there}", "--output", "o.png", "--weights", "none"], 'No weights are called "none"'),
        (["headsup", "restore", "{there}", "--output", "o.png", "--report", "r.txt"], "--report is a file ending in"),
        (["hime", "upscale", "missing.png", "--output", "o.png"], "There is no file missing.png."),
        (["hime", "upscale", "{there}", "--output", "o.png", "--weights", "none"], 'No weights are called "none"'),
        (["hime", "upscale", "{there}", "--output", "o.gif"], "must end in one of"),
        (["hime", "upscale", "{there}", "--output", "{there}"], "is an input and would be replaced"),
        (["portraitdata", "degrade", "{there}", "--output", "o.jpg"], "must end in .png, got '.jpg'"),
        (["portraitdata", "degrade", "missing.png", "--output", "o.png"], "There is no file missing.png."),
        (["faceops", "detect", "missing.png"], "There is no file missing.png."),
    ],
)
def test_what_cannot_be_done_is_refused_without_torch(words, sentence, tmp_path):
    there = tmp_path / "there.png"
    save_picture(Picture(torch.rand(3, 8, 8)), there)
    code = f"""
import sys
from {words[0]}.cli import run
try:
    run()
except (ValueError, OSError) as error:
    print(error, "torch" in sys.modules)
"""
    done = ran(code, *(word.format(there=there) for word in words[1:]))
    assert sentence in done.stdout, done.stderr
    assert done.stdout.rstrip().endswith("False")
