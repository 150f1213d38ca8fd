"""The measured servers: httpd with mod_smtpd, smtp-sink, Postfix. Each runs privately on a free port of 127.0.0.1,
keeps its files in its own folder, and is stopped by its process id."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import textwrap
import time

import processes

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))

import postfix  # noqa: E402  (needs the path)

ADDRESS = "127.0.0.1"
IS_ROOT = os.geteuid() == 0


class BenchError(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return probe.getsockname()[1]


def server_user():
    """The first of these users that exists and is not root."""
    for name in ("www-data", "apache", "httpd", "nobody"):
        try:
            if pwd.getpwnam(name).pw_uid != 0:
                return name
        except KeyError:
            pass
    raise BenchError("there is no unprivileged user for the servers")


class Server:
    """Base class: command() returns the command to start in the foreground; the folder exists and is empty by then."""

    name = ""
    new_session = True  # whether it is started as the leader of a session of its own

    def __init__(self, base, environment=None):
        self.folder = base / f"{self.name}-{free_port()}"
        self.port = free_port()
        self.environment = dict(os.environ, **(environment or {}))
        self.process = None

    def __enter__(self):
        self.folder.mkdir(mode=0o755)
        command = self.command()
        with (self.folder / "output").open("w") as output:
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            start_new_session=self.new_session, env=self.environment)
        try:
            self.wait_for_greeting()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def wait_for_greeting(self):
        end = time.monotonic() + 15
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with socket.create_connection((ADDRESS, self.port), 5) as client:
                    if client.recv(512).startswith(b"220"):
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise BenchError(f"{self.name} does not answer:\n" + self.log_text()[-2000:])

    def log_text(self):
        return "".join(path.read_text(errors="replace") for path in (self.folder / "output", self.folder / "log") if path.exists())

    def cpu_seconds(self):
        return processes.cpu_seconds(self.process.pid)

    def pss_kib(self):
        return processes.pss_kib(self.process.pid)

    def settle(self):
        processes.settle(self.process.pid)

    def pinned(self, cores):
        return processes.pinned(self.process.pid, cores)

class ModSmtpd(Server):
    """httpd, event MPM, with the module of this build. `plugins` are configuration lines; @folder@ in them is the server's folder."""

    name = "mod_smtpd"

    def __init__(self, base, build, plugins, children=2, factor=64):
        super().__init__(base)
        self.build, self.plugins, self.children, self.factor = build, plugins, children, factor

    def command(self):
        for name in ("control", "spool", "maildir"):
            (self.folder / name).mkdir()
            if IS_ROOT:
                shutil.chown(self.folder / name, server_user())
        (self.folder / "control/rcpthosts").write_text("example.com\n")
        (self.folder / "httpd.conf").write_text(self.configuration())
        return [self.build["httpd"], "-f", self.folder / "httpd.conf", "-DFOREGROUND"]

    def configuration(self):
        modules = pathlib.Path(self.build["httpd_modules"])
        load = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in ("mpm_event", "unixd") if (modules / f"mod_{name}.so").exists())
        user = f"User {server_user()}\nGroup #{pwd.getpwnam(server_user()).pw_gid}\n" if IS_ROOT else ""
        plugins = "\n".join(self.plugins).replace("@folder@", str(self.folder))
        return load + user + textwrap.dedent(f"""\
            LoadModule smtpd_module {self.build["module"]}
            ServerRoot {self.folder}
            DefaultRuntimeDir {self.folder}
            PidFile {self.folder}/pid
            ErrorLog {self.folder}/log
            LogLevel warn
            ServerName mx.example.com
            Timeout 300
            Listen {ADDRESS}:{self.port} smtp
            ListenBacklog 8192
            StartServers {self.children}
            ServerLimit {self.children}
            ThreadsPerChild 64
            MaxRequestWorkers {64 * self.children}
            MinSpareThreads 1
            MaxSpareThreads {64 * self.children}
            AsyncRequestWorkerFactor {self.factor}
            <VirtualHost {ADDRESS}:{self.port}>
            SmtpEngine on
            SmtpSpoolDir {self.folder}/spool
            SmtpControlDir {self.folder}/control
            SmtpPluginDir {self.build["plugin_dir"]}
            SmtpPluginDir {self.build["build_dir"]}/tests/bench/.libs
            """) + plugins + "\n</VirtualHost>\n"


def make_certificate(folder):
    """cert.pem and key.pem, of the most common kind."""
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                           "/CN=mx.example.com", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], capture_output=True)
    if made.returncode != 0:
        raise BenchError(f"openssl: {made.stderr.decode(errors='replace')}")


class TlsModSmtpd(ModSmtpd):
    """The same with STARTTLS and its own certificate."""

    def command(self):
        make_certificate(self.folder)
        return super().command()

    def configuration(self):
        modules = pathlib.Path(self.build["httpd_modules"])
        load = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n" for name in ("socache_shmcb", "ssl"))
        port = free_port()
        return load + super().configuration() + textwrap.dedent(f"""\
            SSLSessionCache shmcb:{self.folder}/sslcache(5120000)
            SmtpStartTLS on mx.example.com
            Listen {ADDRESS}:{port} https
            <VirtualHost {ADDRESS}:{port}>
            ServerName mx.example.com
            SSLEngine on
            SSLCertificateFile {self.folder}/cert.pem
            SSLCertificateKeyFile {self.folder}/key.pem
            </VirtualHost>
            """)


class SmtpSink(Server):
    """Postfix's sink: one event loop that implements a minimum of SMTP and keeps nothing."""

    name = "smtp-sink"

    def __init__(self, base, programs):
        super().__init__(base, programs.environment)
        self.programs = programs

    def command(self):
        user = ["-u", server_user()] if IS_ROOT else []
        return [self.programs.commands / "smtp-sink", *user, "-h", "mx.example.com", "-m", "10000", f"{ADDRESS}:{self.port}", "4096"]


class PostfixQueue(Server):
    """Postfix as it accepts mail: smtpd, cleanup (which forces the message to the disk), qmgr, and delivery to
    nowhere. Needs root."""

    name = "postfix"
    services = []

    def __init__(self, base, programs):
        super().__init__(base, programs.environment)
        self.programs = programs

    def settings(self):
        return {"relay_domains": "example.com", "relay_transport": "discard", "default_transport": "discard", "default_process_limit": "150",
                "smtpd_client_connection_count_limit": "0", "smtpd_client_connection_rate_limit": "0", "in_flow_delay": "0"}

    def command(self):
        if not IS_ROOT:
            raise BenchError("Postfix can only be started by root")
        return postfix.Instance(self.programs, self.folder, self.port, self.settings(), self.services).command


class TlsPostfixQueue(PostfixQueue):
    """The same with STARTTLS; tickets for sessions are on, as they are by default."""

    services = ["tlsmgr unix - - n 1000? 1 tlsmgr"]

    def settings(self):
        make_certificate(self.folder)
        return {**super().settings(), "smtpd_tls_security_level": "may", "smtpd_tls_cert_file": self.folder / "cert.pem",
                "smtpd_tls_key_file": self.folder / "key.pem"}


def find_postfix(build):
    """Postfix's programs: installed, or unpacked from Debian's package into the build tree, never installed from here."""
    if shutil.which("smtp-sink", path=os.environ.get("PATH", "") + ":/usr/sbin"):
        return postfix.Programs()
    root = pathlib.Path(build["build_dir"]) / "peers/postfix"
    unpack = pathlib.Path(build["source_dir"]) / "tests/unpack_peer"
    done = subprocess.run([unpack, root, "usr/sbin/smtp-sink", "postfix"], capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"smtp-sink is missing: install your system's package of Postfix, or its test programs ({done.stderr.strip()})")
    return postfix.Programs(root)
