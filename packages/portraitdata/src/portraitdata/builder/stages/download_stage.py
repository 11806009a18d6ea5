"""Second stage: images that metadata point to are fetched by img2dataset, a process of its own."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from faceops.atomic_files import left_by_killed, machine_name
from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig, DownloadSettings, StageName
from portraitdata.builder.layout import DOWNLOAD
from portraitdata.builder.marking import Drop, Takedown, drop, kept_rows
from portraitdata.builder.part_names import numbered
from portraitdata.exemplars.sources.tars import tar_members
from portraitdata.loading.index_files import write_parquet
from portraitdata.storage.places import Place
from portraitdata.storage.writing import make_folder, writing

LAST_WORDS = 2000
"""Characters of what a failed program said that are passed on."""

TIMED_OUT, FAILED = "timed out", "download failed"
"""Reasons why there is no image that no server has given: as many as there are rows when the network is down."""

FETCHING = re.compile(r"portraitdata-(?P<machine>\w+)-(?P<process>\d+)-\w+")
"""Names of working folders among temporary files."""


class Download:
    """Fetches the kept rows that have a URL, into one tar file for each partition.

    The files are kept as they were served. img2dataset obeys the directives noai and noimageai of X-Robots-Tag.
    """

    name: StageName = "download"
    at_once: int | None = None

    def __init__(self, config: BuildConfig) -> None:
        self._settings, self._build = config.download, config.output
        self._takedown = Takedown(config)

    def __call__(self, batch: Batch) -> Batch:
        """Fetch, and say where the files lie; rows without a URL are left alone.

        Raises:
            OSError: If img2dataset cannot be started or fails as a whole, or no server has answered.
        """
        wanted = [
            row
            for row in kept_rows(batch)
            if batch["url"][row] is not None and not self._takedown.apply(batch, row, self.name)
        ]
        if not wanted:
            return batch
        make_folder(self._build / DOWNLOAD)
        archive = f"{DOWNLOAD}/part-{numbered(batch['partition'][0])}.tar"
        with _working_folder(self._build / DOWNLOAD) as working:
            outcome = fetch([(batch["uid"][row], batch["url"][row]) for row in wanted], working, self._settings)
            _pack({uid: found for uid, found in outcome.items() if isinstance(found, Path)}, self._build / archive)
        places = {PurePosixPath(member.path).stem: member for member in tar_members(self._build / archive)}
        for row in wanted:
            member = places.get(batch["uid"][row])
            if member is None:
                drop(batch, row, self.name, failure(str(outcome.get(batch["uid"][row], "no answer"))))
                continue
            batch["path"][row], batch["archive"][row] = member.path, archive
            batch["offset"][row], batch["size"][row] = member.offset, member.size
        return batch


def fetch(urls: list[tuple[str, str]], working: Path, settings: DownloadSettings) -> dict[str, Path | str]:
    """Run img2dataset.

    Args:
        urls: Name and URL of every image.
        working: Empty folder for its files.

    Returns:
        For every name the file, or why there is none.

    Raises:
        OSError: If it cannot be started or fails as a whole, or no server has answered.
    """
    listing = pa.table({"url": [url for _, url in urls], "uid": [uid for uid, _ in urls]})
    write_parquet(listing, working / "urls.parquet")
    command = command_line(working, len(urls), settings)
    print(shlex.join(command), file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    except FileNotFoundError as error:
        raise OSError(
            f"There is no program {command[0]} to download with; install uv, or img2dataset in an environment of its "
            "own, and name it in `download.command`."
        ) from error
    rows = _reported(working / "fetched")
    if done.returncode or not rows:
        said = (done.stderr or done.stdout).strip()[-LAST_WORDS:]
        raise OSError(f"{shlex.join(command)} ended with status {done.returncode} and fetched nothing: {said}")
    if not any(map(_answered, rows)):
        raise OSError(
            f"No server answered for any of {len(rows)} addresses ({rows[0]['error_message']}), as if the network were "
            "down. Run the same command again when it is up; add addresses that are gone for good to takedown.txt in "
            "the build."
        )
    return {
        row["uid"]: _file(working / "fetched", row["key"]) if row["status"] == "success" else str(row["error_message"])
        for row in rows
    }


def command_line(working: Path, count: int, settings: DownloadSettings) -> list[str]:
    """Command line of img2dataset.

    Example:
        >>> command_line(Path("w"), 3, DownloadSettings())[:4]
        ['uvx', 'img2dataset', '--url_list=w/urls.parquet', '--input_format=parquet']
    """
    options: dict[str, Any] = {
        "url_list": working / "urls.parquet",
        "input_format": "parquet",
        "url_col": "url",
        "save_additional_columns": '["uid"]',
        "output_folder": working / "fetched",
        "output_format": "files",
        "number_sample_per_shard": count + 1,
        "processes_count": 1,
        "thread_count": settings.threads,
        "resize_mode": "no",
        "disable_all_reencoding": True,
        "extract_exif": False,
        "retries": settings.retries,
        "timeout": settings.timeout,
    }
    if settings.user_agent is not None:
        options["user_agent_token"] = settings.user_agent
    return [*settings.command, *(f"--{name}={value}" for name, value in options.items()), *settings.options]


def failure(message: str) -> Drop:
    """Why an image that was not fetched is dropped; messages that differ only by the place are one reason.

    Example:
        >>> failure("HTTP Error 404: Not Found")
        Drop(reason='HTTP error 404', detail='HTTP Error 404: Not Found')
        >>> failure("Use of image disallowed by X-Robots-Tag directive").reason
        'opted out by X-Robots-Tag'
    """
    if "X-Robots-Tag" in message or "disallowed" in message:
        return Drop("opted out by X-Robots-Tag", message)
    status = re.search(r"HTTP Error (\d{3})", message)
    if status:
        return Drop(f"HTTP error {status[1]}", message)
    return Drop(TIMED_OUT if "timed out" in message else FAILED, message)


def _answered(row: dict[str, Any]) -> bool:
    """Whether a server has answered, be it with a refusal or with what is no image."""
    # img2dataset calls a file that it cannot decode one that it failed to resize
    return row["status"] in ("success", "failed_to_resize") or (
        failure(str(row["error_message"])).reason not in (TIMED_OUT, FAILED)
    )


def _reported(folder: Path) -> list[dict[str, Any]]:
    tables = [
        pq.read_table(path, columns=["uid", "key", "status", "error_message"])
        for path in sorted(folder.glob("*.parquet"))
    ]
    return [row for table in tables for row in table.to_pylist()]


def _file(folder: Path, key: str) -> Path | str:
    found = sorted(path for path in folder.glob(f"*/{key}.*") if path.suffix not in (".json", ".txt"))
    return found[0] if found else "no file was written"


@contextmanager
def _working_folder(folder: Place) -> Iterator[Path]:
    """An empty folder of this machine: beside what will be made of it, or, for a store, where temporary files are."""
    if isinstance(folder, Path):
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as working:
            yield Path(working)
        return
    for left in left_by_killed(Path(tempfile.gettempdir()), FETCHING):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"portraitdata-{machine_name()}-{os.getpid()}-") as working:
        yield Path(working)


def _pack(files: dict[str, Path], archive: Place) -> None:
    """Write files into a tar in the order of their names; the same files make the same bytes."""
    with writing(archive) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for uid in sorted(files):
            data = files[uid].read_bytes()
            add_member(tar, f"{uid}.jpg", data)


def add_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file without owner and time."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
