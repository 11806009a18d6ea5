"""Trained weights that a run begins with."""

from hime.network import HIME
from hime.weights.files import load_network

FLOW = "alignment.flow."
"""Parameters that a network with optical flow has and one without has not."""


def begin_as(network: HIME, initial_weights: str) -> None:
    """Give a network the weights of a trained one.

    HIME (large) may begin as HIME (small): its flow is zero at first, so that it gives the small one's images until
    the flow is trained. The paper does not say how it trained the large one.

    Args:
        network: Network to be trained; changed.
        initial_weights: Name of shipped weights, or a file.

    Raises:
        ValueError: If the weights are of another kind of network.
        FileNotFoundError: If there is no such file.
    """
    trained = load_network(initial_weights)
    gains_flow = trained.arguments.alignment == "dcn" and network.arguments.alignment == "flow_dcn"
    comparable = trained.arguments._replace(alignment="flow_dcn") if gains_flow else trained.arguments
    if comparable != network.arguments:
        raise ValueError(
            f"The weights {initial_weights} are of {trained.arguments}, the model of the config is "
            f"{network.arguments}: make them equal or leave initial_weights out."
        )
    own = {name: value for name, value in network.state_dict().items() if gains_flow and name.startswith(FLOW)}
    network.load_state_dict(trained.state_dict() | own)
