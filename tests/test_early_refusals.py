"""What is missing or cannot be done is refused by every command before it imports torch, which takes seconds."""

import json
import os
import subprocess
import sys

import pytest
import torch

from benchmarks.fuzz.pictures import huge_png
from faceops.images.files import Picture, save_picture

PICTURE, FOLDER, EMPTY, TEXT, HUGE = "there.png", "folder", "empty.webp", "text.png", "huge.png"
UNREADABLE = "unreadable"
"""Folder of an empty file and a text that are called pictures."""

REFUSED = {
    "headsup restore missing.png --output o.png": "There is no file missing.png.",
    "headsup restore there.png --output o.png --reference missing.png": "There is no file missing.png.",
    "headsup restore there.png --output o.gif": "must end in one of",
    "headsup restore there.png --output o.png --fidelity 2": "The fidelity is from 0 to 1",
    "headsup restore there.png --output o.png --scale 2 --size 8x6": "by --scale or by --size, but not both.",
    "headsup blend there.png --output o.png --face tiny --scale 2 --size 8x6": "by --scale or by --size, but not both.",
    "headsup restore there.png --output o.png --memory 0": "--memory is a number of gigabytes above zero, got 0.0.",
    "headsup blend there.png --output o.png --face tiny --memory 0": "--memory is a number of gigabytes above zero",
    "headsup serve --memory 0": "--memory is a number of gigabytes above zero, got 0.0.",
    "headsup restore there.png --output o.png --weights none": 'No weights are called "none"',
    "headsup restore there.png --output o.png --report r.txt": "--report is a file ending in",
    "headsup blend missing.png --output o.png --general tiny --face tiny": "There is no file missing.png.",
    "headsup blend there.png --output o.png --general tiny --face none": 'No weights are called "none"',
    "headsup blend there.png --output o.png --general missing.pth --face tiny": "There is no weights file missing.pth.",
    "headsup blend there.png --output o.png --face tiny": "Name one restorer of the whole image",
    "headsup serve --weights missing.safetensors": "There is no weights file missing.safetensors.",
    "headsup export missing.ckpt --output o.safetensors": "There is no checkpoint missing.ckpt.",
    "headsup export there.png --output there.png": "A weights file must end in .safetensors, got there.png.",
    "headsup import missing.pkl --output o.safetensors": "There is no weights file missing.pkl.",
    "headsup import there.png --output there.png": "A weights file must end in .safetensors, got there.png.",
    "headsup merge missing.safetensors --output o": "There is no weights file missing.safetensors.",
    "hime upscale missing.png --output o.png": "There is no file missing.png.",
    "hime upscale there.png --output o.png --exemplars missing.png": "There is no file missing.png.",
    "hime upscale there.png --output o.png --weights none": 'No weights are called "none"',
    "hime upscale there.png --output o.gif": "must end in one of",
    "hime upscale there.png --output there.png": "is an input and would be replaced",
    "hime upscale folder --output there.png": "there.png is a file, but a folder is needed there",
    "hime evaluate none --index missing.parquet": 'No weights are called "none"',
    "hime evaluate small-x4 --index missing.parquet": "There is no exemplar index missing.parquet",
    "hime export missing.ckpt --output o.safetensors": "There is no checkpoint missing.ckpt.",
    "hime export missing.safetensors --onnx o.onnx": "There is no weights file missing.safetensors.",
    "hime export small-x4": "Say what to write",
    "hime export small-x4 --output o.onnx": "must end in .safetensors",
    "hime profile --weights missing.safetensors": "There is no weights file missing.safetensors.",
    "hime correlation-map missing.png": "There is no file missing.png.",
    "portraitdata label-faces missing --output o.csv": "There is no folder missing.",
    "portraitdata export-detector missing.ckpt --output o.safetensors": "There is no checkpoint missing.ckpt.",
    "portraitdata export-detector there.png --output there.png": "A weights file must end in .safetensors",
    "portraitdata exemplar-index missing --output o.parquet": "There is no folder or archive missing.",
    "portraitdata inspect missing.parquet": "There is no exemplar index missing.parquet",
    "portraitdata portrait-index missing --output o": "There is no folder or archive missing.",
    "portraitdata portrait-index folder --output o --test-list missing.txt": "test on missing.txt.",
    "portraitdata status missing": "There is no build missing",
    "portraitdata report missing --output o.html": "There is no build missing",
    "portraitdata verify missing": "There is no file missing/images.parquet",
    "portraitdata takedown missing": "There is no file missing/images.parquet",
    "portraitdata degrade missing.png --output o.png": "There is no file missing.png.",
    "portraitdata degrade there.png --output o.png --replay missing.jsonl": "There is no file of records missing",
    "portraitdata degrade there.png --output o.png --records folder": "but folder is a folder.",
    "portraitdata score --restored missing --target folder --convention rgb": "There is no folder missing.",
    "portraitdata score --restored folder --target missing --convention rgb": "There is no folder missing.",
    "portraitdata study make --methods folder missing --output o.html --questions 1": "There is no folder missing.",
    "portraitdata study score answers.json --key missing.json": "There is no key missing.json",
    "portraitdata degrade there.png --output o.jpg": "must end in .png, got '.jpg'",
    "faceops detect missing.png": "There is no file missing.png.",
    "faceops align missing.png --output o": "There is no file missing.png.",
    "faceops embed missing.png": "There is no file missing.png.",
    "faceops compare there.png missing.png": "There is no file missing.png.",
    "faceops weights add missing.pth": "There is no weights file missing.pth.",
    "headsup restore empty.webp --output o.png": "empty.webp is empty, an image was wanted.",
    "headsup restore there.png --output o.png --reference empty.webp": "empty.webp is empty, an image was wanted.",
    "headsup restore huge.png --output o.png --memory 0.1": "may be taken; raise that limit",
    "headsup restore unreadable --output o": "None of the 2 pictures can be read:\n  unreadable/empty.webp is empty",
    "headsup blend text.png --output o.png --general tiny --face tiny": "text.png is not an image in any",
    "hime upscale empty.webp --output o.png": "empty.webp is empty, an image was wanted.",
    "hime upscale there.png --output o.png --exemplars text.png": "text.png is not an image in any",
    "hime upscale huge.png --output o.png --max-memory 0.1": "may be taken; raise that limit",
    "hime correlation-map text.png": "text.png is not an image in any",
    "portraitdata degrade unreadable --output o": "None of the 2 pictures can be read:",
    "faceops detect unreadable": "None of the 2 pictures can be read:",
    "faceops align empty.webp --output o": "empty.webp is empty, an image was wanted.",
    "faceops embed text.png": "text.png is not an image in any",
    "faceops compare there.png empty.webp": "empty.webp is empty, an image was wanted.",
    "faceops detect huge.png --max-memory 0.1": "may be taken; raise that limit",
}
"""What is refused, and what the sentence says."""

ALL_IN_ONE_PROCESS = """
import json, sys
from importlib import import_module
answers = []
for command in json.loads(sys.argv[1]):
    program, *words = command.split()
    sys.argv = [program, *words]
    try:
        import_module(f"{program}.cli").run()
        sentence = "nothing is refused"
    except (ValueError, OSError) as error:
        sentence = str(error)
    answers.append((sentence, "torch" in sys.modules))
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, tuple[str, bool]]:
    """By command: the sentence, and whether torch was imported by then."""
    place = tmp_path_factory.mktemp("early")
    save_picture(Picture(torch.rand(3, 8, 8)), place / PICTURE)
    (place / FOLDER).mkdir()
    save_picture(Picture(torch.rand(3, 8, 8)), place / FOLDER / PICTURE)
    (place / UNREADABLE).mkdir()
    for folder in (place, place / UNREADABLE):
        (folder / EMPTY).touch()
        (folder / TEXT).write_text("This is a text.")
    (place / HUGE).write_bytes(huge_png(12_000, 12_000))
    done = subprocess.run(
        [sys.executable, "-c", ALL_IN_ONE_PROCESS, json.dumps(list(REFUSED))],
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(REFUSED, json.loads(done.stdout.splitlines()[-1]), strict=True))


@pytest.mark.parametrize(("command", "sentence"), REFUSED.items())
def test_what_cannot_be_done_is_refused_without_torch(answers, command, sentence):
    said, torch_was_imported = answers[command]
    assert sentence in said
    assert not torch_was_imported
