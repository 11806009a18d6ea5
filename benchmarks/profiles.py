"""Parameters and multiplications of the networks beside the papers' figures; counted, not timed."""

from benchmarks.table import Published, Suite, Table
from headsup.profile_report import report_profile as restorer_profile
from hime.profile_report import report_profile as hime_profile
from hime.variants import TABLE_1

GIGA = 1e9


def measure(suite: Suite) -> list[Table]:
    """Sizes of HIME at the settings of Table 1, and of the restorers."""
    return [himes(), restorers()]


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


def restorers() -> Table:
    """Both restorers at two sizes, training and restoring."""
    rows = []
    for architecture, size in (("tiny", 512), ("sd21", 512), ("sd21", 1024)):
        training, restoring = (restorer_profile(architecture, size, mode) for mode in ("train", "restore"))
        theirs = training.osediff_bytes
        rows.append(
            (
                f"{architecture}, {size} px",
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
