"""No file of the project says where it was written or where packages came from."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The patterns are written so that this file does not say it either.
REGISTRY = r"\b(?:p[y]pi|python[h]osted|artifactory|nexus|devpi|conda-forge)\.[a-z]{2,}\b"
OPTION = r"index[-_]url|find[-_]links|uv[_]index"
ABSOLUTE = r"(?<![\w.$}~-])/(?:root|home|Users|work)/\w"


@pytest.fixture(scope="module")
def contents() -> dict[str, str]:
    """Text of every file that git knows or would add; weights are among them, because they have headers."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is not a git checkout, so which files belong to the project is not known")
    names = [name for name in done.stdout.split("\0") if (ROOT / name).is_file()]
    return {name: (ROOT / name).read_bytes().decode("latin-1") for name in names}


def places(pattern: str, contents: dict[str, str]) -> list[str]:
    found = {name: re.search(pattern, text, re.IGNORECASE) for name, text in contents.items()}
    return [f"{name}: {match[0]}" for name, match in found.items() if match]


@pytest.mark.parametrize("pattern", [REGISTRY, OPTION, ABSOLUTE], ids=["registry", "option", "absolute path"])
def test_no_file_names_a_registry_or_a_machine(pattern: str, contents: dict[str, str]) -> None:
    assert places(pattern, contents) == []


def test_no_file_names_this_checkout_or_home(contents: dict[str, str]) -> None:
    for folder in (ROOT, Path.home()):
        assert places(rf"{re.escape(str(folder))}/", contents) == []


@pytest.mark.parametrize(
    ("pattern", "example"),
    [
        (REGISTRY, "https://" + "pypi" + ".org/simple"),
        (OPTION, "--extra-index" + "-url="),
        (ABSOLUTE, "(/ho" + "me/me)"),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: str, example: str) -> None:
    assert places(pattern, {"a": f"before {example}", "b": "neither"}) == [f"a: {re.search(pattern, example)[0]}"]
