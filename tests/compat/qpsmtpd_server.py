"""Debian's qpsmtpd, unpacked and not installed, as a server on a free loopback port.

`bootstrap check` unpacks the package to build/peers/qpsmtpd; SMTPD_QPSMTPD may name another tree (one with usr/bin
and usr/share in it). Its Perl modules come from Debian's packages. It runs as an unprivileged user, with the test's
own configuration directory, in the environment that QpsmtpdWorld.pm simulates.
"""

import os
import pathlib
import shutil
import socket
import subprocess

import smtpd_env


def tree():
    return smtpd_env.unpacked("SMTPD_QPSMTPD", "qpsmtpd", "usr/bin/qpsmtpd-forkserver")


def why_not():
    """The missing requirements for running it, "" if there are none."""
    if tree() is None:
        return "qpsmtpd is not unpacked (bootstrap check does it)"
    if not shutil.which("perl"):
        return "perl is not installed"
    done = subprocess.run(["perl", "-T", f"-I{tree()}/usr/share/perl5", "-MNet::DNS", "-MNet::IP", "-MMail::Header", "-MQpsmtpd::TcpServer", "-e", "1"], capture_output=True, text=True)
    return "" if done.returncode == 0 else f"qpsmtpd's Perl modules are not all installed: {done.stderr.splitlines()[0]}"


class Qpsmtpd:
    """A forkserver with this configuration directory, which it may read, and `folder` for its files, which it may write. `environment` is for
    QpsmtpdWorld.pm."""

    def __init__(self, configuration, folder, user, environment):
        self.port = smtpd_env.free_port()
        self.log_file = pathlib.Path(folder) / "qpsmtpd.log"
        self._environment = environment
        self._configuration = pathlib.Path(configuration)
        self._user = user
        self._process = None

    def start(self):
        name = self._user[0] if self._user else smtpd_env.pwd.getpwuid(os.geteuid()).pw_name
        environment = {"PATH": "/usr/bin:/bin", "QPSMTPD_CONFIG": str(self._configuration), **self._environment}
        addresses = [f"--listen-address={address}" for address in ["127.0.0.1"] + (["[::1]"] if smtpd_env.has_ipv6() else [])]
        command = ["perl", "-Tw", f"-I{pathlib.Path(__file__).resolve().parent}", f"-I{tree()}/usr/share/perl5", "-MQpsmtpdWorld",
                   str(tree() / "usr/bin/qpsmtpd-forkserver"), *addresses, "--port", str(self.port), "--user", name,
                   "--limit-connections", "20", "--max-from-ip", "20"]
        with open(self.log_file, "wb") as log:
            self._process = subprocess.Popen(command, cwd=self.log_file.parent, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                             start_new_session=True)

        def answers():
            if self._process.poll() is not None:
                raise AssertionError(f"qpsmtpd did not start:\n{self.log()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False
        smtpd_env.wait_until(answers, 20, "qpsmtpd does not answer", interval=0.1)
        return self

    def log(self):
        return self.log_file.read_text(errors="backslashreplace") if self.log_file.exists() else ""

    def stop(self):
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
