"""The same dialogues with Debian's qpsmtpd and with mod_smtpd, both reading one control directory: the reply codes
agree step by step, except where DIFFERENCES names an intended difference and its reason. docs/differences.md
explains these at length. test_policies.py has the dialogues for plugins that ask the DNS, keep state or ask back
ends.
"""

import pathlib
import re
import shutil
import tempfile

import pytest

import qpsmtpd_server
import smtpd_env
from dialogues import EHLO, HEADER, MAIL, MESSAGE, RCPT, Dialogue, Many, Pair, check_lists, compare
from smtp_client import Client
from smtpd_env import Httpd

#: The control directory of all dialogues. PLUGIN_DIR, SPOOL, MAILDIR and CONTROL stand for paths. Where a name is given in DIALOGUES' second column, the
#: file of that set replaces the one here.
CONTROL = {
    "me": "mx.example.com\n",
    "rcpthosts": "# our domains\nexample.com\n  example.org\n.sub.example.com\n",
    "badmailfrom": "spammer@example.net\n@spam.example\nevil@example.net go away\n",
    "badrcptto": "closed@example.com\n@closed.example.org\ngone@example.com moved to elsewhere\n",
    "badmailfromto": "partial@example.net\tsecret@example.com\n",
    "relayclients": "192.0.2.\n2001:DB8\n",
    "loglevel": "6\n",
    "plugin_dirs": "PLUGIN_DIR\n",
    "spool_dir": "SPOOL\n",
    "plugins": "count_unrecognized_commands 4\nrelay\nbadmailfrom\nbadmailfromto\nbadrcptto\nrcpt_ok\nqueue/maildir MAILDIR\n",
}

SETS = {
    "": {},
    "relay": {"relayclients": "127.0.0.1\n"},
    "size": {"databytes": "2000\n"},
    "brackets": {"plugins": "dont_require_anglebrackets\nrcpt_ok\nqueue/maildir MAILDIR\n"},
    "strict": {"plugins": "parse_addr_withhelo\nnoop_counter 3\nrcpt_ok\nheaders reject 1 require From,Date\nloop 5\nqueue/maildir MAILDIR\n"},
    "naughty": {"plugins": "badmailfrom reject naughty\nnaughty reject rcpt\nrcpt_ok\nqueue/maildir MAILDIR\n"},
    "no queue": {"plugins": "rcpt_ok\n"},
    "no policy": {"plugins": "queue/maildir MAILDIR\n"},
    "greeting": {"smtpgreeting": "mail.example.com here\n"},
    "hosts": {"plugins": "hosts_allow\nrcpt_ok\nqueue/maildir MAILDIR\n", "hosts_allow": "192.0.2.1 DENY\n127.0.0.0/8 DENYSOFT come back\n"},
    "lists of recipients": {"plugins": "rcpt_regexp\nrcpt_map domain example.org file CONTROL/users default DENYSOFT=Not_yet\nrcpt_ok\nqueue/maildir MAILDIR\n",
                            "rcpt_regexp": "closed@example.com DENY Closed\n/^list-\\d+@example\\.com$/ OK yes\n/^slow@/ DENYSOFT Later\n"
                                           "/^out@/ DENY_DISCONNECT Out\n/^.*@example\\.org$/ DECLINED\n",
                            "users": "user@example.org DECLINED -\nyes@example.org OK -\nno@example.org DENY No such user.\n"},
    "names": {"plugins": "helo\nrcpt_ok\nqueue/maildir MAILDIR\n", "badhelo": "# not these\nbad.example\n^spam.*\\.example$\n!\\.|localhost|^\\[\n"},
    "early": {"plugins": "earlytalker wait 1\nrcpt_ok\nqueue/maildir MAILDIR\n"},
}

DIALOGUES = {
    "a message": ("", [EHLO, MAIL, RCPT, "DATA", MESSAGE, "QUIT"]),
    "a message with HELO": ("", ["HELO client.example.net", MAIL, RCPT, "DATA", MESSAGE, "QUIT"]),
    "two messages": ("", [EHLO, MAIL, RCPT, "DATA", MESSAGE, MAIL, RCPT, "DATA", MESSAGE, "QUIT"]),
    "lower case and blanks": ("", ["ehlo client.example.net", "mail from: <sender@example.net>", "rcpt to:   <user@example.com>", "data", MESSAGE, "quit"]),
    "mixed case of keywords": ("", ["eHlO client.example.net", "Mail From:<sender@example.net>", "rCPT tO:<user@example.com>", "rSeT", "QuIt"]),
    "hello without a name": ("", ["HELO", "EHLO", "EHLO ", EHLO, "QUIT"]),
    "hello of odd kinds": ("", ["EHLO [192.0.2.1]", "QUIT"]),
    "HELO, then EHLO": ("", ["HELO client.example.net", EHLO, "QUIT"]),
    "EHLO twice": ("", [EHLO, EHLO, MAIL, "QUIT"]),
    "EHLO in a transaction": ("", [EHLO, MAIL, RCPT, EHLO, "RSET", MAIL, "QUIT"]),
    "wrong order": ("", [MAIL, RCPT, "DATA", EHLO, RCPT, "DATA", MAIL, "DATA", "QUIT"]),
    "MAIL in a transaction": ("", [EHLO, MAIL, RCPT, MAIL, "RSET", MAIL, "QUIT"]),
    "RSET": ("", ["RSET", EHLO, "RSET", MAIL, RCPT, "RSET", "DATA", "QUIT"]),
    "RSET, then a message": ("", [EHLO, MAIL, RCPT, "RSET", MAIL, RCPT, "DATA", MESSAGE, "QUIT"]),
    "NOOP, VRFY, HELP": ("", ["NOOP", "NOOP with words", EHLO, "VRFY user", "VRFY <foo@bar>", "HELP", "NOOP", "QUIT"]),
    "VRFY in a transaction": ("", [EHLO, MAIL, "VRFY user", RCPT, "QUIT"]),
    "unknown commands": ("", ["BOGUS", "XYZZY with words", "EXPN list", "TURN", "NOOP"]),
    "empty and odd lines": ("", ["", " NOOP", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "QUIT"]),
    "extensions that are not offered": ("", [EHLO, "STARTTLS", "AUTH PLAIN AAAA", "QUIT"]),
    "QUIT at once": ("", ["QUIT"]),
    "QUIT in a transaction": ("", [EHLO, MAIL, RCPT, "QUIT"]),
    "arguments where there are none": ("", [EHLO, "RSET now", MAIL, RCPT, "DATA now", "QUIT now"]),
    "null sender": ("", [EHLO, "MAIL FROM:<>", RCPT, "DATA", MESSAGE, "QUIT"]),
    "null recipient": ("", [EHLO, MAIL, "RCPT TO:<>", RCPT, "QUIT"]),
    "postmaster": ("", [EHLO, MAIL, "RCPT TO:<postmaster>", "RCPT TO:<POSTMASTER>", "RCPT TO:<postmaster@example.com>", "QUIT"]),
    "abuse without a domain": ("", [EHLO, MAIL, "RCPT TO:<abuse>", "RCPT TO:<user>", "QUIT"]),
    "parameters": ("", [EHLO, "MAIL FROM:<sender@example.net> SIZE=1230", "RSET", "MAIL FROM:<sender@example.net> BODY=8BITMIME", "RSET",
                        "MAIL FROM:<sender@example.net> SIZE=1 BODY=7BIT", "RSET", "MAIL FROM:<sender@example.net> SIZE=", "QUIT"]),
    "unknown parameters": ("", [EHLO, "MAIL FROM:<sender@example.net> CORRECT-WITHOUT-ARG", "RSET", "MAIL FROM:<sender@example.net> X=1", "RSET", MAIL,
                                "RCPT TO:<user@example.com> NOTIFY=NEVER", "QUIT"]),
    "no address, wrong keyword": ("", [EHLO, "MAIL", "MAIL FROM", "MAIL TO:<sender@example.net>", "MAIL sender@example.net", MAIL, "RCPT", "RCPT FROM:<user@example.com>",
                                       "RCPT user@example.com", "QUIT"]),
    "no angle brackets": ("", [EHLO, "MAIL FROM:sender@example.net", "MAIL FROM:", MAIL, "RCPT TO:user@example.com", "QUIT"]),
    "no angle brackets, allowed": ("brackets", [EHLO, "MAIL FROM:sender@example.net", "RCPT TO:user@example.com", "DATA", MESSAGE, "MAIL FROM:ask@[1.2.3.4]", "RSET",
                                                "MAIL FROM:", "RSET", MAIL, RCPT, "QUIT"]),
    "addresses that are none": ("", [EHLO, "MAIL FROM:<@example.net>", "MAIL FROM:<sender@>", "MAIL FROM:<s@-ex.com>", "MAIL FROM:<s@ex..com>", "MAIL FROM:<s@ex.com.>", "RSET",
                                     "MAIL FROM:<.s@example.net>", "RSET", "MAIL FROM:<sender@example.net", "MAIL FROM:<s@[IPv6:zz]>", "QUIT"]),
    "addresses with odd characters": ("", [EHLO, "MAIL FROM:<user@example.com#>", "MAIL FROM:<u@ex_am.com>", "RSET", "MAIL FROM:<foo bar@example.com>", "RSET",
                                           "MAIL FROM:<a..b@example.net>", "RSET", "MAIL FROM:<a.@example.net>", "QUIT"]),
    "quoted local parts": ("", [EHLO, 'MAIL FROM:<"foo bar"@example.net>', "RSET", 'MAIL FROM:<"foo.bar"@example.net>', "RSET", 'MAIL FROM:<"foo\\@bar"@example.net>', "QUIT"]),
    "address literals": ("", [EHLO, "MAIL FROM:<ask@[1.2.3.4]>", "RSET", "MAIL FROM:<ask@[IPv6:::1]>", "RSET", "MAIL FROM:<ask@[999.2.3.4]>", "QUIT"]),
    "other forms that are good": ("", [EHLO, "MAIL FROM:<foo@localhost>", "RSET", "MAIL FROM:<u%h@example.net>", "RSET", "MAIL FROM:<u!h@example.net>", "RSET",
                                       "MAIL FROM:<foo@EXAMPLE.net>", "RSET", "MAIL FROM:<a+b=c/d@example.net>", "RSET", "MAIL FROM:<u@1.2.3.4>", "QUIT"]),
    "source route": ("", [EHLO, "MAIL FROM:<@relay.example:sender@example.net>", "RCPT TO:<@relay.example:user@example.com>", "RCPT TO:<@example.com:user@elsewhere.example>", "QUIT"]),
    "8 bits in an address": ("", [EHLO, "MAIL FROM:<postmäster@example.net>".encode() + b"\r\n", "QUIT"]),
    "relaying": ("", [EHLO, MAIL, "RCPT TO:<user@elsewhere.example>", "RCPT TO:<user@com>", "RCPT TO:<user@example.com.elsewhere.example>", RCPT, "DATA", MESSAGE, "QUIT"]),
    "our domains": ("", [EHLO, MAIL, "RCPT TO:<user@EXAMPLE.COM>", "RCPT TO:<user@example.org>", "RCPT TO:<user@a.sub.example.com>", "RCPT TO:<user@sub.example.com>",
                         "RCPT TO:<user@other.example.com>", "RCPT TO:<user@mx.example.com>", "QUIT"]),
    "all recipients refused": ("", [EHLO, MAIL, "RCPT TO:<user@elsewhere.example>", "DATA", RCPT, "DATA", MESSAGE, "QUIT"]),
    "a relay client": ("relay", [EHLO, MAIL, "RCPT TO:<user@elsewhere.example>", "DATA", MESSAGE, "QUIT"]),
    "bad senders": ("", [EHLO, "MAIL FROM:<spammer@example.net>", "MAIL FROM:<anybody@spam.example>", "MAIL FROM:<SPAMMER@EXAMPLE.NET>", "MAIL FROM:<evil@example.net>", MAIL,
                         RCPT, "QUIT"]),
    "bad recipients": ("", [EHLO, MAIL, "RCPT TO:<closed@example.com>", "RCPT TO:<CLOSED@example.com>", "RCPT TO:<gone@example.com>", "RCPT TO:<any@closed.example.org>", RCPT, "DATA",
                            MESSAGE, "QUIT"]),
    "sender and recipient together": ("", [EHLO, "MAIL FROM:<partial@example.net>", "RCPT TO:<secret@example.com>", RCPT, "RSET", MAIL, "RCPT TO:<secret@example.com>", "QUIT"]),
    "naughty": ("naughty", [EHLO, "MAIL FROM:<spammer@example.net>", RCPT, "NOOP"]),
    "nothing naughty": ("naughty", [EHLO, MAIL, RCPT, "DATA", MESSAGE, "QUIT"]),
    "no queue": ("no queue", [EHLO, MAIL, RCPT, "DATA", MESSAGE, "QUIT"]),
    "nobody decides about recipients": ("no policy", [EHLO, MAIL, RCPT, "DATA", "QUIT"]),
    "greeting of the site": ("greeting", [EHLO, "QUIT"]),
    "client that is not allowed": ("hosts", [EHLO]),
    "declared size": ("size", [EHLO, "MAIL FROM:<sender@example.net> SIZE=1999", "RSET", "MAIL FROM:<sender@example.net> SIZE=2001", "QUIT"]),
    "too large": ("size", [EHLO, MAIL, RCPT, "DATA", HEADER + b"x" * 70 + b"\r\n" * 2000 + b".\r\n", MAIL, RCPT, "DATA", MESSAGE, "QUIT"]),
    "parameters after HELO": ("strict", ["HELO client.example.net", "MAIL FROM:<sender@example.net> SIZE=100", MAIL, "RCPT TO:<user@example.com> X=1", RCPT, "QUIT"]),
    "too many NOOPs": ("strict", [EHLO, "NOOP", "NOOP", "NOOP", "NOOP"]),
    "NOOPs between commands": ("strict", [EHLO, "NOOP", "NOOP", MAIL, "NOOP", "NOOP", RCPT, "QUIT"]),
    "missing header fields": ("strict", [EHLO, MAIL, RCPT, "DATA", b"Subject: x\r\n\r\ntext\r\n.\r\n", MAIL, RCPT, "DATA", MESSAGE, "QUIT"]),
    "mail loop": ("strict", [EHLO, MAIL, RCPT, "DATA", b"Received: from a by b\r\n" * 6 + MESSAGE, "QUIT"]),
    "dots": ("", [EHLO, MAIL, RCPT, "DATA", HEADER + b"..\r\n...\r\n.. x\r\n.\r\n", "QUIT"]),
    "an empty message": ("", [EHLO, MAIL, RCPT, "DATA", b".\r\n", "QUIT"]),
    "LF dot LF": ("", [EHLO, MAIL, RCPT, "DATA", HEADER + b"text\n.\n", b"more\r\n.\r\n", "NOOP"]),
    "LF dot CRLF": ("", [EHLO, MAIL, RCPT, "DATA", HEADER + b"text\n.\r\n", b"more\r\n.\r\n", "NOOP"]),
    "CRLF dot LF": ("", [EHLO, MAIL, RCPT, "DATA", HEADER + b"text\r\n.\n", b"more\r\n.\r\n", "NOOP"]),
    "bare LF in a message": ("", [EHLO, MAIL, RCPT, "DATA", HEADER + b"one\ntwo\r\n.\r\n", "QUIT"]),
    "pipelining": ("", [EHLO, Many(3, b"MAIL FROM:<sender@example.net>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n"), Many(2, MESSAGE + b"QUIT\r\n")]),
    "pipelining, all refused": ("", [EHLO, Many(4, b"MAIL FROM:<sender@example.net>\r\nRCPT TO:<user@elsewhere.example>\r\nDATA\r\nRSET\r\n"), "QUIT"]),
    "recipients by expressions": ("lists of recipients", [EHLO, MAIL, "RCPT TO:<closed@example.com>", "RCPT TO:<Closed@example.com>", "RCPT TO:<list-12@example.com>",
                                                          "RCPT TO:<list-x@example.com>", "RCPT TO:<slow@example.com>", "RCPT TO:<LIST-1@EXAMPLE.COM>", "DATA", MESSAGE, MAIL,
                                                          "RCPT TO:<out@example.com>"]),
    "recipients by a map": ("lists of recipients", [EHLO, MAIL, "RCPT TO:<user@example.org>", "RCPT TO:<yes@example.org>", "RCPT TO:<YES@Example.org>", "RCPT TO:<no@example.org>",
                                                    "RCPT TO:<other@example.org>", "RCPT TO:<user@elsewhere.example>", "RCPT TO:<postmaster>", "DATA", MESSAGE, "QUIT"]),
    "a good name": ("names", ["EHLO good.example", "HELO good.example.net", MAIL, RCPT, "DATA", MESSAGE, "QUIT"]),
    "a listed name": ("names", ["EHLO Bad.Example", "NOOP"]),
    "a name that matches": ("names", ["HELO spam7.example", "NOOP"]),
    "a name that does not match": ("names", ["EHLO single", "NOOP"]),
    "localhost that is": ("names", ["EHLO localhost", MAIL, "QUIT"]),
    "a bare address": ("names", ["HELO 192.0.2.7", "NOOP"]),
    "the client's address": ("names", ["EHLO [127.0.0.1]", MAIL, "QUIT"]),
    "another address": ("names", ["EHLO [192.0.2.7]", "NOOP"]),
    "a client that waits": ("early", [EHLO, MAIL, RCPT, "QUIT"]),
    "early talker": ("early", ["NOOP"]),
}

REASONS = {
    "hello": "EHLO and HELO are allowed at any time and reset the transaction (RFC 5321 4.1.4)",
    "nested mail": "MAIL inside a transaction is out of order (RFC 5321 4.1.4); qpsmtpd begins anew without a word, as qmail does",
    "parameters": "a parameter that was not offered is refused with 555 (RFC 5321 4.1.1.11); SmtpUnknownParameters ignore does as qpsmtpd",
    "size": "a message that is announced as too large is refused at once (RFC 1870 6.1)",
    "bare LF": "a bare LF ends neither a line nor the data; a message with one is refused with 554 at its true end, and the session ends",
    "arguments": "commands without arguments take none (RFC 5321 4.1.1: 501)",
    "grammar": "addresses are those of RFC 5321 4.1.2; qpsmtpd's pattern lets some in that are none, and keeps some good ones out",
    "senders": "senders in use have addresses with such dots; SmtpAddressSyntax strict rejects them as qpsmtpd does",
    "UTF-8": "addresses that are not ASCII need SMTPUTF8 with MAIL (RFC 6531 3.2: 553 5.6.7)",
    "brackets": "an address is in angle brackets (RFC 5321 4.1.1.2), the null one too; the plugin dont_require_anglebrackets relaxes that",
    "known": "a command of some RFC that is not offered here is answered with 502 (RFC 5321 4.2.4), any other with 500",
    "badhelo": "all lines of badhelo are looked at; qpsmtpd's helo stops at the first expression",
    "hops": "552 says that a message is too large; too many hops are 554 5.4.6 (RFC 3463)",
}

#: (dialogue, number of the step, 0 being the greeting, or "stored") -> (qpsmtpd, mod_smtpd, reason): what was answered, or how many messages arrived.
DIFFERENCES = {
    ("HELO, then EHLO", 2): ("503", "250", "hello"),
    ("EHLO twice", 2): ("503", "250", "hello"),
    ("EHLO in a transaction", 4): ("503", "250", "hello"),
    ("MAIL in a transaction", 4): ("250", "503", "nested mail"),
    ("arguments where there are none", 2): ("250", "501", "arguments"),
    ("arguments where there are none", 5): ("354", "501", "arguments"),
    ("arguments where there are none", 6): ("silent", "501", "arguments"),
    ("unknown commands", 3): ("500", "502", "known"),
    ("extensions that are not offered", 2): ("500", "502", "known"),
    ("extensions that are not offered", 3): ("500", "502", "known"),
    ("unknown parameters", 2): ("250", "555", "parameters"),
    ("unknown parameters", 4): ("250", "555", "parameters"),
    ("unknown parameters", 7): ("250", "555", "parameters"),
    ("declared size", 4): ("250", "552", "size"),
    ("no angle brackets", 3): ("250", "501", "brackets"),
    ("addresses that are none", 6): ("501", "250", "senders"),
    ("addresses that are none", 8): ("501", "250", "senders"),
    ("addresses with odd characters", 5): ("250", "501", "grammar"),
    ("quoted local parts", 2): ("501", "250", "grammar"),
    ("address literals", 6): ("250", "501", "grammar"),
    ("8 bits in an address", 2): ("250", "553", "UTF-8"),
    ("mail loop", 5): ("552", "554", "hops"),
    ("a good name", 2): ("503", "250", "hello"),
    ("a name that does not match", 1): ("250", "550", "badhelo"),
    ("a name that does not match", 2): ("250", "closed", "badhelo"),
    ("LF dot LF", 5): ("421", "silent", "bare LF"),
    ("LF dot LF", 6): ("closed", "554", "bare LF"),
    ("LF dot LF", 7): ("gone", "closed", "bare LF"),
    ("LF dot CRLF", 5): ("250", "silent", "bare LF"),
    ("LF dot CRLF", 6): ("500", "554", "bare LF"),
    ("LF dot CRLF", 7): ("500 250", "closed", "bare LF"),
    ("LF dot CRLF", "stored"): (1, 0, "bare LF"),
    ("CRLF dot LF", 5): ("421", "silent", "bare LF"),
    ("CRLF dot LF", 6): ("closed", "554", "bare LF"),
    ("CRLF dot LF", 7): ("gone", "closed", "bare LF"),
    ("bare LF in a message", 5): ("250", "554", "bare LF"),
    ("bare LF in a message", 6): ("221 closed", "closed", "bare LF"),
    ("bare LF in a message", "stored"): (1, 0, "bare LF"),
}


#: What is sent before the greeting.
FIRST = {"early talker": b"EHLO client.example.net\r\n"}

DIALOGUES = {name: Dialogue(control, steps, first=FIRST.get(name, b"")) for name, (control, steps) in DIALOGUES.items()}


@pytest.mark.parametrize("control", SETS)
def test_dialogues(control):
    with Pair({**CONTROL, **SETS[control]}) as pair:
        compare(pair, {name: dialogue for name, dialogue in DIALOGUES.items() if dialogue.control == control}, DIFFERENCES)


def test_the_tables():
    check_lists(DIALOGUES, SETS, DIFFERENCES, REASONS)
    assert len(DIALOGUES) >= 25


# --- the directory as Debian ships it

@pytest.fixture
def debian_directory():
    """A copy of the package's /etc/qpsmtpd, with the two files that its installation would write."""
    if qpsmtpd_server.tree() is None or not (qpsmtpd_server.tree() / "etc/qpsmtpd/plugins").is_file():
        pytest.skip("qpsmtpd is not unpacked (bootstrap check does it)")
    root = pathlib.Path(tempfile.mkdtemp(prefix="smtpd-compat-"))
    root.chmod(0o755)
    shutil.copytree(qpsmtpd_server.tree() / "etc/qpsmtpd", root / "qpsmtpd")
    for path in (root / "qpsmtpd").iterdir():
        path.write_text(path.read_text().replace("/etc/qpsmtpd/", f"{root}/qpsmtpd/"))
    (root / "qpsmtpd/debian-rcpthosts").write_text("example.com\n")
    yield root / "qpsmtpd"
    shutil.rmtree(root)


def test_debian_directory_loads_as_it_is(debian_directory):
    """The plugins that exist here run; configtest names each line of a missing plugin; the server accepts no foreign
    recipient from an unknown client."""
    with Httpd("event") as server:
        host = server.smtp("", f'SmtpControlDir "{debian_directory}"\nSmtpResolver 127.0.0.1:{smtpd_env.free_port()} timeout=100ms tries=1')
        with open(debian_directory / "plugins", "a") as plugins:
            plugins.write("spamassassin munge_subject_threshold 8\n")
        (debian_directory / "debian-queue-method").write_text(f"queue/maildir {host.maildir.path}\n")
        (debian_directory / "logging").write_text(f"logging/file loglevel LOGINFO {server.work}/qpsmtpd.log\n")
        (debian_directory / "badmailfrom").write_text("spammer@example.net\n")
        (debian_directory / "relayclients").write_text("127.0.0.9\n")
        good, output = server.configtest()
        assert good, output
        missing = ("spamassassin",)
        for name in missing:
            assert re.search(rf"qpsmtpd/plugins(:| line )\d+.*\b{name}\b", output), output
        present = ("check_earlytalker", "check_relay", "rhsbl", "dnsbl", "check_spamhelo", "check_badmailfrom", "check_badrcptto", "check_loop", "rcpt_ok", "queue/maildir")
        for name in present:
            assert not re.search(rf"\b{name}\b.*no such plugin", output), output
        for name in missing:
            server.expect_log(rf"qpsmtpd/plugins(:| line )\d+.*\b{name}\b")
        for name in ("rhsbl", "dnsbl"):  # Debian's directory names no lists
            server.expect_log(rf"{name}: it has no lists to ask")
        server.start()
        for source, sender, recipient, code in (("127.0.0.1", "sender@example.net", "user@example.com", 250), ("127.0.0.1", "sender@example.net", "user@elsewhere.example", 550),
                                                ("127.0.0.9", "sender@example.net", "user@elsewhere.example", 250), ("127.0.0.1", "spammer@example.net", "user@example.com", 550)):
            with Client(host.port, source=source) as client:
                client.ehlo()
                mail = client.command(f"MAIL FROM:<{sender}>")
                reply = mail if mail.code != 250 else client.command(f"RCPT TO:<{recipient}>")
                assert reply.code == code, f"{source} {sender} {recipient}: {reply!r}"
        with Client(host.port) as client:
            client.ehlo()
            client.deliver(HEADER + b"text\r\n").expect(250)
        assert b"text" in host.maildir.only().raw
        assert (server.work / "qpsmtpd.log").read_text().strip(), "logging/file has written nothing"


@pytest.mark.parametrize("line, complaint", [
    ("greylisting mode testonly", 'greylisting: unknown option "mode"'), ("greylisting grey_timeout 12000", 'greylisting: unknown option "grey_timeout"'),
    ("greylisting per_recipient_db 1", 'greylisting: unknown option "per_recipient_db"'), ("greylisting p0f detail,XP", 'p0f: "detail,XP" must be genre or link'),
    ("greylisting db_dir /var/lib", 'greylisting: unknown option "db_dir"'), ("karma reject connect", '"connect" is not allowed'),
    ("karma nfslock 1", 'karma: unknown option "nfslock"'), ("loadcheck uptime /usr/bin/uptime", 'loadcheck: unknown option "uptime"'),
    ("qmail_deliverable vpopmail_ext 1", 'unknown option "vpopmail_ext"'), ("ident/p0f /tmp/p0f.sock version 2", 'option "version"'),
])
def test_options_that_the_migration_guide_names_are_errors_with_their_line(debian_directory, line, complaint):
    with Httpd("event") as server:
        host = server.smtp("", f'SmtpControlDir "{debian_directory}"')
        (debian_directory / "debian-queue-method").write_text(f"queue/maildir {host.maildir.path}\n")
        (debian_directory / "logging").write_text("")
        with open(debian_directory / "plugins", "a") as plugins:
            plugins.write(f"{line}\n")
        good, output = server.configtest()
        last = len((debian_directory / "plugins").read_text().splitlines())
        assert not good and f"qpsmtpd/plugins:{last}: " in output and complaint in output, output
