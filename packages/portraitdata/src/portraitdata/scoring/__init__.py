"""Scores of restored images beside their targets: own PSNR and SSIM, identity, and learned metrics where they are."""
