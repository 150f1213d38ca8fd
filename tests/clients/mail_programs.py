"""Mail programs of others, each told to send one message over TLS that they verify.

`PROGRAMS` has for each a function that takes an Order and runs the program; (status, what it printed) comes back, and 0 means that the program says it has
sent the message.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import smtplib
import ssl
import subprocess

import pytest

import smtpd_env
from receiver import HOST, PASSWORD, RECIPIENTS, SENDER, USER
from smtp_client import stuffed

FOLDER = pathlib.Path(__file__).resolve().parent
TIMEOUT = 60 * smtpd_env.SLOWDOWN


@dataclasses.dataclass
class Order:
    """Send `message` to this port: with TLS from the first octet, or with STARTTLS; logging in with `mechanism`, if there is one."""

    port: int
    authority: pathlib.Path
    folder: pathlib.Path  # for files that the program needs
    message: bytes
    implicit: bool = False
    mechanism: str = ""
    user: str = USER
    password: str = PASSWORD
    sender: str = SENDER
    recipients: tuple = RECIPIENTS
    more: tuple = ()  # words for the program's command line

    def file(self, name, octets):
        path = self.folder / name
        path.write_bytes(octets if isinstance(octets, bytes) else octets.encode())
        path.chmod(0o600)
        return path

    def run(self, *command, octets=b"", environment=None):
        """In a home that is empty, so that nobody's own settings count."""
        program = shutil.which(command[0]) or pytest.skip(f"{command[0]} is not installed (bootstrap check does it)")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8", **(environment or {})}
        done = subprocess.run([program, *map(str, command[1:])], cwd=self.folder, input=octets, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=TIMEOUT)
        return done.returncode, done.stdout.decode(errors="backslashreplace")


def unix_lines(message):
    return message.replace(b"\r\n", b"\n")


def with_smtplib(order):
    context = ssl.create_default_context(cafile=order.authority)

    def connect():
        if order.implicit:
            return smtplib.SMTP_SSL(HOST, order.port, context=context, timeout=TIMEOUT)
        return smtplib.SMTP(HOST, order.port, timeout=TIMEOUT)

    try:
        with connect() as client:
            if not order.implicit:
                client.starttls(context=context)
            client.ehlo()
            if order.mechanism:
                client.user, client.password = order.user, order.password
                client.auth(order.mechanism, getattr(client, "auth_" + order.mechanism.lower().replace("-", "_")))
            refused = client.sendmail(order.sender, order.recipients, order.message, ["BODY=8BITMIME"])
            return len(refused), repr(refused)
    except (smtplib.SMTPException, ssl.SSLError) as error:
        return 1, repr(error)


def with_swaks(order):
    login = ["--auth", order.mechanism, "--auth-user", order.user, "--auth-password", order.password] if order.mechanism else []
    return order.run("swaks", "--server", HOST, "--port", order.port, "--tls-on-connect" if order.implicit else "--tls", "--tls-verify",
                     "--tls-ca-path", order.authority, "--helo", "client.example.net", "--from", order.sender, "--to", ",".join(order.recipients),
                     "--pipeline", *login, *order.more, "--no-data-fixup", "--data", f"@{order.file('swaks', stuffed(order.message))}")


def with_curl(order):
    login = ["--user", f"{order.user}:{order.password}", "--login-options", f"AUTH={order.mechanism}"] if order.mechanism else []
    recipients = [word for recipient in order.recipients for word in ("--mail-rcpt", recipient)]
    url = f"smtp{'s' if order.implicit else ''}://{HOST}:{order.port}/client.example.net"
    return order.run("curl", "--silent", "--show-error", "--verbose", "--url", url, "--ssl-reqd", "--cacert", order.authority,
                     "--mail-from", order.sender, *recipients, *login, "--upload-file", order.file("curl", order.message))


def with_msmtp(order):
    lines = ["defaults", f"host {HOST}", f"port {order.port}", "domain client.example.net", f"from {order.sender}", "tls on",
             f"tls_starttls {'off' if order.implicit else 'on'}", f"tls_trust_file {order.authority}", "set_from_header off", "set_date_header off",
             "undisclosed_recipients off", "account default"]
    lines += [f"auth {order.mechanism.lower()}", f"user {order.user}", f"password {order.password}"] if order.mechanism else ["auth off"]
    settings = order.file("msmtprc", "\n".join(lines) + "\n")
    return order.run("msmtp", "--debug", "--file", settings, "--", *order.recipients, octets=unix_lines(order.message))


def with_nodemailer(order):
    folder = next((folder for folder in ("/usr/share/nodejs", "/usr/lib/node_modules") if (pathlib.Path(folder) / "nodemailer").is_dir()), None)
    if folder is None:
        pytest.skip("nodemailer is not installed (bootstrap check does it)")
    wish = {"host": HOST, "port": order.port, "implicit": order.implicit, "authority": str(order.authority), "sender": order.sender,
            "recipients": order.recipients, "file": str(order.file("nodemailer", order.message)), "mechanism": order.mechanism, "user": order.user,
            "password": order.password}
    return order.run("node", FOLDER / "send_with_nodemailer.js", octets=json.dumps(wish).encode(), environment={"NODE_PATH": folder})


def with_git(order):
    """git makes a header of its own; the body is the patch's."""
    login = ["--smtp-auth=none"]
    if order.mechanism:
        login = [f"--smtp-auth={order.mechanism}", f"--smtp-user={order.user}", f"--smtp-pass={order.password}"]
    order.run("git", "init", "--quiet")
    order.run("git", "config", "user.name", "Jane")
    order.run("git", "config", "user.email", "jane@example.com")
    return order.run("git", "send-email", f"--smtp-server={HOST}", f"--smtp-server-port={order.port}",
                     f"--smtp-encryption={'ssl' if order.implicit else 'tls'}", f"--smtp-ssl-cert-path={order.authority}",
                     "--smtp-domain=client.example.net", *login, f"--envelope-sender={order.sender}", f"--from=Jane <{order.sender}>",
                     *(f"--to={recipient}" for recipient in order.recipients), "--suppress-cc=all", "--confirm=never", "--no-validate",
                     "--transfer-encoding=8bit", "--8bit-encoding=UTF-8", "--smtp-debug=1", order.file("0001-patch.eml", unix_lines(order.message)))


def with_s_nail(order):
    """s-nail makes a header of its own, too, and encodes the body if there is anything in it that has not always been allowed."""
    settings = ["v15-compat=yes", f"mta=smtp{'s' if order.implicit else ''}://{HOST}:{order.port}", f"from={order.sender}", "sendwait", "nosave",
                f"tls-ca-file={order.authority}", "tls-ca-no-defaults", "tls-verify=strict", f"smtp-auth={order.mechanism.lower() or 'none'}",
                "mime-encoding=8bit", "ttycharset=utf-8", "sendcharsets=utf-8"]
    settings += ["smtp-use-starttls"] if not order.implicit else []
    settings += [f"user={order.user}", f"password={order.password}"] if order.mechanism else []
    body = order.message.partition(b"\r\n\r\n")[2]
    return order.run("s-nail", "-:/", "-vv", *(f"-S{setting}" for setting in settings), "-s", "a message", "-.", *order.recipients,
                     octets=unix_lines(body))


PROGRAMS = {"smtplib": with_smtplib, "swaks": with_swaks, "curl": with_curl, "msmtp": with_msmtp, "nodemailer": with_nodemailer, "git": with_git,
            "s-nail": with_s_nail}

#: Those that send the message that they are given as it is.
EXACT = [name for name in PROGRAMS if name not in ("git", "s-nail")]

#: The ways to log in that each of them knows.
MECHANISMS = {name: ["PLAIN", "LOGIN", "CRAM-MD5"] for name in PROGRAMS}
MECHANISMS["msmtp"] += ["SCRAM-SHA-1", "SCRAM-SHA-256"]
