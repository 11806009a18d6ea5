import os
import socket
import sys
import types
import warnings
from pathlib import Path

import pytest
import torch

from portraitdata.scoring import learned_metrics
from portraitdata.scoring.learned_metric_table import LEARNED_METRICS, cache_folder, find_learned_metric
from portraitdata.scoring.learned_metrics import NonCommercialWarning, build_learned
from portraitdata.scoring.metric import ImagePair, Metric, UnavailableMetricError


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch, tmp_path):
    """No weights anywhere, and whoever opens a connection fails the test."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)

    def refuse(*args, **kwargs):
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def put_weights(row):
    for file in row.files:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_bytes(b"")


@pytest.fixture
def pyiqa(monkeypatch):
    """A stand-in for pyiqa, which is not among the packages that tests need."""
    module = types.ModuleType("pyiqa")
    module.__spec__ = types.SimpleNamespace()
    module.made = []

    def create_metric(name, device):
        module.made.append((name, device, os.environ.get("HF_HUB_OFFLINE")))
        print("Loading pretrained model")
        warnings.warn("of the library's own", stacklevel=1)
        if name == "fid":
            return lambda restored, target, **options: (
                (len(list(Path(restored).iterdir())), options)
                and sum(file.stat().st_size for file in Path(restored).iterdir())
            )
        return lambda restored: restored.mean().reshape(1, 1)

    module.create_metric = create_metric
    monkeypatch.setitem(sys.modules, "pyiqa", module)
    return module


def pair(side=64):
    generator = torch.Generator().manual_seed(0)
    restored, target = torch.rand(2, 1, 3, side, side, generator=generator)
    return ImagePair("ada", restored, target)


@pytest.mark.parametrize("row", LEARNED_METRICS, ids=lambda row: row.name)
def test_without_weights_the_reason_names_file_place_and_address(row, pyiqa):
    with pytest.raises(UnavailableMetricError) as caught:
        build_learned(row)
    for file in row.files:
        assert f"Its weights {file.file} are not in {file.path.parent}; put them there from {file.url}." in str(
            caught.value
        )
    assert "--download" in str(caught.value)
    assert pyiqa.made == []


def test_without_the_package_the_reason_names_the_extra(monkeypatch):
    monkeypatch.setattr(learned_metrics, "find_spec", lambda name: None)
    with pytest.raises(UnavailableMetricError, match=r"pyiqa is not installed; `pip install pyiqa 'setuptools<81'`"):
        build_learned(find_learned_metric("musiq"))
    with pytest.raises(UnavailableMetricError, match="torchmetrics is not installed; `pip install torchmetrics`"):
        build_learned(find_learned_metric("lpips"))


def test_pyiqa_is_announced_quiet_and_offline(pyiqa, monkeypatch, capsys):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    row = find_learned_metric("musiq")
    put_weights(row)
    with pytest.warns(NonCommercialWarning, match="PolyForm Noncommercial") as caught:
        metric = build_learned(row)
    assert len(caught) == 1
    assert capsys.readouterr().out == "", "stdout is for the table"
    assert pyiqa.made == [("musiq", torch.device("cpu"), "1")]
    assert "HF_HUB_OFFLINE" not in os.environ
    assert metric(pair()) == (pytest.approx(pair().restored.mean().item()),)
    assert metric.columns[0].heading == "musiq (KonIQ, no reference)"


@pytest.mark.filterwarnings("ignore::portraitdata.scoring.learned_metrics.NonCommercialWarning")
def test_download_lets_the_library_fetch(pyiqa, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    build_learned(find_learned_metric("clipiqa"), download=True)
    assert pyiqa.made[0][2] == "0"


@pytest.mark.filterwarnings("ignore::portraitdata.scoring.learned_metrics.NonCommercialWarning")
def test_whatever_the_library_raises_is_a_reason(pyiqa, monkeypatch):
    def broken(name, device):
        raise KeyError("no network\nat all")

    monkeypatch.setattr(pyiqa, "create_metric", broken)
    with pytest.raises(UnavailableMetricError, match="pyiqa cannot build it: 'no network"):
        build_learned(find_learned_metric("niqe"), download=True)


@pytest.mark.filterwarnings("ignore::portraitdata.scoring.learned_metrics.NonCommercialWarning")
def test_fid_sees_the_files_of_the_pairs_and_no_others(pyiqa, tmp_path):
    row = find_learned_metric("fid")
    put_weights(row)
    files = [tmp_path / name for name in ("a.PNG", "b.jpg", "stray.png")]
    for number, file in enumerate(files):
        file.write_bytes(b"." * 10**number)
    metric = build_learned(row)
    assert not isinstance(metric, Metric)
    assert metric(files[:2], files[1:]) == 11


@pytest.mark.filterwarnings("ignore::portraitdata.scoring.learned_metrics.NonCommercialWarning")
def test_an_image_that_the_network_does_not_take_is_a_sentence(pyiqa, monkeypatch):
    def refuse(restored):
        raise RuntimeError("Kernel size can't be greater\nthan actual input size")

    monkeypatch.setattr(pyiqa, "create_metric", lambda name, device: refuse)
    metric = build_learned(find_learned_metric("niqe"), download=True)
    with pytest.raises(ValueError, match=r"^niqe cannot measure ada: Kernel size can't be greater$"):
        metric(pair())


# pyiqa 0.1.16 gives the same in every digit with the same random backbones and the heads of torchmetrics 1.9.0.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "network", "file"),
    [
        ("lpips", "alexnet", "alexnet-owt-7be5be79.pth"),
        ("lpips-vgg", "vgg16", "vgg16-397923af.pth"),
        ("dists", "vgg16", "vgg16-397923af.pth"),
    ],
)
def test_torchmetrics_measures_with_the_backbone_in_the_cache(name, network, file):
    import torchvision

    place = cache_folder("torch")
    place.mkdir(parents=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(getattr(torchvision.models, network)(weights=None).state_dict(), place / file)
    metric = build_learned(find_learned_metric(name))
    (value,) = metric(pair())
    assert value > 0
    assert metric(pair()) == (value,), "no state is carried over"
    assert metric(ImagePair("a", pair().target, pair().target))[0] == pytest.approx(0, abs=1e-6)


def test_caches_move_with_their_variables(monkeypatch, tmp_path):
    assert cache_folder("pyiqa") == tmp_path / "torch/hub/pyiqa"
    assert cache_folder("hugging face") == tmp_path / "hf/hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    assert cache_folder("hugging face") == tmp_path / "elsewhere"
