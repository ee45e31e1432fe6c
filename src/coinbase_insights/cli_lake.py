"""The commands that keep and check: `ingest`, `verify` and `gaps`. What they need is imported when they are called."""

import asyncio
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import settings
from .cli_repeat import Opening, Probe, now
from .cli_sources import TOPIC
from .cli_talk import answer_of, lacks, say, write
from .cli_watch import typed
from .errors import DamagedError, StorageError, UsageError
from .options import (
    Channel,
    FeedName,
    ForOption,
    HealthHostOption,
    HealthPortOption,
    LakeArgument,
    ListFormat,
    ListFormatOption,
    ProductIds,
    UrlOption,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .collect import Delivery, Standing
    from .lake.raw import Raw
    from .lake.verify import Report
    from .log.segments import Segments


JournalOption = Annotated[
    Path | None,
    typer.Option("--journal", metavar="PATH", show_default="LAKE/journal", help="The folder of the journal."),
]


def ingest(
    product_id: ProductIds = None,
    to: Annotated[
        str, typer.Option("--to", metavar="PLACE", help="A lake (folder or address), or kafka://HOST:PORT/TOPIC.")
    ] = "",
    source: Annotated[
        str | None, typer.Option("--from", metavar="TOPIC", help="kafka://HOST:PORT/TOPIC instead of Coinbase.")
    ] = None,
    channel: Annotated[Channel | None, typer.Option(show_default="ticker_batch", help="What to listen to.")] = None,
    feed: Annotated[FeedName | None, typer.Option(show_default="exchange", help="Which of Coinbase's feeds.")] = None,
    all_products: Annotated[
        bool, typer.Option("--all-products", help="Every product that is traded at the start.")
    ] = False,
    journal: JournalOption = None,
    limit: Annotated[
        str | None, typer.Option("--journal-limit", metavar="SIZE", help="Of the journal, such as 500MB or 20GB.")
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            "--commit-every",
            metavar="DURATION",
            show_default="60s",
            help="Between two commits to the lake, at the most.",
        ),
    ] = None,
    fsync_always: Annotated[
        bool, typer.Option("--fsync-always", help="Sync after each message instead of once a second.")
    ] = False,
    health_port: HealthPortOption = None,
    health_host: HealthHostOption = None,
    output: ListFormatOption = ListFormat.LINES,
    length: ForOption = None,
    url: UrlOption = None,
) -> None:
    """Keep every message: from the socket into a journal, and from there exactly once into a lake, or into a topic."""
    if not to:
        raise UsageError("ingest needs a place to keep messages in.", "Name one: coinbase_insights ingest --to lake")
    seconds = None if length is None else settings.duration(length)
    commit_seconds = settings.duration(every or "60s")
    probe = Probe.typed(health_host, health_port)
    if source is not None:
        flags: dict[str, object] = {
            "-p": product_id,
            "--all-products": all_products,
            "--channel": channel,
            "--feed": feed,
        }
        flags |= {"--url": typed(url), "--journal": journal, "--journal-limit": limit, "--fsync-always": fsync_always}
        _refuse(to, flags | {"--format json": output is ListFormat.JSON})
        _relay(source, to, commit_seconds, seconds, probe)
        return
    if every is not None and to.startswith(TOPIC):
        raise UsageError("--commit-every is for a lake; a topic gets each message at once.", "Leave it out.")
    if bool(product_id) == all_products:
        raise UsageError("ingest needs products, or else --all-products.", "Name one: --product-id ETH-USD")
    folder = _journal(to, journal)
    most_bytes = None if limit is None else settings.size(limit)
    from .feed import Feed
    from .feed.endpoints import SOCKETS

    dialect = feed or FeedName.EXCHANGE
    address = settings.socket_url(url or SOCKETS[dialect])
    names = _products(settings.product_ids(product_id or []), address, dialect, is_new=not folder.is_dir())
    live = Feed(address, names, dialect=dialect, channel=channel or Channel.TICKER_BATCH)
    try:
        from .collect import Collect, Pace
    except ImportError as error:
        raise lacks("ingest", error) from error
    pace = Pace(commit_seconds=commit_seconds, fsync_always=fsync_always)
    if to.startswith(TOPIC):
        pace = Pace(commit_seconds=0.2, commit_lines=1, fsync_always=fsync_always)
    tell = _tell_json if output is ListFormat.JSON else _tell
    health = Opening()
    with probe.answered(health):
        collect = Collect(*_opened(to, folder, most_bytes), pace)
        health.look = collect.standing
        asyncio.run(collect.run(live.items(), seconds, tell))


def _products(named: tuple[str, ...], address: str, feed: FeedName, *, is_new: bool) -> tuple[str, ...]:
    """Give the products to collect: all that are traded, where none is named.

    Raises UnknownProductError before anything new is made for one that there is not.
    """
    from .feed.endpoints import rest_url
    from .feed.products import all_products, check

    if not named:
        return tuple(each.id for each in all_products(rest_url(address)) if each.is_traded)
    if is_new:
        check(rest_url(address), named if feed is FeedName.EXCHANGE else settings.books(named))
    return named


def _opened(to: str, folder: Path, most_bytes: int | None) -> "tuple[Segments, Delivery]":
    """Open the journal, and where its lines go: a lake, or a topic."""
    try:
        kept, delivery = _opened_both(to, folder, most_bytes)
    except ImportError as error:
        raise lacks("ingest", error) from error
    if kept.torn_bytes:
        say(f"the last line was torn by a crash: {kept.torn_bytes} bytes are dropped")
    return kept, delivery


def _opened_both(to: str, folder: Path, most_bytes: int | None) -> "tuple[Segments, Delivery]":
    from .log.segments import segments

    if to.startswith(TOPIC):
        from .log.kafka import address
        from .log.sending import Sending, following

        where = address(to)
        begin = None if folder.is_dir() and segments(folder) else following(where)
        return _segments(folder, begin, most_bytes), Sending(where, folder)
    from .lake.landing import LOG, Later, landing_of

    try:
        raw = _raw(to)
        landed = raw.landed(LOG)
    except DamagedError:
        raise
    except StorageError as error:
        if not folder.is_dir() or not segments(folder):  # Nobody knows where a new one would have to begin.
            raise
        say(f"{error.message} It is tried again; the journal takes what comes.")
        return _segments(folder, None, most_bytes), Later(to, folder)
    kept = _segments(folder, landed, most_bytes)
    try:
        return kept, landing_of(raw, folder, kept.end)
    except StorageError:
        kept.close()
        raise


def _raw(lake: str) -> "Raw":
    """Open a lake, or make it. Raises StorageError, also where it says nothing for long."""
    from .lake.raw import Raw

    return answer_of(lake, partial(Raw, lake, create=True))


def _segments(folder: Path, landed: int | None, most_bytes: int | None) -> "Segments":
    """Take the journal up; what a power cut has left damaged is set aside, and said to be missing."""
    from .log.mend import mend
    from .log.segments import Segments

    if folder.is_dir():
        for done in mend(folder, landed, folder / "aside", fits=False):
            say(f"repaired: {done}")
    return Segments(folder, start=landed or 0, most_bytes=most_bytes)


def _refuse(to: str, flags: "Mapping[str, object]") -> None:
    """Refuse what means nothing where messages come from a topic."""
    if given := [name for name, value in flags.items() if value]:
        raise UsageError(f"ingest --from a topic has no {' and no '.join(given)}.", "Leave it out.")
    if to.startswith(TOPIC):
        raise UsageError("ingest --from a topic goes into a lake.", "Name a folder or an address after --to.")


def _relay(source: str, to: str, commit_seconds: float, seconds: float | None, probe: Probe) -> None:
    """Land what a topic holds and gets."""
    try:
        from .lake.raw import Raw
        from .lake.relay import Relay, relay
        from .log.kafka import address
    except ImportError as error:
        raise lacks("ingest --from", error) from error
    health = Opening()
    with probe.answered(health):
        work = Relay(address(source), Raw(to, create=True))
        health.look = work.standing
        asyncio.run(
            relay(work, commit_seconds, seconds, lambda landed: say(f"{now()} {landed:,} messages in the lake"))
        )


def verify(
    lake: LakeArgument,
    journal: JournalOption = None,
    mend: Annotated[
        bool, typer.Option("--repair", help="Set aside what is damaged, and say in its place how much is missing.")
    ] = False,
    output: ListFormatOption = ListFormat.LINES,
) -> None:
    """Check that what was collected is whole: nothing damaged, missing or doubled. Exit code 1 when it is not."""
    try:
        from .lake.repair import repair
        from .lake.verify import to_json
        from .lake.verify import verify as check
    except ImportError as error:
        raise lacks("verify", error) from error
    folder = journal or (None if "://" in lake else Path(lake) / "journal")
    if folder is not None and not folder.is_dir():
        if journal is not None:
            raise StorageError(f"There is no journal in {journal}.", "Name the folder that ingest wrote.")
        folder = None
    report = check(lake, folder, _progress())
    if mend and not report.is_whole:
        _must_know_the_journal(lake, folder)
        for done in repair(lake, folder, report):
            say(f"repaired: {done}")
        report = check(lake, folder, _progress())
    print(to_json(report) if output is ListFormat.JSON else _in_words(report))
    if not report.is_whole:
        raise typer.Exit(1)


def _in_words(report: "Report") -> str:
    """Say what was found, a line each, and last whether all is whole."""
    from .show.numbers import counted

    found = [*(f"fault: {fault}" for fault in report.faults), *(f"note: {note}" for note in report.notes)]
    verdict = "whole" if report.is_whole else "NOT WHOLE"
    what = f"{counted(report.rows, 'row')} in {counted(report.parts, 'part')}"
    whose = counted(report.connections, "connection")
    waiting = f"{counted(report.waiting, 'line waits', 'lines wait')} in the journal"
    missed = counted(len(report.gaps), "gap")
    if still_open := sum(gap.end is None for gap in report.gaps):
        missed += f" ({still_open} still open)"
    return "\n".join([*found, f"{verdict}: {what} of {whose}, {waiting}, {missed}"])


def _must_know_the_journal(lake: str, folder: Path | None) -> None:
    """A lake that was made of a journal is not repaired without it: it holds what had not landed, and the lock."""
    from .lake.landing import LOG
    from .lake.repair import landed

    if folder is None and LOG in landed(lake):
        raise UsageError(
            f"The lake in {lake} was made of a journal, and it is not there.",
            "Name its folder: --journal PATH; if it is lost, an empty one.",
        )


def gaps(lake: LakeArgument, output: ListFormatOption = ListFormat.LINES) -> None:
    """List each stretch of time without data: when, of what, why, and how many messages are missing."""
    try:
        from .lake.gaps import gaps as find
        from .lake.raw import Raw
    except ImportError as error:
        raise lacks("gaps", error) from error
    from .engine.insight import rfc3339
    from .show.listing import json_lines, table

    heads = ("product_id", "start", "end", "seconds", "messages", "connection", "cause")
    rows = [
        (
            gap.product_id,
            rfc3339(gap.start),
            None if gap.end is None else rfc3339(gap.end),
            None if gap.end is None else (gap.end - gap.start) / 1e6,
            gap.messages,
            gap.connection,
            gap.cause,
        )
        for gap in find(Raw(lake))
    ]
    text = json_lines(heads, rows) if output is ListFormat.JSON else table(heads, rows)
    if rows or output is not ListFormat.JSON:
        print(text)


def _journal(lake: str, journal: Path | None) -> Path:
    if journal is not None:
        return journal
    if "://" in lake:
        raise UsageError("A place that is no folder needs a journal on a disk.", "Name its folder: --journal PATH")
    return Path(lake) / "journal"


def _tell(standing: "Standing") -> None:
    """Say on stderr in a line how it stands."""
    if standing.is_connected:
        state = f"last message {standing.heard_ago:.0f} s ago" if standing.messages else "waiting for messages"
    else:
        state = f"no connection ({standing.trouble})" if standing.trouble else "connecting"
    parts = [
        f"{standing.messages:,} messages",
        state,
        f"journal {standing.journal_bytes / 2**20:.1f} MB",
        f"{standing.landed:,} lines delivered, {standing.waiting:,} wait",
    ]
    if standing.unstored:
        full = "full" if standing.is_full else "has room again"
        parts.append(f"storage: {full}, {standing.unstored:,} messages not stored")
    if standing.lake_trouble:
        parts.append(standing.lake_trouble)
    say(f"{now()} {'; '.join(parts)}")


def _tell_json(standing: "Standing") -> None:
    from dataclasses import asdict

    fields = {"type": "ingest", "v": 1, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **asdict(standing)}
    write(f"{json.dumps(fields)}\n")


def _progress() -> "Callable[[int, int], None]":
    """Give what shows on stderr how far a long look has come; nothing where nobody would see it."""
    if not sys.stderr.isatty():
        return lambda _done, _all: None

    def show(done: int, of: int) -> None:
        end = "\n" if done == of else ""
        write(f"\rchecked {done:,} of {of:,} parts{end}")

    return show
