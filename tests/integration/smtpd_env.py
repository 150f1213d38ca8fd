"""A private httpd with mod_smtpd for a test: writes a small configuration, starts and stops it, reads its log.

    with Httpd("event") as server:
        smtp = server.smtp()                      a virtual host that queues mail for example.com to smtp.maildir
        server.start()
        with Client(smtp.port) as client: ...

Everything is in a new folder under TMPDIR, on loopback addresses and free ports. At the end of the block the server
stops. The test fails if the log has a warning or an error that the test did not announce with expect_log(), a
sanitizer's report, or a crash. Only processes that were started here are ended, by their process id.

Words for configuration lines: @root@ (the server's folder), @maildir@, @spool@, @control@ (those of the virtual host),
@plugins@ (the folder of the plugins).

The build to test is named by SMTPD_BUILD_DIR (see sanitizers.py). With SMTPD_KEEP_FILES set, the folders of the
servers stay.
"""

import contextlib
import grp
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import sanitizers
from maildir import Maildir

MPMS = ("event", "worker", "prefork")

#: Waits are stretched by this for a build with sanitizers.
BUILD = sanitizers.load_build() if (sanitizers.build_dir() / "build_config.json").is_file() else None
SLOWDOWN = sanitizers.slowdown(BUILD) if BUILD else 1

LOG_FORMAT = r"[%{cu}t] [%-m:%l] [pid %P] [client\ %a] %M"
LOG_LINE = re.compile(r"\[[^]]+\] \[(?P<module>[\w-]*):(?P<level>\w+)\] \[pid (?P<pid>\d+)\] (?:\[client (?P<client>[^ ]+)\] ?)?(?P<text>.*)")
SERIOUS = ("emerg", "alert", "crit", "error", "warn")
#: httpd's remarks that all workers are in use or nearly so: what process_lines() asks for.
ALL_WORKERS_IN_USE = re.compile(r"AH(00161|00286|00287|00288|00484|00485|00486|10159|03490): ")
#: mpm_event's listener misses the end of its workers for some seconds when many connections are being closed at that moment; httpd's parent
#: reminds the child, which ends by itself. (That it had to be killed, AH00046, is another matter.)
LATE_LISTENER = re.compile(r"AH00045: |AH00475: ")
#: What a machine with a low limit of open files is told at a start; test_descriptors.py looks at it.
LOW_LIMIT = re.compile(r"SMTPD0073: ")
#: What a server is told at a start whose test names the plugins that it needs, and leaves out one of this kind.
LEFT_OUT = (("no plugin accepts recipients: ", re.compile(r"\b(rcpt_ok|rcpt_map|rcpt_regexp|stalls|judges_recipients)\b")),
            ("there is no queue plugin: ", re.compile(r"\b(queue/\w+|stalls|hands_on)\b")))
#: What a server is told whose test wants a limit that small messages reach.
SMALL_LIMIT = re.compile(r"SmtpMaxMessageSize \d+ rejects ordinary mail: ")
CRASH = re.compile(r"AH0005[12]: .*exit signal|AH00546|core dump|terminate called|\*\*\* .* \*\*\*")

#: Where a line begins within another: a process was killed while it wrote the first one. The kernel looks for SIGKILL whenever a write comes to the next
#: page, so one line in twenty can be cut off there, and the next process's line follows without a line end.
BEHIND_CUT_LINE = re.compile(r"(?<=.)(?=\[20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\] \[)")
CUT_OFF = " (cut off)"
#: What the log has, if anything, about children that a test kills.
KILLED = r"exit signal Killed|AH1039[23]: children are killed successively| \(cut off\)$"

#: Control files that configtest wants to be readable by nobody but the server.
PASSWORD_FILES = {"flat_auth_pw"}

DEFAULT_PLUGINS = """
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


class LogLine:
    def __init__(self, text):
        match = LOG_LINE.fullmatch(text)
        self.raw = text
        self.level = match["level"] if match else ""
        self.pid = int(match["pid"]) if match else 0
        self.module = match["module"] if match else ""
        self.text = match["text"] if match else text

    def __repr__(self):
        return self.raw


def is_root():
    return os.geteuid() == 0


def unprivileged_user():
    """(name, uid, gid) for httpd's children, and other servers that must not run as root."""
    for name in ("www-data", "apache", "httpd", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return name, entry.pw_uid, entry.pw_gid
    raise RuntimeError("there is no unprivileged user for the server")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


_given_ports = set()


def free_port():
    """A port below the range that clients get theirs from, free on both loopback addresses."""
    for _ in range(500):
        port = random.SystemRandom().randrange(10240, 32000)
        if port in _given_ports:
            continue
        try:
            for family, host in [(socket.AF_INET, "127.0.0.1")] + ([(socket.AF_INET6, "::1")] if has_ipv6() else []):
                with socket.socket(family) as probe:
                    probe.bind((host, port))
        except OSError:
            continue
        _given_ports.add(port)
        return port
    raise RuntimeError("no free port")


def process_exists(pid):
    """Whether the process runs; a zombie does not."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def programs_of(pid):
    """{process: state} of the children of all threads of a process; Z is a zombie."""
    found = {}
    for listed in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in listed.read_text().split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    found[int(child)] = pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
    return found


def resident_memory(pid):
    """The private memory of a process in bytes (anonymous, resident)."""
    match = re.search(r"^RssAnon:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(match[1]) * 1024


def check_growth(before, after, limit):
    """Checks that the memory has grown by less than `limit` bytes. Not under a sanitizer, which keeps freed memory
    (and reports leaks itself)."""
    if not BUILD["sanitizers"]:
        assert after - before < limit, f"{(after - before) >> 10} KB more than before"


def connections_to(port):
    """The number of the server's connections that it has not closed."""
    found = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        found += int(local.rpartition(":")[2], 16) == port and state in ("01", "08")
    return found


def wait_until(condition, seconds=10.0, what="", interval=0.02):
    """Waits until condition() is true and returns its value; fails after that time (longer under sanitizers)."""
    deadline = time.monotonic() + seconds * SLOWDOWN
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds * SLOWDOWN:g} s: {what or 'a condition was not met'}")
        time.sleep(interval)


def unpacked(variable, name, program):
    """The root of a tree with this program (a glob pattern): the one in the environment variable, the one that
    `bootstrap check` unpacked under this name, or the system's; None if there is none."""
    source = pathlib.Path(os.environ.get("SMTPD_SOURCE_DIR") or pathlib.Path(__file__).resolve().parents[2])
    for folder in (os.environ.get(variable), source / "build/peers" / name, "/"):
        if folder and any(pathlib.Path(folder).glob(program)):
            return pathlib.Path(folder)
    return None


class SmtpHost:
    """A virtual host that speaks SMTP."""

    def __init__(self, server, number, name, plugins, lines, control, port, log_level):
        self.name = name
        self.port = port or free_port()
        self.control = server.root / f"control{number}"
        self.maildir = Maildir(server.work / f"maildir{number}")
        self.spool = server.work / f"spool{number}"
        self._server = server
        self.control.mkdir()
        self.control.chmod(0o755)
        for folder in (self.maildir.path, self.spool):
            server.make_writable(folder)
        for file, text in {"rcpthosts": "example.com\n", **(control or {})}.items():
            if text is not None:
                self.set_control(file, text)
        self._plugins = DEFAULT_PLUGINS if plugins is None else plugins
        self._lines = lines
        self._log_level = log_level

    def set_control(self, name, text):
        """Writes a control file, in one step."""
        path = self.control / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".fresh")
        fresh.write_text(text)
        fresh.chmod(0o644)
        if name in PASSWORD_FILES:  # for nobody but the server
            fresh.chmod(0o640 if self._server.user else 0o600)
            if self._server.user:
                os.chown(fresh, 0, self._server.user[2])
        fresh.rename(path)

    def fill_in(self, text):
        for word, value in {"@maildir@": self.maildir.path, "@spool@": self.spool, "@control@": self.control}.items():
            text = text.replace(word, str(value))
        return text

    def configuration(self, addresses):
        listen = "\n".join(f"Listen {address}:{self.port} smtp" for address in addresses)
        hosts = " ".join(f"{address}:{self.port}" for address in addresses)
        log_level = f"LogLevel {self._log_level}" if self._log_level else ""
        return self.fill_in(f"""
{listen}
<VirtualHost {hosts}>
    ServerName {self.name}
    {log_level}
    SmtpEngine on
    SmtpPluginDir "@plugins@"
    SmtpControlDir "@control@"
    SmtpSpoolDir "@spool@"
    {self._lines}
    {self._plugins}
</VirtualHost>
""")


class HttpHost:
    """A virtual host on its own port that speaks HTTP, unless its lines say otherwise. `protocol` goes into the
    Listen line."""

    def __init__(self, name, lines, protocol):
        self.name = name
        self.port = free_port()
        self._lines = lines
        self._protocol = protocol

    def configuration(self, addresses):
        listen = "\n".join(f"Listen {address}:{self.port} {self._protocol}" for address in addresses)
        hosts = " ".join(f"{address}:{self.port}" for address in addresses)
        return f"{listen}\n<VirtualHost {hosts}>\n    ServerName {self.name}\n    {self._lines}\n</VirtualHost>\n"


class Httpd:
    """`children` and `threads` say how many sessions run at once (prefork: children * threads processes). The
    numbers are fixed: httpd starts no others. `main` are lines for the main server, `modules` names of further
    modules."""

    def __init__(self, mpm="event", *, children=1, threads=16, main="", modules=(), log_level="notice smtpd:info", prefix=(), environment=None):
        assert BUILD, f"{sanitizers.build_dir()} holds no build; set SMTPD_BUILD_DIR"
        self.mpm = mpm
        self.children_wanted = children
        self.threads = threads
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="smtpd-test-"))
        self.root.chmod(0o755)
        self.user = unprivileged_user() if is_root() else None
        self.work = self.root / "work"
        self.make_writable(self.work)
        self.hosts = []
        self.process = None
        self.config_file = self.root / "httpd.conf"
        self.log_file = self.root / "error.log"
        self._main = main
        self._modules = list(modules)
        self._log_level = log_level
        self._expected = []
        self._prefix = list(prefix)
        self._environment = {**sanitizers.environment(BUILD), **(environment or {})}
        self._configuration = None

    # --- configuration

    def make_writable(self, folder):
        """Makes a folder that belongs to the server's children."""
        pathlib.Path(folder).mkdir(parents=True)
        pathlib.Path(folder).chmod(0o700 if folder != self.work else 0o755)
        if self.user:
            os.chown(folder, self.user[1], self.user[2])

    def _lacks(self, plugin):
        """Whether a virtual host for SMTP names no plugin of that kind."""
        return any(isinstance(host, SmtpHost) and not plugin.search(host.configuration([])) for host in self.hosts)

    def give_to_user(self, path):
        """The same for a file, or a folder that may be there."""
        path = pathlib.Path(path)
        if not path.exists():
            path.mkdir(parents=True)
        if self.user:
            os.chown(path, self.user[1], self.user[2])

    def smtp(self, plugins=None, lines="", *, name="mx.example.com", control=None, port=None, log_level=""):
        """Adds a virtual host for SMTP. `plugins` replaces the lines of DEFAULT_PLUGINS, `control` adds control files (None as text: none)."""
        host = SmtpHost(self, len(self.hosts), name, plugins, lines, control, port, log_level)
        self.hosts.append(host)
        return host

    def http(self, lines="", *, name="www.example.com", protocol="http"):
        host = HttpHost(name, lines, protocol)
        self.hosts.append(host)
        return host

    def use_configuration(self, text):
        """Uses this text as the whole httpd.conf; replaces the words with @."""
        self._configuration = text

    def load_modules(self):
        folder = pathlib.Path(BUILD["httpd_modules"])
        lines = []
        for name in dict.fromkeys([f"mpm_{self.mpm}", "unixd", *self._modules]):
            if (folder / f"mod_{name}.so").is_file():
                lines.append(f"LoadModule {name}_module \"{folder / f'mod_{name}.so'}\"")
        lines.append(f"LoadModule smtpd_module \"{BUILD['module']}\"")
        return "\n".join(lines)

    def process_lines(self):
        if self.mpm == "prefork":
            # With that many idle, all stay.
            number = self.children_wanted * self.threads
            return f"StartServers {number}\nMinSpareServers {number}\nMaxSpareServers {number + 1}\nServerLimit {number}\nMaxRequestWorkers {number}"
        workers = self.children_wanted * self.threads
        lines = (f"StartServers {self.children_wanted}\nThreadsPerChild {self.threads}\nThreadLimit {self.threads}\nMaxRequestWorkers {workers}\n"
                 f"MinSpareThreads {workers}\nMaxSpareThreads {workers}\nServerLimit {self.children_wanted + 12}")
        return lines + ("\nAsyncRequestWorkerFactor 256" if self.mpm == "event" else "")

    def configuration(self):
        addresses = ["127.0.0.1"] + (["[::1]"] if has_ipv6() else [])
        identity = f"User {self.user[0]}\nGroup {grp.getgrgid(self.user[2]).gr_name}" if self.user else ""
        return "\n".join([
            self.load_modules(), identity, self.process_lines(),
            f'ServerRoot "{self.root}"\nDefaultRuntimeDir "{self.work}"\nPidFile "{self.root}/httpd.pid"\nServerName main.example.com',
            f'ErrorLog "{self.log_file}"\nErrorLogFormat "{LOG_FORMAT}"\nLogLevel {self._log_level}',
            self._main, *(host.configuration(addresses) for host in self.hosts)])

    def write(self):
        text = self._configuration if self._configuration is not None else self.configuration()
        for word, value in {"@root@": self.root, "@plugins@": BUILD["plugin_dir"], "@modules@": self.load_modules()}.items():
            text = text.replace(word, str(value))
        self.config_file.write_text(text)

    def _command(self, *arguments):
        return [*sanitizers.command_prefix(BUILD), *self._prefix, BUILD["httpd"], "-f", str(self.config_file), *arguments]

    def configtest(self):
        """(whether httpd -t succeeds, its output)"""
        self.write()
        done = subprocess.run(self._command("-t"), env=self._environment, capture_output=True, text=True, errors="backslashreplace", timeout=60 * SLOWDOWN)
        assert done.returncode in (0, 1), f"httpd -t ended with {done.returncode}: {done.stdout}{done.stderr}"
        assert not sanitizers.REPORT.search(done.stdout + done.stderr), done.stdout + done.stderr
        return done.returncode == 0, done.stdout + done.stderr

    # --- life

    def start(self):
        self.write()
        with open(self.root / "stderr", "wb") as errors:
            # A session of its own: prefork signals its whole process group.
            self.process = subprocess.Popen(self._command("-DFOREGROUND"), env=self._environment, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                            start_new_session=True)
        wait_until(lambda: self.process.poll() is not None or re.search(r"AH00(489|292|163)", self.log_text()), 15, "httpd is not up")
        if self.process.poll() is not None:
            raise AssertionError(f"httpd did not start:\n{(self.root / 'stderr').read_text(errors='backslashreplace')}{self.log_text()}")
        wait_until(lambda: len(self.children()) >= self.children_wanted, 15, "the children are not up")
        return self

    def stop(self):
        """Stops the server; returns the problems in its log."""
        if self.process is None:
            return []
        problems = []
        if self.process.poll() is None:
            # Connections that are just being closed get to their end first: the event MPM stumbles when it is told to stop within one
            # (its main thread still knows a socket that a worker has freed already), with any protocol.
            time.sleep(0.05)
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30 * SLOWDOWN)
            if status != 0:
                problems.append(f"httpd ended with {status}")
        except subprocess.TimeoutExpired:
            for child in self.children():
                os.kill(child, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            problems.append("httpd did not end when it was told to")
        self.process = None
        return problems + self.log_problems()

    def graceful(self, wait=True):
        """A graceful restart; waits until the new generation runs."""
        before = self._generations()
        self.process.send_signal(signal.SIGUSR1)
        if wait:
            wait_until(lambda: self._generations() > before, 20, "no new generation after a graceful restart")

    def _generations(self):
        return len(re.findall(r"AH00(?:489|292|163): .* resuming normal operations", self.log_text()))

    def graceful_stop(self):
        self.process.send_signal(signal.SIGWINCH)

    def children(self):
        return children_of(self.process.pid) if self.process and self.process.poll() is None else []

    def kill_children(self, seconds, seed, every=0.25):
        """Kills a child now and then for so long, both longer under sanitizers; returns the number of kills."""
        generator = random.Random(seed)
        killed = set()
        end = time.monotonic() + seconds * SLOWDOWN
        while time.monotonic() < end:
            time.sleep(every * SLOWDOWN)
            if living := [child for child in self.children() if process_exists(child)]:
                victim = generator.choice(living)
                with contextlib.suppress(ProcessLookupError):  # it ended at that moment
                    os.kill(victim, signal.SIGKILL)
                    killed.add(victim)
        return len(killed)

    def finish(self, show=False):
        """Stops the server and removes its folder; returns the problems in its log. `show` prints information about
        a failure."""
        try:
            problems = self.stop()
            if (show or problems) and self.config_file.exists():
                print(f"--- {self.config_file}\n{self.config_file.read_text()}")
                print("--- the end of its log\n" + "\n".join(self.log_text().splitlines()[-80:]))
            return problems
        finally:
            if not os.environ.get("SMTPD_KEEP_FILES"):
                shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        problems = self.finish(show=kind is not None)
        assert kind is not None or not problems, "\n".join(problems)

    # --- log

    def log_text(self):
        return self.log_file.read_text(errors="backslashreplace") if self.log_file.exists() else ""

    def log_lines(self):
        lines = []
        for text in self.log_text().splitlines():
            *cut, whole = BEHIND_CUT_LINE.split(text)
            lines += [LogLine(piece + CUT_OFF) for piece in cut] + [LogLine(whole)]
        return lines

    def expect_log(self, pattern):
        """Lines that match, at any level, must occur at least once."""
        self._expected.append((re.compile(pattern), True))

    def allow_log(self, pattern):
        """Lines that match may occur."""
        self._expected.append((re.compile(pattern), False))

    def wait_log(self, pattern, seconds=10, count=1):
        """Waits for a line that matches; returns all matching lines."""
        def found():
            lines = [line for line in self.log_lines() if re.search(pattern, line.raw)]
            return lines if len(lines) >= count else None
        return wait_until(found, seconds, f"the log has no {pattern!r}:\n{self.log_text()[-4000:]}")

    def log_problems(self):
        lines = self.log_lines()
        for number, line in enumerate(lines):
            if sanitizers.REPORT.search(line.raw):
                return ["a sanitizer reports:\n" + "\n".join(one.raw for one in lines[max(0, number - 1):number + 70])]
        problems = []
        seen = set()
        for line in lines:
            wanted = [pattern for pattern, _ in self._expected if pattern.search(line.raw)]
            seen.update(wanted)
            usual = ALL_WORKERS_IN_USE.search(line.text) or LOW_LIMIT.search(line.text) or SMALL_LIMIT.search(line.text)
            usual = usual or any(remark in line.text and self._lacks(plugin) for remark, plugin in LEFT_OUT)
            usual = usual or (self.mpm == "event" and LATE_LISTENER.search(line.text))
            foreign = not line.level and line.raw.strip() != ""
            if not wanted and not usual and (line.level in SERIOUS or foreign or CRASH.search(line.raw)):
                problems.append(f"unexpected in the log: {line.raw}")
        return problems + [f"the log has no {pattern.pattern!r}" for pattern, required in self._expected if required and pattern not in seen]
