"""What every package offers by its own name: complete, typed, documented, and imported no sooner than it is used."""

import doctest
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("faceops", "portraitdata", "hime", "headsup")


@pytest.mark.parametrize("name", PACKAGES)
def test_offered_names_are_those_of_their_modules(name):
    package = import_module(name)
    assert package.__all__ == sorted(package.HOMES)
    for public, home in package.HOMES.items():
        assert getattr(package, public) is getattr(import_module(home), public)
        assert not (ROOT / "packages" / name / "src" / name / f"{public}.py").exists(), "a module would hide the name"
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize("name", PACKAGES)
def test_type_checkers_see_the_offered_names(name):
    package = import_module(name)
    source = Path(package.__file__).read_text()
    seen = re.findall(r"^    from (\S+) import (\w+) as \2$", source, re.MULTILINE)
    assert sorted(seen) == sorted((home, public) for public, home in package.HOMES.items())
    assert (Path(package.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("name", PACKAGES)
def test_readme_lists_the_offered_names_and_its_example_runs(name):
    text = (ROOT / "packages" / name / "README.md").read_text()
    section = text.partition("## From Python")[2]
    assert all(f"`{public}`" in section for public in import_module(name).__all__)
    (example,) = re.findall(r"```pycon\n(.*?)```", section, re.DOTALL)
    test = doctest.DocTestParser().get_doctest(example, {}, f"{name}/README.md", None, 0)
    assert doctest.DocTestRunner().run(test) == (0, len(test.examples))


@pytest.mark.parametrize("name", PACKAGES)
def test_version_is_said_without_torch(name):
    code = f"""
import sys
from {name}.cli import run
try:
    run()
finally:
    assert "torch" not in sys.modules
"""
    told = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.split()[-1] == version(name)
    assert import_module(name).__version__ == version(name)


def test_nobody_is_told_to_install_what_others_publish_under_the_name():
    """On PyPI hime and headsup are other projects; these are installed from their folders."""
    by_name = re.compile(r"""pip install ['"\\]*(hime|headsup)\b""")
    texts = [*ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("packages/*/README.md"), *ROOT.glob("docs/*.md")]
    assert len(texts) > 100
    assert not [path for path in texts if by_name.search(path.read_text(encoding="utf-8"))]
