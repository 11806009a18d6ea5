"""Parameters and multiplications of the networks beside the papers' figures; counted, not timed."""

from collections.abc import Sequence

from benchmarks.reporting.table import Cell, Published, Suite, Table
from headsup.model.backbone import Architecture
from headsup.profiling.profile import Profile
from headsup.profiling.profile_report import report_profile as restorer_profile
from hime.evaluation.profile_report import report_profile as hime_profile
from hime.variants import TABLE_1

GIGA = 1e9

SMALL: tuple[tuple[Architecture, int], ...] = ("tiny", 512), ("sd21", 512)
"""Architectures, and the side of the image in pixels."""

RESTORERS: dict[Suite, tuple[tuple[Architecture, int], ...]] = {"quick": SMALL, "full": (*SMALL, ("sd21", 1024))}
"""What each suite counts."""


def measure(suite: Suite) -> list[Table]:
    """Sizes of HIME at the settings of Table 1, of the restorers, and what training one holds."""
    training = [restorer_profile(architecture, size, "train") for architecture, size in RESTORERS[suite]]
    return [himes(), restorers(training), training_memory(training)]


def himes() -> Table:
    """HIME small and large with three references, beside Table 1."""
    rows = []
    for variant, lr_size, scale in TABLE_1:
        found = hime_profile(variant, scale, lr_size, references=3)
        rows.append((f"{variant} ({lr_size}, {scale})", found.parameters / 1e6, found.macs / GIGA))
    columns = "network", "parameters (M)", "MACs (G)"
    theirs = tuple((f"{v} ({side}, {scale})", row.parameters, row.macs) for (v, side, scale), row in TABLE_1.items())
    source = (
        "HIME, Table 1, with three references. Not measured but counted, so comparable; the limit not to be exceeded."
    )
    title = "HIME with three references"
    return Table("hime_profile", title, columns, tuple(rows), published=Published(source, columns, theirs))


def restorers(profiles: Sequence[Profile]) -> Table:
    """Both restorers at two sizes, training and restoring."""
    rows = []
    for training in profiles:
        restoring = restorer_profile(training.architecture, training.size, "restore")
        theirs = training.osediff_bytes
        rows.append(
            (
                f"{training.architecture}, {training.size} px",
                sum(training.parameters[part] for part in ("unet", "vae_encoder", "vae_decoder")) / 1e6,
                sum(count for part, count in training.parameters.items() if part.startswith("lora")) / 1e6,
                restoring.macs_in_all / GIGA,
                training.macs_in_all / GIGA,
                training.frozen_bytes / GIGA,
                "" if theirs is None else sum(theirs.values()) / GIGA,
            )
        )
    columns = (
        "restorer",
        "frozen (M)",
        "adapters (M)",
        "restoring (GMAC)",
        "training step (GMAC)",
        "frozen weights (GB)",
        "weights in OSEDiff's design (GB)",
    )
    return Table("restorer_profile", "Restorers: one base in three roles", columns, tuple(rows))


def training_memory(profiles: Sequence[Profile]) -> Table:
    """What training on one image with a reference holds in bfloat16, everything checkpointed, and what is exported."""
    rows: list[tuple[Cell, ...]] = []
    for found in profiles:
        weights = found.frozen_bytes + found.trained_bytes
        kept = sum(part.checkpointed for part in found.activations.values())
        kept += found.activations["vae_encoder"].checkpointed  # of the reference, which is encoded as well
        again = max(part.recomputed for part in found.activations.values())
        exported = sum(found.parameters[part] for part in ("lora_unet", "lora_vae_encoder", "conv_in"))
        sizes = (*(count / GIGA for count in (weights, kept, again, weights + kept + again)), exported * 2 / 1e6)
        rows.append((f"{found.architecture}, {found.size} px", *sizes))
    columns = (
        *("restorer", "weights and optimizer states (GB)", "activations (GB)", "largest block again (GB)"),
        *("in all (GB)", "exported in half precision (MB)"),
    )
    title = "Training a restorer on one image with a reference, bfloat16, checkpointed; counted, not measured"
    return Table("restorer_memory", title, columns, tuple(rows))
