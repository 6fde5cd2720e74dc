"""`tsunagi-intake`: the shared commands, and `republish` for outages longer than the bus keeps events."""

from __future__ import annotations

import argparse
import sys

from tsunagi_intake.app import SERVICE
from tsunagi_intake.republishing import republish_since
from tsunagi_shared import commands
from tsunagi_shared.contracts.profile import ProfileError
from tsunagi_shared.forms.japanese import ReadingError, read_date
from tsunagi_shared.service import build_runtime
from tsunagi_shared.settings import SettingsError, read

REPUBLISH = "その日から後に動きのあったケースを、もう一度発信する（文書サービスが14日より長く止まったときなど）"


def republish(arguments: list[str]) -> int:
    """Publish every case in which something happened since a day once more; consumers that know it change nothing."""
    parser = argparse.ArgumentParser(prog="tsunagi-intake republish", description=REPUBLISH)
    parser.add_argument("--since", required=True, help="例: 2026-11-01、令和8年11月1日")
    try:
        since = read_date(parser.parse_args(arguments).since)
        runtime = build_runtime(SERVICE, read(SERVICE.settings))
    except (ReadingError, SettingsError, ProfileError) as error:
        print(error, file=sys.stderr)
        return 1
    try:
        cases, forms = republish_since(runtime, since)
    finally:
        runtime.database.close()
        runtime.accounts.close()
    print(f"ケース{cases}件、様式{forms}件を発信待ちに入れました。動いている受付サービスが届けます。")
    return 0


def main() -> None:
    """Entry point."""
    sys.exit(commands.main(SERVICE, own={"republish": commands.Command(REPUBLISH, republish)}))


if __name__ == "__main__":
    main()
