"""Names of the ways to keep the colours of the input; see `headsup.restoring.colour`."""

from typing import Literal

ColourMethod = Literal["wavelet", "adain", "none"]
