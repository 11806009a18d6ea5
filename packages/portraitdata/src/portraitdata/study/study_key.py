"""The key of a study: which token stands for which method. Participants must not see it."""

import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from faceops.atomic_files import replacing
from faceops.json_text import parse_json
from portraitdata.study.questions import Question
from portraitdata.study.study_pictures import Given

FORMAT = "portraitdata study key 1"


@dataclass(frozen=True)
class StudyKey:
    """Everything that was asked."""

    methods: tuple[str, ...]
    questions: tuple[Question, ...]
    given: tuple[Given, ...] = ()
    """Picture that similarity questions show beside the candidates."""
    seed: int = 0
    study: str = field(init=False)
    """Name of the study, a hash of all the rest; page, answers and key belong together if it is the same."""

    def __post_init__(self) -> None:
        text = json.dumps(self._content(), sort_keys=True)
        object.__setattr__(self, "study", sha256(text.encode()).hexdigest()[:16])

    def _content(self) -> dict[str, object]:
        return {
            "methods": list(self.methods),
            "given": list(self.given),
            "seed": self.seed,
            "questions": [asdict(question) for question in self.questions],
        }

    def as_json(self) -> str:
        """The key as a file has it."""
        record = {"format": FORMAT, "study": self.study} | self._content()
        return json.dumps(record, indent=1, ensure_ascii=False).encode(errors="backslashreplace").decode() + "\n"

    def write(self, path: Path) -> None:
        """Write the key, but never over the key of another study, whose answers it would make worthless.

        Raises:
            FileExistsError: If there is another key.
        """
        if path.exists() and path.read_text(encoding="utf-8") != self.as_json():
            raise FileExistsError(
                f"{path} is the key of another study, whose answers nobody could read without it. Write to another "
                "place, or remove it first."
            )
        with replacing(path) as temporary:
            temporary.write_text(self.as_json(), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "StudyKey":
        """Read a key.

        Raises:
            FileNotFoundError: If it is not there.
            ValueError: If it is no key, or not as it was written.
        """
        if not path.is_file():
            raise FileNotFoundError(f"There is no key {path}; `portraitdata study make` wrote it beside the page.")
        try:
            record = parse_json(path.read_text(encoding="utf-8"))
            if record["format"] != FORMAT:
                raise ValueError(f"its format is {record['format']!r}, wanted was {FORMAT!r}")
            questions = tuple(Question(**question) for question in record["questions"])
            key = cls(tuple(record["methods"]), questions, tuple(record["given"]), record["seed"])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is not the key of a study: {error}.") from error
        if key.study != record.get("study"):
            raise ValueError(f"{path} has been changed since it was written, so its answers cannot be trusted.")
        return key
