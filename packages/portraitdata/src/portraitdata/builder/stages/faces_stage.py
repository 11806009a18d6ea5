"""Fourth stage: faces are found, measured, aligned and embedded."""

from typing import Any

from faceops.detection.selection import build_detector
from faceops.device import select_device
from faceops.recognition.identity import build_identity
from portraitdata.builder.candidates import Batch
from portraitdata.builder.config import BuildConfig, StageName
from portraitdata.builder.image_bytes import ImageBytes
from portraitdata.builder.marking import Drop, Takedown, drop_where
from portraitdata.restoration.index.face_pass import FacePass, SeenPicture, face_columns
from portraitdata.storage.places import Place

FOUND = "found"
"""Column of what the stage adds: for every row of images a list of rows of faces."""


class FindFaces:
    """Finds the faces in images and drops images without one that is large enough.

    Raises:
        MissingWeightsError: If the weights of a network are not there and cannot be fetched.
        ValueError: If torch sees no such device.
    """

    name: StageName = "faces"
    at_once: int | None = 16

    def __init__(self, config: BuildConfig) -> None:
        device = self._device = select_device(config.faces.device)
        self._detector = build_detector(
            config.faces.detector, config.faces.detector_weights, turned=False, device=device
        )
        self._network = build_identity(config.faces.identity).to(device)
        self._eyes = config.faces.eyes_at_least
        self._takedown, self._bytes = Takedown(config), ImageBytes(config)
        self._passes: dict[Place, FacePass] = {}

    def __call__(self, batch: Batch) -> Batch:
        """Count the faces of each image, list them in a column `FOUND`, and mark images without."""
        batch[FOUND] = [[] for _ in batch["uid"]]
        drop_where(batch, self.name, self._bytes, lambda row: self._why(batch, row))
        return batch

    def _why(self, batch: Batch, row: int) -> Drop | None:
        if self._takedown.apply(batch, row, self.name):
            return None
        root = self._bytes.root(batch, row)
        if root not in self._passes:
            self._passes[root] = FacePass(root, self._detector, self._network, self._eyes, self._device)
        seen = self._passes[root].look(self._bytes.photograph(batch, row))
        batch["faces"][row], batch["small_faces"][row] = len(seen.faces), seen.small_faces
        batch[FOUND][row] = face_rows(batch["partition"][row], batch["uid"][row], seen)
        if len(seen.faces):
            return None
        small = batch["small_faces"][row]
        return Drop("faces too small", f"{small} faces") if small else Drop("no face")


def face_rows(partition: int, uid: str, seen: SeenPicture) -> list[dict[str, Any]]:
    """Rows of the table of faces for one image."""
    columns = {**face_columns(seen.faces), "embedding": list(seen.embeddings)}
    return [
        {"partition": partition, "uid": uid, "number": number, **{name: rows[number] for name, rows in columns.items()}}
        for number in range(len(seen.faces))
    ]
