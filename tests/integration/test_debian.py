"""The README's steps for Debian work as typed, with Debian's own configuration, its a2enmod, a2ensite and apachectl."""

import os
import pathlib
import re
import shutil
import smtplib
import subprocess
import tempfile
import time

import pytest
import smtpd_env

SOURCE = pathlib.Path(os.environ.get("SMTPD_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))


def readme_commands():
    """The commands of the section about Debian, in their order."""
    section = (
        (SOURCE / "README")
        .read_text()
        .split("A mail server on Debian\n", 1)[1]
        .split("\nThe virtual host, shortened", 1)[0]
    )
    return re.findall(r"^    (\S.*)$", section, re.M)


class Debian:
    """Debian's layout in a separate folder, in which the test runs the commands of the README."""

    def __init__(self, folder, peer, port):
        self.folder, self.peer, self.port = folder, peer, port
        self.conf = folder / "etc/apache2"
        shutil.copytree(peer / "etc/apache2", self.conf, symlinks=True)
        self.user = "www-data" if os.geteuid() == 0 else subprocess.check_output(["id", "-un"], text=True).strip()
        for name in ("run", "lock", "log", "state"):
            (folder / name).mkdir()
        group = subprocess.check_output(["id", "-gn", self.user], text=True).strip()
        (self.conf / "envvars").write_text(
            f"export APACHE_RUN_USER={self.user} APACHE_RUN_GROUP={group} APACHE_PID_FILE={folder}/run/pid APACHE_RUN_DIR={folder}/run "
            f"APACHE_LOCK_DIR={folder}/lock APACHE_LOG_DIR={folder}/log LANG=C\n"
        )
        (self.conf / "ports.conf").write_text("")  # nothing but mail is served
        main = self.conf / "apache2.conf"
        main.write_text("ServerName localhost\n" + main.read_text())
        self.environment = {
            **os.environ,
            "APACHE_CONFDIR": str(self.conf),
            "APACHE_STATE_DIRECTORY": str(folder / "state"),
            "PATH": f"{peer / 'usr/sbin'}:{os.environ['PATH']}",
        }
        for name in ("mpm_event", "authz_core"):
            self.run("a2enmod", "-q", name)

    def run(self, *command):
        done = subprocess.run(command, env=self.environment, text=True, capture_output=True, timeout=120)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def install(self):
        """The part of make install for Debian's layout; module and plugins stay in the build tree."""
        self.run(
            "make",
            "-s",
            "-C",
            smtpd_env.BUILD["build_dir"],
            "install-mods-available",
            f"modsavailabledir={self.conf / 'mods-available'}",
        )
        load = self.conf / "mods-available/smtpd.load"
        text, count = re.subn(
            r"(?m)^LoadModule smtpd_module .*$",
            f"LoadModule smtpd_module {smtpd_env.BUILD['module']}",
            load.read_text(),
        )
        assert count == 1
        load.write_text(text)
        (self.conf / "conf-enabled/plugins.conf").write_text(f"SmtpPluginDir {smtpd_env.BUILD['plugin_dir']}\n")

    def type(self, command):
        words = command.split()
        if words[:2] == ["./bootstrap", "build"]:
            return
        if words[:1] == ["make"]:
            self.install()
        elif words[0] == "smtpd-setup":
            tool = pathlib.Path(smtpd_env.BUILD["build_dir"]) / "tools/smtpd-setup"
            self.said = self.run(
                str(tool),
                *words[1:],
                f"--listen=127.0.0.1:{self.port}",
                f"--control={self.folder}/etc/smtpd",
                f"--spool={self.folder}/spool",
                f"--maildir={self.folder}/mail/example.com",
                f"--user={self.user}",
            )
        elif words[0] == "systemctl":
            self.run("apachectl", "start")
        elif words[0] == "swaks":
            pass  # the mail is sent below
        else:
            self.run(*words)

    def stop(self):
        pid = self.folder / "run/pid"
        if not pid.exists():
            return
        number = int(pid.read_text())
        self.run("apachectl", "stop")
        for _ in range(200):
            try:
                os.kill(number, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)
        raise AssertionError("httpd did not end")


@pytest.fixture
def debian():
    peer = smtpd_env.unpacked("SMTPD_DEBIAN_APACHE", "apache2", "usr/sbin/a2enmod")
    if not peer:
        pytest.skip("Debian's apache2 is neither installed nor in build/peers")
    if smtpd_env.BUILD["sanitizers"]:
        pytest.skip("apachectl starts no httpd with sanitizers")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="smtpd-debian-"))
    folder.chmod(0o755)
    made = Debian(folder, peer, smtpd_env.free_port())
    yield made
    made.stop()
    shutil.rmtree(folder)


def send(port):
    for _ in range(100):
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
                client.sendmail(
                    "you@example.net",
                    ["postmaster@example.com"],
                    "From: you@example.net\r\nDate: Mon, 30 Nov 2026 12:00:00 +0000\r\nSubject: hello\r\n\r\nIt works.\r\n",
                )
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("nobody listens")


def test_readme_as_it_is_typed(debian):
    for command in readme_commands():
        debian.type(command)
    send(debian.port)
    mail = list((debian.folder / "mail/example.com/new").iterdir())
    assert len(mail) == 1 and "It works." in mail[0].read_text()
    log = (debian.folder / "log/smtpd-example.com.log").read_text()
    assert "accepted" in log and "postmaster@example.com" in log
    assert not re.search(r":(warn|error|crit)\]", log), log


def test_setup_keeps_what_is_there(debian):
    for command in readme_commands():
        if not command.startswith(("swaks", "systemctl")):
            debian.type(command)
    control = debian.folder / "etc/smtpd"
    (control / "rcpthosts").write_text("example.org\n")
    site = debian.conf / "sites-available/smtpd-example.com.conf"
    before = site.read_text()
    debian.type("smtpd-setup site example.com")
    assert (control / "rcpthosts").read_text() == "example.org\n" and site.read_text() == before
    assert f"kept     {control}/rcpthosts" in debian.said and "does not have example.com" in debian.said
    assert f"kept     {site}" in debian.said and "created" not in debian.said


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["site"], "which domain"),
        (["site", "exa mple.com"], "is not a domain"),
        (["site", "localhost"], "is not a domain"),
        (["site", "a.example", "b.example"], "one domain at a time"),
        (["site", "a.example", "--listen=x"], "is not PORT"),
        (["site", "a.example", "--maildir=relative"], "is not an absolute path"),
        (["site", "a.example", "--user=nobody-of-that-name"], "no user"),
        (["site", "a.example", "--colour=red"], 'unknown option "--colour=red"'),
        (["sight"], 'unknown command "sight"'),
    ],
)
def test_setup_names_what_is_wrong(arguments, words):
    tool = pathlib.Path(smtpd_env.BUILD["build_dir"]) / "tools/smtpd-setup"
    done = subprocess.run([str(tool), *arguments], stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=30)
    assert done.returncode == 2 and words in done.stderr, done.stderr


def test_one_port_has_one_server(debian):
    debian.install()
    debian.type("smtpd-setup site example.com")
    with pytest.raises(AssertionError, match="already listens on port"):
        debian.type("smtpd-setup site example.org")
