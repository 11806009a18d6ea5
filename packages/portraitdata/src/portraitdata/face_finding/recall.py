"""How many faces of scenes a detector finds, how exactly, and how many that are none."""

import torch

from faceops.geometry.boxes import intersection_over_union
from faceops.geometry.faces import Faces
from portraitdata.face_finding.scene_batch import SceneBatch

SAME = 0.4
"""Intersection over union from which on a face is found."""


class RecallScores:
    """Scores over batches.

    Args:
        threshold: Least score of a face.
    """

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.wanted = self.found = self.false = self.scenes = 0
        self.off = 0.0

    def add(self, faces: Faces, batch: SceneBatch) -> None:
        """Compare found faces with those that are there; those on what is not sure count neither way."""
        for index in range(len(batch.sure)):
            seen, sure, there = faces.of(index), batch.sure[index], batch.present[index]
            known = batch.boxes[index][sure]
            self.scenes += 1
            self.wanted += len(known)
            if not len(seen):
                continue
            anything = intersection_over_union(seen.boxes, batch.boxes[index][there])
            self.false += int((anything.amax(dim=1) < SAME / 2).sum()) if there.any() else len(seen)
            if not len(known):
                continue
            best, which = intersection_over_union(known, seen.boxes).max(dim=1)
            hit = best > SAME
            self.found += int(hit.sum())
            points, truth = seen.landmarks[which[hit]], batch.landmarks[index][sure][hit]
            eyes = (truth[:, 1] - truth[:, 0]).norm(dim=-1).clamp(min=1)
            self.off += float(((points - truth)[:, :2].norm(dim=-1).mean(dim=1) / eyes).sum())

    def taken(self) -> dict[str, torch.Tensor]:
        """Recall, false faces of a scene, and mean distance of the eyes in distances of the eyes; forgets them."""
        scores = {
            "recall": self.found / max(1, self.wanted),
            "false": self.false / max(1, self.scenes),
            "eyes_off": self.off / max(1, self.found),
        }
        self.forget()
        return {name: torch.tensor(value) for name, value in scores.items()}
