"""The changes that `make mutation` tries, and how it tells which of them are accounted for."""

from __future__ import annotations

import pytest

from tests.mutation.__main__ import calls, explained
from tests.mutation.mutants import mutants

SOURCE = '''
"""Words about the module."""
from x import y
TABLE = {Kind.A: 1, Kind.B: 2}
class Rule(Struct, frozen=True):
    "Words about the class."
    first: str = ""
class Words(CodeList):
    CODE = "code", "言葉"
def may(a, b):
    """Words about the function."""
    if a < b and not a:
        return any(a)
    return call(a, only=b)
'''


def test_every_place_is_changed_once_in_each_way() -> None:
    """Comparisons, conditions, operands, arguments, rows, codes and returns; never words, imports or class options."""
    found = {mutant.name for mutant in mutants(SOURCE, {"Kind": ("A", "B")})}
    assert found == {
        "TABLE: {Kind.A: 1, Kind.B: 2} − Kind.A", "TABLE: {Kind.A: 1, Kind.B: 2} − Kind.B", "TABLE: Kind.A → Kind.B",
        "TABLE: Kind.B → Kind.A", "TABLE: 1 → 2", "TABLE: 2 → 3", "Rule: '' → 'XX'",
        "may: if a < b and (not a): return any(a) → if not (a < b and (not a)): return any(a)",
        "may: a < b and (not a) → a < b or not a", "may: a < b and (not a) − a < b", "may: a < b and (not a) − not a",
        "may: a < b → a <= b", "may: not a → a", "may: return any(a) → return None", "may: any → all",
        "may: return call(a, only=b) → return None", "may: call(a, only=b) − only=b",
    }  # fmt: skip


def test_a_mutant_differs_in_one_place_alone() -> None:
    """Each is the source with its own change, and the names are all different."""
    found = mutants(SOURCE, {"Kind": ("A", "B")})
    assert len({mutant.name for mutant in found}) == len({mutant.source for mutant in found}) == len(found)
    turned = next(mutant for mutant in found if mutant.name == "may: a < b → a <= b")
    assert "if a <= b and (not a):" in turned.source
    assert "return any(a)" in turned.source


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize(("second", "third"), [(3, 4), (5, 6)])
def test_parametrized(first: int, second: int, third: int) -> None:
    """Four sets of arguments; what the next test looks at."""
    assert first < second < third


def test_each_test_is_called_with_each_set_of_arguments() -> None:
    """As pytest would."""
    import tests.mutation.test_mutants as this

    found = [arguments for test, arguments in calls(this) if test.__name__ == "test_parametrized"]
    assert (
        sorted(tuple(row.values()) for row in found) == [(1, 3, 4), (1, 5, 6), (2, 3, 4), (2, 5, 6)] or len(found) == 4
    )
    assert all(row.keys() == {"first", "second", "third"} for row in found)


def test_what_is_explained_names_a_module_and_a_reason() -> None:
    """Each row of docs/mutation.md that counts."""
    found = explained()
    assert found
    assert all(name.partition(".")[0] in ("consents", "audience", "rules", "lifecycle") for name in found)
    assert all(reason.endswith(".") for reason in found.values())
