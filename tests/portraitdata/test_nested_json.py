"""JSON nested deeper than Python can follow is refused in a sentence, like any other damage."""

import json

import pyarrow as pa
import pytest

from headsup.restoring.report import earlier_pictures
from portraitdata.builder.layout import SPLIT, SPLIT_FACTS, SplitFacts, read_split_facts, write_rows
from portraitdata.builder.takedown.removal import JOURNAL_FILE, read_journal
from portraitdata.degradation.record_files import read_records
from portraitdata.degradation.records import record_from_json
from portraitdata.loading.index_files import stored_metadata
from portraitdata.study.answers import read_answers
from portraitdata.study.study_key import StudyKey

DEEP = "[" * 100_000


def test_files_that_are_nested_too_deep_are_refused(tmp_path):
    file = tmp_path / "a.json"
    file.write_text(DEEP)
    for read, refusal in (
        (read_records, r"a\.json, line 1, is no degradation record: it is nested too deep"),
        (read_answers, r"a\.json is no file of answers .* it is nested too deep"),
        (StudyKey.read, r"a\.json is not the key of a study: it is nested too deep"),
        (lambda path: earlier_pictures(path, "headsup restore"), r"a\.json is there and is no report of"),
    ):
        with pytest.raises(ValueError, match=refusal):
            read(file)
    with pytest.raises(ValueError, match="A degradation record is a line of JSON"):
        record_from_json(DEEP)
    (tmp_path / JOURNAL_FILE).write_text(DEEP)
    with pytest.raises(ValueError, match=r"is no journal of a takedown \(it is nested too deep\)"):
        read_journal(tmp_path)


@pytest.mark.parametrize("stored", [DEEP, "{", "[]", "{}", "null", '{"version": "one"}'])
def test_metadata_of_an_index_that_is_none(tmp_path, stored):
    table = pa.table({"file": ["a"]}).replace_schema_metadata({b"index": stored.encode()})
    with pytest.raises(ValueError, match=r"i\.parquet has no readable metadata \(.*make it by `portraitdata inspect`"):
        stored_metadata(table, b"index", 1, tmp_path / "i.parquet", "inspect")


def test_facts_of_a_split_that_are_none(tmp_path):
    table = pa.table({"uid": ["a"]})
    file = tmp_path / SPLIT / "splits.parquet"
    for stored, reason in (
        (DEEP, "nested too deep"),
        ("{", "Expecting"),
        ("[]", "mapping"),
        ("{}", "missing"),
        (None, ""),
    ):
        write_rows(table if stored is None else table.replace_schema_metadata({SPLIT_FACTS: stored}), file)
        with pytest.raises(
            ValueError, match=rf"splits\.parquet holds no facts about the split \(.*{reason}.*remove it"
        ):
            read_split_facts(tmp_path)
    facts = SplitFacts(0.4, 3, 2, None)
    write_rows(table.replace_schema_metadata({SPLIT_FACTS: json.dumps(facts._asdict())}), file)
    assert read_split_facts(tmp_path) == facts
