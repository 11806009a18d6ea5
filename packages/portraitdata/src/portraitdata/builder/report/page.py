"""The page of a report."""

from html import escape
from importlib.resources import files

from portraitdata.builder.report.charts import charts_section
from portraitdata.builder.report.material import Material
from portraitdata.builder.report.numbers import funnel_section, sources_section, split_section
from portraitdata.builder.report.sheets import dropped_section, kept_section, pairs_section
from portraitdata.storage.places import Place

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Content security policy of the page: nothing is loaded that is not in it."""

SECTIONS = {
    "funnel": "What came through",
    "charts": "Distributions",
    "kept": "Kept",
    "dropped": "Dropped",
    "pairs": "Pairs",
    "split": "Split",
    "sources": "Licences",
}
"""Names of the sections, and what the links to them say."""


def report_page(build: Place, seed: int = 0) -> str:
    """HTML that shows a build, as far as it has come; it needs no other file and loads nothing.

    Args:
        seed: Seed of the choice of images to show.

    Raises:
        FileNotFoundError: If there is no build.
        ValueError: If its configuration or a table cannot be read.
    """
    material = Material(build)
    style = files("portraitdata.builder.report").joinpath("report.css").read_text(encoding="utf-8")
    sections = (
        funnel_section(material.funnel, material.reached),
        charts_section(material),
        kept_section(material, seed),
        dropped_section(material, seed),
        pairs_section(material, seed),
        split_section(material),
        sources_section(material),
    )
    links = "".join(f'<a href="#{name}">{words}</a>' for name, words in SECTIONS.items())
    name = escape(build.resolve().name)
    key = (
        '<p><span class="key" style="background:var(--kept)"></span> kept '
        '<span class="key" style="background:var(--dropped)"></span> dropped</p>'
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="referrer" content="no-referrer">'
        f"<title>{name}</title><style>{style}</style></head><body>"
        f"<h1>{name}</h1><p>{_summary(material)}</p>"
        "<p>This page shows people. Treat it as the photographs themselves: it is for those who check the data set, "
        f"not for publication.</p><nav>{links}</nav>{key}<main>{''.join(sections)}</main></body></html>\n"
    )


def _summary(material: Material) -> str:
    kept, all_of_them = int(material.is_kept.sum()), material.images.num_rows
    pairs = material.pairs["status"].to_pylist().count("kept")
    return f"Of {all_of_them} candidates {kept} are kept, with {material.faces.num_rows} faces in {pairs} pairs."


"""Style sheet; the fonts are those of the reader's system."""
