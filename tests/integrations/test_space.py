"""The Space's page: its tasks give what the packages give, its errors are sentences, and a browser's calls arrive."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from faceops.images.files import Picture
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from hime.upscaling.picture_upscaling import upscale
from hime.weights.files import load_network

SPACE = Path(__file__).parents[2] / "integrations" / "space"


@pytest.fixture(scope="module")
def app() -> ModuleType:
    spec = importlib.util.spec_from_file_location("space_app", SPACE / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noise(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def as_picture(image: Image.Image) -> Picture:
    return Picture(torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255)


def assert_shows(image: Image.Image, expected: Picture) -> None:
    torch.testing.assert_close(as_picture(image).pixels, expected.pixels, atol=0.51 / 255, rtol=0)


def test_restoring(app: ModuleType) -> None:
    image, notes = app.restore(noise(16, 24), None, 2.0, 0.25, False)
    options = RestoreOptions(scale=2.0, fidelity=0.25)
    assert_shows(image, PhotoRestorer.load()(as_picture(noise(16, 24)), options).picture)
    assert notes == ""


def test_upscaling(app: ModuleType) -> None:
    image, notes = app.enlarge(noise(32, 32), [], 4)
    assert_shows(image, upscale(load_network("small-x4"), as_picture(noise(32, 32))).picture)
    assert notes == ""
    _, notes = app.enlarge(noise(100, 100), None, 4)
    assert "the weights were trained on 32 x 32" in notes


def test_what_is_said_of_photographs_that_are_read_is_shown(app: ModuleType, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    values = np.random.default_rng(0).random((128, 128, 3), dtype=np.float32)
    values[0, 0] = 1.2
    tifffile.imwrite(tmp_path / "wide.tif", values, photometric="rgb")
    for _ in range(2):
        _, notes = app.enlarge(noise(32, 32), [str(tmp_path / "wide.tif")], 4)
        assert notes.splitlines()[0].endswith("to 1.2 are clipped to 0 and 1.")


def test_what_is_missing_or_too_large_is_said(app: ModuleType) -> None:
    with pytest.raises(ValueError, match="Upload a photograph first"):
        app.restore(None, None, 2.0, 0.0, False)
    with pytest.raises(ValueError, match=r"2000 x 1500 pixels enlarged 2 times would be 12\.0 megapixels; this page"):
        app.restore(noise(1500, 2000), None, 2.0, 0.0, False)
    with pytest.raises(ValueError, match="Upload a photograph first"):
        app.enlarge(None, None, 4)


@pytest.mark.assets
def test_references_that_show_nobody_are_refused(
    app: ModuleType, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    encoder = assets / "weights/identity/mobilefacenet_foamliu.pt"
    (cache / encoder.name).write_bytes(encoder.read_bytes())
    monkeypatch.setenv("FACEOPS_CACHE", str(cache))
    noise(64, 64).save(tmp_path / "nobody.png")
    with pytest.raises(ValueError, match=r"No face was found in any of the references .*Remove the references, or use"):
        app.restore(noise(16, 24), [str(tmp_path / "nobody.png")], 1.0, 0.0, False)


def test_the_header_is_what_hugging_face_asks(app: ModuleType) -> None:
    _, header, text = (SPACE / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(header) == {
        "title": "Portraits",
        "sdk": "docker",
        "app_port": app.PORT,
        "license": "apache-2.0",
    }
    assert text.lstrip().startswith("# ")


CALLED = """
import sys
sys.path.insert(0, sys.argv[1])
import app
from gradio_client import Client, handle_file
page = app.build_page()
_, url, _ = page.queue().launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
client = Client(url, verbose=False)
result, notes = client.predict(handle_file(sys.argv[2]), [], 2, 0, False, api_name="/restore")
print(result if isinstance(result, str) else result["path"])
try:
    client.predict(None, [], 4, api_name="/enlarge")
except Exception as error:
    print(error)
page.close(verbose=False)
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="needs the package gradio")
def test_a_browser_is_answered(tmp_path: Path) -> None:
    noise(16, 24).save(tmp_path / "small.png")
    done = subprocess.run(
        [sys.executable, "-c", CALLED, str(SPACE), str(tmp_path / "small.png")],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    path, sentence = done.stdout.splitlines()[-2:]
    with Image.open(path) as image:
        assert image.size == (48, 32)
    assert sentence == "Upload a photograph first."
