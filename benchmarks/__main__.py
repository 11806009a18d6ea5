"""``python -m benchmarks [NAME ...]``: measure, print tables, write the report to outputs/benchmarks/report.html."""

from benchmarks.command_line import parsed


def main() -> None:
    """Run the benchmarks named on the command line, or those of the suite."""
    arguments = parsed()
    from benchmarks.running import run  # torch takes seconds to import, longer than to refuse a folder

    run(arguments)


if __name__ == "__main__":
    main()
