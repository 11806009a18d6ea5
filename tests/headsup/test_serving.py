"""The server of `headsup serve` over HTTP; what restores is stood in for by what the test says."""

import io
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from starlette.applications import Starlette
from starlette.datastructures import Headers
from torch import Tensor

from faceops.geometry.faces import Faces
from faceops.images.files import Picture, save_picture
from headsup.restoring.options import RestoreOptions
from headsup.serving.job_queue import OUT_OF_MEMORY
from headsup.serving.limits import Limits
from headsup.serving.photo_job import ForceableError, PhotoJob
from headsup.serving.request_guard import RequestGuard
from headsup.serving.restore_request import RestoreRequest
from headsup.serving.routes import PAGE
from headsup.serving.serve import is_local, listen, page_url
from tests.support.page_client import Client, Work, png, serving


class TwoFaces:
    """Finds two faces, wherever; `most` counts how many threads were in it at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0

    def __call__(self, images: Tensor) -> Faces:
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.05)
        self.inside -= 1
        boxes = torch.tensor([[26.0, 26.0, 51.0, 51.0], [103.0, 52.0, 154.0, 103.0]])
        return Faces(torch.tensor([0, 0]), boxes, torch.zeros(2, 5, 2), torch.ones(2))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with serving(
        tmp_path, Limits(megabytes=0.01, megapixels=0.01, references=2, waiting=2, jobs=4, settled=0.0)
    ) as found:
        yield found


def test_the_page_comes_whole_and_from_nowhere_else(client: Client) -> None:
    page = client.raw("GET", "/")
    parts = sorted(path.name for path in PAGE.iterdir() if path.name != "index.html")
    assert {"page.css", "page.js"} <= set(parts)
    files = {name: client.raw("GET", f"/{name}") for name in parts}
    assert {name: response.headers.get_content_type() for name, response in files.items()} == {
        name: "text/javascript" if name.endswith(".js") else "text/css" for name in parts
    }
    files["index.html"] = page
    for name in re.findall(r'(?:href|src)="([\w.]+)"', page.content.decode()):
        assert name in files
    for response in files.values():
        text = response.content.decode()
        assert response.status == 200
        assert "//" not in re.sub(r"//(?=[ \n])", "", text)  # no address of anything else
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Server"].strip() == "headsup"
    assert client.ask("GET", "/settings") == {
        "weights": [{"name": "guided", "guided": True}, {"name": "tiny", "guided": False}],
        "device": "cpu",
        "threshold": 0.34,
        "largest_bytes": 10_000,
        "largest_pixels": 10_000,
        "most_references": 2,
        "most_jobs": 4,
        "minutes": 60,
    }


def test_a_photograph_goes_through(client: Client) -> None:
    data = png(kind="JPEG")
    path = f"/jobs/{client.ask('POST', '/jobs', status=201)['id']}"
    # what the file is counts, not what it is called
    assert client.ask("PUT", f"{path}/photo?name=Zo%C3%AB%201.png", data) == {"width": 40, "height": 20, "scale": 3.5}
    assert client.ask("POST", f"{path}/references?name=b.png", png()) == {"references": 1}
    assert client.ask("GET", path)["state"] == "open"
    assert "no result yet" in client.ask("GET", f"{path}/result", status=404)["error"]
    client.start(path, scale=2, fidelity=0.5, colour="adain", force=True, face_box=[1, 2.5, 30, 15])
    told = client.ended(path)
    assert told["state"] == "done"
    assert (told["name"], told["width"], told["height"]) == ("Zoë 1-restored.jpg", 40, 20)
    assert (told["notes"], told["error"], told["offer"], told["exif"]) == (["A note."], "", "", True)
    # the box in widths and heights, the reference without the folder it lies in
    assert told["faces"] == [
        {
            "box": [0.25, 0.25, 0.75, 0.75],
            "person": "ann.png and 1 more",
            "reference": "ann.png",
            "input_to_reference": 0.4123,
            "output_to_reference": 0.5,
            "output_to_input": 0.9,
        }
    ]
    job = client.queue.find(path.removeprefix("/jobs/"))
    assert job.request == RestoreRequest(RestoreOptions(2.0, None, 0.5, "adain"), True, (1.0, 2.5, 30.0, 15.0))
    assert not told["full"]
    for which in ("before", "after"):  # of a small result there is no larger view
        assert client.raw("GET", f"{path}/{which}/full").content == data
    assert "no reference" in client.ask("GET", f"{path}/faces/1", status=404)["error"]
    for which in ("result", "before", "after", "faces/0"):
        response = client.raw("GET", f"{path}/{which}")
        assert response.content == data
        assert response.headers["Content-Type"] == "image/jpeg"
        assert ("attachment" in response.headers.get("Content-Disposition", "")) == (which == "result")
    assert "Zo%C3%AB%201-restored.jpg" in client.raw("GET", f"{path}/result").headers["Content-Disposition"]
    assert "can then be restored once" in client.start(path, status=409)["error"]
    assert "has its photograph" in client.ask("PUT", f"{path}/photo?name=c.png", data, 409)["error"]


def test_one_at_a_time_in_the_order_they_came(client: Client, wait_until: Any) -> None:
    client.work.go.clear()
    first, second, third, fourth = (client.job() for _ in range(4))
    assert client.start(first)["state"] in ("waiting", "working")
    wait_until(lambda: client.ask("GET", first)["stage"] == "Copying")
    assert client.start(second)["before"] == 1
    assert client.start(third)["before"] == 2
    assert "2 photographs are waiting already" in client.start(fourth, status=503)["error"]
    assert client.ask("GET", first)["before"] == 0
    client.ask("DELETE", second)
    assert client.ask("GET", third)["before"] == 1
    assert "has been deleted here" in client.ask("GET", second, status=404)["error"]
    client.start(fourth)
    client.work.go.set()
    client.ended(third), client.ended(fourth)
    assert client.work.done == [path.removeprefix("/jobs/") for path in (first, third, fourth)]


def test_the_time_that_is_left_is_learned(client: Client, wait_until: Any) -> None:
    """From the last one like it, in proportion to the pixels; those that wait come after those before them."""
    client.work.go.clear()
    first, second, third, fourth = (client.job() for _ in range(4))
    client.start(first)
    wait_until(lambda: client.ask("GET", first)["seconds"] > 0.3)
    assert client.ask("GET", first)["left"] is None
    client.work.go.set()
    seconds = client.ended(first)["seconds"]
    client.work.go.clear()
    client.start(second), client.start(third, scale=2)
    wait_until(lambda: client.ask("GET", second)["state"] == "working")
    now, then = client.ask("GET", second)["left"], client.ask("GET", third)["left"]
    assert 0 <= now <= seconds + 0.1
    assert 4 * seconds - 0.3 <= then <= 5 * seconds + 0.3
    client.ask("DELETE", third)
    assert client.start(fourth, weights="tiny")["left"] is None  # of those nobody knows
    client.work.go.set()


def test_references_of_what_is_done_make_room(client: Client, tmp_path: Path) -> None:
    path = client.job()
    client.ask("POST", f"{path}/references?name=b.png", png())
    client.start(path)
    client.ended(path)
    assert sorted(file.name for file in tmp_path.rglob("*.png")) == ["a-restored.png", "a.png"]


def test_work_that_nobody_wants_stops(client: Client, tmp_path: Path, wait_until: Any) -> None:
    client.work.go.clear()
    first, second = client.job(), client.job()
    client.start(first), client.start(second)
    wait_until(lambda: client.ask("GET", first)["state"] == "working")
    client.ask("DELETE", first)
    wait_until(lambda: client.ask("GET", second)["state"] == "working")
    wait_until(lambda: [path.name for path in tmp_path.iterdir()] == [second.removeprefix("/jobs/")])
    client.work.go.set()
    assert client.ended(second)["state"] == "done"
    assert client.work.done == [second.removeprefix("/jobs/")]


def test_errors_are_sentences(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    def told(error: Exception) -> tuple[str, str]:
        client.work.error = error
        path = client.job()
        client.start(path)
        ended = client.ended(path)
        assert ended["state"] == "failed"
        return ended["error"], ended["offer"]

    assert told(ForceableError("Nobody is like it.", "Use it anyway")) == ("Nobody is like it.", "Use it anyway")
    assert told(ValueError("It is too dark.")) == ("It is too dark.", "")
    assert told(OSError(28, "No space left on device"))[0].startswith("There is no space left")
    assert told(RuntimeError("CUDA out of memory. Tried to allocate 7 GiB")) == (OUT_OF_MEMORY, "")
    assert capsys.readouterr().err == ""
    assert "(KeyError); the terminal" in told(KeyError("a bug"))[0]
    assert "KeyError: 'a bug'" in capsys.readouterr().err
    client.work.error = None
    path = client.job()
    client.start(path)
    assert client.ended(path)["state"] == "done"


@pytest.mark.parametrize(
    ("data", "status", "sentence"),
    [
        (b"", 400, "a.png is empty, an image was wanted."),
        (b"no picture at all", 400, "a.png is not an image in any of the formats"),
        (png()[:20], 400, "a.png"),
        (png() + bytes(20_000), 413, "a.png has 0.0 MB, and up to 0.01 MB are taken"),
        (png(101, 100), 413, "a.png has 101 x 100 pixels, which is 0.0 megapixels, and up to 0.01 are taken"),
    ],
)
def test_what_is_not_taken(client: Client, tmp_path: Path, data: bytes, status: int, sentence: str) -> None:
    path = f"/jobs/{client.ask('POST', '/jobs', status=201)['id']}"
    for where in ("PUT", f"{path}/photo?name=a.png"), ("POST", f"{path}/references?name=a.png"):
        assert sentence in client.ask(*where, data, status)["error"]
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    assert "Send a photograph first" in client.start(path, status=409)["error"]


def test_limits_are_met_exactly(client: Client) -> None:
    path = client.job(data=png(100, 100) + bytes(10_000 - len(png(100, 100))))
    for name in ("a.png", "b.png"):
        client.ask("POST", f"{path}/references?name={name}", png())
    assert "up to 2 references" in client.ask("POST", f"{path}/references?name=c.png", png(), 409)["error"]
    sentence = client.start(path, status=400, scale=1.01)["error"]
    assert sentence == (
        "The result would have 101 x 101 pixels, which is 0.0 megapixels, and up to 0.01 are made: choose a scale of "
        "up to 1."
    )
    client.start(path, scale=1)
    assert client.ended(path)["state"] == "done"
    with pytest.raises(ValueError, match="must be above 0"):
        Limits(megabytes=0.0)


@pytest.mark.parametrize(
    "options",
    [
        *(b"", b"[]", b"\xff", b'{"scale": "4"}', b'{"scale": NaN}', b'{"scale": 0}', b'{"scale": true}'),
        *(b'{"scale": 1e300}', b'{"scale": 1' + b"0" * 400 + b"}", b"[" * 9000),
        *(b'{"scale": 1e308}', b'{"scale": 1' + b"0" * 9000 + b"}", b"[" * 9999, b'{"scale": -Infinity}'),
        *(b'{"scale": ' + b"[" * 4900 + b"]" * 4900 + b"}", b'{"scale": "' + b"4" * 9000 + b'"}', b"null"),
        *(b'{"face_box": [1e308, 0, 1, 1]}', b'{"face_box": [0, 0, 1, 1' + b"0" * 400 + b"]}"),
        *(b'{"size": [100]}', b'{"size": [100, 0]}', b'{"size": [100.5, 100]}', b'{"size": "100x100"}'),
        *(b'{"weights": "other"}', b'{"weights": ["tiny"]}', b'{"format": "gif"}', b'{"format": 1}'),
        *(b'{"reference_strength": 1.5}', b'{"strip_metadata": "yes"}'),
        *(b'{"fidelity": 2}', b'{"fidelity": 1e400}', b'{"colour": "sepia"}', b'{"force": 1}'),
        *(b'{"face_box": [1, 2, 3]}', b'{"face_box": "1 2 3 4"}', b'{"face_box": [1, 2, null, 4]}'),
    ],
)
def test_options_that_make_no_sense(client: Client, options: bytes) -> None:
    path = client.job()
    error = client.ask("POST", f"{path}/start", options, 400)["error"]
    assert error.startswith("The options cannot be read. ")
    assert len(error) < 200
    assert client.ask("GET", path)["state"] == "open"


def test_the_preview_shows_the_photograph_and_its_faces(tmp_path: Path) -> None:
    alpha = torch.full((1, 20, 40), 0.5)
    save_picture(Picture(torch.rand(3, 20, 40), alpha=alpha, bits=16), tmp_path / "a.tif")
    detector = TwoFaces()
    (tmp_path / "jobs").mkdir()
    with serving(tmp_path / "jobs", Limits(), detector) as client:
        path = client.job("a.tif", (tmp_path / "a.tif").read_bytes())
        # enlarged by 26 to be looked at; the larger face comes first
        first, second = client.ask("GET", f"{path}/faces")["faces"]
        assert first == pytest.approx([3.48, 1.52, 5.44, 3.48], abs=0.01)
        assert second == pytest.approx([0.52, 0.52, 1.48, 1.48], abs=0.01)
        shown = client.raw("GET", f"{path}/photo")
        assert shown.headers["Content-Type"] == "image/webp"
        with Image.open(io.BytesIO(shown.content)) as image:
            assert (image.size, image.mode) == ((40, 20), "RGBA")
        asking = [threading.Thread(target=client.ask, args=("GET", f"{path}/faces")) for _ in range(4)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        assert detector.most == 1
        empty = f"/jobs/{client.ask('POST', '/jobs', status=201)['id']}"
        assert "Send a photograph first" in client.ask("GET", f"{empty}/faces", status=409)["error"]
        cut = client.job("cut.png", png()[:60])
        assert "cut.png is damaged or cut short" in client.ask("GET", f"{cut}/faces", status=400)["error"]


@pytest.mark.parametrize(("size", "scale"), [((100, 100), 4.0), ((2000, 1500), 2.3), ((4000, 3000), 1.1)])
def test_large_photographs_are_enlarged_less_unless_it_is_asked_for(tmp_path: Path, size: tuple, scale: float) -> None:
    with serving(tmp_path, Limits()) as client:
        path = f"/jobs/{client.ask('POST', '/jobs', status=201)['id']}"
        assert client.ask("PUT", f"{path}/photo?name=a.png", png(*size))["scale"] == scale


def test_an_upload_that_breaks_off_leaves_nothing(client: Client, tmp_path: Path, wait_until: Any) -> None:
    path = f"/jobs/{client.ask('POST', '/jobs', status=201)['id']}"
    stored = lambda: [file for file in tmp_path.rglob("*") if file.is_file()]  # noqa: E731
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        head = f"PUT {path}/photo?name=a.png HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n"
        connection.sendall(head.encode() + png()[:50])
        wait_until(stored)  # it goes to the disk as it comes
    wait_until(lambda: not stored())
    client.ask("PUT", f"{path}/photo?name=a.png", png())


def test_one_file_after_the_other(client: Client, tmp_path: Path, wait_until: Any) -> None:
    """Two at once would both be the first reference, and one that comes after the start would be of no use."""
    path = client.job()
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        data = png()
        head = f"POST {path}/references?name=b.png HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        connection.sendall(head.encode() + data[:20])
        wait_until(lambda: (tmp_path / path.removeprefix("/jobs/") / "reference0").is_dir())
        another = client.ask("POST", f"{path}/references?name=b.png", data, 409)
        assert "Another file of this job is on its way" in another["error"]
        assert "still on its way" in client.start(path, status=409)["error"]
        connection.sendall(data[20:])
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert client.ask("POST", f"{path}/references?name=b.png", data) == {"references": 2}
    client.start(path)
    assert client.ended(path)["state"] == "done"


def test_the_length_comes_before_the_file(client: Client) -> None:
    path = client.job()
    for where in ("references?name=b.png", "start"):
        chunked = {"Transfer-Encoding": "chunked", "Content-Length": "1"}
        assert (
            "Send the length" in client.ask("POST", f"{path}/{where}", b"1\r\n{\r\n0\r\n\r\n", 411, **chunked)["error"]
        )
    for length in ("-1", "1e3", ""):  # not HTTP, so no route sees it
        assert client.raw("POST", f"{path}/references?name=b.png", None, **{"Content-Length": length}).status == 400
    assert "too much to say" in client.ask("POST", f"{path}/start", bytes(10_001), 413)["error"]


def test_a_file_that_is_much_too_large_is_refused_in_words(client: Client, tmp_path: Path) -> None:
    """A browser reads an answer only once it has sent everything, so that is let in, and stored nowhere."""
    path = f"/jobs/{client.ask('POST', '/jobs', status=201)['id']}"
    told = client.ask("PUT", f"{path}/photo?name=a.png", bytes(30_000_000), 413)
    assert told["error"].startswith("a.png has 30.0 MB, and up to 0.01 MB are taken")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_what_goes_wrong_inside_is_said_too(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = client.job()

    def fails_with(error: Exception) -> Any:
        def fail(*_: Any) -> None:
            raise error

        monkeypatch.setattr(client.site.preview, "photograph", fail)
        return client.raw("GET", f"{path}/photo")

    full = fails_with(OSError(28, "No space left on device"))
    assert (full.status, json.loads(full.content)["error"].partition(" for ")[0]) == (507, "There is no space left")
    assert fails_with(FileNotFoundError(2, "No such file")).status == 404
    assert capsys.readouterr().err == ""
    bug = fails_with(KeyError("a bug"))
    assert (bug.status, bug.headers["X-Content-Type-Options"]) == (500, "nosniff")
    assert "(KeyError); the terminal" in json.loads(bug.content)["error"]
    assert capsys.readouterr().err.count("KeyError: 'a bug'") == 1


def test_other_sites_may_not_ask(client: Client) -> None:
    own = f"http://127.0.0.1:{client.port}"
    client.ask("POST", "/jobs", status=201, Origin=own)
    client.ask("POST", "/jobs", status=201, Host="localhost:1234", Origin="http://localhost:1234")
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"https://127.0.0.1:{client.port}", f"{own}.a"):
        assert "may not send anything" in client.ask("POST", "/jobs", status=403, Origin=origin)["error"]
    assert client.raw("DELETE", client.job(), Origin="http://evil.example").status == 403
    for host in (
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "a@localhost",
    ):
        assert "is not called" in client.ask("GET", "/settings", status=421, Host=host)["error"]
    for host in ("127.0.0.1", "LOCALHOST:80", "[::1]:7860", "192.168.1.7:7860", socket.gethostname()):
        client.ask("GET", "/settings", Host=host)


def test_names_that_the_command_line_tells_are_own_ones_with_http_or_https() -> None:
    guard = RequestGuard(Starlette(), "0.0.0.0", ["Photos.example.org"])

    def status(host: str, origin: str) -> int:
        refusal = guard.refusal("POST", Headers({"Host": host, "Origin": origin}))
        return 200 if refusal is None else refusal.status_code

    for scheme, port in (("http", ""), ("https", ""), ("https", ":8443")):
        assert status(f"photos.example.org{port}", f"{scheme}://photos.example.org{port}") == 200
    assert status("photos.example.org", "https://evil.example") == 403
    assert status("evil.example", "https://evil.example") == 421
    assert status("127.0.0.1:7860", "https://127.0.0.1:7860") == 403


def test_nothing_else_is_there(client: Client, tmp_path: Path) -> None:
    for path in ("/routes.py", "/../routes.py", "/page.html", "/jobs", "/jobs/../..", "/jobs/x/photo/a.png"):
        assert client.raw("GET", path).status == 404
    assert client.raw("GET", "/jobs/not-one").status == 404
    name = client.job("..%2F..%2Fescaped.png").removeprefix("/jobs/")
    assert [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.png")] == [f"{name}/photo/escaped.png"]
    names = {client.queue.open().id for _ in range(50)}
    assert len(names) == 50
    assert min(map(len, names)) == 22  # of six bits each


def test_old_photographs_are_deleted_but_not_what_is_waited_for(client: Client, tmp_path: Path) -> None:
    done = client.job()
    client.start(done)
    client.ended(done)
    client.work.go.clear()
    busy = client.job()
    client.start(busy)
    others = [client.job(), client.job()]
    client.ask("GET", done)  # used after the others
    newest = client.job()
    assert client.raw("GET", others[0]).status == 404
    assert all(client.raw("GET", path).status == 200 for path in (done, busy, others[1], newest))
    assert len(list(tmp_path.iterdir())) == 4
    client.work.go.set()


def test_time_and_space_run_out(tmp_path: Path) -> None:
    with serving(tmp_path, Limits(seconds=0.2)) as client:
        path = client.job()
        time.sleep(0.3)
        client.ask("POST", "/jobs", status=201)
        assert client.raw("GET", path).status == 404
    # room for 2 x 600 bytes; a photograph has some 100 beside what is put behind it
    (tmp_path / "small").mkdir()
    with serving(tmp_path / "small", Limits(megabytes=0.0006, jobs=2, settled=0.0)) as client:
        first = client.job(data=png() + bytes(400))
        second = client.job(data=png() + bytes(400))
        client.ask("POST", f"{second}/references?name=b.png", png() + bytes(400))
        assert client.raw("GET", first).status == 404
        assert client.raw("GET", second).status == 200


def test_closing_stops_what_is_in_work(tmp_path: Path, wait_until: Any) -> None:
    work = Work()
    work.go.clear()
    with serving(tmp_path, Limits()) as client:
        client.work.go.clear()
        first, second = client.job(), client.job()
        client.start(first), client.start(second)
        wait_until(lambda: client.ask("GET", first)["state"] == "working")
    assert client.work.done == []
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken(client: Client) -> None:
    with pytest.raises(OSError, match=rf"Port {client.port} of 127\.0\.0\.1 is taken.*--port"):
        listen("127.0.0.1", client.port)
    with pytest.raises(OSError, match=r"cannot be served at 127\.0\.0\.1, port 99999"):
        listen("127.0.0.1", 99999)
    with pytest.raises(OSError, match="cannot be served at 192"):
        listen("192.0.2.1", 0)  # set aside for documentation, nobody's


def test_addresses() -> None:
    with listen("127.0.0.1", 0) as local, listen("0.0.0.0", 0) as open_to_all:
        assert is_local(local)
        assert page_url("127.0.0.1", local) == f"http://127.0.0.1:{local.getsockname()[1]}"
        assert not is_local(open_to_all)
        assert page_url("0.0.0.0", open_to_all) == f"http://{socket.gethostname()}:{open_to_all.getsockname()[1]}"


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("/tmp/x", "/tmp/x/reference0/a.png is like /tmp/x/b.png."),
        (r"C:\Temp\x", r"C:\Temp\x\reference0\a.png is like C:\Temp\x\b.png."),
        (r"C:\Temp\x", r"C:\Temp\x\reference0/a.png is like C:\Temp\x/b.png."),
    ],
)
def test_sentences_hide_the_folder_of_the_server_on_every_system(folder: str, sentence: str) -> None:
    assert PhotoJob(Path(folder)).as_known(sentence) == "a.png is like b.png."
