"""Postfix as a mail server that forwards its mail: an instance of postfix.py for these tests."""

import pytest

import postfix
import smtpd_env
from mail_server import NAME, MailServer
from receiver import HOST


class Postfix(MailServer):
    """Relays everything to this port of ours, over TLS with a verified certificate. Messages leave as they came in,
    with a Received field on top."""

    services = ["smtp unix - - n - - smtp", "lmtp unix - - n - - lmtp", "scache unix - - n - 1 scache", "tlsmgr unix - - n 1000? 1 tlsmgr",
                "tlsproxy unix - - n - 0 tlsproxy"]

    def __init__(self, port, authority, **settings):
        tree = smtpd_env.unpacked("SMTPD_POSTFIX", "postfix", postfix.Programs.SIGN)
        if tree is None:
            pytest.skip("there is no Postfix (bootstrap check unpacks it)")
        if not smtpd_env.is_root():
            pytest.skip("Postfix can only be started by root")
        super().__init__()
        programs = postfix.Programs(tree)
        self.environment = programs.environment
        self._instance = postfix.Instance(programs, self.folder, self.port, {
            "relayhost": f"[{HOST}]:{port}", "smtp_host_lookup": "native", "smtp_line_length_limit": "0", "smtp_tls_security_level": "secure",
            "smtp_tls_secure_cert_match": "nexthop", "smtp_tls_CAfile": authority.certificate, "smtp_tls_loglevel": "1",
            "myhostname": NAME, **settings}, self.services)

    def command(self):
        return self._instance.command

    @staticmethod
    def signature(_protocol):
        """The content of its Received field."""
        return "(Postfix)"

    def log_files(self):
        return [self._instance.log]
