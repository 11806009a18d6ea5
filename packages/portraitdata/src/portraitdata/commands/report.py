"""``portraitdata report``: what a build dropped and kept, as a page to read."""

from faceops.atomic_files import replacing
from portraitdata.builder.report.page import report_page
from portraitdata.commands.build_options import ReportOptions


def run_report(options: ReportOptions) -> None:
    """Write the report of a build, and say where.

    Raises:
        FileNotFoundError: If there is no build, or no folder for the file.
        ValueError: If the build cannot be read, or the file would not be called .html.
        OSError: If the file cannot be written.
    """
    if options.output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"A report is an HTML file, but {options.output} does not end in .html.")
    page = report_page(options.build, options.seed)
    with replacing(options.output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"{options.output}: {len(page.encode()) / 1e6:.1f} MB")
