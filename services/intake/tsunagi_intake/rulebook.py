"""Every rule of intake, with its source, and every refusal, with its reason and what is possible instead.

`docs/rules.md` is written from this table (`make rules`). Reasons and ways out are read by staff, so they say what
to do next and blame nobody. Sources: `6.n` is the rule's number in the design; F, K, S, W as in the field's collection of
source documents (福生市 実施計画（案）, 上士幌町 概要版, 上智大学 研修資料, public pages).
"""

from __future__ import annotations

from tsunagi_intake.meeting_rules import CONSENT_GATE, DECISION_GATE, LIFE_CYCLE
from tsunagi_intake.rule import Broken, Rule, rule_of
from tsunagi_intake.sitting_rules import SITTINGS

__all__ = ["REFUSALS", "RULES", "Broken", "Rule"]

_AUDIENCE = (
    rule_of(
        "audience-origin",
        4,
        "書いた機関",
        "様式を書いた機関は、その全体を見られる。つなぎ回答は、つないだ機関も見られる。",
        "6.4 origin、domain §3.2（受付機関は自分のケース）",
    ),
    rule_of(
        "audience-provider",
        4,
        "多機関協働事業者",
        "多機関協働事業者は全体を見られる。直営でも支援会議の事務局でもないときは、本人の同意が要り、同意していない人は見えない。",
        "6.4 provider、F:223、S:427-430、domain §3.5（民間の提供は個情法27条）",
    ),
    rule_of(
        "audience-section", 4, "所管課", "市町村の所管課は全体を見られる。", "6.4 responsible_section、domain §3.2"
    ),
    rule_of(
        "audience-consent",
        4,
        "同意した機関",
        "つなぎ先と役割分担の機関は、本人の有効な同意に名があるときだけ、概要を見られる。",
        "6.4 consent、F:221、S:419-421",
        (
            "consent-missing",
            "本人の同意がないため、この機関には何も届けていません。",
            "支援会議で扱えます。同意を得て記録すると、その日から届きます。",
        ),
        (
            "consent-does-not-name",
            "本人の同意した共有先にこの機関が入っていないため、何も届けていません。",
            "この機関との共有にも同意を得て、同意に加えてください。",
        ),
    ),
    rule_of(
        "audience-exclusion",
        4,
        "本人が除いた機関",
        "本人が共有してほしくないと言った機関には、同意によっては何も届けない。後の日の同意でその機関に同意したときだけ改まる。",
        "6.4（minus agencies the person excluded）、domain §2 様式4（除外する機関）",
        (
            "agency-excluded",
            "本人が、この機関には共有してほしくないと言っているため、何も届けていません。",
            "本人の気持ちが変わったときは、この機関を共有先とする同意をあらためて得てください。",
        ),
    ),
    rule_of(
        "audience-sitting",
        4,
        "支援会議の構成員",
        "支援会議で扱う様式は、選ばれた構成員が見られる。同意のないケースは支援会議限りとし、事務局が見られる。",
        "6.4 sitting、法106条の6、F:248、S:487-508",
    ),
    rule_of(
        "audience-legal-duty",
        4,
        "法令による提供",
        "通告など法令の定めによる相手は、根拠となる法令を記録したときに、定めた日まで見られる。",
        "6.4 legal_duty、domain §3.5（根拠の法令を記録する）、W24",
    ),
    rule_of(
        "audience-emergency",
        4,
        "緊急の提供",
        "生命・身体・財産を守るため緊急に知らせる相手は、理由と判断した人を記録したときに、定めた日まで見られる。",
        "6.4 emergency、K:107、W24",
    ),
    rule_of(
        "audience-one-entry",
        4,
        "根拠は1機関に1つ",
        "1つの機関が見る根拠が2つ以上あるときは、最も広く見られるものを1つ選んで記録する。",
        "6.4、docs/decisions/0006",
    ),
    rule_of(
        "audience-kinds",
        4,
        "様式ごとの範囲",
        "つなぎ先に届くのは共通様式とアセスメントの概要だけ。回答・同意書・支援経過・評価・誓約書は届かない。",
        "6.4、domain §3.2（閲覧の表）",
    ),
    rule_of(
        "audience-withdrawn",
        4,
        "取下げと誤送付",
        "取り下げた様式と誤送付の様式は、書いた機関と所管課だけが見られる。",
        "6.4、domain §4（漏えい報告）",
        (
            "record-withdrawn",
            "この様式は、取り下げられたか、誤送付として取り消されています。",
            "必要なときは、正しい内容で新しく提出してください。",
        ),
    ),
)
_PERSONS = (
    rule_of(
        "protection",
        5,
        "住所等の秘匿",
        "秘匿する項目は、見てよいと定めた機関のほかには、書いた機関にも見せない。後から始まる秘匿は、始まる前の日までで閲覧をいったん閉じる。",
        "6.5、W25（総務省通知 R1.6.27）",
    ),
    rule_of(
        "per-person",
        6,
        "同意は一人ひとり",
        "同意は人ごとに得る。同意していない世帯員のことは、その人が同意した機関のほかには見せない。",
        "6.6、domain §2 様式4（世帯員ごと）、S:496",
    ),
    rule_of(
        "consent-live",
        6,
        "有効な同意",
        "同意は、得た日から、期限の日まで有効で、撤回の日からは効力を持たない。日付は日本の暦日。",
        "6.6、domain §2 様式4（有効期間・撤回）",
    ),
    rule_of(
        "consent-successor",
        6,
        "受託者が替わったとき",
        "同意は、得た日にその機関を運営していた受託者までに及ぶ。次の受託者に及ぶのは、本人がそれにも同意したときだけ。",
        "6.6 consent_covers_successor、domain §0.9",
        (
            "consent-of-earlier-contractor",
            "本人の同意は、この機関の前の受託者に対するものです。",
            "いまの受託者との共有について、本人にあらためて同意を得てください。",
        ),
    ),
    rule_of(
        "stale-is-closed",
        7,
        "古い同意の状態",
        "同意の状態が分からないまま定めた時間が過ぎたら、同意による閲覧を閉じる。理由を書けば開けて、記録に残る。",
        "6.7",
        (
            "consent-unknown",
            "本人の同意がいまも続いているかを確かめられないため、開けません。",
            "受付サービスとの接続が戻ると、開けるようになります。いますぐ必要なときは、サインインした職員が理由を示せば開けます。",
        ),
    ),
    rule_of(
        "contract",
        8,
        "契約の期間",
        "受託者の職員の閲覧と操作は、契約の期間とともに終わる。記録は市町村に残る。",
        "6.8、W40、W41、U:24-135",
        (
            "contract-ended",
            "この機関は、いま市町村との契約の期間にありません。",
            "所管課にたずね、引き継いだ機関をつなぎ先にしてください。",
        ),
    ),
)
_ACTIONS = (
    rule_of(
        "may-see",
        9,
        "見られる人の操作",
        "ケースと様式への操作は、それを見られる機関の人だけができる。見られない人には、あるかどうかも知らせない。",
        "4.2（unknown and forbidden give the same 404）、6.4",
        (
            "no-view",
            "見つからないか、見る権限がありません。",
            "番号を確かめてください。必要なときは、所管課か文書を作った機関にたずねてください。",
        ),
        (
            "full-view-needed",
            "この操作は、様式の全体を見られる機関だけができます。",
            "様式を書いた機関、多機関協働事業者、又は所管課に依頼してください。",
        ),
    ),
    rule_of(
        "may-role",
        9,
        "役割",
        "ケースへの操作は、その操作を担う役割の人だけができる。システム管理者と監査は、ケースに書き込まない。",
        "design §1・§2、F:182・207-219",
        (
            "role-missing",
            "この操作を担う役割がありません。",
            "地域福祉コーディネーターか所管課に相談してください。",
        ),
    ),
    rule_of(
        "may-part",
        9,
        "機関の立場",
        "取下げと訂正は書いた機関、役割分担・主担当・終了は多機関協働事業者か所管課、アセスメントと評価は多機関協働事業者か"
        "役割分担の機関、支援決定・廃棄・開示は所管課が行う。",
        "domain §3.2（閲覧の表）、F:207-223",
        ("not-writer", "この操作は、様式を書いた機関が行います。", "書いた機関に依頼してください。"),
        (
            "not-provider-or-section",
            "この操作は、多機関協働事業者か所管課が行います。",
            "地域福祉コーディネーターか所管課に依頼してください。",
        ),
        (
            "not-allocated",
            "この操作は、多機関協働事業者か、このケースの役割分担にある機関が行います。",
            "地域福祉コーディネーターに、役割分担に加えるよう依頼してください。",
        ),
        ("not-section", "この操作は、所管課が行います。", "所管課に依頼してください。"),
    ),
    rule_of(
        "may-plan",
        9,
        "プランを作る機関",
        "プランの作成・付議と本人の合意の記録は、多機関協働事業者か、その種類の事業（参加支援は2号、アウトリーチ等は4号、多機関協働は5号）を"
        "担う役割分担の機関が行う。支援依頼には、その行の機関が答える。",
        "domain §2 様式6-8（書く人）、U:119-135・173-175、design §7（支援依頼書）",
        (
            "not-plan-owner",
            "この種類のプランは、多機関協働事業者か、その事業を担う役割分担の機関が作ります。",
            "多機関協働事業者に依頼するか、役割分担に加えるよう、地域福祉コーディネーターに依頼してください。",
        ),
        (
            "not-asked-to-support",
            "この支援依頼は、あなたの機関に宛てたものではありません。",
            "プランの画面で、あなたの機関の役割を確かめてください。",
        ),
    ),
    rule_of(
        "may-reply",
        9,
        "つなぎ回答",
        "つなぎ回答は、多機関協働事業者、支援会議の事務局、同意のあるつなぎ先が、1つの機関につき1回行う。",
        "domain §2 様式3（受理・差戻し）、S:393・529-533",
        (
            "not-asked-to-reply",
            "この機関は、つなぎ回答を求められていません。",
            "伝えたいことは、支援経過に記録するか、多機関協働事業者に連絡してください。",
        ),
        (
            "already-answered",
            "このつなぎには、すでに回答が記録されています。",
            "回答を直すときは、記録した回答を訂正してください。",
        ),
    ),
    rule_of(
        "may-second-person",
        9,
        "別の人の承認",
        "廃棄は、廃棄の案を作った人とは別の人が承認する。",
        "domain §3.4（W33・W34）",
        (
            "second-person-needed",
            "廃棄の案を作った人は、自分では承認できません。",
            "所管課の別の職員に承認を依頼してください。",
        ),
    ),
)

_TABLE = (*CONSENT_GATE, *SITTINGS, *DECISION_GATE, *LIFE_CYCLE, *_AUDIENCE, *_PERSONS, *_ACTIONS)
RULES: tuple[Rule, ...] = tuple(rule for rule, _ in _TABLE)
REFUSALS: dict[str, Broken] = {broken.code: broken for _, refused in _TABLE for broken in refused}
