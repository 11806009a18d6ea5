"""Files that predictions are written to."""

from pathlib import Path

from portraitdata.training.predictions import PredictionFolder


def test_every_photograph_has_a_file_of_its_own(tmp_path: Path) -> None:
    writer = PredictionFolder(tmp_path)
    asked = [("a.jpg", 0), ("b/a.jpg", 0), ("a.webp", 0), ("c.d.jpg", 0), ("a.jpg", 1), ("a.webp", 0), ("a.jpg", 0)]
    files = ["a.png", "b/a.png", "a.webp.png", "c.d.png", "1/a.png", "a.webp.png", "a.png"]
    assert [writer.target(*one).relative_to(tmp_path).as_posix() for one in asked] == files
