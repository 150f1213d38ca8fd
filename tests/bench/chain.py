"""A chain of plugins that ask the DNS and keep state, as an ordinary site has it; the same for qpsmtpd; and the name
server that both ask."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from own_network import is_allowed, own_network  # noqa: E402
from servers import ADDRESS, IS_ROOT, BenchError, ModSmtpd, Server, server_user

ZONES = [f"bl{number}.test" for number in range(1, 6)]
SENDER_ZONE = "dbl.test"

#: @dns@ is the name server's address.
CHAIN = ["SmtpResolver @dns@ timeout=5s", "SmtpStore file:@folder@/store", "SmtpPlugin fcrdns", "SmtpPlugin earlytalker wait=0",
         "SmtpPlugin dnsbl " + " ".join(f"zones={zone}" for zone in ZONES), f"SmtpPlugin rhsbl zones={SENDER_ZONE}", "SmtpPlugin helo policy=strict",
         "SmtpPlugin resolvable_fromhost", "SmtpPlugin badmailfrom", "SmtpPlugin karma", "SmtpPlugin headers", "SmtpPlugin rcpt_ok", "SmtpPlugin queue/discard"]

QPSMTPD_CHAIN = ["fcrdns", "earlytalker wait 0", "dnsbl", "rhsbl", "helo policy strict", "resolvable_fromhost", "badmailfrom", "karma", "headers", "rcpt_ok", "discard"]


def chain(name_server):
    return [line.replace("@dns@", name_server.address) for line in CHAIN]


def write_control(folder):
    """The files that both servers read."""
    for name, text in {"rcpthosts": "example.com\n", "badmailfrom": "spammer@example.net\n@spam.example\n", "me": "mx.example.com\n"}.items():
        (folder / name).write_text(text)


@contextlib.contextmanager
def foreign_clients():
    """The block runs in a separate network with 198.18.0.0/15 (RFC 2544) for the clients, because some plugins treat
    clients from 127.0.0.0/8 as this machine."""
    if not is_allowed():
        raise BenchError("clients with addresses of their own need a network of their own, which only root may make")
    with own_network("198.18.0.0/15"):
        yield


class ChainServer(ModSmtpd):
    def __init__(self, base, build, name_server, **how):
        super().__init__(base, build, chain(name_server), **how)

    def command(self):
        command = super().command()
        write_control(self.folder / "control")
        if IS_ROOT:
            shutil.chown(self.folder, server_user())  # for the store
        return command


class NameServer:
    """Runs dns_load with these delays, {"suffix": milliseconds}; "" is any name. `counts` has its report after the
    end of the block."""

    def __init__(self, build, delays=None):
        options = [word for suffix, delay in (delays or {}).items() for word in ("--delay", f"{suffix}={delay}")]
        self._command = [f"{build['build_dir']}/tests/bench/dns_load", *options]
        self.counts = None

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._process.stdout.readline())
        self.address = f"{ADDRESS}:{self.port}"
        return self

    def run_on(self, cores):
        os.sched_setaffinity(self._process.pid, cores)

    def __exit__(self, *_):
        out, _ = self._process.communicate(timeout=20)
        self.counts = json.loads(out)


class QpsmtpdPrefork(Server):
    """Debian's qpsmtpd-prefork with the same chain. LocalDns.pm tells its resolver where the name server is."""

    name = "qpsmtpd-prefork"
    new_session = False  # it makes one itself
    children = 40

    def __init__(self, base, build, name_server):
        super().__init__(base)
        self.tree = self._find(build)
        self.environment = {"PATH": "/usr/bin:/bin", "QPSMTPD_CONFIG": str(self.folder / "config"), "LOCAL_DNS_PORT": str(name_server.port)}

    @staticmethod
    def _find(build):
        for folder in (os.environ.get("SMTPD_QPSMTPD"), f"{build['build_dir']}/peers/qpsmtpd", "/"):
            if folder and (pathlib.Path(folder) / "usr/bin/qpsmtpd-prefork").is_file():
                return pathlib.Path(folder)
        raise BenchError("qpsmtpd is not unpacked (bootstrap check does it; SMTPD_QPSMTPD names another tree)")

    def command(self):
        config, plugins = self.folder / "config", self.folder / "plugins"
        for folder in (config, plugins, self.folder / "spool"):
            folder.mkdir()
        (plugins / "discard").write_text('sub hook_queue { return (OK, "discarded") }\n')
        write_control(config)
        lists = {"plugins": QPSMTPD_CHAIN, "plugin_dirs": [plugins, self.tree / "usr/share/qpsmtpd/plugins"], "spool_dir": [self.folder / "spool"], "loglevel": [0],
                 "dnsbl_zones": [zone + ":listed" for zone in ZONES], "rhsbl_zones": [SENDER_ZONE]}
        for name, lines in lists.items():
            (config / name).write_text("".join(f"{line}\n" for line in lines))
        (self.folder / "spool").chmod(0o700)
        if IS_ROOT:
            for folder in (self.folder, self.folder / "spool"):
                shutil.chown(folder, server_user())
        return ["perl", "-T", f"-I{pathlib.Path(__file__).resolve().parent}", f"-I{self.tree}/usr/share/perl5", "-MLocalDns",
                self.tree / "usr/bin/qpsmtpd-prefork", "--listen-address", ADDRESS,
                "--port", str(self.port), "--children", str(self.children), "--idle-children", str(self.children - 5), "--max-from-ip", "0", "--user", server_user()]
