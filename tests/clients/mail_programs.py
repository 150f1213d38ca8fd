"""Foreign mail programs, each of which sends one message over TLS with a verified certificate.

`PROGRAMS` has for each program a function that takes an Order and runs the program. It returns (status, output); 0
means that the program has sent the message.
"""

import base64
import dataclasses
import json
import os
import pathlib
import shutil
import smtplib
import ssl
import subprocess
import urllib.parse

import pytest

import smtpd_env
from receiver import HOST, PASSWORD, RECIPIENTS, SENDER, USER
from smtp_client import stuffed

FOLDER = pathlib.Path(__file__).resolve().parent
TIMEOUT = 60 * smtpd_env.SLOWDOWN


@dataclasses.dataclass
class Order:
    """An order to send `message` to this port: with TLS from the first octet, or with STARTTLS; logging in with
    `mechanism`, if there is one."""

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
    certificate: object = None  # the client's own, of certificates.py

    def file(self, name, octets):
        path = self.folder / name
        path.write_bytes(octets if isinstance(octets, bytes) else octets.encode())
        path.chmod(0o600)
        return path

    def wish(self, name, **more):
        """The order as JSON, for a script of ours that sends with a library; a file of that name has the message."""
        return json.dumps({"host": HOST, "port": self.port, "implicit": self.implicit, "authority": str(self.authority), "sender": self.sender,
                           "recipients": self.recipients, "file": str(self.file(name, self.message)), "mechanism": self.mechanism, "user": self.user,
                           "password": self.password, "seconds": TIMEOUT, **more}).encode()

    def run(self, *command, octets=b"", environment=None):
        """With an empty home directory, so that no user's settings apply."""
        program = shutil.which(command[0]) or pytest.skip(f"{command[0]} is not installed (bootstrap check does it)")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8", **(environment or {})}
        done = subprocess.run([program, *map(str, command[1:])], cwd=self.folder, input=octets, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=TIMEOUT)
        return done.returncode, done.stdout.decode(errors="backslashreplace")


def unix_lines(message):
    return message.replace(b"\r\n", b"\n")


#: Where the password is a token of OAuth 2.
BEARER = ("OAUTHBEARER", "XOAUTH2")


def bearer_answer(order, challenge):
    """The lines of a program that logs in with a token: first the token, and after the server's reason for a
    refusal, an acknowledgement."""
    if challenge is not None:
        print("334", base64.b64encode(challenge).decode())
        return "" if order.mechanism == "XOAUTH2" else "\1"
    start = f"user={order.user}\1" if order.mechanism == "XOAUTH2" else f"n,a={order.user},\1host={HOST}\1port={order.port}\1"
    return f"{start}auth=Bearer {order.password}\1\1"


def with_smtplib(order):
    context = ssl.create_default_context(cafile=order.authority)
    if order.certificate:
        context.load_cert_chain(order.certificate.certificate, order.certificate.key)

    def connect():
        if order.implicit:
            return smtplib.SMTP_SSL(HOST, order.port, context=context, timeout=TIMEOUT)
        return smtplib.SMTP(HOST, order.port, timeout=TIMEOUT)

    try:
        with connect() as client:
            if not order.implicit:
                client.starttls(context=context)
            client.ehlo()
            if order.mechanism in BEARER:
                client.auth(order.mechanism, lambda challenge=None: bearer_answer(order, challenge))
            elif order.mechanism == "EXTERNAL":
                client.auth("EXTERNAL", lambda challenge=None: order.user)
            elif order.mechanism:
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
    password = order.password if order.mechanism != "EXTERNAL" else ""  # with one, curl does not think of EXTERNAL
    login = ["--user", f"{order.user}:{password}", "--login-options", f"AUTH={order.mechanism}"] if order.mechanism else []
    if order.mechanism in BEARER:
        login = ["--user", f"{order.user}:", "--oauth2-bearer", order.password, "--login-options", f"AUTH={order.mechanism}"]
    if order.certificate:
        login += ["--cert", order.certificate.certificate, "--key", order.certificate.key]
    recipients = [word for recipient in order.recipients for word in ("--mail-rcpt", recipient)]
    url = f"smtp{'s' if order.implicit else ''}://{HOST}:{order.port}/client.example.net"
    return order.run("curl", "--silent", "--show-error", "--verbose", "--url", url, "--ssl-reqd", "--cacert", order.authority,
                     "--mail-from", order.sender, *recipients, *login, "--upload-file", order.file("curl", order.message))


def with_msmtp(order):
    lines = ["defaults", f"host {HOST}", f"port {order.port}", "domain client.example.net", f"from {order.sender}", "tls on",
             f"tls_starttls {'off' if order.implicit else 'on'}", f"tls_trust_file {order.authority}", "set_from_header off", "set_date_header off",
             "undisclosed_recipients off", "account default"]
    lines += [f"auth {order.mechanism.lower()}", f"user {order.user}", f"password {order.password}"] if order.mechanism else ["auth off"]
    if order.certificate:
        lines += [f"tls_cert_file {order.certificate.certificate}", f"tls_key_file {order.certificate.key}"]
    settings = order.file("msmtprc", "\n".join(lines) + "\n")
    return order.run("msmtp", "--debug", "--file", settings, "--", *order.recipients, octets=unix_lines(order.message))


def with_nodemailer(order):
    folder = next((folder for folder in ("/usr/share/nodejs", "/usr/lib/node_modules") if (pathlib.Path(folder) / "nodemailer").is_dir()), None)
    if folder is None:
        pytest.skip("nodemailer is not installed (bootstrap check does it)")
    return order.run("node", FOLDER / "send_with_nodemailer.js", octets=order.wish("nodemailer"), environment={"NODE_PATH": folder})


def with_phpmailer(order):
    library = "/usr/share/php/libphp-phpmailer/autoload.php"
    if not pathlib.Path(library).is_file():
        pytest.skip("PHPMailer is not installed (bootstrap check does it on Debian)")
    return order.run("php", FOLDER / "send_with_phpmailer.php", octets=order.wish("phpmailer", library=library))


def with_nullmailer(order):
    """The program of Postfix's queue that talks to a server. It reads its settings from standard input, and the
    envelope and the message from descriptor 3."""
    program = "usr/lib/nullmailer/smtp"
    root = smtpd_env.unpacked("SMTPD_NULLMAILER", "nullmailer", program) or pytest.skip("nullmailer is neither installed nor unpacked")
    settings = [f"host={HOST}", f"port={order.port}", f"x509cafile={order.authority}", "tls" if order.implicit else "starttls"]
    if order.mechanism:
        settings += [f"user={order.user}", f"pass={order.password}"] + (["auth-login"] if order.mechanism == "LOGIN" else [])
    queued = order.file("nullmailer", "\n".join((order.sender, *order.recipients, "", "")).encode() + unix_lines(order.message))
    return order.run("sh", "-c", f'exec "$0" 3<"$1"', root / program, queued, octets="".join(f"{setting}\n" for setting in settings).encode(),
                     environment={"HELOHOST": "client.example.net"})


def with_net_smtp(order):
    return order.run("perl", FOLDER / "send_with_net_smtp.pl", octets=order.wish("net_smtp"))


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
    """s-nail makes a header of its own, too, and encodes the body if it has any character that old rules forbid."""
    settings = ["v15-compat=yes", f"mta=smtp{'s' if order.implicit else ''}://{HOST}:{order.port}", f"from={order.sender}", "sendwait", "nosave",
                f"tls-ca-file={order.authority}", "tls-ca-no-defaults", "tls-verify=strict", f"smtp-auth={order.mechanism.lower() or 'none'}",
                "mime-encoding=8bit", "ttycharset=utf-8", "sendcharsets=utf-8"]
    settings += ["smtp-use-starttls"] if not order.implicit else []
    settings += [f"user={order.user}", f"password={order.password}"] if order.mechanism else []
    body = order.message.partition(b"\r\n\r\n")[2]
    return order.run("s-nail", "-:/", "-vv", *(f"-S{setting}" for setting in settings), "-s", "a message", "-.", *order.recipients,
                     octets=unix_lines(body))


def with_mutt(order):
    """mutt makes a header of its own and chooses the encoding. Its output has the conversation."""
    user = urllib.parse.quote(order.user, safe="") + "@" if order.mechanism else ""
    settings = {"smtp_url": f"smtp{'s' if order.implicit else ''}://{user}{HOST}:{order.port}", "ssl_force_tls": "yes", "ssl_starttls": "yes",
                "certificate_file": order.authority, "ssl_verify_host": "yes", "ssl_verify_dates": "yes",
                "from": order.sender, "use_envelope_from": "yes", "envelope_from_address": order.sender, "hostname": "client.example.net",
                "charset": "utf-8", "send_charset": "utf-8", "copy": "no", "allow_8bit": "yes", "smtp_authenticators": order.mechanism.lower()}
    if order.mechanism:
        settings["smtp_pass"] = order.password
    lines = "".join(f'set {name}="{value}"\n' for name, value in settings.items() if value != "")
    body = order.message.partition(b"\r\n\r\n")[2]
    status, printed = order.run("mutt", "-n", "-d", "2", "-F", order.file("muttrc", lines), "-s", "a message", "--", *order.recipients,
                                octets=unix_lines(body))
    notes = order.folder / ".muttdebug0"
    return status, printed + (notes.read_text(errors="backslashreplace") if notes.exists() else "")


PROGRAMS = {"smtplib": with_smtplib, "swaks": with_swaks, "curl": with_curl, "msmtp": with_msmtp, "nodemailer": with_nodemailer, "git": with_git,
            "s-nail": with_s_nail, "mutt": with_mutt, "net_smtp": with_net_smtp, "phpmailer": with_phpmailer, "nullmailer": with_nullmailer}

#: Those that make a header of their own, and encode what they do not trust others with.
COMPOSING = ["s-nail", "mutt"]

#: Those that send the message that they are given as it is.
EXACT = [name for name in PROGRAMS if name not in (*COMPOSING, "git")]

#: Those that say HELO when they have no use for extensions.
MODEST = ["s-nail", "nullmailer"]

#: Those that break lines that are longer than RFC 5321 allows.
BREAKING_LINES = ["phpmailer"]

#: The ways to log in that each of them knows.
MECHANISMS = {name: ["PLAIN", "LOGIN", "CRAM-MD5"] for name in PROGRAMS}
MECHANISMS["msmtp"] += ["SCRAM-SHA-1", "SCRAM-SHA-256"]
MECHANISMS["mutt"] += ["SCRAM-SHA-1", "SCRAM-SHA-256"]
MECHANISMS["nullmailer"] = ["PLAIN", "LOGIN"]

#: The same with a token.
TOKEN_MECHANISMS = {"smtplib": BEARER, "curl": BEARER, "msmtp": BEARER, "nodemailer": ("XOAUTH2",)}
