"""Page of a Hugging Face Space, with gradio: restore a portrait with references, upscale a headshot with exemplars."""

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from PIL import Image

from faceops.heard_warnings import heard_warnings
from faceops.images.files import decode_picture, load_picture, read_image_file
from headsup.restoring.options import RestoreOptions
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.restoring.photographs import restore_photograph
from headsup.restoring.pillow_images import as_image, encoded
from headsup.restoring.references.reference_errors import UnusedReferencesError
from hime.network import HIME
from hime.upscaling.files import exemplar_detector
from hime.upscaling.headshots import upscale_headshot
from hime.weights.files import load_network
from hime.weights.model_card import read_header
from hime.weights.shipped import find_weights, shipped_name

if TYPE_CHECKING:
    import gradio

P = ParamSpec("P")
R = TypeVar("R")

LARGEST_MEGAPIXELS = 4.0
"""Of a result: what two cores make in about a minute."""

KEPT_SECONDS = 600
"""How long gradio keeps photographs and results."""

PORT = 7860
"""Where Spaces look for the page."""

NOTICE = (
    "Restored detail is plausible, not evidence: do not use it to identify anyone. Upload only photographs that you "
    "may share; this machine deletes them after ten minutes."
)


def restore(
    photograph: Image.Image | None, references: Sequence[str] | None, scale: float, fidelity: float, force: bool
) -> tuple[Image.Image, str]:
    """Restore a photograph.

    Args:
        references: Files with the people in it.
        scale: Magnification.
        fidelity: Closeness to the input, from 0 to 1.
        force: Use references that resemble nobody in it.

    Returns:
        The result, and sentences on what is to be checked.

    Raises:
        ValueError: If there is no photograph, the result would be too large, or the references fit no face.
        OSError: If a file cannot be read, or the networks for faces cannot be fetched.
    """
    given = checked(photograph, scale)
    files = [read_image_file(Path(path)) for path in references or ()]
    options = RestoreOptions(scale=scale, fidelity=fidelity)
    try:
        found = restore_photograph(restorer(), decode_picture(encoded(given), "the photograph"), files, options, force)
    except UnusedReferencesError as error:
        raise ValueError(f"{error} Remove the references, or use them anyway if you know the person.") from error
    return as_image(found.restored.picture), "\n".join(found.notes)


def enlarge(headshot: Image.Image | None, exemplars: Sequence[str] | None, scale: int) -> tuple[Image.Image, str]:
    """Enlarge a headshot.

    Args:
        exemplars: Files with the same person.
        scale: 2, 4 or 8.

    Returns:
        The result, and sentences on what is to be checked.

    Raises:
        ValueError: If there is no headshot, or the result would be too large.
        OSError: If a file cannot be read.
    """
    picture = decode_picture(encoded(checked(headshot, scale)), "the headshot")
    with heard_warnings() as heard:
        photographs = [load_picture(path) for path in exemplars or ()]
    detector = exemplar_detector("faces") if photographs else None
    trained = read_header(find_weights(shipped_name(scale))).card.lr_size
    made = upscale_headshot(network(scale), picture, photographs, trained, detector)
    return as_image(made.picture), "\n".join((*heard, *made.notes))


def checked(image: Image.Image | None, scale: float) -> Image.Image:
    """The uploaded image, unless its result would be too large for this machine.

    Raises:
        ValueError: If there is none, or it is too large.
    """
    if image is None:
        raise ValueError("Upload a photograph first.")
    megapixels = image.width * image.height * scale**2 / 1e6
    if megapixels > LARGEST_MEGAPIXELS:
        raise ValueError(
            f"{image.width} x {image.height} pixels enlarged {scale:g} times would be {megapixels:.1f} megapixels; "
            f"this page makes {LARGEST_MEGAPIXELS:g} at most. Choose a smaller scale, or cut the people out first."
        )
    return image


@lru_cache
def restorer() -> PhotoRestorer:
    """The shipped restorer."""
    return PhotoRestorer.load()


@lru_cache
def network(scale: int) -> HIME:
    """The shipped network for a magnification."""
    return load_network(shipped_name(scale))


def in_sentences(task: Callable[P, R]) -> Callable[P, R]:
    """A task whose errors the page shows as they are worded."""
    import gradio

    @wraps(task)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return task(*args, **kwargs)
        except (ValueError, OSError) as error:
            raise gradio.Error(str(error), print_exception=False) from error

    return run


def build_page() -> "gradio.Blocks":
    """The page, with a tab for each task."""
    import gradio

    def photographs(label: str) -> gradio.File:
        return gradio.File(label=label, file_count="multiple", file_types=["image"], type="filepath")

    with gradio.Blocks(title="Portraits", delete_cache=(KEPT_SECONDS, KEPT_SECONDS)) as page:
        gradio.Markdown(NOTICE)
        with gradio.Tab("Restore a portrait"):
            gradio.Interface(
                in_sentences(restore),
                [
                    gradio.Image(type="pil", label="Photograph"),
                    photographs("Sharp photographs of people in it (optional)"),
                    gradio.Slider(1, 4, 2, step=0.5, label="Scale"),
                    gradio.Slider(0, 1, 0, step=0.05, label="Fidelity: 0 all detail, 1 nothing invented"),
                    gradio.Checkbox(label="Use photographs that resemble nobody in it"),
                ],
                outputs(),
                flagging_mode="never",
            )
        with gradio.Tab("Upscale a headshot"):
            gradio.Interface(
                in_sentences(enlarge),
                [
                    gradio.Image(type="pil", label="Headshot"),
                    photographs("Other photographs of the same person (optional)"),
                    gradio.Radio([2, 4, 8], value=4, label="Scale"),
                ],
                outputs(),
                flagging_mode="never",
            )
    return page


def outputs() -> "list[gradio.components.Component]":
    """What each tab shows: the result, and what is to be checked."""
    import gradio

    return [gradio.Image(label="Result", format="png"), gradio.Textbox(label="To be checked")]


if __name__ == "__main__":
    build_page().queue(max_size=20, default_concurrency_limit=1).launch(server_name="0.0.0.0", server_port=PORT)
