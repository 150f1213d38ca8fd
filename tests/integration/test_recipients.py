"""Recipients of one message with different fates on a running server: PRDR, LMTP, and the rules of SmtpMixedResults."""

import re
import shutil
import smtplib
import subprocess

import pytest

import sanitizers
import smtpd_env
from smtp_client import Client
from test_try import attempt

HELPERS = sanitizers.build_dir() / "tests" / "helper_plugins" / ".libs"
MESSAGE = b"From: sender@example.net\r\nSubject: fates\r\n\r\ntext\r\n"
RECIPIENTS = ("user", "full", "later")


def make_judging_host(server, lines="", options="", pattern="%l"):
    """A virtual host with a Maildir for each recipient; it rejects full@ and defers later@."""
    plugins = f'SmtpPlugin rcpt_ok\nSmtpPlugin judges_recipients {options}\nSmtpPlugin queue/maildir "@maildir@" {pattern}\n'
    return server.smtp(plugins, f'SmtpPluginDir "{HELPERS}"\n{lines}')


def delivered(smtp):
    """The number of messages in each Maildir."""
    folders = [folder for folder in smtp.maildir.path.iterdir() if (folder / "new").is_dir()] if smtp.maildir.path.exists() else []
    return {folder.name: len(list((folder / "new").iterdir())) for folder in folders}


def offers(client, keyword):
    return keyword in [line.split()[0] for line in client.ehlo().text.splitlines()[1:]]


def lhlo(client):
    return client.command("LHLO client.example.net", 250)


def begin(client, recipients=RECIPIENTS, parameters=""):
    client.command(f"MAIL FROM:<sender@example.net>{parameters}", 250)
    for recipient in recipients:
        client.command(f"RCPT TO:<{recipient}@example.com>", 250)


def send(client, recipients=RECIPIENTS, parameters=""):
    """The first reply to the message."""
    begin(client, recipients, parameters)
    client.command("DATA", 354)
    client.send(MESSAGE + b".\r\n")
    return client.reply()


def count_log(server, pattern):
    return sum(bool(re.search(pattern, line.text)) for line in server.log_lines())


FATES = (r'to=<user@example\.com> size=\d+ (?:by=queue/maildir in="[^"]+" )?reply="250 [^"]*" rejected=<full@example\.com> by=judges_recipients( why="its name says so")? '
         r'told="552 Mailbox is full" deferred=<later@example\.com> by=judges_recipients( why="its name says so")? told="450 Try again tomorrow"')


@pytest.mark.parametrize("at", ["data_post_rcpt", "data_post", "queue_pre"])
def test_three_recipients_have_three_fates_with_prdr(make_server, mpm, at):
    server = make_server(mpm, log_level="notice smtpd:info")
    smtp = make_judging_host(server, options=f"at={at}")
    server.start()
    with Client(smtp.port) as client:
        assert offers(client, "PRDR")
        send(client, parameters=" PRDR").expect(353)
        client.reply().expect(250, "2.0.0", r"^2\.0\.0 <user@example\.com>: Queued!")
        client.reply().expect(552, "5.2.2", "<full@example.com>: Mailbox is full")
        client.reply().expect(450, "4.7.1", "<later@example.com>: Try again tomorrow")
        client.reply().expect(250, "2.0.0", "Queued!")
        assert delivered(smtp) == {"user": 1}
        begin(client, parameters=" PRDR")
        client.send(b"BDAT 10\r\nX-Field: y" + b"BDAT %d LAST\r\n\r\n" % (len(MESSAGE) + 2) + MESSAGE)
        assert [client.reply().code for _ in range(6)] == [250, 353, 250, 552, 450, 250]
        send(client, ("full", "later"), " PRDR").expect(353)
        assert [client.reply().code for _ in range(3)] == [552, 450, 450]
        client.command("QUIT", 221)
    assert delivered(smtp) == {"user": 2}
    server.wait_log(FATES, count=2)


@pytest.mark.parametrize("rule, recipients, code, expected",
                         [("refuse", RECIPIENTS, 552, {}), ("refuse", ("user", "later"), 450, {}), ("refuse", ("user", "other"), 250, {"user": 1, "other": 1}),
                          ("accept", RECIPIENTS, 450, {}), ("accept", ("user", "full"), 250, {"user": 1}), ("split", ("user", "full"), 250, {"user": 1})])
def test_plain_smtp_has_one_reply_by_the_rule(make_server, rule, recipients, code, expected):
    server = make_server("event", log_level="notice smtpd:info")
    smtp = make_judging_host(server, f"SmtpMixedResults {rule}")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        send(client, recipients).expect(code)
        client.command("NOOP", 250)  # there was one reply
    assert delivered(smtp) == expected
    left_out = count_log(server, r"SmtpMixedResults accept: <full@example\.com> does not get the message")
    assert left_out == (1 if rule == "accept" and code == 250 else 0)
    bounces = count_log(server, r"judges_recipients: bounce to <sender@example\.net> for <full@example\.com>: 552")
    assert bounces == (1 if "full" in recipients and code == 250 else 0)


def test_one_recipient_after_the_other(make_server):
    server = make_server("event")
    smtp = make_judging_host(server, "SmtpMixedResults one-by-one\nSmtpExtensions -PRDR")
    server.start()
    with Client(smtp.port) as client:
        assert "LIMITS RCPTMAX=1" in client.ehlo().text
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("RCPT TO:<user@example.com>", 250)
        client.command("RCPT TO:<full@example.com>").expect(452, "4.5.3")
        client.command("DATA", 354)
        client.send(MESSAGE + b".\r\n")
        client.reply().expect(250)
        send(client, ("full",)).expect(552, "5.2.2")
    assert delivered(smtp) == {"user": 1}


def test_split_needs_a_queue_that_sends_bounces(make_server):
    server = make_server("event")
    server.smtp(lines="SmtpMixedResults split")
    is_good, text = server.configtest()
    assert not is_good
    assert re.search(r"line \d+: SmtpMixedResults split needs a queue plugin that sends bounces", text)


def test_a_rule_that_does_not_exist_is_an_error(make_server):
    server = make_server("event")
    server.smtp(lines="SmtpMixedResults maybe")
    is_good, text = server.configtest()
    assert not is_good and "SmtpMixedResults takes refuse, accept, one-by-one or split" in text


def test_swaks_speaks_prdr(make_server):
    server = make_server("event")
    smtp = make_judging_host(server)
    server.start()
    swaks = shutil.which("swaks") or pytest.skip("swaks is not installed")
    result = subprocess.run([swaks, "--server", f"127.0.0.1:{smtp.port}", "--prdr", "--from", "sender@example.net",
                             "--to", "user@example.com,full@example.com"], capture_output=True, text=True, timeout=60 * smtpd_env.SLOWDOWN)
    assert result.returncode == 0, result.stdout
    assert "353 " in result.stdout and "552 5.2.2 <full@example.com>" in result.stdout
    assert delivered(smtp) == {"user": 1}


# --- queue/maildir, with a Maildir for each recipient

LARGE = MESSAGE + (b"x" * 70 + b"\r\n") * 10_000


def make_maildirs_that_fail(server, small_disk, protocol):
    """A virtual host where full@ has a Maildir on a disk without space for a large message, and closed@ one that
    belongs to another user."""
    smtp = server.smtp('SmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@" %l', f"SmtpProtocol {protocol}\nSmtpSpoolThreshold 4m")
    for name in ("full", "closed"):
        (smtp.maildir.path / name).mkdir(0o755)
    small_disk(server, smtp.maildir.path / "full")
    server.expect_log(r":error\].*\(queue\) queue/maildir: error: .*/full/.*No space left on device")
    server.expect_log(r":error\].*\(queue\) queue/maildir: error: .*/closed/.*Permission denied")
    return smtp


def left_below(smtp):
    return {path.parent.relative_to(smtp.maildir.path).as_posix() for path in smtp.maildir.path.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
def test_a_maildir_that_fails_defers_its_recipient_only(make_server, small_disk, mpm, protocol):
    server = make_server(mpm, log_level="notice smtpd:info")
    smtp = make_maildirs_that_fail(server, small_disk, protocol)
    server.start()
    with Client(smtp.port) as client:
        if protocol == "lmtp":
            lhlo(client)
        else:
            assert offers(client, "PRDR")
        begin(client, ("full", "user", "closed"), "" if protocol == "lmtp" else " PRDR")
        client.command("DATA", 354)
        client.send(LARGE + b".\r\n")
        if protocol == "smtp":
            client.reply().expect(353)
        client.reply().expect(452, "4.3.1", r"<full@example\.com>: Mail system full")
        client.reply().expect(250, "2.0.0", r"<user@example\.com>: Queued!")
        client.reply().expect(451, "4.3.0", r"<closed@example\.com>: Cannot store the message now, try again later")
        if protocol == "smtp":
            client.reply().expect(250, "2.0.0", "Queued!")
        assert left_below(smtp) == {"user/new"}
        begin(client, ("full",))  # a small one fits
        client.command("DATA", 354)
        client.send(MESSAGE + b".\r\n")
        client.reply().expect(250)
        client.command("QUIT", 221)
    assert delivered(smtp) == {"user": 1, "full": 1}
    server.wait_log(r"accepted .* to=<user@example\.com> .* deferred=<full@example\.com> by=queue/maildir why=\"[^\"]*No space left on device\" "
                    r"told=\"452 Mail system full\" deferred=<closed@example\.com> by=queue/maildir why=\"[^\"]*Permission denied\" told=\"451 ")


@pytest.mark.parametrize("rule", ["refuse", "accept"])
def test_with_one_reply_all_have_the_message_or_none(make_server, small_disk, rule):
    """The client sends the message again to all of them: a recipient that already had it would have it twice."""
    server = make_server("event")
    smtp = make_maildirs_that_fail(server, small_disk, f"smtp\nSmtpMixedResults {rule}")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        for other, code, status in (("full", 452, "4.3.1"), ("closed", 451, "4.3.0")):
            client.deliver(LARGE, "sender@example.net", "user@example.com", f"{other}@example.com").expect(code, status)
            assert left_below(smtp) == set()
        client.deliver(LARGE, "sender@example.net", "user@example.com").expect(250)
    assert left_below(smtp) == {"user/new"}


def test_a_shared_maildir_offers_no_prdr(make_server):
    server = make_server("event")
    shared, own = server.smtp(), server.smtp('SmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@" %l')
    server.start()
    with Client(shared.port) as client:
        assert not offers(client, "PRDR")
    with Client(own.port) as client:
        assert offers(client, "PRDR")


# --- a queue plugin that hands on to another server, which has its own opinion on each recipient

def make_relay(server, lines="", outer_lines=""):
    """A virtual host that forwards by LMTP to another one, and that one."""
    inner = make_judging_host(server, "SmtpProtocol lmtp\n" + lines)
    return server.smtp(f"SmtpPlugin rcpt_ok\nSmtpPlugin hands_on 127.0.0.1:{inner.port}", f'SmtpPluginDir "{HELPERS}"\n{outer_lines}'), inner


def test_what_the_next_hop_says_is_each_recipients_fate(make_server, mpm):
    server = make_server(mpm, log_level="notice smtpd:info")
    outer, inner = make_relay(server)
    server.start()
    with Client(outer.port) as client:
        assert offers(client, "PRDR")
        send(client, parameters=" PRDR").expect(353)
        client.reply().expect(250, "2.0.0", r"<user@example\.com>: .*Queued!")
        client.reply().expect(552, "5.2.2", "<full@example.com>: .*Mailbox is full")
        client.reply().expect(450, "4.7.1", "<later@example.com>: .*Try again tomorrow")
        client.reply().expect(250, "2.0.0")
        send(client, ("full",)).expect(552, "5.2.2", "Mailbox is full")
        client.command("QUIT", 221)
    assert delivered(inner) == {"user": 1}
    stored = next((inner.maildir.path / "user" / "new").iterdir()).read_text()
    assert stored.endswith("text\n") and stored.count("Received: ") == 2
    server.wait_log(rf"rejected=<full@example\.com> by=hands_on why=\"127\.0\.0\.1:{inner.port}\" told=\"552 ", count=2)


def test_all_are_deferred_when_the_next_hop_is_away(make_server):
    server = make_server("event", log_level="notice smtpd:info")
    closed = server.smtp()
    outer = server.smtp("SmtpPlugin rcpt_ok\nSmtpPlugin hands_on 127.0.0.1:1", f'SmtpPluginDir "{HELPERS}"')
    server.start()
    with Client(outer.port) as client:
        client.ehlo()
        send(client, ("user", "other")).expect(451, "4.4.0")
        client.command("QUIT", 221)
    assert delivered(closed) == {}
    server.wait_log(r"\(queue\) hands_on: deferred: .*127\.0\.0\.1:1")


# --- LMTP

@pytest.mark.parametrize("at", ["data_post_rcpt", "data_post", "queue_pre"])
def test_three_recipients_have_three_fates_over_lmtp(make_server, mpm, at):
    server = make_server(mpm, log_level="notice smtpd:info")
    smtp = make_judging_host(server, "SmtpProtocol lmtp", f"at={at}")
    server.start()
    with Client(smtp.port) as client:
        announced = [line.split()[0] for line in lhlo(client).text.splitlines()[1:]]
        assert {"PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME"} <= set(announced) and "PRDR" not in announced
        send(client).expect(250, "2.0.0", r"<user@example\.com>: Queued!")
        client.reply().expect(552, "5.2.2", "<full@example.com>: Mailbox is full")
        client.reply().expect(450, "4.7.1", "<later@example.com>: Try again tomorrow")
        begin(client)
        client.send(b"BDAT 10\r\nX-Field: y" + b"BDAT %d LAST\r\n\r\n" % (len(MESSAGE) + 2) + MESSAGE + b"NOOP\r\n")
        assert [client.reply().code for _ in range(5)] == [250, 250, 552, 450, 250]
        client.command("QUIT", 221)
    assert delivered(smtp) == {"user": 2}
    server.wait_log(FATES, count=2)
    stored = next((smtp.maildir.path / "user" / "new").iterdir()).read_text()
    assert re.search(r"^Received: from client\.example\.net .*\n(?:\t.*\n)*?\tby mx\.example\.com \(mod_smtpd\) with LMTP id ", stored, re.M), stored


def test_a_session_of_lmtp_begins_with_lhlo(make_server):
    server = make_server("event")
    smtp = server.smtp(lines="SmtpProtocol lmtp")
    server.start()
    with Client(smtp.port, greet=False) as client:
        client.reply().expect(220, text="mx.example.com LMTP mod_smtpd ready")
        for command in ("EHLO client.example.net", "HELO client.example.net"):
            client.command(command).expect(500, "5.5.1")
        client.command("MAIL FROM:<sender@example.net>").expect(503, "5.5.1")
        lhlo(client)
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("DATA").expect(503, "5.5.1")  # no recipient, no reply for one
        client.send(b"BDAT 2 LAST\r\n\r\n")
        client.reply().expect(503, "5.5.1")
        client.command("QUIT", 221)


def test_a_full_disk_is_told_for_each_recipient(make_server, small_disk):
    server = make_server("event")
    smtp = server.smtp('SmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@" %l', "SmtpProtocol lmtp")
    small_disk(server, smtp.maildir.path)
    server.expect_log("No space left on device")
    server.start()
    with Client(smtp.port) as client:
        lhlo(client)
        begin(client, ("user", "other"))
        client.command("DATA", 354)
        client.send(MESSAGE + b"x" * 70 + b"\r\n" + (b"x" * 70 + b"\r\n") * 10_000 + b".\r\n")
        assert [client.reply().code for _ in range(2)] == [452, 452]
        client.command("QUIT", 221)
    assert sum(delivered(smtp).values()) == 0


def test_smtplib_delivers_over_lmtp(make_server, mpm):
    """It reads one reply to a message, so it has one recipient at a time."""
    server = make_server(mpm)
    smtp = make_judging_host(server, "SmtpProtocol lmtp")
    server.start()
    with smtplib.LMTP("127.0.0.1", smtp.port) as client:
        for recipient, code in (("user", 0), ("full", 552), ("later", 450), ("user", 0)):
            if code == 0:
                assert client.sendmail("sender@example.net", [f"{recipient}@example.com"], MESSAGE) == {}
                continue
            with pytest.raises(smtplib.SMTPDataError) as refused:
                client.sendmail("sender@example.net", [f"{recipient}@example.com"], MESSAGE)
            assert refused.value.smtp_code == code
    assert delivered(smtp) == {"user": 2}


def test_swaks_delivers_over_lmtp(make_server):
    server = make_server("event")
    smtp = make_judging_host(server, "SmtpProtocol lmtp")
    server.start()
    swaks = shutil.which("swaks") or pytest.skip("swaks is not installed")
    result = subprocess.run([swaks, "--server", f"127.0.0.1:{smtp.port}", "--protocol", "LMTP", "--from", "sender@example.net",
                             "--to", "user@example.com,full@example.com,other@example.com"], capture_output=True, text=True, timeout=60 * smtpd_env.SLOWDOWN)
    assert result.returncode == 0, result.stdout
    assert re.search(r"250 2\.0\.0 <user@example\.com>.*552 5\.2\.2 <full@example\.com>.*250 2\.0\.0 <other@example\.com>", result.stdout, re.S)
    assert delivered(smtp) == {"user": 1, "other": 1}


@pytest.mark.parametrize("extension", ["PIPELINING", "ENHANCEDSTATUSCODES"])
def test_lmtp_needs_its_extensions(make_server, extension):
    server = make_server("event")
    server.smtp(lines=f"SmtpProtocol lmtp\nSmtpExtensions -{extension}")
    is_good, text = server.configtest()
    assert not is_good and re.search(rf"line \d+: SmtpProtocol lmtp needs {extension}", text)


@pytest.mark.parametrize("port, warns", [(25, True), (None, False)])
def test_lmtp_on_port_25_is_doubtful(make_server, port, warns):
    server = make_server("event")
    server.smtp(lines="SmtpProtocol lmtp", port=port)
    is_good, text = server.configtest()
    assert is_good
    assert bool(re.search(r"line \d+: SmtpProtocol lmtp is not for port 25", text)) == warns


def test_a_protocol_that_does_not_exist_is_an_error(make_server):
    server = make_server("event")
    server.smtp(lines="SmtpProtocol uucp")
    is_good, text = server.configtest()
    assert not is_good and 'SmtpProtocol takes smtp or lmtp, not "uucp"' in text


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
def test_smtpd_try_names_each_recipients_verdict(make_server, protocol):
    server = make_server("event")
    make_judging_host(server, f"SmtpProtocol {protocol}", "at=data_post")
    done = attempt(server, "--from", "sender@example.net", *(word for name in RECIPIENTS for word in ("--to", f"{name}@example.com")))
    assert ("C: LHLO " in done.out) == (protocol == "lmtp")
    assert '<full@example.com> is rejected by judges_recipients: its name says so ("552 Mailbox is full")' in done.out
    assert '<later@example.com> is deferred by judges_recipients: its name says so ("450 Try again tomorrow")' in done.out
    assert ("Outcome: accepted" in done.out) == (protocol == "lmtp")
    assert (done.status == 0) == (protocol == "lmtp")
