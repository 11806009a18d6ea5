"""The packages of the workspace, as git knows them."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def packages() -> list[str]:
    """Names of the packages that git knows; all, where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "packages/*/pyproject.toml"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    found = listed or [str(path) for path in ROOT.glob("packages/*/pyproject.toml")]
    return sorted(Path(path).parent.name for path in found)


PACKAGES = packages()
