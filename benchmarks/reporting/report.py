"""The report: one page in HTML with tables, plots and pictures, and the same in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.reporting.catalogue import SECTIONS, Benchmark, benchmarks
from benchmarks.reporting.results import Outcome
from benchmarks.reporting.wording import markdown_table, shown
from faceops.atomic_files import replacing

TITLE = "Portrait super-resolution: what was measured"

OTHER_DATA = "The paper's own figures: other data, other training, other machines"
"""Heads the tables that are not ours."""

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; color: #222; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
.wide { overflow-x: auto; margin: 0.5rem 0; }
th, td { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
.paper { background: #f6f1e4; padding: 0.5rem 1rem; }
.facts { color: #666; font-size: 0.85rem; }
img { max-width: 100%; height: auto; }
figure { margin: 1rem 0; }
nav a { margin-right: 1rem; }
.absent { color: #8a4b00; }
"""


def write_report(
    results: Mapping[str, Outcome], folder: Path, sections: Mapping[str, Sequence[Benchmark]] = SECTIONS
) -> Path:
    """Write report.html and report.md beside the plots and pictures they show; give the first.

    Args:
        results: What has been measured.
        folder: Where they are.
        sections: What is shown, or said not to be there.
    """
    page, text = folder / "report.html", folder / "report.md"
    with replacing(page) as temporary:
        temporary.write_text("\n".join(html_lines(results, sections)) + "\n")
    with replacing(text) as temporary:
        temporary.write_text("\n".join(markdown_lines(results, sections)) + "\n")
    return page


def html_lines(results: Mapping[str, Outcome], sections: Mapping[str, Sequence[Benchmark]]) -> Iterator[str]:
    """Lines of the page."""
    yield "<!doctype html>"
    yield f'<html lang="en"><head><meta charset="utf-8"><title>{TITLE}</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
    yield f"<h1>{TITLE}</h1>"
    links = (f'<a href="#s{number}">{escape(section)}</a>' for number, section in enumerate(sections))
    yield f"<nav>{' '.join(links)}</nav>"
    for number, (section, members) in enumerate(sections.items()):
        yield f'<h2 id="s{number}">{escape(section)}</h2>'
        for benchmark in members:
            outcome = results.get(benchmark.name)
            if outcome is None or outcome.left_out or outcome.failed:
                yield f'<p class="absent">{escape(absence(benchmark.name, outcome))}</p>'
            if outcome is None or not outcome.tables:
                continue
            for table in outcome.tables:
                yield from html_table(table)
            yield f'<p class="facts">{escape(conditions(benchmark.name, outcome))}</p>'
    yield "</body></html>"


def html_table(table: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a table with its note, the paper's figures, its plot and its pictures."""
    yield f'<h3 id="{escape(table["name"])}">{escape(table["title"])}</h3>'
    yield html_grid(table["columns"], table["rows"])
    if table["note"]:
        yield f"<p>{escape(table['note'])}</p>"
    if table["plot"]:
        yield f'<figure><img src="{escape(table["plot"])}" alt="Plot of: {escape(table["title"])}"></figure>'
    for picture in table["pictures"]:
        caption, file = escape(picture["caption"]), escape(picture["file"])
        yield f'<figure><img src="{file}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    if published := table["published"]:
        yield f'<div class="paper"><p><strong>{OTHER_DATA}.</strong> {escape(published["source"])}</p>'
        yield html_grid(published["columns"], published["rows"])
        yield "</div>"


def html_grid(columns: list[str], rows: list[list[Any]]) -> str:
    """A table alone."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(shown(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def markdown_lines(results: Mapping[str, Outcome], sections: Mapping[str, Sequence[Benchmark]]) -> Iterator[str]:
    """Lines of the report in Markdown."""
    yield f"# {TITLE}"
    for section, members in sections.items():
        yield f"\n## {section}"
        for benchmark in members:
            outcome = results.get(benchmark.name)
            if outcome is None or outcome.left_out or outcome.failed:
                yield f"\n*{absence(benchmark.name, outcome)}*"
            if outcome is None or not outcome.tables:
                continue
            for table in outcome.tables:
                yield from markdown_parts(table)
            yield f"\n{conditions(benchmark.name, outcome)}"


def markdown_parts(table: Mapping[str, Any]) -> Iterator[str]:
    """A table with all that belongs to it."""
    yield f"\n### {table['title']}\n"
    yield markdown_table(table["columns"], table["rows"])
    if table["note"]:
        yield f"\n{table['note']}"
    if table["plot"]:
        yield f"\n![Plot]({table['plot']})"
    for picture in table["pictures"]:
        yield f"\n![{picture['caption']}]({picture['file']})"
    if published := table["published"]:
        yield f"\n**{OTHER_DATA}.** {published['source']}\n"
        yield markdown_table(published["columns"], published["rows"])


def absence(name: str, outcome: Outcome | None) -> str:
    """Why there is nothing to show, or not all."""
    if outcome is None and benchmarks()[name].of_given_sets:
        return f"{name} was not measured; `python -m benchmarks --sets FOLDER` tests restorers on sets of yours."
    if outcome is None:
        return f"{name} was not measured; `python -m benchmarks {name}` does it, or the full suite."
    if outcome.failed:
        return f"{name} failed: {outcome.failed}"
    return f"{name} is left out: it {outcome.left_out}."


def conditions(name: str, outcome: Outcome) -> str:
    """What the figures depend on."""
    facts = ", ".join(f"{fact} {value}" for fact, value in outcome.facts.items())
    return f"{name}, {outcome.suite} suite, {outcome.seconds:.0f} s. {facts}."
