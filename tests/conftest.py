"""Fixtures that every test may use."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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


@pytest.fixture(autouse=True)
def _no_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command says does not depend on how busy this machine is."""
    monkeypatch.setattr("faceops.progress.display.INTERVAL", 3600.0)


@pytest.fixture(scope="session")
def assets() -> Path:
    """Folder of the photographs and weights that are not part of the project."""
    folder = Path(os.environ.get("PORTRAIT_ASSETS") or "absent")
    if not folder.is_dir():
        pytest.skip("set PORTRAIT_ASSETS to the folder with images/ and weights/ to run this test")
    return folder


class Browser:
    """Chromium without a window, told what to do through a pipe (Chrome DevTools Protocol)."""

    def __init__(self, profile: Path) -> None:
        to_it, self.write = os.pipe()
        self.read, from_it = os.pipe()
        # the protocol wants the descriptors 3 and 4, which this process may be using
        start = (
            "import fcntl, os, sys\n"
            "ends = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]\n"
            "os.dup2(ends[0], 3), os.dup2(ends[1], 4)\n"
            "os.execv(sys.argv[3], sys.argv[3:])"
        )
        flags = (
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
            *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
        )
        command = [sys.executable, "-c", start, str(to_it), str(from_it), CHROMIUM, *flags]
        self.process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_it, from_it),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_it), os.close(from_it)
        self.number, self.rest, self.events, self.session = 0, b"", [], None
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.tell(f"{domain}.enable")

    def tell(self, method: str, **parameters: object) -> dict:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                chunk = os.read(self.read, 2**16)
                assert chunk, "chromium is gone"
                self.rest += chunk
            text, _, self.rest = self.rest.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def value(self, expression: str) -> object:
        result = self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, self.value("document.body.innerText")
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """A key that is pressed and let go."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": {"Enter": "\r"}.get(key, key)} if kind == "keyDown" and key in ("Enter", key[0]) else {}
            self.tell("Input.dispatchKeyEvent", type=kind, key=key, **text)

    def click(self, selector: str) -> None:
        """A click of the left button in the middle of an element, wherever it is scrolled to."""
        x, y = self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'});"
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.tell("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def choose(self, selector: str, *files: Path) -> None:
        """Files, as if they were chosen in a field."""
        root = self.tell("DOM.getDocument")["root"]["nodeId"]
        node = self.tell("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.tell("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def resize(self, width: int, height: int, scheme: str = "light") -> None:
        self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        self.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def close(self) -> None:
        self.session = None
        with suppress(OSError, AssertionError):
            self.tell("Browser.close")
        self.process.wait(timeout=30)
        os.close(self.read), os.close(self.write)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs chromium, to see what a browser makes of a page")
    found = Browser(tmp_path / "profile")
    yield found
    found.close()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Waits for what another thread or process brings about."""

    def wait(came_about: Callable[[], object], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not came_about():
            assert time.monotonic() < end, "it did not come about"
            time.sleep(0.01)

    return wait
