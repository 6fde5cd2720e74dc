"""The command line of documents: what every service has, `verify` and `block`."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tsunagi_documents import blocking
from tsunagi_documents.app import SERVICE
from tsunagi_documents.blocking import SCOPES, BlockRefused
from tsunagi_documents.closing import doors_of
from tsunagi_documents.objects import BucketUnavailable
from tsunagi_documents.settings import DocumentsSettings
from tsunagi_documents.verify import report, verify_with
from tsunagi_shared import clock, commands
from tsunagi_shared.contracts.profile import ProfileError
from tsunagi_shared.service import build_runtime
from tsunagi_shared.settings import SettingsError, read


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked and found nothing wrong, 1 with plain sentences when not."""
    own = {
        "verify": commands.Command("保管先のファイルを確かめる（動かしたままでよい）", _verify),
        "block": commands.Command("文書を手で閉じる・元に戻す（動かしたままでよい）", _block),
    }
    return commands.main(SERVICE, arguments, own)


def _wrong_settings(error: SettingsError) -> int:
    print("設定に間違いがあります。直してからもう一度実行してください。", *error.problems, sep="\n- ", file=sys.stderr)
    return 1


def _verify(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="tsunagi-documents verify", description="保管先のファイルを確かめる（動かしたままでよい）"
    )
    parser.add_argument(
        "--remove", action="store_true", help="どの文書のものでもないファイル（1時間より古いもの）を取り除く"
    )
    options = parser.parse_args(arguments)
    try:
        findings = asyncio.run(verify_with(read(DocumentsSettings), remove=options.remove))
    except SettingsError as error:
        return _wrong_settings(error)
    except BucketUnavailable as error:
        print(f"文書の保管先（S3）につながりません（{error.code}）。", file=sys.stderr)
        return 1
    print(report(findings))
    return 0 if findings.sound else 1


def _block(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="tsunagi-documents block",
        description="文書を手で閉じる。開こうとした人には、文書がないときと同じ答えになる（動かしたままでよい）",
    )
    parser.add_argument("scope", choices=[*SCOPES, "list"], help="何を閉じるか。list: 閉じてあるものの一覧")
    parser.add_argument("ref", nargs="?", default="", help="ケースの番号、人のID、文書のID")
    parser.add_argument("--lift", action="store_true", help="閉じたものを元に戻す")
    parser.add_argument("--reason", default="", help="理由（必須。記録に残る。住民の名前は書かない）")
    options = parser.parse_args(arguments)
    if options.scope != "list" and not (options.ref and options.reason.strip()):
        parser.error("番号かID（ref）と、理由（--reason）を書いてください。")
    try:
        runtime = build_runtime(SERVICE, read(SERVICE.settings))
    except SettingsError as error:
        return _wrong_settings(error)
    except ProfileError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        with runtime.database.connection() as connection:
            if options.scope == "list":
                for found, at in blocking.listed(connection):
                    since = clock.moment_of(at).astimezone(clock.JST)
                    print(f"{found.scope}\t{found.ref}\t{since:%Y-%m-%d %H:%M}")
                return 0
            act = blocking.lift if options.lift else blocking.block
            wanted = blocking.wanted(options.scope, options.ref)
            number = act(connection, runtime.profile, doors_of(runtime), wanted, options.reason.strip())
    except BlockRefused as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        runtime.database.close()
        runtime.accounts.close()
    print(f"{number} 件の文書を{'元に戻しました' if options.lift else '閉じました'}。")
    return 0


if __name__ == "__main__":
    sys.exit(main())
