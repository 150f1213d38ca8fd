"""The servers that are measured: httpd with mod_smtpd, smtp-sink, Postfix. Each runs privately on a free port of 127.0.0.1, keeps its files in a
folder of its own and is stopped by the process id it was started with."""

import grp
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import textwrap
import time

import processes

ADDRESS = "127.0.0.1"
IS_ROOT = os.geteuid() == 0


class BenchError(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return probe.getsockname()[1]


def account(names):
    """The first of these users that exists and is not root."""
    for name in names:
        try:
            if pwd.getpwnam(name).pw_uid != 0:
                return name
        except KeyError:
            pass
    raise BenchError(f"none of the users {', '.join(names)} exists")


def server_user():
    return account(("www-data", "apache", "httpd", "nobody"))


class Server:
    """Base: command() says what to start, in the foreground; folder is there and empty by then."""

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


class TlsModSmtpd(ModSmtpd):
    """The same with STARTTLS, and a certificate of its own."""

    def command(self):
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                               "/CN=mx.example.com", "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"], capture_output=True)
        if made.returncode != 0:
            raise BenchError(f"openssl: {made.stderr.decode(errors='replace')}")
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
    """Postfix's sink: one event loop that knows just enough SMTP, and keeps nothing."""

    name = "smtp-sink"

    def __init__(self, base, postfix):
        super().__init__(base, postfix.environment())
        self.postfix = postfix

    def command(self):
        user = ["-u", server_user()] if IS_ROOT else []
        return [self.postfix.program("smtp-sink"), *user, "-h", "mx.example.com", "-m", "10000", f"{ADDRESS}:{self.port}", "4096"]


class PostfixQueue(Server):
    """Postfix as it takes mail in: smtpd, cleanup (which forces the message to the disk), qmgr, and delivery to nowhere. Only for root."""

    name = "postfix"
    OWNED = "active bounce corrupt defer deferred flush hold incoming private saved trace".split()

    def __init__(self, base, postfix):
        super().__init__(base, postfix.environment())
        self.postfix = postfix
        self.owner, self.group = account(("daemon", "bin")), grp.getgrnam("mail").gr_name

    def command(self):
        for name in ("etc", "data", "queue", "queue/maildrop", "queue/public", "queue/pid", *("queue/" + name for name in self.OWNED)):
            (self.folder / name).mkdir()
        for name in ("data", "queue/maildrop", "queue/public", *("queue/" + name for name in self.OWNED)):
            shutil.chown(self.folder / name, self.owner)
            (self.folder / name).chmod(0o700)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            shutil.chown(self.folder / "queue" / name, group=self.group)
            (self.folder / "queue" / name).chmod(mode)
        (self.folder / "etc/main.cf").write_text(self.main_cf())
        (self.folder / "etc/master.cf").write_text(self.master_cf())
        (self.folder / "etc/dynamicmaps.cf").touch()
        return [self.postfix.daemons() / "master", "-c", self.folder / "etc", "-d"]

    def main_cf(self):
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.folder / "queue", "data_directory": self.folder / "data", "daemon_directory": self.postfix.daemons(),
            "command_directory": self.postfix.program("postdrop").parent, "shlib_directory": self.postfix.libraries(),
            "import_environment": "MAIL_CONFIG LD_LIBRARY_PATH TZ",
            "mail_owner": self.owner, "setgid_group": self.group, "default_privs": "nobody",
            "myhostname": "mx.example.com", "mydestination": "", "alias_maps": "", "mynetworks": "127.0.0.0/8",
            "inet_interfaces": ADDRESS, "inet_protocols": "ipv4", "smtp_dns_support_level": "disabled", "smtpd_peername_lookup": "no",
            "relay_domains": "example.com", "relay_transport": "discard", "default_transport": "discard",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination", "smtpd_recipient_restrictions": "",
            "smtpd_client_connection_count_limit": "0", "smtpd_client_connection_rate_limit": "0",
            "default_process_limit": "150", "in_flow_delay": "0", "message_size_limit": "52428800", "mailbox_size_limit": "0",
            "maillog_file": self.folder / "log", "maillog_file_prefixes": self.folder,
        }
        return "".join(f"{name} = {value}\n" for name, value in settings.items())

    def master_cf(self):
        daemons = [("cleanup", "n", "0", ""), ("qmgr", "n", "1", "300"), ("rewrite", "-", "-", "", "trivial-rewrite"), ("bounce", "-", "0", ""),
                   ("defer", "-", "0", "", "bounce"), ("trace", "-", "0", "", "bounce"), ("error", "-", "-", ""), ("retry", "-", "-", "", "error"),
                   ("discard", "-", "-", ""), ("proxymap", "-", "-", ""), ("anvil", "-", "1", ""), ("showq", "n", "-", "")]
        lines = [f"{ADDRESS}:{self.port} inet n - n - - smtpd\n", "postlog unix-dgram n - n - 1 postlogd\n"]
        for name, private, most, wakeup, *program in daemons:
            lines.append(f"{name} unix {private} - n {wakeup or '-'} {most} {program[0] if program else name}\n")
        return "".join(lines)


class Postfix:
    """Where Postfix's programs are: installed, or unpacked from Debian's package into the build tree, never installed from here."""

    def __init__(self, build_dir):
        self.root = pathlib.Path(build_dir) / "peers" / "postfix"
        self.installed = shutil.which("smtp-sink", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/libexec/postfix")
        if not self.installed and not (self.root / "usr/sbin/smtp-sink").exists():
            self.unpack()

    def unpack(self):
        if not shutil.which("apt-get"):
            raise BenchError("smtp-sink is missing: install your system's package of Postfix, or its test programs")
        packages = self.root.parent / "packages"
        packages.mkdir(parents=True, exist_ok=True)

        def download(*names):
            done = subprocess.run(["apt-get", "download", "-q", *names], cwd=packages, capture_output=True, text=True)
            if done.returncode:
                raise BenchError(f"apt-get download {' '.join(names)} failed:\n{done.stderr}")

        download("postfix")
        wanted = subprocess.run(["dpkg-deb", "-f", next(packages.glob("postfix_*.deb")), "Depends"], capture_output=True, text=True, check=True).stdout
        names = [word.split()[0].split(":")[0] for word in wanted.replace("|", ",").split(",")]
        missing = [name for name in names if name.startswith("lib") and subprocess.run(["dpkg", "-s", name], capture_output=True).returncode]
        if missing:
            download(*missing)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, self.root], check=True)

    def program(self, name):
        return pathlib.Path(self.installed).parent / name if self.installed else self.root / "usr/sbin" / name

    def libraries(self):
        return pathlib.Path("/usr/lib/postfix") if self.installed else self.root / "usr/lib/postfix"

    def daemons(self):
        places = [self.libraries() / "sbin", pathlib.Path("/usr/libexec/postfix")]
        return next(place for place in places if (place / "smtpd").exists())

    def environment(self):
        if self.installed:
            return {}
        return {"LD_LIBRARY_PATH": ":".join([str(self.libraries()), *(str(path) for path in (self.root / "usr/lib").glob("*-linux-gnu"))])}

    def version(self):
        done = subprocess.run([self.program("postconf"), "-d", "-h", "mail_version"], capture_output=True, text=True, env=dict(os.environ, **self.environment()))
        return done.stdout.strip() or "unknown version"
