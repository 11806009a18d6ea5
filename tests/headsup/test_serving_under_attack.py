"""The server of `headsup serve` with many, slow, greedy and killed ones."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from faceops.atomic_files import machine_name
from headsup.command_options import ServeOptions
from headsup.serving import slow_clients
from headsup.serving.job_queue import NO_ROOM, stored_bytes
from headsup.serving.left_behind import folder_prefix, remove_left_behind
from headsup.serving.limits import Limits
from headsup.serving.serve import serve_page
from tests.support.page_client import Client, png, serving


@pytest.fixture
def hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A server that has little patience."""
    monkeypatch.setattr(slow_clients, "PATIENCE", 0.6)
    monkeypatch.setattr(slow_clients, "CHECK_SECONDS", 0.05)
    with serving(tmp_path, Limits()) as client:
        yield client


def padded(length: int) -> bytes:
    return png() + bytes(length - len(png()))


def test_uploads_are_counted_as_they_come(tmp_path: Path) -> None:
    """Room for 4 x 10 kB in all, however they are shared out."""
    with serving(tmp_path, Limits(megabytes=0.01, jobs=4, references=9)) as client:
        first, second = client.job(data=padded(9000)), client.job(data=padded(9000))
        client.ask("POST", f"{first}/references?name=b.png", padded(9000))
        client.ask("POST", f"{second}/references?name=b.png", padded(9000))
        assert stored_bytes(tmp_path) == 36_000
        response = client.raw("POST", f"{second}/references?name=c.png", padded(9000))
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert json.loads(response.content)["error"] == NO_ROOM
        assert stored_bytes(tmp_path) == 36_000
        client.ask("DELETE", first)
        assert client.ask("POST", f"{second}/references?name=c.png", padded(9000)) == {"references": 2}


def test_what_has_not_come_yet_is_counted_too(tmp_path: Path, wait_until: Any) -> None:
    """Two that are sent at once do not both get the room that is left for one; neither is deleted for the other."""
    with serving(tmp_path, Limits(megabytes=0.01, jobs=2, settled=0.0)) as client:
        first, second = (f"/jobs/{client.ask('POST', '/jobs', status=201)['id']}" for _ in range(2))
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
            head = f"PUT {first}/photo?name=a.png HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n"
            connection.sendall(head.encode() + padded(9000)[:500])
            wait_until(lambda: (tmp_path / first.removeprefix("/jobs/") / "photo").is_dir())
            client.ask("PUT", f"{second}/photo?name=a.png", padded(9000))
            assert client.ask("POST", f"{second}/references?name=a.png", padded(9000), 503)["error"] == NO_ROOM
            connection.sendall(padded(9000)[500:])
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_results_and_previews_are_counted(tmp_path: Path) -> None:
    with serving(tmp_path, Limits(megabytes=0.01, jobs=2)) as client:
        first, second = client.job(data=padded(9000)), client.job(data=padded(4000))
        client.start(first)  # the result has 9000 more
        assert client.ended(first)["error"] == NO_ROOM
        assert client.raw("GET", f"{first}/result").status == 404
        assert stored_bytes(tmp_path) == 4000
        client.start(second)
        assert client.ended(second)["state"] == "done"
        assert stored_bytes(tmp_path) == 8000
        client.ask("DELETE", first)
        third = client.job(data=padded(10_000))
        fill = tmp_path / second.removeprefix("/jobs/") / "before.jpg"
        fill.write_bytes(bytes(1900))  # 19.9 kB of 20: the preview of the third is more
        assert client.ask("GET", f"{third}/photo", status=503)["error"] == NO_ROOM
        assert stored_bytes(tmp_path) == 19_900
        fill.unlink()
        assert client.raw("GET", f"{third}/photo").status == 200


def test_fifty_at_once_are_all_served(tmp_path: Path) -> None:
    """More than are kept: who is not let in is told to wait, and who is let in is served."""
    told_to_wait = []

    def patiently(client: Client, method: str, path: str, body: bytes | None = None) -> dict:
        for _ in range(500):
            response = client.raw(method, path, body)
            if response.status != 503:
                assert response.status in (200, 201, 202), response.content
                return json.loads(response.content)
            told_to_wait.append(int(response.headers["Retry-After"]))
            time.sleep(0.2)
        raise AssertionError(path)

    def visit(number: int) -> bytes:
        path = f"/jobs/{patiently(client, 'POST', '/jobs')['id']}"
        patiently(client, "PUT", f"{path}/photo?name={number}.png", padded(200 + number))
        patiently(client, "POST", f"{path}/start", b'{"scale": 1}')
        assert client.ended(path)["state"] == "done"
        result = client.raw("GET", f"{path}/result").content
        client.ask("DELETE", path)
        return result

    with serving(tmp_path, Limits(jobs=12, waiting=5)) as client, ThreadPoolExecutor(50) as clients:
        assert list(clients.map(visit, range(50))) == [padded(200 + number) for number in range(50)]
    assert set(told_to_wait) == {5}


def test_who_came_first_is_not_deleted_for_others(tmp_path: Path) -> None:
    with serving(tmp_path, Limits(jobs=2, settled=0.5)) as client:
        first, second = client.job(), client.job()
        assert "Too many photographs are kept" in client.ask("POST", "/jobs", status=503)["error"]
        client.start(first)
        client.ended(first)
        time.sleep(0.6)
        client.ask("GET", first)  # in use
        client.ask("POST", "/jobs", status=201)
        assert [client.raw("GET", path).status for path in (first, second)] == [200, 404]


def test_drips_are_cut_off(hasty: Client, tmp_path: Path, wait_until: Any) -> None:
    """A header, a body of a file, one of options, and one that nobody reads, a byte every tenth of a second."""
    path = f"/jobs/{hasty.ask('POST', '/jobs', status=201)['id']}"
    heads = [
        "GET / HTTP/1.1\r\nX-Slow: ",
        f"PUT {path}/photo?name=a.png HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n",
        f"POST {path}/start HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n",
        "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n",
    ]

    def seconds_to_the_end(head: str) -> float:
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", hasty.port), timeout=10) as connection:
            try:
                connection.sendall(head.encode())
                while time.monotonic() - began < 8:
                    connection.sendall(b"x")
                    time.sleep(0.1)
            except OSError:
                pass
        return time.monotonic() - began

    with ThreadPoolExecutor(4) as clients:
        lasted = list(clients.map(seconds_to_the_end, heads))
    assert min(lasted) > 0.5
    assert max(lasted) < 8
    # the file that was on its way is gone, and another can be sent
    wait_until(lambda: not [file for file in tmp_path.rglob("*") if file.is_file()])
    hasty.ask("PUT", f"{path}/photo?name=a.png", png())


def test_who_sends_steadily_is_not_cut_off(hasty: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes twice the patience; a connection that is used again has it anew."""
    monkeypatch.setattr(slow_clients, "SLOWEST", 2000.0)
    path = f"/jobs/{hasty.ask('POST', '/jobs', status=201)['id']}"
    head = f"PUT {path}/photo?name=a.png HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=10) as connection:
        connection.sendall(head.encode())
        for start in range(0, 12_000, 1000):
            connection.sendall(padded(12_000)[start : start + 1000])
            time.sleep(0.1)
        assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
        time.sleep(0.8)
        connection.sendall(b"GET /settings HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 200")


def test_answers_that_nobody_takes_are_cut_off(hasty: Client, wait_until: Any) -> None:
    path = hasty.job(data=padded(30_000_000))
    hasty.start(path)
    assert hasty.ended(path)["state"] == "done"
    server = hasty.server.server_state
    wait_until(lambda: not server.connections)
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=10) as connection:
        connection.sendall(f"GET {path}/result HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        wait_until(lambda: server.connections)
        wait_until(lambda: not server.connections, 8)


def test_idle_connections_block_nobody(tmp_path: Path) -> None:
    with serving(tmp_path, Limits()) as client:
        idle = [socket.create_connection(("127.0.0.1", client.port), timeout=10) for _ in range(200)]
        try:
            for connection in idle[:100]:
                connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
            began = time.monotonic()
            path = client.job()
            client.start(path)
            assert client.ended(path)["state"] == "done"
            assert time.monotonic() - began < 5
        finally:
            for connection in idle:
                connection.close()


def test_photographs_of_killed_servers_are_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        f"headsup-serve-{machine_name()}-{dead.pid}-abc": False,
        f"{folder_prefix()}abc": True,  # of this process, which lives
        f"headsup-serve-{machine_name()}-{os.getppid()}-abc": True,
        f"headsup-serve-another{machine_name()}-{dead.pid}-abc": True,
        f"headsup-serve-{machine_name()}-{dead.pid}": True,  # no such name is given
    }
    for name in names:
        (tmp_path / name / "job" / "photo").mkdir(parents=True)
        (tmp_path / name / "job" / "photo" / "a.png").write_bytes(png())
    remove_left_behind(tmp_path)
    assert {name: (tmp_path / name / "job" / "photo" / "a.png").exists() for name in names} == names
    remove_left_behind(tmp_path / "nothing here")


def test_the_next_server_removes_them_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even one that then cannot listen."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f"headsup-serve-{machine_name()}-{dead.pid}-abc" / "job").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(OSError, match="port 99999"):
        serve_page(ServeOptions(port=99999))
    assert list(tmp_path.iterdir()) == []
