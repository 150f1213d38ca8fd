"""Our server as mail programs see it: a port with STARTTLS and one with TLS from the first octet, and the messages
that arrive there."""

import contextlib
import re

import pytest

import sanitizers
import smtpd_env
from certificates import SESSION_CACHE, Authority, lines as ssl_lines, needs_mod_ssl
from maildir import fields_of

HELPERS = sanitizers.build_dir() / "tests" / "helper_plugins" / ".libs"
#: The name that programs connect to; the certificate has it, beside mx.example.com.
HOST = "localhost"
USER = "jane@example.com"
PASSWORD = "correct horse: battery"
LOGIN = "SmtpPlugin auth/auth_flat_file"
CONTROL = {"flat_auth_pw": f"{USER}:{{PLAIN}}{PASSWORD}\n"}  # for CRAM-MD5 and SCRAM
SENDER = "jane@example.com"
RECIPIENTS = ("user@example.com", "second.user@example.com", "third+detail@example.com")
#: Whom only those may write to who have logged in.
ELSEWHERE = "someone@elsewhere.example"


class Arrived:
    """A message in the maildir: the fields that our server put on top, and the octets of the message itself."""

    def __init__(self, stored):
        self._fields, self.message = stored.split_behind_ours()

    def values(self, name):
        return [value for field, value in self._fields if field == name]

    @property
    def sender(self):
        return self.values("return-path")[0].strip("<>")

    @property
    def recipients(self):
        return sorted(value.strip("<>") for value in self.values("delivered-to"))

    @property
    def received(self):
        return re.sub(r"\s+", " ", self.values("received")[0])

    @property
    def session(self):
        """The id of the session that brought it."""
        return re.search(r" id (\w+)-\d+", self.received)[1]

    @property
    def protocol(self):
        return re.search(r" with (\w+) id ", self.received)[1]

    def behind(self, relay):
        """The message as the relay got it; the relay put its Received field on top."""
        (name, value, end), *_ = fields_of(self.message)
        assert name == "received" and relay in value, value
        return self.message[end:]

    @property
    def login(self):
        """(mechanism, user) as the server has noted them; None without a login."""
        found = re.search(r"auth=pass \((\S+)\) smtp\.auth=(\S+)", " ".join(self.values("authentication-results")))
        return found.groups() if found else None


def check_envelope(arrived, sender=SENDER, recipients=RECIPIENTS, login=None, protocol=None):
    """`login` is (mechanism, user), `protocol` is the protocol in our Received field unless it is the usual one."""
    assert arrived.sender == sender
    assert arrived.recipients == sorted(recipients)
    assert arrived.protocol == (protocol or ("ESMTPSA" if login else "ESMTPS"))
    assert "(using TLSv1.3 with cipher " in arrived.received
    assert arrived.login == login


class Receiver:
    """Two virtual hosts, the first with STARTTLS; `lines` go to both. Clients must trust `authority`."""

    def __init__(self, server, lines=""):
        needs_mod_ssl()
        self.server = server
        self.authority = Authority(server.root)
        self.certificate = self.authority.issue("mx.example.com", HOST)
        plugins = f"{LOGIN}\n{smtpd_env.DEFAULT_PLUGINS}"
        lines = f'SmtpPluginDir "{HELPERS}"\nSmtpAuthMechanisms +CRAM-MD5\n{lines}'
        self.starttls = server.smtp(plugins, f"SmtpStartTLS required\n{lines}", control=CONTROL)
        self.implicit = server.smtp(plugins, f"{ssl_lines(self.certificate)}\n{lines}", control=CONTROL)

    def host(self, implicit):
        return self.implicit if implicit else self.starttls

    def clear(self):
        for host in (self.starttls, self.implicit):
            host.maildir.clear()

    def arrived(self, implicit=False, count=1, seconds=30):
        """Waits for so many messages, and returns them."""
        maildir = self.host(implicit).maildir
        smtpd_env.wait_until(lambda: len(maildir.new()) >= count, seconds, f"there are not {count} messages in {maildir.path}")
        found = [Arrived(stored) for stored in maildir.stored()]
        assert len(found) == count, [one.received for one in found]
        return found


@contextlib.contextmanager
def running(lines="", lack=None):
    """A server that runs until the end of the block; then the test checks its log. If configtest says `lack`, the
    test is skipped."""
    with smtpd_env.Httpd("event", modules=("ssl", "socache_shmcb"), main=SESSION_CACHE, log_level="notice smtpd:debug") as server:
        made = Receiver(server, lines)
        if lack and lack in server.configtest()[1]:
            pytest.skip(lack)
        server.start()
        yield made


def speaking_lmtp():
    return running("SmtpProtocol lmtp")
