"""A log that was changed behind the program's back says which entry, in a sentence."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2core.reviews.answer import FIELDS
from her2core.reviews.chain import (
    ANSWER_SINCE,
    GENESIS,
    ChainEntry,
    ChainHead,
    EntryFacts,
    StainFacts,
    VerdictFacts,
    entry_hash,
    verify,
)
from her2core.reviews.columns import ANSWER
from her2core.reviews.export import to_json
from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import StoreError
from her2core.scores import HER2Score
from her2core.settings import PROJECT_ROOT
from tests.review_samples import SHA, STAIN, draft, open_store, patch, tamper, url, verdict

ROOT = PROJECT_ROOT

FACTS = EntryFacts(
    patch_sha256=SHA,
    square=(50, 0, 200),
    reviewer="Ada",
    own_score=HER2Score.THREE_PLUS,
    confidence="high",
    comment="ring",
    seconds=12.5,
    blind=False,
    supersedes=None,
    recorded_at="2026-03-01T08:30:00.000000+00:00",
    verdicts=(
        VerdictFacts("cnn", "cnn-1", (0.1, 0.1, 0.1, 0.7), True, True),
        VerdictFacts("densenet121", "densenet121-1", (0.1, 0.1, 0.7, 0.1), True, None),
    ),
)
OTHER_VALUES: dict[str, Any] = {
    "patch_sha256": "b" * 64,
    "square": (51, 0, 200),
    "reviewer": "Bo",
    "own_score": 2,
    "confidence": "low",
    "comment": "ring ",
    "seconds": 12.500000001,
    "blind": True,
    "supersedes": 1,
    "recorded_at": "2026-03-01T08:30:00.000001+00:00",
    "verdicts": (),
    "stain": StainFacts("stain-2-0123456789ab", (8, 1, 1, 10), 3, None, False, 0.9, 0.8, 0.25),
}


def test_every_field_of_an_answer_has_a_version_of_the_hash_and_a_column():
    """A further one is hashed, exported and shown; one of later than version 1 may be missing."""
    assert set(ANSWER_SINCE) == set(FIELDS)
    assert [column.name for column in ANSWER] == list(FIELDS)
    assert {name for name, version in ANSWER_SINCE.items() if version == 1} == {
        "own_score",
        "confidence",
        "comment",
    }


class TestHash:
    @pytest.mark.parametrize("name", [field.name for field in fields(EntryFacts)])
    def test_every_fact_counts(self, name):
        changed = replace(FACTS, **{name: OTHER_VALUES[name]})
        assert entry_hash(changed, GENESIS) != entry_hash(FACTS, GENESIS)

    @pytest.mark.parametrize(
        "change",
        [
            {"model_id": "cnn-2"},
            {"probabilities": (0.1, 0.1, 0.1, 0.7000000001)},
            {"demo": False},
            {"agrees": False},
            {"agrees": None},
            {"novelty": 0.5},
        ],
    )
    def test_every_fact_of_a_verdict_counts(self, change):
        verdicts = (replace(FACTS.verdicts[0], **change), FACTS.verdicts[1])
        assert entry_hash(replace(FACTS, verdicts=verdicts), GENESIS) != entry_hash(FACTS, GENESIS)

    def test_the_hash_before_counts_and_the_order_of_verdicts_does_not(self):
        assert entry_hash(FACTS, "1" * 64) != entry_hash(FACTS, GENESIS)
        swapped = replace(FACTS, verdicts=FACTS.verdicts[::-1])
        assert entry_hash(swapped, GENESIS) == entry_hash(FACTS, GENESIS)

    def test_the_spelling_that_is_hashed_never_changes(self):
        """A log hashed by one version must verify in every later one."""
        spelled = (
            '{"blind":false,"comment":"ring","confidence":"high","own_score":3,"patch_sha256":"'
            + SHA
            + '","previous_hash":"'
            + GENESIS
            + '","recorded_at":"2026-03-01T08:30:00.000000+00:00","reviewer":"Ada","seconds":12.5,'
            '"square":[50,0,200],"supersedes":null,"verdicts":[{"agrees":true,"architecture":"cnn",'
            '"demo":true,"model_id":"cnn-1","probabilities":[0.1,0.1,0.1,0.7]},{"agrees":null,'
            '"architecture":"densenet121","demo":true,"model_id":"densenet121-1",'
            '"probabilities":[0.1,0.1,0.7,0.1]}],"version":1}'
        )
        assert entry_hash(FACTS, GENESIS) == hashlib.sha256(spelled.encode("ascii")).hexdigest()

    @pytest.mark.parametrize("name", [field.name for field in fields(StainFacts)])
    def test_every_fact_of_the_stain_reading_counts(self, name):
        other = StainFacts("stain-3", (9, 1, 1, 10), 2, "why", True, 0.8, 0.7, 0.5)
        stain: Any = OTHER_VALUES["stain"]
        changed = replace(stain, **{name: getattr(other, name)})
        assert entry_hash(replace(FACTS, stain=changed), GENESIS) != entry_hash(
            replace(FACTS, stain=stain), GENESIS
        )


class TestVerify:
    @given(count=st.integers(0, 12))
    def test_an_untouched_log_is_intact(self, count):
        entries, head = _log(count)
        assert verify(entries, head) == []

    @given(data=st.data(), count=st.integers(1, 12))
    def test_a_changed_entry_is_the_only_one_named(self, data, count):
        entries, head = _log(count)
        index = data.draw(st.integers(0, count - 1))
        facts = replace(entries[index].facts, comment="edited")
        entries[index] = replace(entries[index], facts=facts)
        (sentence,) = verify(entries, head)
        assert sentence.startswith(f"Entry {index + 1} was changed")

    @given(data=st.data(), count=st.integers(1, 12))
    def test_removed_entries_are_named_wherever_they_were(self, data, count):
        entries, head = _log(count)
        gone = data.draw(st.sets(st.integers(1, count), min_size=1))
        sentences = verify([entry for entry in entries if entry.id not in gone], head)
        named = {number for sentence in sentences for number in _numbers(sentence)}
        assert named == gone

    @given(data=st.data(), count=st.integers(2, 12))
    def test_swapped_entries_are_out_of_order(self, data, count):
        entries, head = _log(count)
        first, second = sorted(
            data.draw(st.sets(st.integers(0, count - 1), min_size=2, max_size=2))
        )
        a, b = entries[first], entries[second]
        entries[first], entries[second] = replace(b, id=a.id), replace(a, id=b.id)
        sentences = verify(entries, head)
        for number in (a.id, b.id):
            assert any(s.startswith(f"Entry {number} is out of order") for s in sentences), (
                sentences
            )

    def test_an_edit_with_a_fresh_hash_breaks_the_next_link(self):
        entries, head = _log(4)
        facts = replace(entries[1].facts, own_score=0)
        entries[1] = replace(
            entries[1], facts=facts, entry_hash=entry_hash(facts, entries[1].previous_hash)
        )
        (sentence,) = verify(entries, head)
        assert sentence.startswith("Entry 3 does not follow entry 2: entry 2 was replaced")

    def test_an_edit_of_the_last_entry_with_a_fresh_hash_is_seen_too(self):
        entries, head = _log(2)
        facts = replace(entries[1].facts, own_score=0)
        entries[1] = replace(
            entries[1], facts=facts, entry_hash=entry_hash(facts, entries[1].previous_hash)
        )
        (sentence,) = verify(entries, head)
        assert sentence.startswith("Entry 2 is not the one recorded last")

    def test_renumbering_does_not_hide_a_removed_entry(self):
        entries, _ = _log(3)
        left = [entries[0], replace(entries[2], id=2)]
        (sentence,) = verify(left, ChainHead(2, left[-1].entry_hash))
        assert "Entry 2 does not follow entry 1" in sentence

    def test_a_missing_end_mark_is_said(self):
        entries, _ = _log(1)
        assert verify(entries, None) == ["The record of where the log ends is missing."]


class TestTamperedDatabase:
    @pytest.fixture
    def log(self, store_url):
        store = open_store(store_url)
        store.add_patch(patch("b" * 64))
        for number in range(5):
            store.save_review(draft(comment=f"entry {number + 1}"))
        yield store
        store.close()

    def test_untouched_it_is_intact(self, log):
        assert log.verify_chain() == []

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE review SET own_score = 0 WHERE id = 3",
            "UPDATE review SET own_score = 77 WHERE id = 3",
            "UPDATE review SET comment = 'entry 3 ' WHERE id = 3",
            "UPDATE review SET seconds = 'infinity' WHERE id = 3",
            "UPDATE review SET blind = NOT blind WHERE id = 3",
            "UPDATE review SET recorded_at = 'yesterday' WHERE id = 3",
            "UPDATE review SET square_x = 0 WHERE id = 3",
            "UPDATE review SET patch_id = 2 WHERE id = 3",
            "UPDATE review SET patch_id = 99 WHERE id = 3",
            "UPDATE review SET supersedes = 1 WHERE id = 3",
            "UPDATE review SET previous_hash = entry_hash WHERE id = 3",
            "UPDATE review SET entry_hash = 'x' WHERE id = 3",
            "UPDATE review_verdict SET agrees = NOT agrees WHERE review_id = 3",
            "UPDATE review_verdict SET agrees = NULL WHERE review_id = 3 AND NOT agrees",
            "DELETE FROM review_verdict WHERE review_id = 3 AND agrees",
        ],
    )
    def test_one_edit_names_its_entry_and_no_other(self, store_url, log, statement):
        tamper(store_url, statement)
        (sentence,) = log.verify_chain()
        assert sentence.startswith("Entry 3 was changed")

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE verdict SET p_3plus = 0.71 WHERE architecture = 'cnn'",
            "UPDATE verdict SET model_id = 'cnn-other' WHERE architecture = 'cnn'",
            "DELETE FROM verdict WHERE architecture = 'cnn'",
            "UPDATE reviewer SET name = 'Somebody Else'",
            "UPDATE patch SET sha256 = 'd' || substr(sha256, 2) WHERE id = 1",
        ],
    )
    def test_an_edit_of_what_all_rest_on_names_all(self, store_url, log, statement):
        tamper(store_url, statement)
        sentences = [s for s in log.verify_chain() if s.startswith("Entry")]
        assert [s.split(" was changed")[0] for s in sentences] == [
            f"Entry {n}" for n in range(1, 6)
        ]

    @pytest.mark.parametrize(
        ("gone", "sentences"),
        [
            ("id = 1", ["Entry 1 is missing."]),
            ("id IN (2, 3)", ["Entries 2 to 3 are missing."]),
            ("id = 5", ["Entry 5 is missing."]),
            ("id > 0", ["Entries 1 to 5 are missing."]),
        ],
    )
    def test_deleted_rows(self, store_url, log, gone, sentences):
        tamper(store_url, f"DELETE FROM review WHERE {gone}")
        assert log.verify_chain() == sentences

    def test_a_blob_where_a_score_belongs_is_named_too(self, tmp_path):
        """SQLite holds any kind of value in any column."""
        log = open_store(tmp_path)
        log.save_review(draft())
        tamper(tmp_path, "UPDATE review SET own_score = x'00ff'")
        (sentence,) = log.verify_chain()
        assert sentence.startswith("Entry 1 was changed")

    def test_a_log_without_its_end_takes_no_new_entry(self, store_url, log):
        tamper(store_url, "DELETE FROM log_head")
        with pytest.raises(StoreError, match="backup"):
            log.save_review(draft())


class TestOutsideTheProgram:
    def test_the_hash_can_be_recomputed_from_the_json_export(self, tmp_path):
        """An auditor with the export alone, and sixty lines of any language, can check it."""
        store = open_store(tmp_path)
        for number, stain in enumerate((None, STAIN, None)):
            verdicts = (verdict("cnn", novelty=0.1 + 0.2), verdict("densenet121"))[2 - number :]
            answer = {"blind": True, "agrees": {}, "stain": stain, "verdicts": verdicts}
            store.save_review(draft(comment=f"Ä {number}", **answer))
        exported = json.loads(to_json(store.reviews(ReviewFilter(include_superseded=True))))
        labels = ["0", "1+", "2+", "3+"]
        for entry in exported["reviews"]:
            stain = entry["stain"]
            newer = stain is not None or any(v["novelty"] is not None for v in entry["verdicts"])
            payload = {
                "version": 2 if newer else 1,
                "previous_hash": entry["previous_hash"],
                "patch_sha256": entry["patch"]["sha256"],
                "square": [entry["square"][key] for key in ("x", "y", "size")],
                "own_score": labels.index(entry["own_score"]),
                "verdicts": [
                    {
                        key: value
                        for key, value in verdict.items()
                        # neither the score, which follows, nor what ran the network is hashed
                        if key not in {"score", "backend"} and (key, value) != ("novelty", None)
                    }
                    for verdict in entry["verdicts"]
                ],
                **{
                    key: entry[key]
                    for key in ("reviewer", "confidence", "comment", "seconds", "blind")
                },
                **{key: entry[key] for key in ("supersedes", "recorded_at")},
            }
            if stain is not None:
                names = ("none", "faint_incomplete", "moderate_complete", "intense_complete")
                payload["stain"] = {key: stain[key] for key in stain.keys() - {"cells", "shares"}}
                payload["stain"]["counts"] = [stain["cells"][name] for name in names]
                score = stain["score"]
                payload["stain"]["score"] = None if score is None else labels.index(score)
            spelled = json.dumps(payload, sort_keys=True, separators=(",", ":"))
            assert hashlib.sha256(spelled.encode()).hexdigest() == entry["entry_hash"]

    def test_the_command_says_intact_or_names_the_entry(self, tmp_path):
        store = open_store(tmp_path)
        noted = [store.save_review(draft()).entry_hash for _ in range(2)][-1]
        store.close()
        intact = _command(tmp_path, "--contains", noted)
        assert (intact.returncode, intact.stderr) == (0, "")
        log, register = intact.stdout.splitlines()
        assert log == f"Intact: 2 entries; hash of the last: {noted}"
        assert register.startswith("Register of patches, double reads, showings and audit: 1 lines")
        line = register.split()[-1]
        assert _command(tmp_path, "--contains", line).returncode == 0
        assert _command(tmp_path, "--contains", "e" * 64).returncode == 1

        tamper(tmp_path, "UPDATE review SET own_score = 0 WHERE id = 1")
        broken = _command(tmp_path)
        assert broken.returncode == 1
        assert broken.stdout.startswith("Entry 1 was changed")

    def test_the_command_makes_no_database_where_there_is_none(self, tmp_path):
        absent = _command(tmp_path)
        assert absent.returncode == 2
        assert "no review database" in absent.stderr
        assert list(tmp_path.iterdir()) == []


@settings(max_examples=25)
@given(st.lists(st.integers(0, 3), max_size=6))
def test_facts_of_any_log_chain_up(scores):
    entries, head = _log(len(scores), scores)
    assert [entry.previous_hash for entry in entries] == [
        GENESIS,
        *(entry.entry_hash for entry in entries),
    ][: len(entries)]
    assert verify(entries, head) == []


def _log(count, scores=None):
    entries, previous = [], GENESIS
    for number in range(1, count + 1):
        score = HER2Score(scores[number - 1] if scores else 3)
        facts = replace(FACTS, comment=f"entry {number}", own_score=score)
        entries.append(ChainEntry(number, facts, previous, entry_hash(facts, previous)))
        previous = entries[-1].entry_hash
    return entries, ChainHead(count, previous)


def _numbers(sentence):
    """The entry numbers of an "is missing" sentence."""
    words = sentence.rstrip(".").split()
    assert sentence.endswith(("is missing.", "are missing.")), sentence
    bounds = [int(word) for word in words if word.isdecimal()]
    return range(bounds[0], bounds[-1] + 1)


def _command(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "her2core.reviews", "verify", "--database", url(folder), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
