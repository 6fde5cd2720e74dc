"""`make rules`: writes docs/rules.md from the table of the rules and the tests that hold them.

The test of a rule is named after it: `test_rule_audience_consent` holds `audience-consent`. One that another service holds
is named in ELSEWHERE.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tsunagi_intake.rulebook import REFUSALS, RULES

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "rules.md"
# Rules that documents holds at each read
ELSEWHERE = {
    "stale-is-closed": "tests/documents/test_consent_unknown.py::test_a_basis_of_consent_closes_when_consents_are_too_old"
}
TITLES = {
    1: "同意のゲート（会議の議題）",
    2: "決定のゲート（プラン）",
    3: "ケースとプランの状態",
    4: "だれが見られるか",
    5: "住所等の秘匿",
    6: "同意は一人ひとり",
    7: "古い同意の状態",
    8: "契約の期間",
    9: "だれが操作できるか",
}
_HEAD = """<!-- make rules が書きます。直すのは intake の rulebook、meeting_rules、sitting_rules。 -->
# 規則の一覧

受付（intake）が守らせる規則です。断るときは、必ず符号と理由と、代わりにできることを返し、断ったことを記録します。
典拠の「6.n」は設計の規則の番号、F・K・S・A・U・W は事業の資料（福生市・上士幌町・上智大学・芦屋市・久留米市の資料と公開の頁）の
行や番号、domain はその資料をまとめたものの節です。
"""


def holding() -> dict[str, str]:
    """By rule id, `path::name` of the test that holds it. ValueError when two tests claim the same rule."""
    found = dict(ELSEWHERE)
    for path in sorted((REPOSITORY / "tests" / "intake").glob("test_*.py")):
        for name in re.findall(r"^(?:async )?def (test_rule_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            rule = name.removeprefix("test_rule_").replace("_", "-")
            if rule in found:
                raise ValueError(f"two tests claim the rule {rule}")
            found[rule] = f"{path.relative_to(REPOSITORY)}::{name}"
    return found


def page() -> str:
    """docs/rules.md as it should stand. KeyError for a rule without a test."""
    tests = holding()
    lines = [_HEAD]
    for number, title in TITLES.items():
        lines += [f"## {number} {title}", "", "| 規則 | 内容 | 典拠 | 符号 | テスト |", "|---|---|---|---|---|"]
        for rule in RULES:
            if rule.number == number:
                codes = "<br>".join(f"`{code}`" for code in rule.codes) or "–"
                lines.append(
                    f"| `{rule.id}` {rule.title} | {rule.says} | {rule.source} | {codes} | `{tests[rule.id]}` |"
                )
        lines.append("")
    lines += ["## 断るときの言葉", "", "| 符号 | 規則 | 理由 | 代わりにできること |", "|---|---|---|---|"]
    lines += [f"| `{row.code}` | `{row.rule}` | {row.reason} | {row.way_out} |" for row in REFUSALS.values()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(REPOSITORY)} を書きました。\n")
