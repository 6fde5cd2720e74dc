"""The command line of documents: what every service has, and `verify`."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tsunagi_documents.app import SERVICE
from tsunagi_documents.objects import BucketUnavailable
from tsunagi_documents.settings import DocumentsSettings
from tsunagi_documents.verify import report, verify_with
from tsunagi_shared import commands
from tsunagi_shared.settings import SettingsError, read


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked and found nothing wrong, 1 with plain sentences when not."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["verify"]:
        return _verify(given[1:])
    return commands.main(SERVICE, given)


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
        print(
            "設定に間違いがあります。直してからもう一度実行してください。", *error.problems, sep="\n- ", file=sys.stderr
        )
        return 1
    except BucketUnavailable as error:
        print(f"文書の保管先（S3）につながりません（{error.code}）。", file=sys.stderr)
        return 1
    print(report(findings))
    return 0 if findings.sound else 1


if __name__ == "__main__":
    sys.exit(main())
