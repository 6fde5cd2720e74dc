"""`tsunagi-intake`: the shared commands, and `republish` for outages longer than the bus keeps events."""

from __future__ import annotations

import argparse
import sys

import sqlalchemy as sa

from tsunagi_intake import referrals
from tsunagi_intake.app import SERVICE
from tsunagi_intake.tables import referrals as table
from tsunagi_shared import clock, commands
from tsunagi_shared.contracts.profile import ProfileError
from tsunagi_shared.forms.japanese import ReadingError, read_date
from tsunagi_shared.service import build_runtime
from tsunagi_shared.settings import SettingsError, read


def republish(arguments: list[str]) -> int:
    """Publish every referral received since a day once more; consumers that have them change nothing."""
    parser = argparse.ArgumentParser(
        prog="tsunagi-intake republish", description="その日から後の受付を、もう一度発信する"
    )
    parser.add_argument("--since", required=True, help="例: 2026-11-01、令和8年11月1日")
    try:
        since = read_date(parser.parse_args(arguments).since)
        runtime = build_runtime(SERVICE, read(SERVICE.settings))
    except (ReadingError, SettingsError, ProfileError) as error:
        print(error, file=sys.stderr)
        return 1
    with runtime.database.connection() as connection:
        rows = connection.execute(sa.select(table.c.id, table.c.submitted_at).order_by(table.c.seq)).all()
        wanted = [row.id for row in rows if clock.japanese_date(row.submitted_at) >= since]
        for referral_id in wanted:
            referrals.publish_again(connection, referral_id, runtime.profile, runtime.outbox)
    runtime.database.close()
    runtime.accounts.close()
    print(f"{len(wanted)}件を発信待ちに入れました。動いている受付サービスが届けます。")
    return 0


def main() -> None:
    """Entry point."""
    if sys.argv[1:2] == ["republish"]:
        sys.exit(republish(sys.argv[2:]))
    sys.exit(commands.main(SERVICE))


if __name__ == "__main__":
    main()
