"""What tables call the metrics: the papers' headings by our names."""

HEADINGS = {
    **{"psnr": "PSNR", "ssim": "SSIM", "lpips": "LPIPS", "lpips-vgg": "LPIPS", "dists": "DISTS", "fid": "FID"},
    **{"niqe": "NIQE", "musiq": "MUSIQ", "clipiqa": "CLIPIQA", "maniqa-pipal": "MANIQA", "ida_daefr": "IDA"},
    **{"id": "ID-Score", "ida": "angle (EdgeFace)", "boundary": "BoundaryArtifact", "vgg": "VGG direction distance"},
    **{"vgg16_hed": "VGG-16 (HED) distance", "sharpness": "sharpness", "grid": "2 px grid"},
    **{"psnr_face": "face PSNR", "mouth": "mouth off, %", "eyes": "eyes off, %"},
    **{"id_mobilefacenet": "ID MobileFaceNet", "id_edgeface": "ID EdgeFace-XS"},
}
