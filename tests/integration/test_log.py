"""The ErrorLog: one readable line per event, the same ids everywhere, nothing secret, and no client text that looks
like a line."""

import re

import pytest

from smtp_client import Client
from smtpd_env import LOG_LINE

HEADER = b"From: sender@example.net\r\nSubject: a secret subject\r\n\r\n"


def ours(server):
    return [line for line in server.log_lines() if line.module == "smtpd"]


def test_ids_agree(make_server, mpm):
    """For a session: greeting and log. For a transaction: final reply, Received field and log."""
    server = make_server(mpm)
    smtp = server.smtp()
    server.start()
    with Client(smtp.port) as client:
        session = client.greeting.text.split()[-1]
        client.ehlo()
        first = client.deliver(HEADER).expect(250).text.split()[-1]
        second = client.deliver(HEADER + b"2\r\n").expect(250).text.split()[-1]
        client.quit()
    assert re.fullmatch(r"[A-Za-z0-9]{6,}", session)
    assert first != second and first.startswith(session) and second.startswith(session)
    received = sorted(re.search(r" id (\S+?)[\s;]", stored.field("Received") + " ")[1] for stored in smtp.maildir.stored())
    assert received == sorted([first, second])
    server.wait_log(r"disconnect after")
    lines = ours(server)
    assert all(line.text.startswith(f"[{session}") for line in lines), lines
    for transaction in (first, second):
        accepted = [line for line in lines if line.text.startswith(f"[{transaction}] accepted ")]
        assert len(accepted) == 1, lines
        assert 'from=<sender@example.net> to=<user@example.com>' in accepted[0].text.replace('"', "")
        assert " by=queue/maildir in=" in accepted[0].text


def test_one_line_per_event_at_info(make_server):
    server = make_server("event")
    smtp = server.smtp('SmtpPlugin badmailfrom\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"', control={"badmailfrom": "bad@example.net no spam\n"})
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<bad@example.net>", 550, "5.7.1", "no spam")
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("RCPT TO:<user@elsewhere.example>", 550)
        client.command("RCPT TO:<user@example.com>", 250)
        client.data(HEADER).expect(250)
        client.quit()
    server.wait_log(r"disconnect after")
    texts = [line.text.partition("] ")[2] for line in ours(server)]
    assert sum(text == "connect" for text in texts) == 1
    (connect,) = [line.raw for line in ours(server) if line.text.endswith("] connect")]
    assert connect.count("127.0.0.1") == 1, "the client is in httpd's part of the line, and not again"
    assert sum(text.startswith("(mail) badmailfrom: fail: ") for text in texts) == 1
    assert sum("user@elsewhere.example" in text and "refused" in text for text in texts) == 1
    (accepted,) = [text for text in texts if text.startswith("accepted ")]
    (path,) = smtp.maildir.new()
    assert f' by=queue/maildir in="{path}" reply="250 Queued! ' in accepted, accepted
    assert not any(": pass" in text for text in texts), texts
    assert sum(text.startswith("disconnect after ") for text in texts) == 1


def test_trace_shows_the_dialogue_and_not_the_message(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(log_level="smtpd:trace1")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER + b"the body is private\r\n").expect(250)
        client.command("AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=", (500, 502, 503))
        client.quit()
    server.wait_log(r"disconnect after")
    text = "\n".join(line.text for line in ours(server))
    for shown in ("<<< EHLO client.example.net", ">>> 250", "<<< MAIL FROM:", "<<< RCPT TO:", "<<< DATA", ">>> 354", "<<< QUIT", ">>> 221"):
        assert shown in text, f"{shown!r} is missing in:\n{text}"
    for hidden in ("the body is private", "a secret subject", "AHVzZXIAcGFzc3dvcmQ"):
        assert hidden not in text


def test_info_does_not_show_the_dialogue(make_server):
    server = make_server("event")
    smtp = server.smtp()
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.quit()
    server.wait_log(r"disconnect after")
    assert "<<<" not in server.log_text()


def test_levels_per_virtual_host(make_server):
    server = make_server("event")
    loud = server.smtp(log_level="smtpd:trace1", name="loud.example.com")
    quiet = server.smtp(log_level="smtpd:warn", name="quiet.example.com")
    server.start()
    for host in (loud, quiet):
        with Client(host.port) as client:
            client.command(f"EHLO to-{host.name}", 250)
            client.quit()
    server.wait_log(r"disconnect after")
    assert "EHLO to-loud.example.com" in server.log_text()
    assert "quiet.example.com" not in "\n".join(line.text for line in ours(server))


HOSTILE = [b"\x1b[2J\x1b[31m", b"\x07\x08\x0b\x0c", b"\x7f\x80\xff", b"%s%n%x%%", b"\\n[Mon] [core:emerg] [pid 1] gone", b"'\"`;$(reboot)", "\u202e\u2028".encode(), b"x" * 1500,
           b"\t\t", b"\x0d"]


@pytest.mark.parametrize("octets", HOSTILE, ids=lambda octets: repr(octets[:20]))
def test_octets_of_clients_are_escaped(make_server, octets):
    server = make_server("event")
    smtp = server.smtp(log_level="smtpd:trace1", lines="SmtpMaxErrors 0")
    server.start()
    with Client(smtp.port) as client:
        for line in (b"EHLO " + octets, b"EHLO c.example.net", b"MAIL FROM:<" + octets + b"@example.net>", b"MAIL FROM:<" + octets, b"MAIL FROM:<a@example.net>",
                     b'RCPT TO:<"' + octets + b'"@example.com>', b"RCPT TO:" + octets, b"VRFY " + octets, b"NOOP " + octets, octets):
            client.send(line + b"\r\n")
            client.reply()
        client.command("RSET", (250, 500))
        client.quit()
    server.wait_log(r"disconnect after")
    raw = server.log_file.read_bytes()
    assert all(octet == 10 or 0x20 <= octet < 0x7f for octet in raw), re.search(rb"[^\n\x20-\x7e].{0,60}", raw)
    assert all(LOG_LINE.fullmatch(line) for line in raw.decode().splitlines())
    assert all(len(line) < 3000 for line in raw.splitlines())


def test_replies_carry_no_octets_that_break_them(make_server):
    """Replies repeat the client's text; the strict reader of this client finds no mistake in them, and non-ASCII
    text stays out."""
    server = make_server("event")
    smtp = server.smtp(lines="SmtpMaxErrors 0")
    server.start()
    with Client(smtp.port) as client:
        for octets in HOSTILE:
            for line in (b"EHLO " + octets, b"EHLO c.example.net", b"MAIL FROM:<" + octets + b"@example.net>", b"RSET", b"MAIL FROM:<a@example.net>",
                         b"RCPT TO:<" + octets + b">", b"HELP " + octets, octets):
                client.send(line + b"\r\n")
                reply = client.reply()
                assert all(0x20 <= octet < 0x7f or octet in b"\r\n" for octet in reply.raw), reply.raw
        client.command("QUIT", 221)


def test_received_field_is_not_forged(make_server):
    server = make_server("event")
    smtp = server.smtp()
    server.start()
    names = [b"a\tb", b"x(comment)", b"evil.example;\tMon", "Grüße".encode(), b"[127.0.0.1]", b"a" * 255]
    for name in names:
        with Client(smtp.port) as client:
            client.send(b"EHLO " + name + b"\r\n")
            if client.reply().code != 250:
                continue
            client.deliver(HEADER).expect(250)
    for stored in smtp.maildir.stored():
        field = stored.field("Received")
        assert re.fullmatch(r"from [A-Za-z0-9.\-_:\[\]?]{1,255} \(unknown \[127\.0\.0\.1\]\)\s+by mx\.example\.com \(mod_smtpd[^()]*\) with ESMTP id \S+\s+"
                            r"for <user@example\.com>;\s+\w{3}, \d\d? \w{3} \d{4} [\d:]{8} [+-]\d{4}", field), field


def test_a_naughty_client_is_judged_on_but_told_the_first_complaint_only(make_server):
    server = make_server()
    smtp = server.smtp("SmtpPlugin badmailfrom reject=naughty\nSmtpPlugin badrcptto karma_fail=-3\nSmtpPlugin naughty reject=data\nSmtpPlugin rcpt_ok",
                       control={"badmailfrom": "bad@example.net you are not wanted\n", "badrcptto": "closed@example.com closed\n"})
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<bad@example.net>", 250)
        client.command("RCPT TO:<closed@example.com>", 250)
        reply = client.command("DATA", 554)
        assert reply.text.endswith("you are not wanted"), reply
    server.wait_log(r"\(rcpt\) badrcptto: fail, NAUGHTY: .*closed@example\.com")
    server.wait_log(r"\(data\) naughty: fail: badmailfrom complained, and later badrcptto")


def test_a_refusal_says_who_and_why_and_the_session_tells_its_history(make_server):
    """docs/why-refused.md shows these lines."""
    server = make_server(log_level="notice smtpd:debug")
    smtp = server.smtp("SmtpPlugin badmailfrom reject=naughty\nSmtpPlugin naughty\nSmtpPlugin badrcptto\nSmtpPlugin rcpt_ok",
                       control={"badmailfrom": "bad@example.net you are not wanted\n", "badrcptto": "closed@example.com closed\n"})
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<good@example.net>", 250)
        client.command("RCPT TO:<closed@example.com>", 550)
        client.command("RSET", 250)
        client.command("MAIL FROM:<bad@example.net>", 250)
        client.command("RCPT TO:<you@example.com>", 550)
    (refused,) = server.wait_log(r"rcpt refused from=<good@example.net>")
    assert re.search(r' to=<closed@example.com> by=badrcptto why="[^"]*closed@example.com[^"]*" reply="550 ', refused.text)
    (naughty,) = server.wait_log(r"rcpt refused from=<bad@example.net>")
    assert re.search(r' to=<you@example.com> by=naughty for=badmailfrom why="[^"]*bad@example.net[^"]*" reply="550 ', naughty.text)
    history = server.wait_log(r"history: ", count=7)
    told = "\n".join(line.text for line in history)
    for pattern in (r"^\[\w+-1\] history: \(mail\) badmailfrom: pass",
                    r"^\[\w+-1\] history: \(rcpt\) badrcptto: fail: .* -> deny 5\.\d\.\d \"[^\"]*\", karma -\d+; at \d+\.\d{3} s",
                    r"^\[\w+-2\] history: \(mail\) badmailfrom: fail, deferred: ",
                    r"^\[\w+-2\] history: \(rcpt\) badrcptto: pass",
                    r"^\[\w+-2\] history: \(rcpt\) naughty: deny_disconnect ",
                    r"^\[\w+-2\] history: replied 550 5\.\d\.\d "):
        assert re.search(pattern, told, re.M), f"{pattern}\n{told}"
