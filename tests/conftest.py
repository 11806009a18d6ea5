"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked gpu where there is none."""
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(autouse=True)
def _empty_cache_of_weights(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a test finds does not depend on what the user of this machine has fetched."""
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path_factory.getbasetemp() / "no_weights"))


@pytest.fixture(scope="session")
def assets() -> Path:
    """Folder of the photographs and weights that are not part of the project."""
    folder = Path(os.environ.get("PORTRAIT_ASSETS") or "absent")
    if not folder.is_dir():
        pytest.skip("set PORTRAIT_ASSETS to the folder with images/ and weights/ to run this test")
    return folder
