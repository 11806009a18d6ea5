"""The ``faceops`` console script.

Torch takes seconds to import, so nothing here imports it at module level: a command imports what it needs when it runs,
after the headers of its images are read.
"""

from pathlib import Path

from faceops.command_line import Commands, run_chosen, run_command
from faceops.commands.options import AlignOptions, CompareOptions, DetectOptions, EmbedOptions
from faceops.images.memory_budget import DETECTION_BYTES, memory_budget


def detect(options: DetectOptions) -> int:
    """Refuse images that cannot be opened, then detect."""
    from faceops.images.jobs import input_files
    from faceops.images.opening import check_any_opens

    with memory_budget(options.max_memory, DETECTION_BYTES):
        check_any_opens(input_files(options.images, options.recursive, [options.draw]))

        from faceops.commands.detect import run_detect

        return run_detect(options)


def align_faces(options: AlignOptions) -> int:
    """Refuse images that cannot be opened, then align."""
    from faceops.images.jobs import input_files
    from faceops.images.opening import check_any_opens

    with memory_budget(options.max_memory, DETECTION_BYTES):
        check_any_opens(input_files(options.images, options.recursive, [options.output]))

        from faceops.commands.align import run_align

        return run_align(options)


def compare(options: CompareOptions) -> None:
    """Refuse images that cannot be opened, then compare."""
    from faceops.images.opening import check_opens

    with memory_budget(options.max_memory, DETECTION_BYTES):
        for photograph in (options.first, options.second):
            check_opens(photograph)

        from faceops.commands.compare import run_compare

        run_compare(options)


def embed_faces(options: EmbedOptions) -> int:
    """Refuse images that cannot be opened, then embed."""
    from faceops.images.jobs import input_files
    from faceops.images.opening import check_any_opens

    with memory_budget(options.max_memory, DETECTION_BYTES):
        check_any_opens(input_files(options.images, options.recursive))

        from faceops.commands.embed import run_embed

        return run_embed(options)


def list_weights() -> None:
    """List the known weights with size, cache state and licence.

    Example:
        faceops weights list
    """
    from faceops.commands.weights import run_list

    run_list()


def where(name: str | None = None) -> None:
    """Print the cache folder, or the path of one file in it.

    Args:
        name: Weights whose path to print.

    Example:
        faceops weights where yunet
    """
    from faceops.weights.cache import cache_folder, cached_path, find_entry

    print(cache_folder() if name is None else cached_path(find_entry(name)))


def fetch(name: str) -> None:
    """Download weights into the cache; resume an interrupted download.

    Args:
        name: Weights to download.

    Example:
        faceops weights fetch mobilefacenet
    """
    from faceops.weights.shown_download import fetch_shown

    fetch_shown(name)


def verify(name: str | None = None) -> int:
    """Check files in the cache against their checksums.

    Args:
        name: Weights to check; all cached ones by default.

    Example:
        faceops weights verify
    """
    from faceops.commands.weights import run_verify

    return run_verify(name)


def add(file: Path, *, name: str | None = None) -> None:
    """Copy a downloaded file into the cache.

    Args:
        file: File of any name.
        name: Name of the weights; recognised by the checksum by default.

    Example:
        faceops weights add scrfd_10g_bnkps.onnx
    """
    from faceops.weights.cache import add_weights

    entry, path = add_weights(file, name)
    print(f"{entry.name}: {path}")


COMMANDS: Commands = {
    "detect": detect,
    "align": align_faces,
    "compare": compare,
    "embed": embed_faces,
    "weights": {
        "_help": "List, fetch and check the weights of detectors and recognition networks.",
        "list": list_weights,
        "where": where,
        "fetch": fetch,
        "verify": verify,
        "add": add,
    },
}


def run() -> int | None:
    """Parse the command line and run its command; the result is the exit status."""
    return run_chosen(COMMANDS, "faceops")


def main() -> None:
    """Run a command; ``python -X dev -m faceops`` shows the traceback of an error instead of a sentence."""
    run_command("faceops", run)
