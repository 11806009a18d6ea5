"""Help of ``fit``, ``validate``, ``test`` and ``predict``, without Lightning, which takes seconds to import."""

import sys
from collections.abc import Callable, Sequence

CONFIGS = {"portraitdata": "lightning_configs/faceops/any_turn.yaml"}
"""Settings of the examples, of programs that have no small ones."""

HELP = """usage: {program} {command} -c CONFIG.yaml ... [--key value ...]

{sentence}

options:
  -h, --help            Show this help message and exit.
  --help-all            Show all settings, as Lightning lists them, and exit.
  -c, --config CONFIG   Settings in YAML; of several files the last counts. What
                        the command line says counts more, wherever it stands.
  --print_config        Print the settings that all this comes to, and exit.
  --ckpt_path PATH      Checkpoint to go on from or to use; last is the latest.
  --trainer.max_steps N
                        Steps after which a fit ends.
  --trainer.accelerator {{auto,cpu,cuda,mps}}
                        Device.
  --trainer.logger.init_args.save_dir FOLDER
                        Folder of logs and checkpoints.
  --data.init_args.batch_size N
                        Items of a step.

example:
  {example}
"""
"""What most need; Lightning's own help has hundreds of lines."""


def recipe_help(program: str, command: str, sentence: str, words: Sequence[str]) -> str | None:
    """Help of a training command, if it is asked for and nothing else.

    Args:
        program: Name of the console script.
        command: Name of the training command.
        sentence: What it does.
        words: What stands behind it on the command line.

    Example:
        >>> recipe_help("hime", "fit", "Train.", ["--trainer.max_steps", "2"]) is None
        True
    """
    if list(words) not in (["-h"], ["--help"]):
        return None
    config = CONFIGS.get(program, f"lightning_configs/{program}/smoke.yaml")
    if command == "fit":
        example = f"{program} fit -c {config} --trainer.max_steps 40"
    else:
        run = config.rpartition("/")[2].removesuffix(".yaml")
        example = f"{program} {command} -c runs/{run}/version_0/config.yaml --ckpt_path last.ckpt"
    return HELP.format(program=program, command=command, sentence=sentence, example=example)


def print_recipe_help(program: str, command: Callable[[], None]) -> bool:
    """Print the help of the training command that stands on the command line, if it is asked for and nothing else.

    Args:
        program: Name of the console script.
        command: What the command line has chosen; its docstring says what it does.
    """
    told = recipe_help(program, sys.argv[1], command.__doc__ or "", sys.argv[2:])
    if told is not None:
        print(told, end="")
    return told is not None


def recipe_words(words: Sequence[str]) -> list[str]:
    """Words as Lightning takes them: its help is ours of ``--help-all``.

    Example:
        >>> recipe_words(["fit", "--help-all"])
        ['fit', '--help']
    """
    return ["--help" if word == "--help-all" else word for word in words]
