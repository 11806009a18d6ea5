"""Nodes of ComfyUI: restore a portrait with references, upscale a headshot with exemplars."""

from .restore_portrait import RestorePortrait
from .upscale_headshot import UpscaleHeadshot

NODE_CLASS_MAPPINGS = {"HeadsUpRestorePortrait": RestorePortrait, "HimeUpscaleHeadshot": UpscaleHeadshot}
"""Nodes by the names under which workflows store them."""

NODE_DISPLAY_NAME_MAPPINGS = {
    "HeadsUpRestorePortrait": "Restore Portrait (HeadsUp)",
    "HimeUpscaleHeadshot": "Upscale Headshot (HIME)",
}
"""What the menu calls them."""

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
