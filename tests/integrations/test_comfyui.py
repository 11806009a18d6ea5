"""The folder of nodes, loaded as ComfyUI loads it, and by ComfyUI itself where COMFYUI names it."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from faceops.images.files import Picture
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.shipped import shipped_weights
from hime.upscaling.picture_upscaling import upscale
from hime.weights.files import load_network

NODES = Path(__file__).parents[2] / "integrations" / "comfyui"
NAMES = {"HeadsUpRestorePortrait", "HimeUpscaleHeadshot"}


class FolderPaths(ModuleType):
    """ComfyUI's `folder_paths`, as far as its documentation describes it."""

    def __init__(self, models: Path) -> None:
        super().__init__("folder_paths")
        self.models_dir = str(models)
        self.folder_names_and_paths: dict[str, tuple[list[str], set[str]]] = {}

    def add_model_folder_path(self, name: str, path: str) -> None:
        self.folder_names_and_paths[name] = ([path], set())

    def get_filename_list(self, name: str) -> list[str]:
        folder = Path(self.folder_names_and_paths[name][0][0])
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def get_full_path(self, name: str, file: str) -> str | None:
        path = Path(self.folder_names_and_paths[name][0][0]) / file
        return str(path) if path.is_file() else None


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Classes of the nodes; the folder is a copy, so that nothing around it is of use."""
    folder = tmp_path / "custom_nodes" / "portrait.nodes"
    shutil.copytree(NODES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setitem(sys.modules, "folder_paths", FolderPaths(tmp_path / "models"))
    name = str(folder).replace(".", "_x_")  # as its loader does, so that relative imports work
    spec = importlib.util.spec_from_file_location(name, folder / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    assert set(module.NODE_DISPLAY_NAME_MAPPINGS) == set(module.NODE_CLASS_MAPPINGS)
    yield module.NODE_CLASS_MAPPINGS
    for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[loaded]


def defaults(node: Any) -> dict[str, Any]:
    """What ComfyUI passes where nothing was changed: the default, or the first choice."""
    found = {}
    for name, (kind, *more) in node.INPUT_TYPES()["required"].items():
        if kind != "IMAGE":
            found[name] = more[0]["default"] if more and "default" in more[0] else kind[0]
    return found


def run(node: Any, **inputs: Any) -> tuple[Any, ...]:
    """Call a node as ComfyUI does: a new object, the function by its name, without gradients."""
    with torch.inference_mode():
        return getattr(node(), node.FUNCTION)(**inputs)


def image(count: int, height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(count, height, width, channels, generator=torch.Generator().manual_seed(0))


def test_nodes_say_what_comfyui_asks(nodes: dict[str, Any]) -> None:
    assert set(nodes) == NAMES
    for node in nodes.values():
        inputs = node.INPUT_TYPES()
        assert inputs["required"]["image"][0] == "IMAGE"
        photographs = [name for name, (kind, *_) in inputs["optional"].items() if kind == "IMAGE"]
        assert [name[-2:] for name in photographs] == ["_1", "_2", "_3", "_4"]
        assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES)
        assert callable(getattr(node, node.FUNCTION))
        json.dumps(inputs)  # as its server does


def test_restoring_gives_what_the_package_gives(nodes: dict[str, Any]) -> None:
    node, batch = nodes["HeadsUpRestorePortrait"], image(2, 16, 24)
    told = defaults(node) | {"device": "cpu", "scale": 2.0, "fidelity": 0.25}
    restored, notes = run(node, image=batch, **told)
    assert (restored.shape, restored.dtype, notes) == ((2, 32, 48, 3), torch.float32, "")
    restorer, options = PhotoRestorer.load(), RestoreOptions(scale=2.0, fidelity=0.25)
    for given, made in zip(batch, restored, strict=True):
        expected = restorer(Picture(given.permute(2, 0, 1).contiguous()), options).picture.pixels
        torch.testing.assert_close(made.permute(2, 0, 1), expected, atol=1e-5, rtol=0)


def test_transparency_is_kept_and_other_channels_are_refused(nodes: dict[str, Any]) -> None:
    node = nodes["HeadsUpRestorePortrait"]
    told = defaults(node) | {"device": "cpu"}
    restored, _ = run(node, image=torch.cat([image(1, 8, 8), torch.full((1, 8, 8, 1), 0.5)], dim=3), **told)
    assert restored.shape == (1, 32, 32, 4)
    torch.testing.assert_close(restored[..., 3], torch.full((1, 32, 32), 0.5))
    with pytest.raises(ValueError, match=r"3 or 4 channels\), got \(1, 8, 8, 2\)"):
        run(node, image=image(1, 8, 8, 2), **told)


@pytest.mark.assets
def test_references_change_the_face_and_strangers_are_refused(
    nodes: dict[str, Any], assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faceops.images.files import load_picture
    from portraitdata.images.resampling import bicubic

    cache = tmp_path / "cache"
    cache.mkdir()
    shutil.copy(assets / "weights/identity/mobilefacenet_foamliu.pt", cache)
    monkeypatch.setenv("FACEOPS_CACHE", str(cache))

    def photograph(name: str, side: int) -> torch.Tensor:
        pixels = load_picture(assets / "images/portraits/london_ccby4" / name).pixels
        return bicubic(pixels, side, side).clamp(0, 1).permute(1, 2, 0)[None]

    node = nodes["HeadsUpRestorePortrait"]
    told = defaults(node) | {"device": "cpu", "scale": 1.0, "image": photograph("013_neutral.jpg", 128)}
    alone, _ = run(node, **told)
    guided, _ = run(node, **told, reference_2=photograph("013_smiling.jpg", 256), reference_3=None)
    assert (guided - alone).abs().max() > 0.02
    torch.testing.assert_close(guided[:, :8], alone[:, :8], atol=1e-2, rtol=0)  # the top is no face
    with pytest.raises(ValueError, match=r"Disconnect the references, or set force"):
        run(node, **told, reference_1=image(1, 64, 64))


def test_upscaling_gives_what_the_package_gives(nodes: dict[str, Any]) -> None:
    node, batch, exemplars = nodes["HimeUpscaleHeadshot"], image(2, 32, 32), image(3, 128, 128)
    told = defaults(node) | {"device": "cpu", "align": "middle", "weights": "small-x4"}
    large, notes = run(node, image=batch, exemplar_1=exemplars[:1], exemplar_4=exemplars[1:], **told)
    assert large.shape == (2, 128, 128, 3)
    assert notes == ""
    photographs = [Picture(each.permute(2, 0, 1).contiguous()) for each in exemplars]
    expected = upscale(load_network("small-x4"), Picture(batch[1].permute(2, 0, 1).contiguous()), photographs)
    torch.testing.assert_close(large[1].permute(2, 0, 1), expected.picture.pixels, atol=1e-5, rtol=0)
    _, notes = run(node, image=image(1, 100, 100), **told)
    assert "the weights were trained on 32 x 32" in notes


def test_files_of_comfyuis_models_are_offered_beside_the_shipped_weights(nodes: dict[str, Any], tmp_path: Path) -> None:
    from headsup.weights.shipped import find_weights

    own = tmp_path / "models" / "headsup" / "sub" / "mine.safetensors"
    own.parent.mkdir(parents=True)
    shutil.copy(find_weights("tiny"), own)
    (own.parent / "notes.txt").touch()
    node = nodes["HeadsUpRestorePortrait"]
    assert node.INPUT_TYPES()["required"]["weights"][0] == [*shipped_weights(), "sub/mine.safetensors"]
    told = defaults(node) | {"device": "cpu", "scale": 1.0, "image": image(1, 16, 16)}
    mine, shipped = (run(node, **told | {"weights": name})[0] for name in ("sub/mine.safetensors", "tiny"))
    assert torch.equal(mine, shipped)
    with pytest.raises(FileNotFoundError, match=r"There is no other\.safetensors in models/headsup; the shipped"):
        run(node, **told | {"weights": "other.safetensors"})


BY_ITSELF = """
import asyncio, json, sys
comfyui, folder, *names = sys.argv[1:]
sys.argv = ["main.py", "--cpu"]
sys.path.insert(0, comfyui)
import comfy.options
comfy.options.enable_args_parsing()
import nodes
assert asyncio.run(nodes.load_custom_node(folder))
told = {name: (nodes.NODE_DISPLAY_NAME_MAPPINGS[name], nodes.NODE_CLASS_MAPPINGS[name].INPUT_TYPES()) for name in names}
print(json.dumps({name: [title, sorted(inputs)] for name, (title, inputs) in told.items()}))
"""


@pytest.mark.skipif("COMFYUI" not in os.environ, reason="COMFYUI names no folder with ComfyUI and its requirements")
def test_comfyuis_own_loader_takes_the_folder() -> None:
    command = [sys.executable, "-c", BY_ITSELF, os.environ["COMFYUI"], str(NODES), *sorted(NAMES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {
        "HeadsUpRestorePortrait": ["Restore Portrait (HeadsUp)", ["optional", "required"]],
        "HimeUpscaleHeadshot": ["Upscale Headshot (HIME)", ["optional", "required"]],
    }
