"""Terms of the objective by hand: the range of their pixels, their weights, and which way they pull."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml

from faceops.geometry.alignment import alignment_matrix
from faceops.geometry.faces import Faces
from faceops.geometry.landmarks import FFHQ_512
from headsup.losses.face_identity import FaceIdentity
from headsup.losses.faces import FacePairs
from headsup.losses.lpips import PerceptualDistance
from headsup.losses.objective import LossWeights, Objective
from headsup.losses.squared_error import squared_error
from portraitdata.restoration.batches import RestorationBatch

CONFIGS = Path(__file__).parents[2] / "lightning_configs" / "headsup"
NOTHING = LossWeights(l2=0.0, lpips=0.0, distillation=0.0, fidelity=0.0, identity=0.0)


class Distance(PerceptualDistance):
    """Ten times the mean absolute difference, in the place of LPIPS."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def forward(self, images, targets):
        return 10 * (images - targets).abs().mean(dim=(1, 2, 3))


def pictures(seed: int, count: int = 2, size: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def batch(hq: torch.Tensor) -> RestorationBatch:
    count = len(hq)
    nobody = torch.zeros(count, dtype=torch.bool)
    mask = torch.zeros(count, 1, *hq.shape[2:], dtype=torch.bool)
    none = torch.full((count,), -1)
    texts = [""] * count
    reference, faces, matrices = pictures(9, count, 8), Faces.none(), torch.zeros(0, 2, 3)
    return RestorationBatch(hq, hq, reference, nobody, mask, faces, none, texts, texts, nobody, matrices)


def pairs(restored: torch.Tensor, truth: torch.Tensor) -> FacePairs:
    return FacePairs(restored, truth, truth, torch.zeros(len(truth), dtype=torch.bool))


def osediff(images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """OSEDiff's squared error, of pixels in [-1, 1]."""
    return F.mse_loss(images * 2 - 1, targets * 2 - 1)


def weights_of(*configs: str) -> LossWeights:
    weights: dict[str, float] = {}
    for name in configs:
        model = yaml.safe_load((CONFIGS / name).read_text()).get("model", {"init_args": {}})
        weights |= model["init_args"].get("weights", {})
    return LossWeights(**{name: float(value) for name, value in weights.items()})


@pytest.mark.parametrize("deltas", [(), ("sd21_stage2.yaml",), ("sd21_guided.yaml",), ("sd21_single_24gb.yaml",)])
def test_the_squared_errors_of_the_papers_runs_are_osediffs(deltas) -> None:
    weights = weights_of("sd21_stage1.yaml", *deltas)
    objective = Objective(LossWeights(**{**vars(weights), "identity": 0.0}), Distance(), None)
    restored, hq, face, truth = (pictures(seed) for seed in range(4))
    terms = objective(restored, batch(hq), pairs(face, truth))
    torch.testing.assert_close(terms["l2"], osediff(restored, hq))
    distance = Distance()(face, truth).mean()
    torch.testing.assert_close(terms["fidelity"], osediff(face, truth) + 0.8 * distance)
    torch.testing.assert_close(terms["lpips"], 2 * Distance()(restored, hq).mean())


@pytest.mark.parametrize(("configs", "l2"), [(("tiny.yaml",), 10), (("tiny.yaml", "tiny_table4.yaml"), 1)])
def test_the_small_restorers_run_stays_what_it_was(configs, l2) -> None:
    """Its weights are of pixels in [0, 1], restated: to the last bit, or a run of the same seed would be another."""
    objective = Objective(LossWeights(**{**vars(weights_of(*configs)), "identity": 0.0}), Distance(), None)
    restored, hq, face, truth = (pictures(seed) for seed in range(4))
    terms = objective(restored, batch(hq), pairs(face, truth))
    assert terms["l2"].equal(l2 * (restored - hq).square().mean(dim=(1, 2, 3)).mean())
    fidelity = (face - truth).square().mean(dim=(1, 2, 3)) + 0.8 * Distance()(face, truth)
    assert terms["fidelity"].equal(fidelity.sum() / 2)


def test_squared_errors_of_half_precision_are_computed_in_float32() -> None:
    images, targets = pictures(1).bfloat16(), pictures(2)
    torch.testing.assert_close(squared_error(images, targets).mean(), osediff(images.float(), targets))


@pytest.mark.parametrize("name", ["adversarial", "picture_adversarial"])
def test_an_adversarial_term_pulls_towards_what_the_discriminator_takes_for_true(name) -> None:
    torch.manual_seed(0)
    objective = Objective(LossWeights(**{**vars(NOTHING), name: 0.25}), None, None, discriminator_channels=8)
    (judge,) = objective.discriminators
    restored, hq = pictures(1).requires_grad_(), pictures(2)
    faces = pairs(restored, hq) if name == "adversarial" else None
    terms = objective(restored, batch(hq), faces)
    judge.eval()
    before = judge(restored).mean()
    torch.testing.assert_close(terms[name], -0.25 * before, rtol=1e-3, atol=1e-4)
    terms[name].backward()
    better = (restored - 0.1 * restored.grad / restored.grad.abs().max()).detach()
    assert judge(better).mean() > before + 1e-3


class Means(FaceIdentity):
    """A number that tells its three pictures apart."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def forward(self, restored, truth, reference, present):
        return restored.mean() + 10 * truth.mean() + 100 * reference.mean()


def test_every_term_has_its_own_weight_and_pictures() -> None:
    weights = LossWeights(0.2, 0.3, 0.0, 0.5, 0.7, 1.1, l1=1.3, faithful=1.7, parts=1.9, fidelity_l2=2.3)
    restored, hq, faithful, truth, reference = (pictures(seed) for seed in range(5))
    face = truth + 0.25
    faces = FacePairs(face, truth, reference, torch.ones(2, dtype=torch.bool))
    terms = Objective(weights, Distance(), Means())(restored, batch(hq), faces, faithful)
    # every face is 0.25 too bright: squared as of [-1, 1] 0.25, in every part 0.25, at a distance of 2.5
    assert terms.keys() == {"l1", "faithful", "l2", "lpips", "fidelity", "parts", "identity"}
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(
        {
            "l1": 1.3 * (restored - hq).abs().mean().item(),
            "faithful": 1.7 * (faithful - hq).abs().mean().item(),
            "l2": 0.2 * 4 * (restored - hq).square().mean().item(),
            "lpips": 0.3 * 10 * (restored - hq).abs().mean().item(),
            "fidelity": 0.5 * (2.3 * 0.25 + 0.7 * 2.5),
            "parts": 1.9 * (0.25 + 2.5),
            "identity": 1.1 * (face.mean() + 10 * truth.mean() + 100 * reference.mean()).item(),
        },
        rel=1e-4,
    )


def test_the_less_is_lost_the_less_the_adversarial_term_counts() -> None:
    torch.manual_seed(0)
    weights = LossWeights(**{**vars(NOTHING), "picture_adversarial": 0.5, "full_damage": 0.04})
    objective = Objective(weights, None, None, discriminator_channels=8).eval()
    (judge,) = objective.discriminators
    restored = pictures(1, count=3)
    # flat pictures that have lost 0, 0.01 and 0.3
    hq = torch.tensor([0.5, 0.51, 0.8]).reshape(-1, 1, 1, 1).expand(-1, 3, 32, 32)
    known = batch(hq)._replace(lq=torch.full((3, 3, 8, 8), 0.5))
    (term,) = objective(restored, known, None).values()
    logits = judge(restored).mean(dim=(1, 2, 3))
    torch.testing.assert_close(term, -0.5 * (0.25 * logits[1] + logits[2]) / 3)


def test_faces_are_whole_squares_of_the_discriminator() -> None:
    with pytest.raises(ValueError, match="judges squares of 2 pixels, of which faces of 33 are no multiple"):
        Objective(LossWeights(identity=0.0, adversarial=1.0), None, None, 33, discriminator_square=2)


def test_references_of_others_and_cut_faces_are_left_out() -> None:
    """The first face is cut, the second has a reference of its person, the third one of somebody else."""
    points = FFHQ_512.scaled(24).tensor().float()
    landmarks = torch.stack([points - 12, points + 4, points + 4])
    known = batch(pictures(1, count=3))._replace(
        faces=Faces(torch.arange(3), torch.zeros(3, 4), landmarks, torch.ones(3)),
        matrices=alignment_matrix(landmarks),
        referenced=torch.arange(3),
        present=torch.ones(3, dtype=torch.bool),
        same_person=torch.tensor([True, True, False]),
    )
    restored = pictures(2, count=3)
    pairs = Objective(NOTHING, None, None, face_size=24).faces(restored, known)
    assert pairs.present.tolist() == [True, False]
    assert pairs.reference[0].equal(known.reference[1])
    torch.testing.assert_close(pairs.restored, restored[1:, :, 4:28, 4:28], rtol=0, atol=1e-4)


def test_eyes_and_mouth_without_a_backbone_are_said():
    weights = LossWeights(lpips=0.0, fidelity=0.0, identity=0.0, parts=1.0)
    (sentence,) = Objective(weights, None, None, 32).remarks()
    assert sentence.startswith("LPIPS is left out of the losses")
