"""Size rule of HeadsUp: "at least 3840x2160, with the longest side exceeding 3840", width / height in 0.6 to 1.6.

Two readings differ. By "either-orientation", the default, the longer side exceeds 3840 and the shorter is at least
2160, whichever is the width; with these aspects the latter always holds. By "literal" the width is at least 3840 and
the height at least 2160, which drops every upright portrait below 3840 x 2400, one of 3000 x 4500 too.
"""

from portraitdata.builder.config import SizeRule


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
