"""``portraitdata report``: what a build dropped and kept, as a page to read."""

from pathlib import Path

from faceops.atomic_files import replacing
from portraitdata.builder.report.page import report_page


def run_report(build: Path, output: Path, seed: int = 0) -> None:
    """Write the report of a build, and say where.

    Args:
        build: Folder of the build.
        output: HTML file to write.
        seed: Seed of the choice of images to show.

    Raises:
        FileNotFoundError: If there is no build, or no folder for the file.
        ValueError: If the build cannot be read, or the file would not be called .html.
        OSError: If the file cannot be written.
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"A report is an HTML file, but {output} does not end in .html.")
    page = report_page(build, seed)
    with replacing(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"{output}: {len(page.encode()) / 1e6:.1f} MB")
