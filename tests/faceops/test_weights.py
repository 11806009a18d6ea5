"""Weights by name: cache, download, checksums, sentences."""

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from faceops.weights import cache as weights
from faceops.weights.cache import (
    DamagedWeightsError,
    MissingWeightsError,
    add_weights,
    cache_folder,
    fetch_weights,
    find_entry,
    find_weights,
    verify_weights,
)
from faceops.weights.table import WEIGHTS, WeightsEntry

CONTENT = bytes(range(256)) * 4096


class Server(ThreadingHTTPServer):
    """Serves `CONTENT`; remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.stop_after: int | None = None
        self.honours_ranges = True
        self.content = CONTENT

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/thing.onnx"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        content, start = self.server.content, 0
        if self.path != "/thing.onnx":
            self.send_error(404)
            return
        if wanted and self.server.honours_ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = self.server.stop_after
        self.wfile.write(content[start : len(content) if stop is None else start + stop])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FACEOPS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make_entry(url: str | None, sha256: str | None = hashlib.sha256(CONTENT).hexdigest()) -> WeightsEntry:
    return WeightsEntry(
        "thing", "thing.onnx", "detector", "MIT", "nobody", url=url, sha256=sha256, size=len(CONTENT), source="ask us"
    )


@pytest.fixture
def thing(server: Server, monkeypatch: pytest.MonkeyPatch) -> WeightsEntry:
    entry = make_entry(server.url)
    monkeypatch.setattr(weights, "WEIGHTS", (entry,))
    return entry


def test_fetched_once_and_found_after(thing: WeightsEntry, server: Server, cache: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    path = find_weights("thing", lambda there, total: seen.append((there, total)))
    assert path == cache / "thing.onnx"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert find_weights("thing") == path
    assert server.ranges == [None]
    assert [file.name for file in cache.iterdir()] == ["thing.onnx"]


def test_a_download_that_broke_off_goes_on(thing: WeightsEntry, server: Server, cache: Path) -> None:
    server.stop_after = 300_000
    with pytest.raises(MissingWeightsError, match=r"fetching it failed: the connection broke off after 300000 of"):
        fetch_weights(thing)
    assert (cache / "thing.onnx.part").stat().st_size == 300_000
    assert not (cache / "thing.onnx").exists()
    server.stop_after = None
    assert fetch_weights(thing).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-"]
    assert not (cache / "thing.onnx.part").exists()


def test_a_server_without_ranges_is_asked_for_all(thing: WeightsEntry, server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "thing.onnx.part").write_bytes(b"wrong beginning")
    server.honours_ranges = False
    assert fetch_weights(thing).read_bytes() == CONTENT


@pytest.mark.parametrize(("there", "requests"), [(CONTENT, 1), (CONTENT + b"more", 2)])
def test_a_part_that_is_whole_or_too_long(
    thing: WeightsEntry, server: Server, cache: Path, there: bytes, requests: int
) -> None:
    cache.mkdir()
    (cache / "thing.onnx.part").write_bytes(there)
    assert fetch_weights(thing).read_bytes() == CONTENT
    assert len(server.ranges) == requests


def test_a_wrong_download_is_not_kept(thing: WeightsEntry, server: Server, cache: Path) -> None:
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(MissingWeightsError, match=r"thing.onnx sent is another file. Nothing was kept"):
        fetch_weights(thing)
    assert list(cache.iterdir()) == []
    server.content = CONTENT
    assert fetch_weights(thing).read_bytes() == CONTENT


def test_a_wrong_beginning_is_not_kept(thing: WeightsEntry, cache: Path) -> None:
    cache.mkdir()
    (cache / "thing.onnx.part").write_bytes(b"wrong beginning")
    with pytest.raises(MissingWeightsError, match="sent is another file"):
        fetch_weights(thing)
    assert fetch_weights(thing).read_bytes() == CONTENT


@pytest.mark.parametrize("has_checksum", [True, False])
def test_a_page_to_log_in_is_no_damage_to_the_cache(
    thing: WeightsEntry, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, has_checksum: bool
) -> None:
    server.content = b"\n<html>Log in to this network</html>"
    if not has_checksum:
        monkeypatch.setattr(weights, "WEIGHTS", [replace(thing, sha256=None)])
    with pytest.raises(
        MissingWeightsError, match=r"are not in the cache: what http.* may have answered. Get thing.onnx"
    ):
        find_weights("thing")
    assert list(cache.iterdir()) == []


def test_an_address_that_is_gone(server: Server) -> None:
    with pytest.raises(MissingWeightsError, match=r"fetching it failed: Not Found. Get thing.onnx from http"):
        fetch_weights(make_entry(server.url.replace("thing", "other")))


def test_offline_sentence(cache: Path) -> None:
    # Nothing listens on port 1.
    with pytest.raises(MissingWeightsError) as caught:
        fetch_weights(make_entry("http://127.0.0.1:1/thing.onnx"))
    assert str(caught.value) == (
        'The weights "thing" (1.0 MB, MIT) are not in the cache: fetching it failed: Connection refused. '
        f"Get thing.onnx from http://127.0.0.1:1/thing.onnx and put it into {cache} under that name, "
        "or give its path where a name is asked."
    )


def test_weights_without_an_address() -> None:
    with pytest.raises(MissingWeightsError, match=r"has no address of its own. Get thing.onnx \(ask us\) and put it"):
        fetch_weights(make_entry(None))


def test_a_file_put_there_by_hand(thing: WeightsEntry, server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "thing.onnx").write_bytes(CONTENT)
    assert find_weights("thing") == cache / "thing.onnx"
    (cache / "thing.onnx").write_bytes(b"something else")
    with pytest.raises(DamagedWeightsError, match=r"thing.onnx is damaged or another file"):
        find_weights("thing")
    assert server.ranges == []


def test_weights_without_a_checksum(server: Server) -> None:
    entry = make_entry(server.url, sha256=None)
    assert fetch_weights(entry).read_bytes() == CONTENT
    assert verify_weights(entry) is False


def test_the_name_in_git_serves_as_a_checksum(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # git hash-object thing.onnx
    entry = replace(make_entry(server.url, sha256=None), git_blob="ea8e482b990b87c0f69d29fd1dd6a41d0f1a514b")
    monkeypatch.setattr(weights, "WEIGHTS", (entry,))
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(MissingWeightsError, match=r"thing.onnx sent is another file. Nothing was kept"):
        fetch_weights(entry)
    assert list(cache.iterdir()) == []
    server.content = CONTENT
    path = fetch_weights(entry)
    assert verify_weights(entry) is True
    assert add_weights(path.rename(cache / "another name")) == (entry, path)
    path.write_bytes(b"something else")
    with pytest.raises(DamagedWeightsError, match=r"thing.onnx is damaged or another file"):
        find_weights("thing")


def test_verify(thing: WeightsEntry, cache: Path) -> None:
    with pytest.raises(MissingWeightsError, match="nobody has fetched it"):
        verify_weights(thing)
    fetch_weights(thing)
    assert verify_weights(thing)
    (cache / "thing.onnx").write_bytes(b"")
    with pytest.raises(DamagedWeightsError):
        verify_weights(thing)


def test_add_knows_a_file_by_its_checksum(thing: WeightsEntry, cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "as somebody called it.bin"
    source.write_bytes(CONTENT)
    assert add_weights(source) == (thing, cache / "thing.onnx")
    assert find_weights("thing").read_bytes() == CONTENT
    source.write_bytes(b"another")
    with pytest.raises(DamagedWeightsError, match="is none of the known weights"):
        add_weights(source)
    with pytest.raises(DamagedWeightsError, match="its checksum is not the one of thing"):
        add_weights(source, "thing")
    with pytest.raises(MissingWeightsError, match="There is no weights file"):
        add_weights(tmp_path / "absent.onnx")


def test_paths_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.pth").write_bytes(b"x")
    assert find_weights(tmp_path / "mine.pth") == tmp_path / "mine.pth"
    with pytest.raises(MissingWeightsError, match=r"There is no weights file absent.onnx"):
        find_weights("absent.onnx")
    with pytest.raises(MissingWeightsError, match="is a folder"):
        find_weights(tmp_path)
    with pytest.raises(MissingWeightsError, match=r'No weights are called "yunett".*names are: yunet, '):
        find_weights("yunett")


def test_the_cache_can_be_elsewhere(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache
    monkeypatch.setenv("FACEOPS_CACHE", "~/faces")
    assert cache_folder() == Path.home() / "faces"
    monkeypatch.delenv("FACEOPS_CACHE")
    assert cache_folder().name == "faceops"


def test_the_table_is_sound() -> None:
    assert len({entry.name for entry in WEIGHTS}) == len({entry.file for entry in WEIGHTS}) == len(WEIGHTS)
    for entry in WEIGHTS:
        assert entry.licence
        assert entry.citation
        assert bool(entry.url) != bool(entry.source), entry.name
        assert entry.url is None or entry.url.startswith("https://")
        assert entry.sha256 is None or (len(entry.sha256) == 64 and int(entry.sha256, 16))
        assert entry.git_blob is None or (len(entry.git_blob) == 40 and int(entry.git_blob, 16))
        assert not Path(entry.name).suffix or Path(entry.name).suffix == ".25"


@pytest.mark.assets
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("yunet", "detect/yunet_n_640_640.onnx"),
        ("retinaface-mobilenet0.25", "detect/retinaface_mobilenet0.25_Final.pth"),
        ("mobilefacenet", "identity/mobilefacenet_foamliu.pt"),
        ("edgeface-xxs", "identity/edgeface_xxs_dequant_fp16.safetensors"),
        ("edgeface-xs", "identity/edgeface_xs_dequant_fp16.safetensors"),
    ],
)
def test_checksums_of_the_table(assets: Path, name: str, path: str) -> None:
    file = assets / "weights" / path
    weights.check_weights(find_entry(name), file)
    assert find_entry(name).size == file.stat().st_size


def test_ranks_do_not_fetch_twice(thing: WeightsEntry, server: Server) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system has no folder locks")
    threads = [threading.Thread(target=fetch_weights, args=(thing,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert server.ranges == [None]
