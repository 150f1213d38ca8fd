"""Postfix as a private instance, installed or only unpacked, with its own folders and configuration. It never
touches the files of the system. Needs root."""

import grp
import os
import pathlib
import pwd
import shutil
import subprocess

ADDRESS = "127.0.0.1"


class Programs:
    """The root of Postfix's programs, "/" if they are installed."""

    #: What there is in a tree that has Postfix.
    SIGN = "usr/sbin/postconf"

    def __init__(self, root="/"):
        self._root = pathlib.Path(root)
        self.libraries = self._root / "usr/lib/postfix"
        self.commands = self._root / "usr/sbin"
        places = [self.libraries / "sbin", self._root / "usr/libexec/postfix"]
        self.daemons = next(place for place in places if (place / "smtpd").exists())
        #: What its programs need in their environment, where they are not at their place.
        self.environment = {} if self._root == pathlib.Path("/") else {
            "LD_LIBRARY_PATH": ":".join([str(self.libraries), *(str(path) for path in (self._root / "usr/lib").glob("*-linux-gnu"))])}

    def version(self):
        done = subprocess.run([self.commands / "postconf", "-d", "-h", "mail_version"], capture_output=True, text=True, env={**os.environ, **self.environment})
        return done.stdout.strip() or "unknown version"


def owner():
    """A user that is neither root nor the user that delivers mail, and has no other purpose."""
    for name in ("daemon", "bin"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            pass
    raise RuntimeError("neither of the users daemon and bin exists")


class Instance:
    """Writes the files of an instance in `folder`, which exists. `settings` and `services` (lines for master.cf)
    extend the common ones: every instance accepts mail from 127.0.0.1 on `port`."""

    OWNED = "active bounce corrupt defer deferred flush hold incoming private saved trace".split()

    def __init__(self, programs, folder, port, settings, services=()):
        self.programs, self.folder, self.port = programs, pathlib.Path(folder), port
        self.log = self.folder / "log"
        self._owner, self._group = owner(), grp.getgrnam("mail").gr_name
        self._make_folders()
        settings = {**self._settings(), **settings}
        self._write("main.cf", (f"{name} = {value}" for name, value in settings.items()))
        self._write("master.cf", [*self._services(), *services])
        self._write("dynamicmaps.cf", [])
        self.command = [programs.daemons / "master", "-c", self.folder / "etc", "-d"]

    def _write(self, name, lines):
        (self.folder / "etc" / name).write_text("".join(f"{line}\n" for line in lines))

    def _make_folders(self):
        for name in ("etc", "data", "queue", "queue/maildrop", "queue/public", "queue/pid", *("queue/" + name for name in self.OWNED)):
            (self.folder / name).mkdir()
        for name in ("data", "queue/maildrop", "queue/public", *("queue/" + name for name in self.OWNED)):
            shutil.chown(self.folder / name, self._owner)
            (self.folder / name).chmod(0o700)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            shutil.chown(self.folder / "queue" / name, group=self._group)
            (self.folder / "queue" / name).chmod(mode)

    def _settings(self):
        return {
            "compatibility_level": "3.6",
            "queue_directory": self.folder / "queue", "data_directory": self.folder / "data", "daemon_directory": self.programs.daemons,
            "command_directory": self.programs.commands, "shlib_directory": self.programs.libraries,
            "import_environment": "MAIL_CONFIG LD_LIBRARY_PATH TZ",
            "mail_owner": self._owner, "setgid_group": self._group, "default_privs": "nobody",
            "myhostname": "mx.example.com", "mydestination": "", "alias_maps": "", "mynetworks": "127.0.0.0/8",
            "inet_interfaces": ADDRESS, "inet_protocols": "ipv4", "smtp_dns_support_level": "disabled", "smtpd_peername_lookup": "no",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination", "smtpd_recipient_restrictions": "",
            "message_size_limit": "52428800", "mailbox_size_limit": "0",
            "maillog_file": self.log, "maillog_file_prefixes": self.folder,
        }

    def _services(self):
        yield f"{ADDRESS}:{self.port} inet n - n - - smtpd"
        yield "postlog unix-dgram n - n - 1 postlogd"
        for name, private, most, wakeup, *program in [
                ("cleanup", "n", "0", ""), ("qmgr", "n", "1", "300"), ("rewrite", "-", "-", "", "trivial-rewrite"), ("bounce", "-", "0", ""),
                ("defer", "-", "0", "", "bounce"), ("trace", "-", "0", "", "bounce"), ("error", "-", "-", ""), ("retry", "-", "-", "", "error"),
                ("discard", "-", "-", ""), ("proxymap", "-", "-", ""), ("anvil", "-", "1", ""), ("showq", "n", "-", "")]:
            yield f"{name} unix {private} - n {wakeup or '-'} {most} {program[0] if program else name}"
