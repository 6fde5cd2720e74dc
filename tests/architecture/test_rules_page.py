"""docs/rules.md says what the rules are, and every rule is held by a test that is there."""

from __future__ import annotations

from tests.architecture.rules_page import ELSEWHERE, PAGE, REPOSITORY, TITLES, holding, page
from tsunagi_intake.rulebook import RULES


def test_the_page_is_what_the_table_says() -> None:
    """`make rules` was run after the last change."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_rule_has_its_test_and_every_such_test_its_rule() -> None:
    """None is missing, none is left over, and those of another service are there under the name given."""
    assert holding().keys() == {rule.id for rule in RULES}
    assert {rule.number for rule in RULES} == TITLES.keys()
    for place in ELSEWHERE.values():
        path, _, name = place.partition("::")
        assert f"def {name}(" in (REPOSITORY / path).read_text(encoding="utf-8")
