"""The instructions of each operation of the data path stay within the figures that are committed beside it."""
import platform

import pytest

import instructions

COMMITTED = {"percent": 3, "compiler": "g++ 12", "instructions": {"parse": 1000, "shake": 1000},
             "wider": [{"operations": ["shake"], "percent": 20, "because": "of the processor"}]}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the committed figures are of x86-64")
def test_no_operation_takes_more_instructions_than_committed():
    measured = instructions.measure()
    committed = instructions.load()
    problem = instructions.explain(committed, *instructions.compare(committed, measured))
    assert not problem, "\n" + problem


@pytest.mark.parametrize("now, verdict", [(1031, "worse"), (1030, "well"), (970, "well"), (969, "stale")])
def test_a_figure_may_move_by_three_percent(now, verdict):
    worse, stale = instructions.compare(COMMITTED, {"parse": now, "shake": 1000})
    assert (bool(worse), bool(stale)) == (verdict == "worse", verdict == "stale"), worse + stale


def test_the_message_says_which_operation_and_by_how_much():
    worse, _ = instructions.compare(COMMITTED, {"parse": 1100, "shake": 1000})
    assert worse == ["parse: 1100 instructions, +10.0 % against the committed 1000 (allowed: 3 %)"]


def test_what_depends_on_the_processor_has_a_wider_bound():
    assert instructions.compare(COMMITTED, {"parse": 1000, "shake": 1190}) == ([], [])
    assert instructions.compare(COMMITTED, {"parse": 1000, "shake": 1210})[0]


def test_new_and_gone_operations_are_named():
    _, stale = instructions.compare(COMMITTED, {"parse": 1000, "pick": 7})
    assert stale == ["pick: has no committed figure; it takes 7", "shake: is committed, but there is no such operation"]


def test_every_wider_bound_gives_its_reason():
    for rule in instructions.load()["wider"]:
        assert rule["because"] and set(rule["operations"]) <= set(instructions.load()["instructions"])
