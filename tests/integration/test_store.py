"""The store in a running server, through a plugin that takes its orders over SMTP: back ends, restarts, kill -9,
damage, a Redis that is dead or slow, and the command smtpd-store beside it."""

import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

import sanitizers
import smtpd_env
from smtp_client import Client, Closed
from smtpd_env import KILLED, SLOWDOWN, free_port, is_root, wait_until

HELPERS = sanitizers.build_dir() / "tests" / "helper_plugins" / ".libs"
TOOL = sanitizers.build_dir() / "tools" / "smtpd-store"
#: Debian's package redis-tools has the server's program under another name, and starts no server when it is installed.
REDIS = shutil.which("redis-server") or shutil.which("redis-check-rdb")
HEADER = b"From: sender@example.net\r\nSubject: store\r\n\r\n"
PROBE = "SmtpPlugin store_probe count_mail=yes\n" + smtpd_env.DEFAULT_PLUGINS


def add_host(server, store, plugins=PROBE, **named):
    """A virtual host with the probe; `store` are its SmtpStore lines."""
    return server.smtp(plugins, f'SmtpPluginDir "{HELPERS}"\nSmtpMaxErrors 0\n{store}', **named)


def file_store(server, name="store"):
    return f'SmtpStore "file:{server.work / "state" / name}" timeout=5s'


def ask(port, *commands):
    """The probe's answers, a text for each command; an error begins with "!"."""
    with Client(port) as client:
        client.ehlo()
        replies = [client.command(f"STORE {command}") for command in commands]
        client.quit()
    return [("" if reply.code == 250 else "!") + reply.text.partition(" ")[2] for reply in replies]


def count_in_threads(port, threads, times, key="count"):
    """Simultaneous sessions that add 1 each; returns how many additions got 250."""
    good = [0] * threads

    def work(number):
        try:
            with Client(port) as client:
                client.ehlo()
                for _ in range(times):
                    good[number] += client.command(f"STORE add {key} 1").code == 250
        except (Closed, OSError):
            pass

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60 * SLOWDOWN)
    return sum(good)


def run_tool(*arguments, store=None):
    command = [TOOL, *(["-s", store] if store else []), *arguments]
    done = subprocess.run([*sanitizers.command_prefix(smtpd_env.BUILD), *map(str, command)], capture_output=True, text=True, timeout=60 * SLOWDOWN,
                          env=sanitizers.environment(smtpd_env.BUILD))
    return done.returncode, done.stdout, done.stderr


class Redis:
    """A private Redis on a free port of 127.0.0.1, without files."""

    def __init__(self, folder, *options):
        if not REDIS:
            pytest.skip("redis is not installed")
        self.port = free_port()
        self._command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder), *options]
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(self._command, executable=REDIS, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, 20, "redis does not start")

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path)
    yield server
    server.stop()


# --- where it is kept

def test_every_kind_counts_over_all_children(make_server, mpm, redis):
    server = make_server(mpm, children=3, threads=6)
    file = add_host(server, file_store(server))
    memory = add_host(server, "SmtpStore memory:1m", name="memory.example.com")
    remote = add_host(server, f"SmtpStore redis:127.0.0.1:{redis.port}/2 timeout=5s", name="redis.example.com")
    server.start()
    for host in (file, memory, remote):
        assert count_in_threads(host.port, 9, 20) == 180
        assert ask(host.port, "add count 0", "get nothing", "put key value 1", "get key") == ["180", "(nothing)", "done", "value"], host.name
    time.sleep(1.1)
    for host in (file, memory, remote):
        assert ask(host.port, "get key") == ["(nothing)"], host.name
        with Client(host.port) as client:
            client.ehlo()
            client.deliver(HEADER).expect(250)
    path = server.work / "state" / "store"
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    if server.user:
        assert path.stat().st_uid == path.parent.stat().st_uid == server.user[1]


def test_namespaces_and_virtual_hosts(make_server):
    server = make_server("event")
    plugins = "SmtpPlugin store_probe:one namespace=one\nSmtpPlugin rcpt_ok"
    shared = add_host(server, file_store(server), plugins)
    same = add_host(server, file_store(server), plugins, name="same.example.com")
    other = add_host(server, f"{file_store(server)}\nSmtpStore one memory:1m", plugins, name="other.example.com")
    server.start()
    assert ask(shared.port, "put key value") == ["done"]
    assert ask(same.port, "get key") == ["value"]
    assert ask(other.port, "get key") == ["(nothing)"]


def test_without_a_directive_it_is_in_the_state_directory(make_server):
    """With a private state directory, mounted over the real one for this server only."""
    state = pathlib.Path(re.search(r"default: file:(.*)/store", run_tool("--help")[1], re.I)[1])
    unshare = shutil.which("unshare")
    if not is_root() or not unshare or not state.parent.is_dir():
        pytest.skip("a private mount needs root and unshare")
    if subprocess.run([unshare, "-m", "mount", "-t", "tmpfs", "tmpfs", str(state.parent)], capture_output=True).returncode != 0:
        pytest.skip("this machine mounts no tmpfs")
    was_there = state.exists()
    server = make_server("event", prefix=(unshare, "-m", "sh", "-c", f'mount -t tmpfs -o mode=755 tmpfs {state.parent} && exec "$@"', "sh"))
    host = add_host(server, "")
    good, printed = server.configtest()
    assert good, printed
    server.start()
    assert ask(host.port, "add count 3", "add count 4") == ["3", "7"]
    inside = pathlib.Path(f"/proc/{server.children()[0]}/root{state}")
    assert inside.stat().st_uid == server.user[1] and inside.stat().st_mode & 0o777 == 0o700
    assert (inside / "store").stat().st_uid == server.user[1]
    assert state.exists() == was_there


def test_it_is_not_made_unless_a_plugin_wants_it(make_server):
    server = make_server("event")
    server.smtp(lines=file_store(server))
    server.start()
    assert not (server.work / "state").exists()


def test_configtest_makes_nothing(make_server):
    server = make_server("event")
    add_host(server, file_store(server))
    good, printed = server.configtest()
    assert good, printed
    assert not (server.work / "state").exists()


# --- what lasts

def test_a_file_survives_and_memory_survives_a_graceful_restart(make_server, mpm):
    server = make_server(mpm, children=2, threads=4)
    file = add_host(server, file_store(server))
    memory = add_host(server, "SmtpStore probe memory:1m", name="memory.example.com")
    server.start()
    for host in (file, memory):
        assert ask(host.port, "add count 5") == ["5"]
    server.graceful()
    for host in (file, memory):
        wait_until(lambda: ask(host.port, "add count 0") == ["5"], 10, "the new generation has lost it")
    assert server.stop() == []
    server.log_file.unlink()
    server.start()
    assert ask(file.port, "add count 0") == ["5"]
    assert ask(memory.port, "add count 0") == ["0"]


@pytest.mark.slow
def test_kill_9_loses_no_increment(make_server, mpm):
    server = make_server(mpm, children=3, threads=6)
    server.allow_log(KILLED)
    hosts = [add_host(server, file_store(server)), add_host(server, "SmtpStore probe memory:1m", name="memory.example.com")]
    server.start()
    stop = threading.Event()
    told = [0, 0]
    tried = [0, 0]

    def work(number):
        while not stop.is_set():
            try:
                with Client(hosts[number].port) as client:
                    client.ehlo()
                    while not stop.is_set():
                        tried[number] += 1
                        told[number] += client.command("STORE add count 1").code == 250
            except (Closed, OSError):
                time.sleep(0.05)

    workers = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]  # one for each host: the counts need no lock
    for worker in workers:
        worker.start()
    kills = server.kill_children(seconds=5, seed=7)
    stop.set()
    for worker in workers:
        worker.join(30 * SLOWDOWN)

    def count(host):
        try:
            return int(ask(host.port, "add count 0")[0])
        except (Closed, OSError, ValueError):
            return None

    assert kills >= 5
    for number, host in enumerate(hosts):
        found = wait_until(lambda: count(host), 20, "the server does not answer any more")
        assert told[number] > 100 and told[number] <= found <= tried[number]
    assert not [path for path in (server.work / "state").iterdir() if "damaged" in path.name]


def check_file(store, scratch):
    """Whether SQLite finds the file valid, including its log; on a copy, so that the server finds the file
    unchanged."""
    scratch.mkdir()
    for path in store.parent.glob(store.name + "*"):
        shutil.copy(path, scratch)
    with contextlib.closing(sqlite3.connect(scratch / store.name)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    shutil.rmtree(scratch)


def kill_everything(server):
    """Parent and children at once, as when a machine runs out of memory. The parent is stopped first, so that it makes no child meanwhile."""
    parent = server.process.pid
    server.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: pathlib.Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[0] == "T", 10, "the parent does not stop")
    children = server.children()
    for process in [parent, *children]:
        os.kill(process, signal.SIGKILL)
    server.process.wait()
    wait_until(lambda: not any(map(smtpd_env.process_exists, children)), 10, "a killed child is still there")  # with the port


def test_kill_9_of_the_whole_server_loses_no_increment(make_server, mpm, tmp_path):
    """At random moments under load, also children: each time the file is valid, and the server starts again with it."""
    server = make_server(mpm, children=2, threads=6)
    server.allow_log(KILLED)
    server.allow_log(r"AH00098: pid file .* overwritten")
    host = add_host(server, file_store(server))
    server.start()
    generator = random.Random(11)
    stop = threading.Event()
    told, tried = [0] * 4, [0] * 4

    def work(number):
        while not stop.is_set():
            try:
                with Client(host.port) as client:
                    client.ehlo()
                    while not stop.is_set():
                        tried[number] += 1
                        told[number] += client.command("STORE add count 1").code == 250
            except (Closed, OSError):
                time.sleep(0.05)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(len(told))]
    for worker in workers:
        worker.start()
    for round_number in range(4):
        before = sum(told)
        wait_until(lambda: sum(told) > before + 20, 20, "nothing is counted")
        time.sleep(generator.uniform(0, 0.3) * SLOWDOWN)
        os.kill(generator.choice(wait_until(server.children, 10, "there is no child")), signal.SIGKILL)
        time.sleep(generator.uniform(0, 0.3) * SLOWDOWN)
        kill_everything(server)
        check_file(server.work / "state" / "store", tmp_path / f"copy{round_number}")
        server.start()
    stop.set()
    for worker in workers:
        worker.join(30 * SLOWDOWN)
    found = int(ask(host.port, "add count 0")[0])
    assert sum(told) <= found <= sum(tried)
    with Client(host.port) as client:
        client.ehlo()
        client.deliver(HEADER).expect(250)
    assert not [path for path in (server.work / "state").iterdir() if "damaged" in path.name]


# --- what goes wrong

@pytest.mark.parametrize("content", [b"This is a letter.\n", b"SQLite format 3\0" + b"x" * 40000], ids=["text", "junk"])
def test_a_damaged_file_is_set_aside(make_server, mpm, content):
    server = make_server(mpm, children=2, threads=4)
    server.expect_log(r":warn\].*SMTPD0020: the store .*/state/store was damaged \(.*\) and is now .*; an empty one takes its place")
    host = add_host(server, file_store(server))
    server.make_writable(server.work / "state")
    (server.work / "state" / "store").write_bytes(content)
    if server.user:
        os.chown(server.work / "state" / "store", server.user[1], server.user[2])
    server.start()
    assert count_in_threads(host.port, 4, 10) == 40
    assert ask(host.port, "add count 0") == ["40"]
    aside = [path for path in (server.work / "state").iterdir() if ".damaged-" in path.name and not path.name.endswith("-wal")]
    assert [path.read_bytes() for path in aside] == [content]
    assert len(server.wait_log("SMTPD0020")) == 1


def test_damage_while_it_runs(make_server, mpm):
    """Each child goes on as long as its memory has what it needs; the child that finds the damage sets the file
    aside for all."""
    server = make_server(mpm, children=2, threads=4)
    server.expect_log(r"SMTPD0020")
    server.allow_log(KILLED)
    host = add_host(server, file_store(server))
    server.start()
    assert count_in_threads(host.port, 4, 10) == 40
    path = server.work / "state" / "store"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:  # from the log into the file
        wait_until(lambda: database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, 10, "the log is busy")
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.write(bytes(random.Random(1).randrange(256) for _ in range(size)))
    os.kill(server.children()[0], signal.SIGKILL)

    def is_mended():
        try:
            answers = ask(host.port, *["add again 1"] * 5)
        except (Closed, OSError):
            return False
        return not any(answer.startswith("!") for answer in answers) and [path for path in path.parent.iterdir() if ".damaged-" in path.name]

    wait_until(is_mended, 30, "it is not moved away", interval=0.2)
    with Client(host.port) as client:
        client.ehlo()
        client.deliver(HEADER).expect(250)


def test_a_full_disk_is_an_error_and_mail_flows(make_server, small_disk):
    server = make_server("event")
    server.expect_log(r":error\].*SMTPD0021: the store .* cannot be used: ")
    server.allow_log(r"is in use again")
    host = add_host(server, file_store(server))
    folder = server.work / "state"
    server.make_writable(folder)
    small_disk(server, folder)
    server.start()
    value = "v" * 400
    answers = ask(host.port, *[f"put key{number} {value}" for number in range(900)])
    assert answers[0] == "done" and answers[-1].startswith("!the store ")
    for _ in range(3):
        with Client(host.port) as client:
            client.ehlo()
            client.deliver(HEADER).expect(250)
    for path in folder.iterdir():
        if ".damaged" in path.name:
            raise AssertionError(f"{path} was moved away")


def test_a_dead_redis_costs_no_mail_and_no_time(make_server, mpm, tmp_path):
    redis = Redis(tmp_path)
    try:
        server = make_server(mpm, children=1, threads=4)
        server.expect_log(r":error\].*SMTPD0021: redis:127.0.0.1:\d+/0: .*: operations on the store fail")
        server.expect_log(r"store_probe: error: store: redis")
        host = add_host(server, f"SmtpStore redis:127.0.0.1:{redis.port} timeout=300ms")
        server.start()
        assert ask(host.port, "add count 1") == ["1"]
        redis.stop()
        began = time.monotonic()
        for _ in range(10):
            with Client(host.port) as client:
                client.ehlo()
                client.deliver(HEADER).expect(250)
        assert time.monotonic() - began < 5 * SLOWDOWN
        assert ask(host.port, "get count")[0].startswith("!redis:127.0.0.1:")
        redis.start()
        wait_until(lambda: ask(host.port, "add count 1") == ["1"], 20, "it is not used again", interval=0.1)
        server.wait_log("answers again")
        assert len(host.maildir.new()) == 10
    finally:
        redis.stop()


def test_a_redis_that_stands_still_delays_by_the_timeout_only(make_server, redis):
    server = make_server("event", children=1, threads=4)
    server.expect_log(r"SMTPD0021: an answer of redis:.* took too long")
    host = add_host(server, f"SmtpStore redis:127.0.0.1:{redis.port} timeout=300ms")
    server.start()
    assert ask(host.port, "add count 1") == ["1"]
    redis.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert ask(host.port, "add count 1")[0].endswith("took too long")
    assert 0.25 < time.monotonic() - began < 3 * SLOWDOWN
    with Client(host.port) as client:
        client.ehlo()
        client.deliver(HEADER).expect(250)
    redis.process.send_signal(signal.SIGCONT)
    wait_until(lambda: not ask(host.port, "add count 1")[0].startswith("!"), 20, "it is not used again", interval=0.1)


def test_what_onerror_says_happens(make_server):
    server = make_server("event")
    server.expect_log(r"SMTPD0021")
    nobody = free_port()
    host = add_host(server, f"SmtpStore redis:127.0.0.1:{nobody}", "SmtpPlugin store_probe count_mail=yes onerror=tempfail\n" + smtpd_env.DEFAULT_PLUGINS)
    server.start()
    with Client(host.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<sender@example.net>", (450, 451))


def test_two_servers_share_a_redis(make_server, redis):
    """As two hosts would."""
    servers = [make_server("event", children=2, threads=8) for _ in range(2)]
    hosts = [add_host(server, f"SmtpStore redis:127.0.0.1:{redis.port} timeout=10s") for server in servers]
    for server in servers:
        server.start()
    results = []
    workers = [threading.Thread(target=lambda host=host: results.append(count_in_threads(host.port, 6, 40))) for host in hosts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [240, 240]
    assert [ask(host.port, "add count 0") for host in hosts] == [["480"], ["480"]]


# --- mistakes

@pytest.mark.parametrize("line, complaint", [
    ("SmtpStore", 'SmtpStore: "file:/path", "redis:host:port/database", "redis:/path" or "memory:size" is expected, not ""'),
    ("SmtpStore dbm:/tmp/x", 'SmtpStore: there is no store of the kind "dbm"; "file:/path", "redis:host:port/database", "redis:/path" or "memory:size" is expected'),
    ("SmtpStore memory:1k", 'SmtpStore: "memory:" needs a size from 64k to 64g, not "1k"'),
    ("SmtpStore file:/tmp/x size=2", 'SmtpStore: size takes the maximum size of the file, from 1m to 1024g, not "2"'),
    ("SmtpStore redis:127.0.0.1 timeout=soon", 'SmtpStore: timeout takes a time from 1ms to 30s, not "soon"'),
    ("SmtpStore a/b memory:1m", 'SmtpStore: "a/b" is not a valid namespace: a name has up to 64 letters, digits, "-", "_" and "."'),
    ("SmtpStore file:/no/such/folder/store", "SmtpStore file:/no/such/folder/store: there is no directory /no/such/folder"),
    ("SmtpStore file:/proc/store", "cannot create files in /proc"),
    ("SmtpStore file:@root@", "this is a directory, not a file"),
], ids=lambda value: value if value.startswith("SmtpStore") else "")
def test_mistakes_are_found_by_configtest(make_server, line, complaint):
    if "cannot create files" in complaint and not is_root():
        pytest.skip("for others than root it says that too, of every folder")
    server = make_server("event")
    add_host(server, line)
    good, printed = server.configtest()
    assert not good
    number = 1 + next(at for at, text in enumerate(server.config_file.read_text().splitlines()) if line.split("@")[0] in text.strip())
    flat = " ".join(printed.split())
    assert complaint in flat, printed
    assert re.search(rf"line {number}\b", flat), printed


def test_one_file_has_one_size(make_server):
    server = make_server("event")
    add_host(server, f'SmtpStore "file:{server.work}/store"')
    add_host(server, f'SmtpStore "file:{server.work}/store" size=2m', name="other.example.com")
    good, printed = server.configtest()
    assert not good
    assert re.search(rf"store_probe: file:{server.work}/store already has other options from {server.config_file} line \d+", printed), printed


def test_a_namespace_that_nobody_uses_is_a_warning(make_server):
    server = make_server("event")
    add_host(server, f"{file_store(server)}\nSmtpStore prode memory:1m\nSmtpStore probe memory:2m")
    good, printed = server.configtest()
    assert good
    assert "SmtpStore prode: no plugin uses a namespace of that name" in printed
    assert "SmtpStore probe:" not in printed


# --- the command

def test_the_command_works_beside_the_server(make_server):
    server = make_server("event")
    host = add_host(server, file_store(server))
    server.start()
    store = f"file:{server.work}/state/store"
    assert ask(host.port, "put key value", "put other 7 100") == ["done", "done"]
    status, printed, _ = run_tool("list", "probe", store=store)
    rows = dict(line.split("\t")[0:2] for line in printed.splitlines())
    assert status == 0 and rows == {"key": "value", "other": "7"}
    assert 90 < int(re.search(r"^other\t7\t(\d+)$", printed, re.M)[1]) <= 100
    assert run_tool("get", "probe", "key", store=store)[:2] == (0, "value\n")
    assert run_tool("namespaces", store=store) == (0, "probe\t2\n", "")
    assert run_tool("remove", "probe", "key", store=store)[0] == 0
    assert run_tool("remove", "probe", "key", store=store) == (1, "", 'smtpd-store: there is no entry "key"\n')
    assert ask(host.port, "get key", "get other") == ["(nothing)", "7"]
    for path in (server.work / "state").iterdir():
        assert not server.user or path.stat().st_uid == server.user[1]


def perl_writes(code, *arguments):
    perl = shutil.which("perl") or pytest.skip("perl is not installed")
    done = subprocess.run([perl, "-e", code, *map(str, arguments)], capture_output=True, text=True)
    if "Can't locate" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


#: As karma and greylisting of qpsmtpd do it, with the kinds of files that they ask for.
WRITE = """
use strict; use Fcntl; use AnyDBM_File;
BEGIN { @AnyDBM_File::ISA = () }
my ($kind, $file, @entries) = @ARGV;
eval "require $kind" or die $@;
@AnyDBM_File::ISA = ($kind);
tie(my %db, 'AnyDBM_File', $file, O_CREAT | O_RDWR, 0600) or die "$!";
while (@entries) { my $key = shift @entries; $db{$key} = shift @entries; }
untie %db;
"""


@pytest.mark.parametrize("kind", ["DB_File", "GDBM_File", "NDBM_File"])
def test_import_of_qpsmtpds_files(tmp_path, kind):
    formats = run_tool("--help")[1]
    if ("Berkeley DB" if kind == "DB_File" else "GDBM") not in formats.rpartition("Formats of import:")[2]:
        pytest.skip(f"smtpd-store was built without the library for {kind}")
    now = int(time.time())
    karma = [item for number in range(2000) for item in (str(0xC0000200 + number), f"{now}:{number % 3}:{number % 5}:{number}")]
    perl_writes(WRITE, kind, tmp_path / "karma.dbm", *karma)
    perl_writes(WRITE, kind, tmp_path / "greylist.dbm", str(0xC0000201), f"{now}:1:2:3", str((0x20010DB8 << 96) + 1) + ":Me@Example.net", f"{now}:1:0:0",
                "1", f"{now - 40 * 86400}:1:0:0", "junk", "x")
    state = tmp_path / "state"
    state.mkdir()
    store = f"file:{state}/store"
    assert run_tool("import-karma", tmp_path / "karma.dbm", store=store) == (0, "2000 imported, 0 already there, 0 expired, 0 not understood\n", "")
    assert run_tool("import-karma", tmp_path / "karma.dbm", store=store)[1] == "0 imported, 2000 already there, 0 expired, 0 not understood\n"
    assert run_tool("get", "karma", "192.0.2.7", store=store)[1] == f"{now}:1:2:7\n"
    status, printed, complaints = run_tool("import-greylist", tmp_path / "greylist.dbm", store=store)
    assert (status, printed) == (1, "2 imported, 0 already there, 1 expired, 1 not understood\n")
    assert complaints == 'smtpd-store: the key "junk" is not understood\n'
    assert run_tool("get", "greylist", "192.0.2.1", store=store)[1] == f"{now}:3:3\n"
    assert run_tool("get", "greylist", "2001:db8::1 me@example.net", store=store)[1] == f"{now}:1:0\n"


def test_import_of_text(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    store = f"file:{state}/store"
    text = tmp_path / "dump"
    text.write_text("# a comment\n3221225985 0:1:2:3\n3221225986\t0:0:0:1\n")
    assert run_tool("import-karma", text, store=store)[1] == "2 imported, 0 already there, 0 expired, 0 not understood\n"
    text.write_text("VERSION=3\nformat=bytevalue\ntype=hash\nHEADER=END\n " + b"3221225987".hex() + "\n " + b"0:0:4:4".hex() + "\nDATA=END\n")
    assert run_tool("import-karma", text, store=store)[1] == "1 imported, 0 already there, 0 expired, 0 not understood\n"
    text.write_text("VERSION=3\nformat=print\ntype=hash\nHEADER=END\n 3221225988\n 0:0:\\34:4\nDATA=END\n")
    assert run_tool("import-karma", text, store=store)[1] == "1 imported, 0 already there, 0 expired, 0 not understood\n"
    assert run_tool("list", "karma", store=store)[1].count("\n") == 4
    assert run_tool("get", "karma", "192.0.2.4", store=store)[1] == "0:0:4:4\n"
    for broken in ("VERSION=3\nHEADER=END\n 33\n 33\n", "VERSION=3\nHEADER=END\n 3x\n 33\nDATA=END\n", "one two three\n"):
        text.write_text(broken)
        status, _, complaint = run_tool("import-karma", text, store=store)
        assert status == 2 and str(text) in complaint
    assert run_tool("import-karma", tmp_path / "missing", store=store)[0] == 2


@pytest.mark.parametrize("arguments, complaint", [
    ((), "usage: smtpd-store "), (("list",), "a word is missing: list takes NAMESPACE [PREFIX]"), (("get", "probe"), "a word is missing: get takes NAMESPACE KEY"),
    (("remove", "probe"), "a word is missing: remove takes NAMESPACE KEY..."), (("import-karma",), "a word is missing: import-karma takes FILE"),
    (("import-greylist", "--second=third", "x"), '"--second=third" must be --second=sender or --second=recipient'), (("grow",), 'unknown command "grow"; --help'),
    (("lst", "probe"), 'unknown command "lst" (did you mean "list"?)'), (("get", "probe", "key", "more"), 'unexpected word "more": get takes NAMESPACE KEY'),
    (("namespaces", "probe"), 'unexpected word "probe": namespaces takes nothing more'), (("--colour", "list"), 'unknown option "--colour"'),
])
def test_wrong_calls_name_the_wrong_word(arguments, complaint):
    status, printed, said = run_tool(*arguments)
    assert (status, printed) == (2, "") and complaint in said and said.startswith(("smtpd-store: ", "usage: ")), said


def test_the_command_makes_files_for_the_server(tmp_path):
    if not is_root():
        pytest.skip("others than root make files for themselves only")
    name, uid, gid = smtpd_env.unprivileged_user()
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent == pathlib.Path("/tmp"):
            break
        parent.chmod(parent.stat().st_mode | 0o111)
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, uid, gid)
    text = tmp_path / "dump"
    text.write_text("3221225985 0:1:2:3\n")
    text.chmod(0o600)  # root's
    assert run_tool("import-karma", text, store=f"file:{state}/store")[0] == 0
    assert {path.stat().st_uid for path in state.iterdir()} == {uid}


def test_the_command_with_redis(redis, tmp_path):
    store = f"redis:127.0.0.1:{redis.port}/1"
    assert run_tool("list", "karma", store=store) == (0, "", "")
    assert run_tool("namespaces", store=store) == (0, "", "")
    assert run_tool("get", "karma", "192.0.2.1", store=store)[0] == 1
    nobody = f"redis:127.0.0.1:{free_port()}"
    assert run_tool("list", "karma", store=nobody)[0] == 2
    assert run_tool("list", "karma", store="memory:1m")[0] == 2
    assert run_tool("namespaces", store=nobody)[0] == 2
    dump = tmp_path / "dump"
    dump.write_text("3221225985 0:1:2:3\n3221225986 0:1:2:3\n")
    assert run_tool("import-karma", dump, store=store)[0] == 0
    assert run_tool("import-greylist", dump, store=store)[0] in (0, 1)
    assert run_tool("namespaces", store=store)[1].splitlines()[-1] == "karma\t2"
