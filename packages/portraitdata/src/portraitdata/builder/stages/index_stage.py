"""First stage: what the metadata or the header of a file decide.

The size rule of HeadsUp is "at least 3840x2160, with the longest side exceeding 3840", width / height in 0.6 to 1.6.
Two readings differ. By "either-orientation", the default, the longer side exceeds 3840 and the shorter is at least
2160, whichever is the width; with these aspects the latter always holds. By "literal" the width is at least 3840 and
the height at least 2160, which drops every upright portrait below 3840 x 2400, one of 3000 x 4500 too.
"""

from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig, SizeRule, StageName
from portraitdata.builder.image_bytes import ImageBytes
from portraitdata.builder.marking import Drop, Takedown, drop_where
from portraitdata.exemplars.sources.scanning import photograph_size


def fits(width: int, height: int, rule: SizeRule) -> bool:
    """Tell whether an image of this size is wanted.

    Example:
        >>> [fits(*size, SizeRule()) for size in ((3000, 4500), (3840, 2560), (3841, 2560), (3841, 2160))]
        [True, False, True, False]
        >>> fits(3000, 4500, SizeRule(reading="literal")), fits(4500, 3000, SizeRule(reading="literal"))
        (False, True)
    """
    if min(width, height) < 1:
        return False
    low, high = rule.aspect
    longer, shorter = max(width, height), min(width, height)
    large = longer > rule.longer_above and shorter >= rule.shorter_from
    if rule.reading == "literal":
        large = large and width >= rule.longer_above and height >= rule.shorter_from
    return large and low <= width / height <= high


def may_fit(width: int, height: int, rule: SizeRule) -> bool:
    """Tell whether an image of a listed size may turn out to be wanted.

    Metadata often have the sides as stored, before the turn that EXIF asks for, so both orientations pass here; the
    decoded image decides.

    Example:
        >>> turned = 3900, 2400  # 1.625 as listed, 0.615 upright
        >>> fits(*turned, SizeRule()), may_fit(*turned, SizeRule())
        (False, True)
    """
    return fits(width, height, rule) or fits(height, width, rule)


WRONG_SIZE = "size or aspect"
OPTED_OUT = "opted out"
UNSAFE = "not safe for work"
LISTED_TWICE = "listed twice"


class Index:
    """Drops what was withdrawn, opted out, unsafe, of another size, or is listed twice in a batch."""

    name: StageName = "index"
    at_once: int | None = None
    """Rows of a batch; None for a whole partition."""

    def __init__(self, config: BuildConfig) -> None:
        self._rule, self._unsafe = config.size, config.unsafe_at_most
        self._takedown, self._bytes = Takedown(config), ImageBytes(config)

    def __call__(self, batch: Batch) -> Batch:
        """Mark rows; local files get their size by the header."""
        seen: set[str] = set()
        drop_where(batch, self.name, self._bytes, lambda row: self._why(batch, row, seen))
        return batch

    def _why(self, batch: Batch, row: int, seen: set[str]) -> Drop | None:
        if self._takedown.apply(batch, row, self.name):
            return None
        if batch["url"][row] == "":  # before the next, since all of these have one uid
            return Drop("no URL")
        if batch["uid"][row] in seen:
            return Drop(LISTED_TWICE)
        seen.add(batch["uid"][row])
        if batch["opt_out"][row]:
            return Drop(OPTED_OUT)
        unsafe = batch["unsafe"][row]
        if unsafe is not None and unsafe > self._unsafe:
            return Drop(UNSAFE, f"The metadata give it a probability of {unsafe:.2f}.")
        if batch["url"][row] is not None:
            return self._listed(batch, row)
        width, height = photograph_size(self._bytes.root(batch, row), self._bytes.photograph(batch, row))
        batch["width"][row], batch["height"][row] = width, height
        return None if fits(width, height, self._rule) else wrong_size(width, height)

    def _listed(self, batch: Batch, row: int) -> Drop | None:
        width, height = batch["listed_width"][row], batch["listed_height"][row]
        if width is None or height is None or may_fit(width, height, self._rule):
            return None
        return wrong_size(width, height)


def wrong_size(width: int, height: int) -> Drop:
    """Why an image of another size is dropped.

    Example:
        >>> wrong_size(1000, 500).detail
        '1000 x 500 pixels, width / height 2.00'
    """
    return Drop(WRONG_SIZE, f"{width} x {height} pixels, width / height {width / max(height, 1):.2f}")
