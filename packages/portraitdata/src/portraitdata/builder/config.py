"""Configuration of a build: one tree of typed settings, which jsonargparse reads from YAML."""

from dataclasses import dataclass, field
from typing import Any, Literal

from jsonargparse.typing import register_type

from faceops.detection.detector_names import DEFAULT_DETECTOR, DetectorName
from portraitdata.storage.object_path import ObjectPath
from portraitdata.storage.places import Place, place_of_url

register_type(ObjectPath, str, place_of_url, type_check=lambda value, _: isinstance(value, ObjectPath))

StageName = Literal["index", "download", "quality", "faces", "deduplicate", "pairs", "split", "shards"]
"""Stages of a build, in their order."""

EngineName = Literal["processes", "ray"]

Reading = Literal["either-orientation", "literal"]
"""Reading of the paper's sentence on sizes; see `portraitdata.builder.stages.index_stage`."""

MetadataPreset = Literal["laion", "pd12m", "photo-concept-bucket"]
"""Whose columns a metadata table has; see `portraitdata.builder.candidates`."""


@dataclass(frozen=True)
class MetadataColumns:
    """Names of the columns of a metadata table; those that it does not have are None."""

    url: str
    width: str | None = None
    height: str | None = None
    prompt: str | None = None
    licence: str | None = None
    attribution: str | None = None
    unsafe: str | None = None
    """Probability that the image is not safe for work."""
    opt_out: str | None = None
    """True where the owner does not want training."""
    takedown: str | None = None
    """True where the image was withdrawn."""


@dataclass(frozen=True)
class MetadataSource:
    """Images that tables of metadata point to."""

    name: str
    metadata: Place
    """Parquet file, or a folder of them."""
    columns: MetadataPreset | MetadataColumns
    licence: str | None = None
    """Of all images, where the table has no column for it."""


@dataclass(frozen=True)
class LocalSource:
    """Images that are here already."""

    name: str
    pictures: Place
    """Folder of pictures at any depth, tar archive, or folder of tar archives."""
    licence: str | None = None
    """Of all images."""


@dataclass(frozen=True)
class SizeRule:
    """Settings of the size rule (HeadsUp, Appendix C)."""

    longer_above: int = 3840
    """The longer side has more pixels."""
    shorter_from: int = 2160
    """The shorter side has at least as many pixels."""
    aspect: tuple[float, float] = (0.6, 1.6)
    """Smallest and largest width divided by height."""
    reading: Reading = "either-orientation"


@dataclass(frozen=True)
class DownloadSettings:
    """Settings of img2dataset, a process of its own, since its dependencies conflict with ours."""

    command: tuple[str, ...] = ("uvx", "img2dataset")
    """Program and what comes before the options."""
    retries: int = 2
    timeout: int = 30
    """Seconds for each image."""
    threads: int = 32
    """Downloads at a time in each process."""
    user_agent: str | None = None
    """Token that the requests carry."""
    options: tuple[str, ...] = ()
    """Further options, as ``--max_image_area=1e9``."""


@dataclass(frozen=True)
class Scorer:
    """A judge of whole images, by the path of a class.

    The class is built with `arguments` in every process and called with RGB images (1, 3, h, w) in [0, 1]; it gives
    one number, higher for better.
    """

    column: Literal["quality", "aesthetic"]
    """Where its number is kept."""
    judge: str
    """The class, as ``portraitdata.builder.stages.q_align.QAlign``."""
    at_least: float | None = None
    """Images with less are dropped; None only notes the number. The paper does not say what it took."""
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class QualitySettings:
    """Settings of the quality filter."""

    sharpness_at_least: float = 0.0
    """Variance of the Laplacian at `sharpness_side`; cheap, and asked before any scorer."""
    sharpness_side: int = 1024
    """Images are reduced to this longer side before, so that the number does not depend on their size."""
    scorers: tuple[Scorer, ...] = ()


@dataclass(frozen=True)
class FaceSettings:
    """Settings of detection and comparison of faces."""

    detector: DetectorName = DEFAULT_DETECTOR
    detector_weights: str | None = None
    identity: str = "mobilefacenet"
    """File or name of the weights of the network that compares faces."""
    eyes_at_least: float = 64.0
    """Distance of the eyes in pixels of the image; FaceLib's figure of that name is about half the true one."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where faces are embedded, and found by retinaface and any-turn; the last digits of embeddings depend on it."""


@dataclass(frozen=True)
class DuplicateSettings:
    """Settings of deduplication."""

    hamming_at_most: int = 8
    """Bits of 64 in which perceptual hashes of one image differ; -1 looks for equal files only."""
    same_faces_above: float = 0.85
    """Images with alike hashes and one face each are one only if the faces are that similar; a cosine.

    Studio portraits of two people before one background can have alike hashes.
    """


@dataclass(frozen=True)
class PairSettings:
    """Settings of pairing faces by person."""

    similarity_above: float = 0.65
    """Of two faces of a pair (gamma of HeadsUp, Section 3 and Appendix C)."""
    duplicates_above: float = 0.95
    """More similar faces are one shot twice: as a reference such a face would give the answer away."""
    exact_up_to: int = 100_000
    """Faces that are compared each with each; more are searched by faiss, unless there is a GPU (see `mine_pairs`)."""
    recall_at_least: float = 0.99
    """Share of the pairs of a sample that faiss has to find."""


@dataclass(frozen=True)
class SplitSettings:
    """Settings of the split by people."""

    test_share: float = 0.1
    """Share of the images that is for testing; 3k of 30k in HeadsUp."""
    seed: int = 0


@dataclass(frozen=True)
class ShardSettings:
    """Settings of the shards."""

    images: int = 1000
    """In one tar file."""


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """Everything that decides what a build contains.

    Args:
        output: Folder of the build; a path or a URL such as s3://bucket/folder, as all places.
        sources: Where images come from.
        partition: Images that are processed together and written as one file per stage.
        takedown: File of URLs, uids or SHA-256 sums to leave out, one per line.
        unsafe_at_most: Largest probability of being unsafe for work, if the metadata have one.
        size: Accepted sizes.
        download: Settings of img2dataset.
        quality: Sharpness and other quality scorers.
        faces: Accepted faces, and the networks that detect and embed them.
        duplicates: Criteria for duplicates.
        pairs: Criteria for faces of one person.
        split: Test share and seed.
        shards: Packing of the result.

    Raises:
        ValueError: If a number is out of range, or two sources have one name.
    """

    output: Place
    sources: tuple[MetadataSource | LocalSource, ...]
    partition: int = 1000
    takedown: Place | None = None
    unsafe_at_most: float = 1.0
    size: SizeRule = SizeRule()
    download: DownloadSettings = DownloadSettings()
    quality: QualitySettings = QualitySettings()
    faces: FaceSettings = FaceSettings()
    duplicates: DuplicateSettings = DuplicateSettings()
    pairs: PairSettings = PairSettings()
    split: SplitSettings = SplitSettings()
    shards: ShardSettings = ShardSettings()

    def __post_init__(self) -> None:
        names = [source.name for source in self.sources]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"A build needs sources with different names, got {', '.join(names) or 'none'}.")
        if self.partition < 1 or self.shards.images < 1:
            raise ValueError("Partitions and shards hold at least one image each.")
        low, high = self.size.aspect
        if not 0 < low <= high:
            raise ValueError(f"Aspects are positive, the smaller first; got {low} and {high}.")
        if not 0 < self.pairs.similarity_above < self.pairs.duplicates_above <= 1:
            raise ValueError(
                "The similarity of pairs lies between 0 and that of duplicates, which is at most 1; got "
                f"{self.pairs.similarity_above} and {self.pairs.duplicates_above}."
            )
        if not 0 < self.pairs.recall_at_least <= 1:
            raise ValueError(f"The recall of pairs lies in (0, 1], got {self.pairs.recall_at_least}.")
        if not 0 <= self.split.test_share < 1:
            raise ValueError(f"The share of test images lies in [0, 1), got {self.split.test_share}.")
        if self.quality.sharpness_side < 1 or not self.download.command:
            raise ValueError("`quality.sharpness_side` counts pixels, and `download.command` names a program.")
