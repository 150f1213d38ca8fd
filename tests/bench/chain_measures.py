"""Measures with the chain of plugins that ask the DNS and keep state (chain.py), and with many plugins that decline."""

import contextlib
import itertools
import os
import statistics

import processes
from chain import ZONES, ChainServer, NameServer, QpsmtpdPrefork, foreign_clients
from measures import DISCARD, Row, compare, microseconds, per_second
from servers import BenchError

MANY = 131_000
SLOW = 300
OFFERED = 500
PLUGINS = 30

#: 30 plugins as they come with mod_smtpd, most of them several times with other options, set up so that none has anything against the client.
ORDINARY = ["badmailfrom", "badrcptto", "badmailfromto", "bogus_bounce", "helo", "headers", "loop", "noop_counter", "count_unrecognized_commands",
            "hosts_allow", "parse_addr_withhelo", "rcpt_regexp", "karma", "naughty", "whitelist"]


class Newcomers:
    """Options of smtp_load for clients that the server has never seen before."""

    def __init__(self):
        self._next = itertools.count(1000, 9_000)

    def options(self):
        return ["--clients", MANY, "--first", next(self._next)]


def per_session(counts, sessions):
    return f"{counts['questions'] / sessions:.1f} questions each"


def against_qpsmtpd(bench, name, options, pinned=False):
    """Rates with the chain. The number of questions at the name servers shows that both servers really ask. Pinned:
    the servers run on one core, their peers on another."""
    messages = {ChainServer: 0, QpsmtpdPrefork: 0}

    def run(server):
        result = bench.load(server, *options(), cores={1} if pinned else None)
        messages[type(server)] += result["messages"]
        return result

    our_names, their_names = NameServer(bench.build), NameServer(bench.build)
    with our_names, their_names, ChainServer(bench.base, bench.build, our_names) as ours, QpsmtpdPrefork(bench.base, bench.build, their_names) as theirs:
        with contextlib.ExitStack() as pins:
            if pinned:
                for server in (ours, theirs):
                    pins.enter_context(server.pinned({0}))
                for names in (our_names, their_names):
                    names.run_on({1})
            pairs = bench.rounds_of(run, ours, theirs)
    for names in (our_names, their_names):
        if names.counts["zones"].get(ZONES[-1], 0) == 0 or names.counts["by_type"].get("PTR", 0) == 0:
            raise BenchError(f"a server did not ask the name server: {names.counts}")
    rows = [compare(f"chain, {name}: messages, qpsmtpd-prefork", pairs, "rate", per_second, 20, 30, is_most=False),
            compare(f"chain, {name}: CPU per message, qpsmtpd-prefork", pairs, "cpu", microseconds)]
    rows[0].measured += ", " + per_session(our_names.counts, messages[ChainServer])
    rows[0].reference += ", " + per_session(their_names.counts, messages[QpsmtpdPrefork])
    return rows


@foreign_clients()
def chain(bench):
    newcomers = Newcomers()
    rows = [*against_qpsmtpd(bench, "clients that are known", lambda: ["--clients", 20]), *against_qpsmtpd(bench, "every client a new one", newcomers.options)]
    if os.cpu_count() < 2:
        return rows
    return [*rows, *against_qpsmtpd(bench, "every client a new one, pinned", newcomers.options, pinned=True)]


@foreign_clients()
def greeting(bench):
    """One client after the other, each of them new: the time from connecting to the greeting, minus the time of the
    slowest answer."""
    delays = {"": 10, **{zone: 10 * number for number, zone in enumerate(ZONES, 1)}}
    slowest, sessions = max(delays.values()), max(300, int(150 * bench.seconds))
    with NameServer(bench.build, delays) as names, ChainServer(bench.base, bench.build, names) as ours:
        bench.load(ours, *Newcomers().options(), "--count", 20)  # the lists are tested by now
        client = bench.popen(ours, "--greet", "--sessions", sessions, "--window", 1, "--clients", MANY, "--first", 80_000)
        result = bench.finish(client, ours)["greeting_ms"]
    shown = f"{result['median']:.1f}; {result['p99']:.1f}; {result['max']:.1f} ms"
    return [Row(f"chain, connect to greeting, slowest answer {slowest} ms: median; p99; worst of {sessions}", shown, "", result["median"] - slowest,
                f"worst {result['max'] - slowest:.1f}", 5, 3, unit=" ms more")]


@foreign_clients()
def slow_dns(bench):
    """Sessions begin at a fixed rate, whether the server keeps up or not. A queue shows in the time to the greeting,
    at the end compared with the beginning."""
    seconds = max(6, 2 * bench.seconds)
    with NameServer(bench.build, {"": SLOW}) as names, ChainServer(bench.base, bench.build, names, children=1, factor=256) as ours:
        bench.load(ours, *Newcomers().options(), "--count", 20)
        cpu = ours.cpu_seconds()
        result = bench.finish(bench.popen(ours, "--rate", OFFERED, "--seconds", seconds, "--sessions", OFFERED * seconds, "--clients", MANY, "--first", 80_000), ours)
        cpu = (ours.cpu_seconds() - cpu) / result["messages"]
    first, last = result["first_greetings_ms"], result["last_greetings_ms"]
    longest = result["accepted_ms"]["median"] / 1000
    rate = result["messages"] / (result["seconds"] - longest)
    return [Row(f"chain, every answer after {SLOW} ms, {OFFERED} new sessions/s for {seconds} s, 64 threads: messages",
                f"{rate:,.0f}/s, {result['most_live']:,} sessions at most, {microseconds(cpu)} of CPU", f"{result['late']} came too late", rate / OFFERED, "", 0.97, 0.99,
                is_most=False, unit=" of what is offered"),
            Row("the same: greeting at the end to that at the beginning (medians)", f"{last['median']:.0f} ms (p99 {last['p99']:.0f})",
                f"{first['median']:.0f} ms (p99 {first['p99']:.0f})", last["median"] / first["median"], "", 1.1, 1.02)]


def share_of(bench, title, plugins, must, aim):
    rows = []
    with bench.mod_smtpd() as plain, bench.mod_smtpd([*plugins, *DISCARD]) as loaded:
        for name, options in (("new", []), ("kept", ["--keep"])):
            pairs = bench.rounds_of(lambda server: bench.load(server, *options), loaded, plain)
            row = compare(f"{title}, {name}", pairs, "cpu", microseconds, must, aim)
            shares = sorted(100 * (ours["cpu"] / theirs["cpu"] - 1) for ours, theirs in pairs)
            row.value, row.spread, row.unit = statistics.median(shares), f"{shares[0]:.1f} - {shares[-1]:.1f}", " %"
            rows.append(row)
    return rows


def declining(bench):
    every_hook = [f"SmtpPlugin declines:{number}" for number in range(PLUGINS)]
    ordinary = [f"SmtpPlugin {name}:{number}" for number in range(2) for name in ORDINARY]
    return [*share_of(bench, f"{PLUGINS} plugins that decline at every hook", every_hook, 10, 5),
            *share_of(bench, f"{PLUGINS} of our own that have nothing to say", ordinary, None, None)]


@foreign_clients()
def memory(bench):
    """Memory of the server after so many sessions of the chain, every client a new one."""
    steps = (20_000, 100_000, 200_000)
    sizes, done = [], 0
    with NameServer(bench.build) as names, ChainServer(bench.base, bench.build, names, children=1) as ours:
        for step in steps:
            bench.finish(bench.popen(ours, "--seconds", 600, "--count", step - done, "--size", 400, "--clients", MANY, "--first", done), ours, timeout=600)
            done = step
            ours.settle()
            sizes.append(processes.pss_kib(ours.process.pid) / 1024)
    growth = (sizes[-1] - sizes[1]) * 2**20 / (steps[-1] - steps[1])  # malloc has no block under 32 octets: with less than that, no session leaves one behind
    return [Row("chain, memory after " + ", ".join(f"{step:,}" for step in steps) + " sessions, most clients new ones", "; ".join(f"{size:.1f}" for size in sizes) + " MiB", "",
                growth, "", 32, 16, unit=" octets a session from the second to the third")]


ALL = {"chain": chain, "greeting": greeting, "slow-dns": slow_dns, "declining": declining, "memory": memory}
