"""What a restoration imports, and what works after it."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stdout

import pytest
import torch

from faceops.images.files import Picture, save_picture

UNWANTED = (
    *("torchmetrics", "torchvision", "lightning", "matplotlib"),
    *("transformers", "peft", "scipy", "sympy", "torch._dynamo"),
)

RESTORED = f"""
import sys
from headsup.cli import run
assert not run()
print([name for name in {UNWANTED} if name in sys.modules], "torch" in sys.modules)
"""

ADAPTED = """
import torch
from headsup.model.backbone import random_backbone
from headsup.model.one_step import OneStepRestorer
restorer = OneStepRestorer(random_backbone("tiny"))
generator = torch.Generator().manual_seed(0)
for name, parameter in (restorer.generator_parameters() | restorer.regularizer_parameters()).items():
    if ".lora_B." in name:
        parameter.data.normal_(std=0.05, generator=generator)
z, prompt = torch.randn(1, 16, 8, 8, generator=generator), torch.randn(1, 7, 64, generator=generator)
with torch.no_grad():
    found = [restorer.predict_with(role, z, torch.tensor([500]), prompt) for role in ("generator", "regularizer", None)]
print(*(f"{prediction.abs().mean():.4f}" for prediction in found))
"""

COMPLETED = """
from diffusers.models.unets import UNet2DModel
print(UNet2DModel.__name__)
"""


def ran(code, *words):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def test_plain_restoration_imports_nothing_it_does_not_need_and_leaves_adapters_working(tmp_path):
    save_picture(Picture(torch.rand(3, 16, 16)), tmp_path / "small.png")
    words = "restore", tmp_path / "small.png", "--output", tmp_path / "large.png", "--scale", "2"
    done = ran(RESTORED + ADAPTED + COMPLETED, *words)
    assert done.returncode == 0, done.stderr
    imported, adapted, completed = done.stdout.splitlines()[-3:]
    assert imported == "[] True"
    assert (tmp_path / "large.png").is_file()
    usual = io.StringIO()
    with redirect_stdout(usual):  # here diffusers is imported in its own way
        exec(ADAPTED, {})
    assert adapted == usual.getvalue().strip()
    assert len(set(adapted.split())) == 3
    assert completed == "UNet2DModel"


def test_another_version_of_diffusers_is_imported_in_its_own_way():
    code = """
import sys
from headsup.model import diffusers_networks
diffusers_networks.PUT_OFF = "diffusers.hooks", "diffusers.of_another_version"
diffusers_networks.import_networks()
print([name for name in sys.modules if name.startswith(("diffusers", "torch._dynamo"))])
"""
    done = ran(code)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_serving_without_its_extra_is_refused_without_torch(missing):
    code = f"""
import sys
sys.modules[{missing!r}] = None
from headsup.cli import run
try:
    run()
except ImportError as error:
    print(error, "torch" in sys.modules)
"""
    done = ran(code, "serve")
    wanted = "Serving the page needs starlette and uvicorn: pip install './packages/headsup[serve]'. False\n"
    assert done.stdout == wanted, done.stderr


def test_plain_commands_import_no_server():
    code = "import sys, headsup.cli, headsup; print({'starlette', 'uvicorn'} & set(sys.modules))"
    assert ran(code).stdout == "set()\n"
