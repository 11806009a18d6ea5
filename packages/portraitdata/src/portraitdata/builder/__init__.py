"""From lists of web images to portraits, faces, pairs and a split: PortraitSR-4K of HeadsUp, Sections 3 and C."""
