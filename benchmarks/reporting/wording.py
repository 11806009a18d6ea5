"""Numbers and tables as text."""

from collections.abc import Sequence

from benchmarks.reporting.table import Cell


def shown(cell: Cell) -> str:
    """A cell for a reader: two decimals from 1 on, three below, four digits at most where it is large.

    Example:
        >>> [shown(cell) for cell in (27.391, 0.78309, 1234.5, 31, "bicubic", 0.00012)]
        ['27.39', '0.783', '1234', '31', 'bicubic', '0.00012']
    """
    if not isinstance(cell, float):
        return str(cell)
    size = abs(cell)
    if size >= 100:
        return f"{cell:.0f}"
    if size >= 1:
        return f"{cell:.2f}"
    return f"{cell:.3f}" if size >= 0.01 or size == 0 else f"{cell:.2g}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table in Markdown; the first column to the left, the others to the right.

    Example:
        >>> print(markdown_table(("what", "dB"), [("bicubic", 24.13)]))
        | what | dB |
        | --- | ---: |
        | bicubic | 24.13 |
    """
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *([shown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
