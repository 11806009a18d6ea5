"""What jobs read and write: files, or what is piped in and on."""

from pathlib import Path

from faceops.images.files import Picture, encode_picture, read_image_file
from faceops.images.jobs import Job
from faceops.images.standard_streams import read_stdin, write_stdout

PIPED = Path("stdout.png")
"""Name of a result that is piped on, whose suffix is its format."""


def read_source(job: Job) -> bytes:
    """Bytes of the picture of a job; those on stdin can be read once.

    Raises:
        ImageFileError: If there is no file, or more on stdin than the memory allows.
    """
    return read_stdin() if job.from_stdin else read_image_file(job.source)


def pipe_on(picture: Picture) -> None:
    """Write the result of a job to stdout.

    Raises:
        ValueError: If a value is not finite.
        OSError: If nobody reads it.
    """
    write_stdout(encode_picture(picture, PIPED))
