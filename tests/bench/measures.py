"""The measurements. Each function takes a Bench and returns rows of the table. The runs of one row are interleaved,
and its ratio is the median of the ratios of neighbouring runs."""

import contextlib
import json
import os
import socket
import ssl
import statistics
import subprocess
import time

from servers import ADDRESS, BenchError, ModSmtpd, PostfixQueue, SmtpSink, TlsModSmtpd, TlsPostfixQueue

DISCARD = ["SmtpPlugin relay", "SmtpPlugin rcpt_ok", "SmtpPlugin queue/discard"]
MAILDIR = ["SmtpPlugin relay", "SmtpPlugin rcpt_ok", "SmtpPlugin queue/maildir @folder@/maildir"]
LARGE = 10 * 1024 * 1024
NOOPS = 10
IDLE = 10_000
TLS_IDLE = 5_000
CROWD = 5_000


class Row:
    """A line of the table. `must` and `aim` apply to `value`; `is_most` says whether they are upper limits."""

    def __init__(self, title, measured, reference="", value=None, spread="", must=None, aim=None, is_most=True, unit="x"):
        self.title, self.measured, self.reference, self.value, self.spread = title, measured, reference, value, spread
        self.must, self.aim, self.is_most, self.unit = must, aim, is_most, unit

    def reaches(self, limit):
        return self.value is not None and (self.value <= limit if self.is_most else self.value >= limit)

    def met(self):
        if self.must is None:
            return ""
        return "aim" if self.reaches(self.aim) else "must" if self.reaches(self.must) else "NO"

    def limit(self, number):
        return "" if number is None else f"{'at most' if self.is_most else 'at least'} {number:g}{self.unit}"


class Bench:
    def __init__(self, build, base, postfix, rounds, seconds):
        self.build, self.base, self.postfix, self.rounds, self.seconds = build, base, postfix, rounds, seconds
        self.load_program = f"{build['build_dir']}/tests/bench/smtp_load"

    def mod_smtpd(self, plugins=DISCARD, **how):
        return ModSmtpd(self.base, self.build, plugins, **how)

    def smtp_sink(self):
        return SmtpSink(self.base, self.postfix)

    def popen(self, server, *options, **how):
        command = [self.load_program, *(str(option) for option in options), ADDRESS, str(server.port)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)

    def finish(self, client, server, timeout=90):
        try:
            out, err = client.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            client.kill()
            client.communicate()
            raise BenchError(f"{server.name}: the client did not end within {timeout} s")
        if client.returncode:
            raise BenchError(f"{server.name}: {err.strip()}\n{server.log_text()[-2000:]}")
        return json.loads(out.strip().splitlines()[-1])

    def load(self, server, *options, seconds=None, cores=None):
        """One run: messages a second, CPU seconds of the server per message, and the client's report."""
        server.settle()
        before = server.cpu_seconds()
        pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
        result = self.finish(self.popen(server, "--seconds", seconds or self.seconds, *options, preexec_fn=pin), server)
        server.settle()
        result["cpu"] = (server.cpu_seconds() - before) / result["messages"]
        result["rate"] = result["messages"] / result["seconds"]
        return result

    def source(self, server, count, *options):
        """The same with smtp-source, which takes a count."""
        server.settle()
        before, start = server.cpu_seconds(), time.monotonic()
        command = [self.postfix.commands / "smtp-source", "-M", "client.example.net", "-f", "sender@example.net", "-t", "user@example.com",
                   "-s", "20", "-l", "4096", "-m", str(count), *options, f"{ADDRESS}:{server.port}"]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, **self.postfix.environment), timeout=90)
        seconds = time.monotonic() - start
        if done.returncode:
            raise BenchError(f"smtp-source to {server.name}: {done.stderr.strip()}")
        server.settle()
        return {"cpu": (server.cpu_seconds() - before) / count, "rate": count / seconds}

    def rounds_of(self, run, *servers):
        """[(result of the first server, of the second, …), …], after one run of each that is not counted."""
        for server in servers:
            run(server)
        return [tuple(run(server) for server in servers) for _ in range(self.rounds)]


def median(results, key):
    return statistics.median(result[key] for result in results)


def compare(title, pairs, key, show, must=None, aim=None, is_most=True):
    """A row about the ratio of the first of each pair to the second."""
    ratios = sorted(ours[key] / theirs[key] for ours, theirs in pairs)
    return Row(title, show(median([ours for ours, _ in pairs], key)), show(median([theirs for _, theirs in pairs], key)), statistics.median(ratios),
               f"{ratios[0]:.2f} - {ratios[-1]:.2f}", must, aim, is_most)


def microseconds(value):
    return f"{value * 1e6:.1f} µs"


def per_second(value):
    return f"{value:,.0f}/s"


def cpu_and_rate(bench, name, run, must, aim):
    with bench.mod_smtpd() as ours, bench.smtp_sink() as sink:
        pairs = bench.rounds_of(run, ours, sink)
    return [compare(f"CPU per message, {name}", pairs, "cpu", microseconds, must, aim), compare(f"rate, {name}", pairs, "rate", per_second)]


def new(bench):
    return cpu_and_rate(bench, "new connection each", lambda server: bench.load(server), 1.5, 1.2)


def kept(bench):
    return cpu_and_rate(bench, "kept connection", lambda server: bench.load(server, "--keep"), 1.2, 1.0)


def source_new(bench):
    count = int(5000 * bench.seconds)
    return cpu_and_rate(bench, "new connection each, smtp-source", lambda server: bench.source(server, count), 1.5, 1.2)


def source_kept(bench):
    count = int(12000 * bench.seconds)
    return cpu_and_rate(bench, "kept connection, smtp-source", lambda server: bench.source(server, count, "-d"), 1.2, 1.0)


def pinned(bench):
    if os.cpu_count() < 2:
        raise BenchError("needs two cores, one of them for the client")
    rows = []
    with bench.mod_smtpd() as ours, bench.smtp_sink() as sink, ours.pinned({0}), sink.pinned({0}):
        for name, options, must, aim in (("new", [], 0.7, 0.9), ("kept", ["--keep"], 0.85, 1.1)):
            pairs = bench.rounds_of(lambda server: bench.load(server, *options, cores={1}), ours, sink)
            rows.append(compare(f"rate pinned to one core, {name}", pairs, "rate", per_second, must, aim, is_most=False))
            rows.append(compare(f"CPU per message pinned, {name}", pairs, "cpu", microseconds))
    return rows


def pipelined(bench):
    with bench.mod_smtpd() as ours, bench.smtp_sink() as sink:
        pairs = bench.rounds_of(lambda server: bench.load(server, "--keep", "--pipeline"), ours, sink)
    return [compare("rate pipelined, kept", pairs, "rate", per_second, 1.2, 1.6, is_most=False),
            compare("CPU per message, pipelined, kept", pairs, "cpu", microseconds)]


def large(bench):
    def run(server):
        return bench.load(server, "--sessions", 4, "--size", LARGE)

    with bench.mod_smtpd() as ours, bench.smtp_sink() as sink:
        pairs = bench.rounds_of(run, ours, sink)
        row = compare("10 MB messages, 4 sessions", pairs, "rate", lambda rate: f"{rate * LARGE / 1e6:,.0f} MB/s", 5, 8, is_most=False)
    return [row, memory_row(bench)]


def peak_per_session(bench, server, size):
    """The most memory that a message of that size takes while it arrives."""
    sessions = 4
    before = peak = server.pss_kib()
    client = bench.popen(server, "--sessions", sessions, "--size", size, "--seconds", bench.seconds)
    while client.poll() is None:
        peak = max(peak, server.pss_kib())
        time.sleep(0.01)
    bench.finish(client, server)
    return (peak - before) / sessions


def memory_row(bench):
    """Starts new servers, so that no heap of an earlier run is available."""
    peaks = []
    for size in (LARGE, 5 * LARGE):
        with bench.mod_smtpd() as ours:
            bench.load(ours, "--count", 200)
            peaks.append(peak_per_session(bench, ours, size))
    growth = (peaks[1] - peaks[0]) / (4 * LARGE / 1024)
    return Row("memory per session, 10 MB message; 50 MB message", f"{peaks[0]:,.0f} KiB; {peaks[1]:,.0f} KiB", "", 100 * growth,
               "", 1, 0.5, unit=" % of what is added")


def latency(bench):
    def run(server):
        seconds = max(3, bench.seconds)
        load = bench.popen(server, "--seconds", seconds + 1)
        time.sleep(0.5)
        probe = bench.finish(bench.popen(server, "--sessions", 1, "--pause", 2, "--seconds", seconds), server)
        bench.finish(load, server)
        return probe["accepted_ms"]

    def milliseconds(value):
        return f"{value:.2f} ms"

    with bench.mod_smtpd() as ours, bench.smtp_sink() as sink:
        pairs = bench.rounds_of(run, ours, sink)
    return [compare("connect to 250 under load, median", pairs, "median", milliseconds, 1.0, 0.7),
            compare("connect to 250 under load, p99", pairs, "p99", milliseconds, 1.5, 1.0)]


@contextlib.contextmanager
def held_sessions(bench, server, count):
    """Sessions that stay after EHLO. Returns the client's report, and how many sessions the server has kept at the
    end."""
    client = bench.popen(server, "--hold", "--sessions", count, "--window", 256)
    held = json.loads(client.stdout.readline() or "{}")
    try:
        yield held
    finally:
        client.stdin.close()
        client.stdin = None
        held.update(bench.finish(client, server))


def idle(bench):
    with bench.mod_smtpd(children=1, factor=256) as ours:
        bench.load(ours, seconds=0.5)
        before = ours.pss_kib()
        with held_sessions(bench, ours, IDLE) as held:
            time.sleep(1)
            each = (ours.pss_kib() - before) / max(1, held.get("idle", 0))
            newcomers = [bench.finish(bench.popen(ours, "--greet", "--sessions", 1), ours)["greeting_ms"]["max"] for _ in range(21)]
    newcomer = statistics.median(newcomers)
    return [Row(f"{IDLE:,} idle sessions after EHLO, 64 threads: greeted and kept", f"{min(held['idle'], held['still_open']):,}", "",
                min(held["idle"], held["still_open"]), "", IDLE, IDLE, is_most=False, unit=""),
            Row("… memory of each", f"{each:.1f} KiB", "", each, "", 20, 16, unit=" KiB"),
            Row("… a new client is greeted within", f"{newcomer:.2f} ms", "", newcomer, f"{min(newcomers):.2f} - {max(newcomers):.2f}", 5, 5, unit=" ms")]


def encrypted_session(server, context):
    """A client after STARTTLS and EHLO; and how long that took."""
    began = time.monotonic()
    client = socket.create_connection((ADDRESS, server.port), timeout=20)
    client.recv(1000)
    for line in (b"EHLO client.example\r\n", b"STARTTLS\r\n"):
        client.sendall(line)
        client.recv(1000)
    client = context.wrap_socket(client)
    client.sendall(b"EHLO client.example\r\n")
    if not client.recv(1000).startswith(b"250"):
        raise BenchError("EHLO under TLS was not answered with 250")
    return client, time.monotonic() - began


def tls_idle(bench):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.ExitStack() as held, TlsModSmtpd(bench.base, bench.build, DISCARD, children=1, factor=256) as ours:
        for _ in range(100):
            held.enter_context(encrypted_session(ours, context)[0])
        before = ours.pss_kib()
        clients = [held.enter_context(encrypted_session(ours, context)[0]) for _ in range(TLS_IDLE)]
        time.sleep(1)
        each = (ours.pss_kib() - before) / TLS_IDLE
        newcomers = [held.enter_context(timed[0]) and timed[1] * 1000 for timed in (encrypted_session(ours, context) for _ in range(21))]
        answered = 0
        for client in clients:
            client.sendall(b"NOOP\r\n")
            answered += client.recv(1000).startswith(b"250")
    return [Row(f"{TLS_IDLE:,} idle sessions under TLS 1.3, 64 threads: greeted and kept", f"{answered:,}", "", answered, "", TLS_IDLE, TLS_IDLE, is_most=False, unit=""),
            Row("… memory of each", f"{each:.1f} KiB", "", each, "", 64, 48, unit=" KiB"),
            Row("… a new client is at its second EHLO within", f"{statistics.median(newcomers):.1f} ms", "", statistics.median(newcomers),
                f"{min(newcomers):.1f} - {max(newcomers):.1f}", 100, 50, unit=" ms")]


def resumed_share(result):
    return result["resumed"] / result["connections"]


def tls(bench):
    rows = []
    with TlsModSmtpd(bench.base, bench.build, DISCARD) as ours, TlsPostfixQueue(bench.base, bench.postfix) as postfix:
        for name, options in (("new connection each", ["--tls"]), ("new connection each, resumed", ["--resume"]),
                              ("kept connection, PIPELINING and CHUNKING", ["--tls", "--keep", "--chunking"])):
            pairs = bench.rounds_of(lambda server: bench.load(server, *options), ours, postfix)
            if any((resumed_share(result) > 0.9) != ("--resume" in options) for pair in pairs for result in pair):
                raise BenchError(f"{name}: sessions resumed are {[[round(resumed_share(result), 2) for result in pair] for pair in pairs]} of all")
            rows.append(compare(f"TLS 1.3 against Postfix, rate, {name}", pairs, "rate", per_second, 3, 4, is_most=False))
            rows.append(compare(f"TLS 1.3 against Postfix, CPU, {name}", pairs, "cpu", microseconds, 0.5, 0.4))
    return rows


def crowd(bench):
    worst = []
    with bench.mod_smtpd(["SmtpPlugin earlytalker wait=1", *DISCARD], children=1, factor=256) as ours:
        for _ in range(bench.rounds):
            times = bench.finish(bench.popen(ours, "--greet", "--sessions", CROWD), ours)["greeting_ms"]
            if times["count"] != CROWD:
                raise BenchError(f"only {times['count']} of {CROWD} clients were greeted")
            worst.append(times["max"] / 1000)
            ours.settle()
    return [Row(f"earlytalker wait=1, {CROWD:,} clients at once, 64 threads: the last is greeted after", f"{statistics.median(worst):.2f} s", "",
                statistics.median(worst), f"{min(worst):.2f} - {max(worst):.2f}", 1.5, 1.2, unit=" s")]


def maildir(bench):
    rows = []
    with bench.mod_smtpd(MAILDIR) as ours, PostfixQueue(bench.base, bench.postfix) as postfix:
        for name, options in (("new", []), ("kept", ["--keep"])):
            pairs = bench.rounds_of(lambda server: bench.load(server, *options), ours, postfix)
            rows.append(compare(f"queue/maildir with fsync against Postfix, rate, {name}", pairs, "rate", per_second, 3, 4, is_most=False))
            rows.append(compare(f"queue/maildir with fsync against Postfix, CPU, {name}", pairs, "cpu", microseconds, 0.25, 0.2))
    return rows


def plugin(bench):
    noops = [f"SmtpPlugin declines:{number}" for number in range(NOOPS)]
    rows = []
    with bench.mod_smtpd() as plain, bench.mod_smtpd([*noops, *DISCARD]) as loaded:
        for name, options in (("new", []), ("kept", ["--keep"])):
            pairs = bench.rounds_of(lambda server: bench.load(server, *options), loaded, plain)
            row = compare(f"a plugin that declines on every hook, {name} (of {NOOPS})", pairs, "cpu", microseconds, 2, 0.5)
            shares = sorted(100 * (ours["cpu"] / theirs["cpu"] - 1) / NOOPS for ours, theirs in pairs)
            row.value, row.spread, row.unit = statistics.median(shares), f"{shares[0]:.2f} - {shares[-1]:.2f}", " %"
            rows.append(row)
    return rows


ALL = {"new": new, "kept": kept, "source-new": source_new, "source-kept": source_kept, "pinned": pinned, "pipelined": pipelined, "large": large, "latency": latency,
       "idle": idle, "tls": tls, "tls-idle": tls_idle, "crowd": crowd, "maildir": maildir, "plugin": plugin}
