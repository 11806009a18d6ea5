"""An S3 store on this machine: moto's server, in a process of its own as a store is."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BUCKET = "bucket"

SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(port=int(sys.argv[1]), verbose=False)
server.start()
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def local_s3() -> Iterator[dict[str, str]]:
    """Environment that leads S3's clients to an empty bucket; the test is skipped where no server is installed."""
    for package in ("moto", "flask", "s3fs"):
        pytest.importorskip(package, reason=f"a store on this machine needs {package}, of the development tools")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [sys.executable, "-c", SERVER, str(port)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert server.stdin is not None
    assert server.stdout is not None
    before = {name: os.environ.get(name) for name in variables}
    try:
        assert server.stdout.readline() == b"ready\n"
        os.environ.update(variables)
        import fsspec

        fsspec.filesystem("s3", use_listings_cache=False).mkdir(BUCKET)
        yield variables
    finally:
        _restore(before)
        server.stdin.close()
        server.stdout.close()
        server.wait(10)


def _restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    import fsspec

    fsspec.filesystem("s3").clear_instance_cache()
