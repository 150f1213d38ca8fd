"""Back ends of AUTH that ask another server, each with the real one."""

import smtpd_env
from auth_peers import Dovecot
from test_auth_backends import CLEAR, outcome

PLUGINS = smtpd_env.DEFAULT_PLUGINS
PASSWORD = 'pass "word" \\ gr\u00fcn {5}'
USERS = {"joe@example.com": "secret", "ann": PASSWORD}




def check_users(port):
    tries = [("joe@example.com", "secret", 235), ("joe@example.com", "wrong", 535), ("joe@example.com", PASSWORD, 535), ("ann", PASSWORD, 235), ("ann", "x" * 500, 535),
             ("nobody", "secret", 535), ("j\u00f6", "s\u00e9cret", 535)]
    assert [outcome(port, user, password) for user, password, _ in tries] == [code for _, _, code in tries]


def check_dovecot(make_server, plugin, trouble):
    """`plugin` makes the plugin's line out of a Dovecot; `trouble` is what it says about one that is there, and whose own back end is not."""
    server = make_server("event")
    dovecot = Dovecot(server.root / "dovecot", USERS)
    script = server.root / "down"
    script.write_text("#!/bin/sh\nexit 111\n")
    script.chmod(0o755)
    troubled = Dovecot(server.root / "troubled", {}, lines=f"passdb {{\n driver = checkpassword\n args = {script}\n}}")
    smtp = server.smtp(f"SmtpPlugin {plugin(dovecot)}\n{PLUGINS}", CLEAR)
    other = server.smtp(f"SmtpPlugin {plugin(troubled)}\n{PLUGINS}", CLEAR, name="troubled.example.com")
    server.start()
    server.expect_log("error: cannot connect to")
    assert outcome(smtp.port, "ann", PASSWORD) == 454
    with dovecot:
        check_users(smtp.port)
    assert outcome(smtp.port, "ann", PASSWORD) == 454
    server.expect_log(f"error: {trouble}")
    with troubled:
        assert outcome(other.port, "ann", PASSWORD) == 454


def test_dovecots_users_by_its_own_protocol(make_server):
    check_dovecot(make_server, lambda dovecot: f"auth/auth_dovecot {dovecot.socket}", "Dovecot cannot say for the moment")


def test_dovecots_users_by_imap(make_server):
    check_dovecot(make_server, lambda dovecot: f"auth/auth_imap localhost {dovecot.port}", "the IMAP server cannot say now: UNAVAILABLE")
