"""``headsup profile``: the size of a restorer, beside what OSEDiff's design holds."""

import json
from dataclasses import asdict, replace

from rich.console import Console
from rich.table import Table

from headsup.model.backbone import Architecture
from headsup.model.settings import RestorerSettings
from headsup.profiling.activations import Activations
from headsup.profiling.profile import PAPER, Mode, Part, Profile, profile_restorer

TEXT_ENCODER = 340_387_840
"""Parameters of the text encoder of Stable Diffusion 2.1."""

TAGGER = 483_000_000
"""Parameters, about, of the network that OSEDiff has name what is in the picture."""

VGG16 = 14_714_688
"""Parameters of LPIPS' backbone."""


def report_profile(architecture: Architecture, size: int, mode: Mode, settings: RestorerSettings = PAPER) -> Profile:
    """Profile a bundled architecture.

    Args:
        settings: Shape of the restorer; its base is of no matter.

    Raises:
        ValueError: If the size does not fit the autoencoder.
    """
    counted = profile_restorer(architecture, size, mode, settings)
    compared = architecture == "sd21" and mode == "train" and settings.trained == "adapters"
    return replace(counted, osediff_bytes=osediff_bytes(counted.parameters)) if compared else counted


def osediff_bytes(parameters: dict[str, int]) -> dict[str, int]:
    """Weights that OSEDiff's training holds, by kind; the optimizers' states come on top.

    Read from its code: generator and regularizer each have a denoiser, an autoencoder and a text encoder of their own,
    and the teacher is a third denoiser. Trained networks are float32 with all their frozen weights, as are the
    autoencoders and the generator's text encoder; the teacher, the other text encoder and the tagger are float16. The
    regularizer uses neither its autoencoder nor its text encoder.
    """
    vae = parameters["vae_encoder"] + parameters["vae_decoder"]
    trained = parameters["lora_unet"] + parameters["lora_regularizer"]
    return {
        "denoisers": (2 * parameters["unet"] + trained) * 4 + parameters["unet"] * 2,
        "autoencoders": (2 * vae + parameters["lora_vae_encoder"]) * 4,
        "text_encoders": TEXT_ENCODER * (4 + 2),
        "tagger": TAGGER * 2,
        "lpips": VGG16 * 4,
    }


def print_profile(report: Profile, as_json: bool) -> None:
    """Print a report as JSON or as tables."""
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    console = Console()
    what = "a training step" if report.mode == "train" else "a restoration"
    console.print(f"[bold]HeadsUp {report.architecture}, {what} of one image of {report.size} px[/bold]")
    console.print(parameter_table(report.parameters))
    console.print(part_table(report))
    if report.activations:
        console.print(activation_table(report.activations))
    console.print(memory_table(report))


def parameter_table(parameters: dict[str, int]) -> Table:
    """Table of the parameters."""
    table = Table("parameters")
    table.add_column("millions", justify="right")
    for name, count in parameters.items():
        table.add_row(name, f"{count / 1e6:.3f}")
    return table


def part_table(report: Profile) -> Table:
    """Table of the work of every part."""
    table = Table("part")
    for column in ("MACs, thousand millions", "passes"):
        table.add_column(column, justify="right")
    for part, macs in report.macs.items():
        table.add_row(part, f"{macs / 1e9:.1f}", str(report.passes[part]))
    table.add_row("in all", f"{report.macs_in_all / 1e9:.1f}")
    table.caption = "A reference takes the encoder's passes once more."
    return table


def activation_table(activations: dict[Part, Activations]) -> Table:
    """Table of what each part keeps for `backward`, for each image."""
    table = Table("activations, GB")
    for column in ("kept", "checkpointed", "largest block again"):
        table.add_column(column, justify="right")
    for part, found in activations.items():
        counts = found.kept, found.checkpointed, found.recomputed
        table.add_row(part, *(gigabytes(count) for count in counts))
    table.caption = "A reference takes the encoder's once more."
    return table


def memory_table(report: Profile) -> Table:
    """Table of the weights in memory, beside OSEDiff's where it can be compared."""
    table = Table("weights in memory")
    table.add_column("GB", justify="right")
    table.add_row("frozen, bfloat16", gigabytes(report.frozen_bytes))
    trained = "trained, with gradients and moments" if report.mode == "train" else "trained"
    table.add_row(trained, gigabytes(report.trained_bytes))
    if report.osediff_bytes is not None:
        table.add_section()
        for name, count in report.osediff_bytes.items():
            table.add_row(f"OSEDiff: {name.replace('_', ' ')}", gigabytes(count))
        table.add_row("OSEDiff in all, without gradients and moments", gigabytes(sum(report.osediff_bytes.values())))
    return table


def gigabytes(count: int) -> str:
    """Bytes in GB of 1000^3 bytes."""
    return f"{count / 1e9:.3f}"
