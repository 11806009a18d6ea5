"""Trained weights that a run begins with."""

from pathlib import Path

from faceops.weights.model_card import begun_with
from hime.blocks.alignment import FlowGuidedAlignment
from hime.blocks.spynet import published_weights
from hime.network import HIME
from hime.training.other_magnification import for_magnification
from hime.weights.files import load_network
from hime.weights.model_card import read_header
from hime.weights.shipped import find_weights
from portraitdata.networks.safe_loading import load_safely

FLOW = "alignment.flow."
"""Parameters that a network with optical flow has and one without has not."""


def begin_as(network: HIME, initial_weights: str) -> str:
    """Give a network the weights of a trained one.

    HIME (large) may begin as HIME (small): its flow is zero at first, so that it gives the small one's images until
    the flow is trained. The paper does not say how it trained the large one. A network may also begin as one of another
    magnification, see `hime.training.other_magnification`.

    Args:
        network: Network to be trained; changed.
        initial_weights: Name of shipped weights, or a file.

    Returns:
        Note for the card of what is trained.

    Raises:
        ValueError: If the weights are of another kind of network.
        FileNotFoundError: If there is no such file.
    """
    trained = load_network(initial_weights)
    gains_flow = trained.arguments.alignment == "dcn" and network.arguments.alignment == "flow_dcn"
    comparable = trained.arguments._replace(scale=network.scale)
    if gains_flow:
        comparable = comparable._replace(alignment="flow_dcn", flow_grid=network.arguments.flow_grid)
    if comparable != network.arguments:
        raise ValueError(
            f"The weights {initial_weights} are of {trained.arguments}, the model of the config is "
            f"{network.arguments}: make them equal or leave initial_weights out."
        )
    flow = {name: value for name, value in network.state_dict().items() if gains_flow and name.startswith(FLOW)}
    network.load_state_dict(for_magnification(trained.state_dict(), trained.scale, network.scale) | flow)
    return begun_with(initial_weights, read_header(find_weights(initial_weights)).card)


def begin_flow(network: HIME, weights: str | Path) -> str:
    """Give the optical flow of HIME (large) published weights of SPyNet.

    Args:
        network: Network to be trained; changed.
        weights: File as pytorch-spynet, BasicSR or MMEditing publish it.

    Returns:
        Note for the card of what is trained.

    Raises:
        ValueError: If the file holds something else, or the network has no such flow.
        FileNotFoundError: If there is no such file.
    """
    if not isinstance(network.alignment, FlowGuidedAlignment) or network.arguments.flow_grid != "corners":
        raise ValueError(
            "Published weights of SPyNet are for a network with optical flow that is enlarged as in the published one: "
            f"set its alignment to flow_dcn and its flow_grid to corners, got {network.arguments.alignment} and "
            f"{network.arguments.flow_grid}."
        )
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; it should hold published weights of SPyNet.")
    content = load_safely(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold tensors by name, got a {type(content).__name__}.")
    network.alignment.flow.load_state_dict(published_weights(content, str(path)))
    return f"Its optical flow was begun with published weights of SPyNet ({path.name}), whose licence counts as well."
