"""Exim as a private server, installed or only unpacked, with its own folder and configuration. It never touches the
files of the system.

Exim has its user compiled in. If Exim is only unpacked, this user does not exist: libnss_wrapper maps the name to
the tests' unprivileged user.
"""

import os
import pathlib
import shutil

import pytest

import smtpd_env
from mail_server import ADDRESS, NAME, MailServer
from receiver import HOST, PASSWORD, USER

COMPILED_IN = ("Debian-exim", "exim", "mail")

CONFIGURATION = """
primary_hostname = {name}
exim_path = {program}
exim_user = {user}
exim_group = {user}
never_users =
keep_environment = ^LD_ : ^NSS_WRAPPER_
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
log_selector = +tls_certificate_verified +smtp_confirmation +pipelining
local_interfaces = {address}
daemon_smtp_ports = {port}
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
dkim_verify_signers =
recipients_max = 1000
acl_smtp_mail = accept
acl_smtp_rcpt = accept
acl_smtp_data = accept

begin routers
everything:
  driver = manualroute
  transport = ours
  route_list = * {host}::{to} byname
  self = send

begin transports
ours:
  driver = smtp
  allow_localhost
  hosts_require_tls = *
  tls_verify_certificates = {authority}
  tls_verify_hosts = *
  tls_verify_cert_hostnames = *
  message_linelength_limit = 1000000
{transport}

begin retry
* * F,2h,10m

begin authenticators
{authenticators}
"""

AUTHENTICATORS = {
    "PLAIN": f"plain:\n  driver = plaintext\n  public_name = PLAIN\n  client_send = ^{USER}^{PASSWORD.replace(':', '::')}\n",
    "LOGIN": f"login:\n  driver = plaintext\n  public_name = LOGIN\n  client_send = : {USER} : {PASSWORD.replace(':', '::')}\n",
    "CRAM-MD5": f"cram:\n  driver = cram_md5\n  public_name = CRAM-MD5\n  client_name = {USER}\n  client_secret = {PASSWORD}\n",
}


class Exim(MailServer):
    """Forwards everything to this port of ours, over TLS with a verified certificate. `transport` has further lines
    for its transport. Messages leave as they came in, with a Received field on top."""

    def __init__(self, port, authority, *transport, mechanism=None):
        name = next((name for name in ("usr/sbin/exim4", "usr/sbin/exim") if smtpd_env.unpacked("SMTPD_EXIM", "exim", name)), None)
        if name is None:
            pytest.skip("there is no Exim (bootstrap check unpacks it)")
        tree = smtpd_env.unpacked("SMTPD_EXIM", "exim", name)
        super().__init__()
        # A copy, which lacks the right to become root: with that right there would be neither LD_PRELOAD nor a configuration of one's own.
        self._program = pathlib.Path(shutil.copyfile(tree / name, self.folder / "exim"))
        self._program.chmod(0o755)
        libraries = ":".join(str(path) for path in (tree / "usr/lib").glob("*-linux-gnu")) if tree != pathlib.Path("/") else ""
        self.environment = {"LD_PRELOAD": "libnss_wrapper.so", "LD_LIBRARY_PATH": libraries, **self._users()}
        (self.folder / "spool").mkdir()
        if smtpd_env.is_root():
            for path in (self.folder, self.folder / "spool"):
                os.chown(path, *smtpd_env.unprivileged_user()[1:])
        trusted = shutil.copyfile(authority.certificate, self.folder / "ca.pem")
        more = ["hosts_require_auth = *"] if mechanism else []
        (self.folder / "exim.conf").write_text(CONFIGURATION.format(
            name=NAME, program=self._program, user=COMPILED_IN[0], folder=self.folder, address=ADDRESS, port=self.port, host=HOST, to=port,
            authority=trusted, transport="\n".join(f"  {line}" for line in [*more, *transport]), authenticators=AUTHENTICATORS.get(mechanism, "")))

    def _users(self):
        _, uid, gid = smtpd_env.unprivileged_user() if smtpd_env.is_root() else (None, os.geteuid(), os.getegid())
        root = "root:x:0:0:root:/root:/bin/sh\n"
        (self.folder / "passwd").write_text(root + "".join(f"{name}:x:{uid}:{gid}::/nonexistent:/bin/false\n" for name in COMPILED_IN))
        (self.folder / "group").write_text("root:x:0:\n" + "".join(f"{name}:x:{gid}:\n" for name in COMPILED_IN))
        return {"NSS_WRAPPER_PASSWD": str(self.folder / "passwd"), "NSS_WRAPPER_GROUP": str(self.folder / "group")}

    def command(self):
        return [self._program, "-C", self.folder / "exim.conf", "-bdf", "-oP", self.folder / "pid"]

    @staticmethod
    def signature(protocol):
        """The content of its Received field, for a message that reached us with this protocol."""
        return "with utf8esmtp (Exim" if protocol == "UTF8SMTPS" else "with esmtp (Exim"

    def log_files(self):
        return [self.folder / "mainlog", self.folder / "paniclog"]
