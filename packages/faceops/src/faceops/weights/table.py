"""The weights that this package knows by name. Nothing of them is shipped: see the licence of each."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["detector", "identity", "restorer", "tagger"]


@dataclass(frozen=True)
class WeightsEntry:
    """A file of weights: where it comes from and what may be done with it."""

    name: str
    """Name in commands and functions."""
    file: str
    """Name of the file in the cache."""
    kind: Kind
    licence: str
    """Of the weights, which is not always that of the code."""
    citation: str
    url: str | None = None
    """Where the file is fetched from; None if there is no address of the file alone."""
    sha256: str | None = None
    """Checksum in hexadecimal; None if its publisher gives none."""
    git_blob: str | None = None
    """Name of the file in its publisher's git repository, a SHA-1 of its length and content: the checksum where there
    is no other."""
    size: int | None = None
    """In bytes."""
    source: str = ""
    """Instructions to obtain the file where there is no URL."""

    @property
    def has_checksum(self) -> bool:
        """True if a file can be compared with what was published."""
        return self.sha256 is not None or self.git_blob is not None


YUNET = "Wu et al., YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence Research 2023"
RETINAFACE = "Deng et al., RetinaFace: Single-shot Multi-level Face Localisation in the Wild, CVPR 2020"
SCRFD = "Guo et al., Sample and Computation Redistribution for Efficient Face Detection, ICLR 2022"
MOBILEFACENET = "Chen et al., MobileFaceNets: Efficient CNNs for Accurate Real-time Face Verification, CCBR 2018"
EDGEFACE = "George et al., EdgeFace: Efficient Face Recognition Model for Edge Devices, T-BIOM 2024"
KPRPE = "Kim et al., KeyPoint Relative Position Encoding for Face Recognition, CVPR 2024"
ADAFACE = "Kim et al., AdaFace: Quality Adaptive Margin for Face Recognition, CVPR 2022"
OSEDIFF = "Wu et al., One-Step Effective Diffusion Network for Real-World Image Super-Resolution, NeurIPS 2024"
ARCFACE = "Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019"
RAM = "Zhang et al., Recognize Anything: A Strong Image Tagging Model, CVPR Workshops 2024"
DAPE = "Wu et al., SeeSR: Towards Semantics-Aware Real-World Image Super-Resolution, CVPR 2024"

BUFFALO = (
    "unpack buffalo_l.zip of https://github.com/deepinsight/insightface/releases/tag/v0.7, for non-commercial research"
)
NOT_COMMERCIAL = "non-commercial research only"
FACEXLIB = "https://github.com/xinntao/facexlib/releases/download/v0.1.0"
HUB = "https://huggingface.co/minchul"
OSEDIFF_MODELS = "https://github.com/cswry/OSEDiff/raw/fcc4f09c7ed66a9bc0ba9433940d76b343142426/preset/models"


def _adaface(depth: int, data: str) -> WeightsEntry:
    return _cvlface(f"adaface-ir{depth}-{data}", f"adaface_ir{depth}_{data}", ADAFACE)


def _cvlface(name: str, published: str, citation: str) -> WeightsEntry:
    return WeightsEntry(
        name=name,
        file=f"cvlface_{published}.safetensors",
        kind="identity",
        licence="MIT; trained on WebFace260M or MS-Celeb-1M, research data",
        citation=citation,
        url=f"{HUB}/cvlface_{published}/resolve/main/model.safetensors",
    )


WEIGHTS = (
    WeightsEntry(
        name="yunet",
        file="yunet_n_640_640.onnx",
        kind="detector",
        licence="Apache-2.0",
        citation=YUNET,
        url="https://github.com/ShiqiYu/libfacedetection.train/raw/0047ac24afb1/onnx/yunet_n_640_640.onnx",
        sha256="25a606a145a5b6d7271ae138fbd00eba91dad8b83222ae3f2c7ecd0f4a7b0e31",
        size=317_466,
    ),
    WeightsEntry(
        name="retinaface-mobilenet0.25",
        file="detection_mobilenet0.25_Final.pth",
        kind="detector",
        licence="MIT",
        citation=RETINAFACE,
        url=f"{FACEXLIB}/detection_mobilenet0.25_Final.pth",
        sha256="2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
        size=1_789_735,
    ),
    WeightsEntry(
        name="retinaface-resnet50",
        file="detection_Resnet50_Final.pth",
        kind="detector",
        licence="MIT",
        citation=RETINAFACE,
        url=f"{FACEXLIB}/detection_Resnet50_Final.pth",
        sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
        size=109_497_761,
    ),
    WeightsEntry(
        name="scrfd",
        file="det_10g.onnx",
        kind="detector",
        licence=NOT_COMMERCIAL,
        citation=SCRFD,
        sha256="5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
        size=16_923_827,
        source=BUFFALO,
    ),
    WeightsEntry(
        name="mobilefacenet",
        file="mobilefacenet_foamliu.pt",
        kind="identity",
        licence="Apache-2.0; trained on MS-Celeb-1M, which is withdrawn",
        citation=MOBILEFACENET,
        url="https://github.com/foamliu/MobileFaceNet/raw/a6cc9032a659b615f477833e1a70b5e7931bcccc/weights/mobilefacenet.pt",
        sha256="90a00ba1d8b0b688af3deb731ed53dca582e6106805d1bc3cfdef55f570493f4",
        size=4_135_271,
    ),
    *(
        WeightsEntry(
            name=f"edgeface-{size}",
            file=f"edgeface_{size}_dequant_fp16.safetensors",
            kind="identity",
            licence="CC BY-NC-SA 4.0",
            citation=EDGEFACE,
            sha256=sha256,
            size=length,
            source=(
                "dequantise an EdgeFace checkpoint of https://github.com/otroshi/edgeface into a safetensors file "
                "of float16; other roundings than ours have another checksum and are given as a path"
            ),
        )
        for size, sha256, length in (
            ("xxs", "6a47e6eee3d555d5a2a8b82e171f9ae54c78eac340fd2d51e9cfce824419f9a6", 2_505_568),
            ("xs", "f831e2814d1509e7c3620d2959e44c0fbf134299dda48dafcdcbc0991d2dddd0", 4_506_952),
        )
    ),
    *(
        _adaface(depth, data)
        for depth, data in ((18, "webface4m"), (50, "webface4m"), (101, "webface4m"), (101, "webface12m"))
    ),
    *(
        _cvlface(f"adaface-kprpe-{data}", f"adaface_vit_base_kprpe_{data}", KPRPE)
        for data in ("webface4m", "webface12m")
    ),
    WeightsEntry(
        name="arcface-grey18",
        file="arcface_resnet18.pth",
        kind="identity",
        licence="Apache-2.0",
        citation=ARCFACE,
        url="https://github.com/TencentARC/GFPGAN/releases/download/v0.1.0/arcface_resnet18.pth",
    ),
    WeightsEntry(
        name="arcface-w600k-r50",
        file="w600k_r50.onnx",
        kind="identity",
        licence=NOT_COMMERCIAL,
        citation=ARCFACE,
        sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
        size=174_383_860,
        source=BUFFALO,
    ),
    WeightsEntry(
        name="osediff",
        file="osediff.pkl",
        kind="restorer",
        licence="Apache-2.0; trained on LSDIR and FFHQ, research data",
        citation=OSEDIFF,
        url=f"{OSEDIFF_MODELS}/osediff.pkl",
        git_blob="bc84dc9729aa6173e8b1087977025a4fc566a5db",
    ),
    WeightsEntry(
        name="osediff-face",
        file="osediff_face.pkl",
        kind="restorer",
        licence="Apache-2.0; trained on FFHQ, research data",
        citation=OSEDIFF,
        url=f"{OSEDIFF_MODELS}/osediff_face.pkl",
        git_blob="4465e04da247be8f9af700f8cafbbd906439430c",
    ),
    WeightsEntry(
        name="ram-swin-large",
        file="ram_swin_large_14m.pth",
        kind="tagger",
        licence="Apache-2.0",
        citation=RAM,
        url="https://huggingface.co/spaces/xinyu1205/recognize-anything/resolve/main/ram_swin_large_14m.pth",
    ),
    WeightsEntry(
        name="dape",
        file="DAPE.pth",
        kind="tagger",
        licence="Apache-2.0",
        citation=DAPE,
        source="DAPE.pth of the pretrained models of https://github.com/cswry/SeeSR, a shared folder",
    ),
)
"""All known weights: detectors first, the default of each kind at its head."""
