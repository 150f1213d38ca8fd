"""smtpd-try: real configurations and plugins without a server. It reports what a server would do, and has no
effects."""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest

import sanitizers
import smtpd_env
from name_server import HostileServer
from smtp_client import Client
from smtpd_env import SLOWDOWN

TOOL = sanitizers.build_dir() / "tools" / "smtpd-try"
HELPERS = sanitizers.build_dir() / "tests" / "helper_plugins" / ".libs"
ACCEPTED, REJECTED, DEFERRED, NOT_TRIED = range(4)
DELIVERS = 'SmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"\n'
MAIL = ("--from", "a@example.net", "--to", "you@example.com")


class Tried:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def lines(self):
        return self.out.splitlines()


def attempt(server, *arguments, ip="192.0.2.1", text="", write=True, **named):
    """Runs the command on that server's configuration; without `ip`, without a client."""
    if write:
        server.write()
    command = [*sanitizers.command_prefix(smtpd_env.BUILD), str(TOOL), "-f", str(server.config_file)] + (["--ip", ip] if ip else []) + [str(word) for word in arguments]
    environment = {**os.environ, **sanitizers.environment(smtpd_env.BUILD)}
    done = Tried(subprocess.run(command, input=text, capture_output=True, text=True, env=environment, timeout=60 * SLOWDOWN, **named))
    assert not sanitizers.REPORT.search(done.out + done.err), done.out + done.err
    return done


def files(folder):
    """Every file below it, with content and time of change."""
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_uid, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in pathlib.Path(folder).rglob("*") if path.is_file()}


def exchange(report, command, session=0):
    (found,) = [one for one in report["sessions"][session]["exchanges"] if one["command"].startswith(command)] if command else \
        report["sessions"][session]["exchanges"][:1]
    return found


def said(one, plugin):
    (found,) = [entry for entry in one["said"] if entry["plugin"] == plugin]
    return found


# --- what is said


def test_an_accepted_message_is_not_delivered(make_server, tmp_path):
    server = make_server()
    smtp = server.smtp(f'SmtpPlugin logging/file "{tmp_path}/log"\nSmtpPlugin content_log "file={tmp_path}/copies"\nSmtpPlugin headers\n' + DELIVERS)
    done = attempt(server, *MAIL)
    assert (done.status, done.err) == (ACCEPTED, ""), done.out
    assert f"Dry run of mx.example.com:{smtp.port} ({server.config_file} line " in done.out
    for line in ("C: MAIL FROM:<a@example.net> SIZE=", "     (rcpt) rcpt_ok: ok [", "S: 250 2.1.5 <you@example.com>, recipient OK",
                 "     (data_post) headers: pass [", "     (queue) would be asked to take it: queue/maildir", "S: 250 2.0.0 Queued! dry-run-1"):
        assert any(one.startswith(line) for one in done.lines()), f"{line}\n{done.out}"
    assert done.lines()[-1] == "Outcome: accepted"
    assert not list(tmp_path.iterdir())
    assert not smtp.maildir.stored()


@pytest.mark.parametrize("plugin, control, arguments, stage, status, reason", [
    ("hosts_allow", {"hosts_allow": "192.0.2.0/24 DENY go away\n"}, (), "", REJECTED, ""),
    ("helo", {"badhelo": "bad.example.org\n"}, ("--helo", "bad.example.org"), "EHLO", REJECTED, "bad.example.org"),
    ("badmailfrom", {"badmailfrom": "a@example.net spammer\n"}, (), "MAIL", REJECTED, "a@example.net"),
    ("badrcptto", {"badrcptto": "you@example.com closed\n"}, (), "RCPT", REJECTED, "you@example.com"),
    ("greylisting", {}, (), "MAIL", DEFERRED, "first seen"),
    ("headers", {}, ("message",), "(message", REJECTED, ""),
])
def test_a_refusal_names_its_plugin(make_server, tmp_path, plugin, control, arguments, stage, status, reason):
    server = make_server()
    server.smtp(f"SmtpPlugin {plugin}:mine\n" + DELIVERS, f'SmtpStore "file:{tmp_path}/store"', control=control)
    (tmp_path / "message").write_text("no header at all\n")
    arguments = [tmp_path / word if word == "message" else word for word in arguments]
    zone = tmp_path / "zone"
    zone.write_text("example.org MX 10 example.org\n")
    done = attempt(server, *MAIL, "--zone", zone, *arguments, "--json")
    assert done.status == status, done.out + done.err
    report = done.json
    assert report["outcome"] == ("rejected" if status == REJECTED else "deferred")
    decisive = report["sessions"][0]["exchanges"][report["sessions"][0]["decisive"]]
    assert decisive["command"].startswith(stage) and (stage or decisive["command"] == "")
    assert decisive["cause"]["by"] == f"{plugin}:mine" and reason in decisive["cause"]["reason"]
    assert decisive["code"] // 100 == (5 if status == REJECTED else 4)
    assert decisive["reply"][-1].startswith(str(decisive["code"]))
    text = attempt(server, *MAIL, "--zone", zone, *arguments)
    assert re.search(rf"^     => (rejected|deferred) by {plugin}:mine", text.out, re.M), text.out
    assert re.search(rf"^Outcome: (rejected|deferred) at .*, by {plugin}:mine", text.out, re.M), text.out


ZONE = """
1.2.0.192.list.example  A    127.0.0.2
2.0.0.127.list.example  A    127.0.0.2
192.0.2.9               PTR  good.example.net
good.example.net        A    192.0.2.9
"""


def listing(make_server, tmp_path, plugins="", wait="30s"):
    """A client at 192.0.2.1 that is listed, and one at 192.0.2.9 that is not."""
    server = make_server()
    server.smtp(f"SmtpPlugin earlytalker wait={wait}\nSmtpPlugin fcrdns\nSmtpPlugin dnsbl reject=naughty karma_fail=-3\nSmtpPlugin karma\n{plugins}\n" + DELIVERS,
                f'SmtpStore "file:{tmp_path}/store"', control={"dnsbl_zones": "list.example\n"})
    zone = tmp_path / "zone"
    zone.write_text(ZONE)
    return server, zone


def test_a_deferred_refusal_is_explained(make_server, tmp_path):
    server, zone = listing(make_server, tmp_path, "SmtpPlugin naughty")
    done = attempt(server, *MAIL, "--zone", zone)
    assert done.status == REJECTED
    assert re.search(r"^     \(connect\) dnsbl: fail, deferred: 192\.0\.2\.1 is listed .*, karma -3 \[\d+", done.out, re.M), done.out
    assert re.search(r"^     \(connect\) karma: pass: no record", done.out, re.M), done.out
    assert re.search(r"^     => rejected by naughty for dnsbl, which complained at connect: 192\.0\.2\.1 is listed", done.out, re.M), done.out
    without, zone = listing(make_server, tmp_path)
    done = attempt(without, *MAIL, "--zone", zone)
    assert "Note: dnsbl failed this client, and the refusal was postponed, but no plugin carried it out." in done.out


def test_waits_are_skipped_and_reported(make_server, tmp_path):
    server, zone = listing(make_server, tmp_path)
    began = time.monotonic()
    done = attempt(server, *MAIL, "--zone", zone, ip="192.0.2.9")
    assert done.status == ACCEPTED and time.monotonic() - began < 25 * SLOWDOWN
    assert "C: (connects)\n     waits 30 s\n" in done.out
    server, zone = listing(make_server, tmp_path, wait="3s")
    began = time.monotonic()
    done = attempt(server, "--wait", "--zone", zone, "--json", ip="192.0.2.9")
    assert time.monotonic() - began >= 3
    assert 2.9 < exchange(done.json, "")["waited"] < 3 + 10 * SLOWDOWN


def test_karma_is_shown_and_not_kept(make_server, tmp_path):
    server, zone = listing(make_server, tmp_path, "SmtpPlugin badmailfrom karma_fail=-7 reject=no")
    server.hosts[0].set_control("badmailfrom", "a@example.net\n")
    reports = [attempt(server, *MAIL, "--zone", zone, "--json", ip="192.0.2.9").json for _ in range(2)]
    for report in reports:
        entry = said(exchange(report, "MAIL"), "badmailfrom")
        assert (entry["outcome"], entry["karma"], entry["tolerated"], entry["verdict"]) == ("fail", -7, True, "declined")
        assert said(exchange(report, ""), "fcrdns")["outcome"] == "pass"
    assert not (tmp_path / "store").exists()


def test_greylisting_gives_the_same_answer_again_and_another_one_later(make_server):
    server = make_server()
    store = server.work / "state" / "store"
    smtp = server.smtp("SmtpPlugin greylisting black_timeout=5min\n" + DELIVERS, f'SmtpStore "file:{store}"')
    answers = [attempt(server, *MAIL) for _ in range(2)]
    assert all(done.status == DEFERRED and "by greylisting: first seen" in done.out for done in answers), answers[1].out
    assert not store.exists()
    # What a server remembers is seen, while it runs and afterwards, and not changed.
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@example.net>", 450)
    before = files(store.parent)
    assert before
    known = attempt(server, *MAIL, ip="127.0.0.1", write=False)
    assert known.status == DEFERRED and "first seen" not in known.out, known.out
    assert files(store.parent) == before
    assert server.stop() == []
    before = files(store.parent)
    for _ in range(2):
        known = attempt(server, *MAIL, "--again", "10min", ip="127.0.0.1", write=False)
        assert known.status == ACCEPTED, known.out
        first, second = known.out.split("--- the client comes again at ")
        assert "=> deferred by greylisting" in first and "Outcome: accepted" in second
    assert files(store.parent) == before


def test_a_store_that_cannot_be_read_is_noted(make_server, tmp_path):
    server = make_server()
    (tmp_path / "store").write_text("this is no store" * 1000)
    (tmp_path / "store").chmod(0o644)
    tmp_path.chmod(0o755)
    server.smtp("SmtpPlugin greylisting\n" + DELIVERS, f'SmtpStore "file:{tmp_path}/store"')
    before = files(tmp_path)
    done = attempt(server, *MAIL)
    assert done.status == DEFERRED and "Note: the store " in done.out and "it is treated as empty" in done.out, done.out
    assert files(tmp_path) == before


def test_the_dns_is_asked_where_the_server_would_ask(make_server):
    with HostileServer() as dns:
        server = make_server()
        server.smtp("SmtpPlugin resolvable_fromhost\n" + DELIVERS, f"SmtpResolver {dns.address} timeout=1s")
        done = attempt(server, "--from", "a@slow-300.good.test", "--to", "you@example.com", "--json")
        assert done.status == ACCEPTED, done.out + done.err
        one = exchange(done.json, "MAIL")
        assert said(one, "resolvable_fromhost")["outcome"] == "pass"
        assert 0.25 < one["waited"] < 20 * SLOWDOWN


def test_auth(make_server, tmp_path):
    server = make_server()
    server.smtp("SmtpPlugin knows_passwords account=me:secret\nSmtpPlugin relay\n" + DELIVERS, f'SmtpPluginDir "{HELPERS}"')
    (tmp_path / "good").write_text("secret\n")
    (tmp_path / "bad").write_text("guess\n")
    elsewhere = ("--from", "a@example.net", "--to", "somebody@elsewhere.example", "--tls")
    assert attempt(server, *elsewhere).status == REJECTED
    for more in ((), ("--auth-login",)):
        done = attempt(server, *elsewhere, "--auth", "me", "--password-file", tmp_path / "good", *more)
        assert done.status == ACCEPTED and "S: 235 " in done.out and "secret" not in done.out, done.out
    done = attempt(server, *elsewhere, "--auth", "me", "--password-file", tmp_path / "bad", "--json")
    assert done.status == REJECTED and exchange(done.json, "AUTH")["code"] == 535


# --- what the server announces


def hello_of(port):
    with Client(port) as client:
        return sorted(client.ehlo().lines[1:])


def announced(done):
    return sorted(line[4:] for line in exchange(done.json, "EHLO")["reply"][1:])


@pytest.mark.parametrize("plugins, lines", [
    (DELIVERS, ""),
    ("SmtpPlugin auth/auth_delay\n" + DELIVERS, "SmtpAuthWithoutTLS on"),  # it judges logins, and can accept nobody
    ("SmtpPlugin auth/authdeny\n" + DELIVERS, "SmtpAuthWithoutTLS on"),
    ("SmtpPlugin auth/auth_flat_file\n" + DELIVERS, "SmtpAuthWithoutTLS on\nSmtpExtensions -PIPELINING\nSmtpMaxRecipients 3"),
])
def test_it_announces_what_the_server_announces(make_server, plugins, lines):
    server = make_server()
    smtp = server.smtp(plugins, lines, control={"flat_auth_pw": "me@example.com:{PLAIN}secret\n"})
    server.start()
    done = attempt(server, "--helo", "client.example.net", "--json", write=False)
    assert announced(done) == hello_of(smtp.port)


def test_starttls_is_announced(tls_server):
    server, smtp, _ = tls_server(plugins="SmtpPlugin auth/auth_flat_file\n" + DELIVERS)
    smtp.set_control("flat_auth_pw", "me@example.com:{PLAIN}secret\n")
    server.start()
    host = ("--host", f"mx.example.com:{smtp.port}")
    done = attempt(server, "--helo", "client.example.net", "--json", *host, write=False)
    assert announced(done) == hello_of(smtp.port) and "STARTTLS" in announced(done)
    encrypted = announced(attempt(server, "--tls", "--json", *host, write=False))
    assert "STARTTLS" not in encrypted and any(line.startswith("AUTH ") and "-PLUS" in line for line in encrypted), encrypted


def test_a_host_with_ssl_is_encrypted_without_being_told(tls_server, tmp_path):
    server, smtp, _ = tls_server(implicit=True, plugins="SmtpPlugin auth/auth_flat_file\n" + DELIVERS)
    smtp.set_control("flat_auth_pw", "me@example.com:{PLAIN}secret\n")
    (tmp_path / "password").write_text("secret\n")
    done = attempt(server, "--auth", "me@example.com", "--password-file", tmp_path / "password", "--from", "a@example.net", "--to", "x@elsewhere.example")
    assert done.status == ACCEPTED and "S: 235 " in done.out, done.out + done.err


@pytest.mark.parametrize("sender, recipient, message, needs", [
    ("a@example.net", "you@example.com", "Subject: x\n\ntext\n", False),
    ("\u00e4@example.net", "you@example.com", "Subject: x\n\ntext\n", True),
    ("a@example.net", "\u00e4@example.com", "Subject: x\n\ntext\n", True),
    ("a@example.net", "you@example.com", "Subject: \u00e4\n\ntext\n", True),
    ("a@example.net", "you@example.com", "Subject: x\n\n\u00e4\n", False),
])
def test_smtputf8_is_asked_for_when_it_is_needed(make_server, sender, recipient, message, needs):
    server = make_server()
    server.smtp(DELIVERS)
    done = attempt(server, "--from", sender, "--to", recipient, "--json", "-", text=message)
    assert done.status == ACCEPTED, done.out
    command = exchange(done.json, "MAIL")["command"]
    assert command.endswith(" SMTPUTF8") == needs, command
    assert (" BODY=8BITMIME" in command) == any(ord(letter) > 127 for letter in message)
    without = make_server()
    without.smtp(DELIVERS, "SmtpExtensions -SMTPUTF8")
    assert "SMTPUTF8" not in attempt(without, "--from", sender, "--to", recipient, "-", text=message).out.partition("C: RCPT")[0].partition("C: MAIL")[2].partition("S: ")[0]


def test_without_a_transaction_there_is_no_outcome(make_server):
    server = make_server()
    server.smtp("SmtpPlugin badmailfrom\n" + DELIVERS, control={"badmailfrom": "bad@example.net\n"})
    done = attempt(server)
    assert (done.status, done.lines()[-1]) == (0, "No outcome: nothing was refused, and no transaction accepted")
    report = attempt(server, "--json").json
    assert report["outcome"] == report["sessions"][0]["outcome"] == "none" and "decisive" not in report["sessions"][0]
    assert attempt(server, "--from", "a@example.net").lines()[-1] == "Outcome: accepted"
    assert attempt(server, "--from", "bad@example.net").status == REJECTED


# --- the message, and the forms of the output


def test_a_message_comes_from_a_file_or_from_standard_input(make_server, tmp_path):
    server = make_server()
    server.smtp("SmtpPlugin headers\n" + DELIVERS)
    text = "From: a@example.net\nDate: Fri, 20 Nov 2026 12:00:00 +0000\nSubject: x\n\n.one dot\n"
    (tmp_path / "message").write_text(text)
    for arguments, stdin in (((tmp_path / "message",), ""), (("-",), text)):
        done = attempt(server, *MAIL, *arguments, text=stdin)
        assert done.status == ACCEPTED and f"C: (message, {len(text)} octets)" in done.out, done.out
    done = attempt(server, *MAIL, "-", text="Subject: no date\n\n")
    assert done.status == REJECTED and "=> rejected by headers" in done.out
    done = attempt(server, *MAIL, "--no-message")
    assert done.status == ACCEPTED and "C: DATA" not in done.out and "C: RCPT" in done.out


def test_the_list_shows_what_counts(make_server):
    server = make_server(main="SmtpPlugin badmailfrom reject=no\nSmtpPlugin earlytalker wait=3\n")
    server.smtp("SmtpPlugin badmailfrom karma_fail=-4\nSmtpPlugin dnsbl:first reject=naughty\nSmtpPlugin naughty reject=data\n" + DELIVERS, control={"dnsbl_zones": "list.example\n"})
    done = attempt(server, "--list", ip=None)
    assert done.status == ACCEPTED and not done.err, done.err
    assert re.search(r"^connect\n +0  earlytalker, may wait\n +0  dnsbl:first, may wait$", done.out, re.M), done.out
    assert re.search(r"^rcpt\n(?: .*\n)* +1000  rcpt_ok$", done.out, re.M), done.out
    lines = [line.strip() for line in server.config_file.read_text().splitlines()]
    place = f"{server.config_file} line {lines.index('SmtpPlugin badmailfrom karma_fail=-4') + 1}"
    assert f"\nbadmailfrom  ({place})\n  karma_fail = -4\n" in done.out
    assert f"\nearlytalker  ({server.config_file} line {lines.index('SmtpPlugin earlytalker wait=3') + 1})\n  wait = 3s\n" in done.out
    report = attempt(server, "--list", "--json", ip=None).json
    assert report["hooks"]["connect"][1] == {"plugin": "dnsbl:first", "priority": 0, "handler": "decides", "waits": True}
    (plugin,) = [one for one in report["plugins"] if one["plugin"] == "badmailfrom"]
    assert plugin == {"plugin": "badmailfrom", "where": place, "options": {"karma_fail": "-4"}}


def test_json_has_the_members_of_the_manual(make_server, tmp_path):
    server, zone = listing(make_server, tmp_path, "SmtpPlugin naughty")
    manual = (pathlib.Path(smtpd_env.BUILD["source_dir"]) / "docs" / "smtpd-try.1").read_text()
    described = set(re.findall(r"[a-z_]+", manual.partition(".SH JSON")[2].partition(".SH EXAMPLES")[0]))
    names = set()

    def gather(value):
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            gather(one)
        if isinstance(value, dict):
            names.update(value)

    gather(attempt(server, *MAIL, "--zone", zone, "--json").json)
    gather(attempt(server, *MAIL, "--zone", zone, "--json", ip="192.0.2.9").json)
    judging = make_server()
    judging.smtp("SmtpPlugin judges_recipients\n" + DELIVERS, f'SmtpPluginDir "{HELPERS}"')
    gather(attempt(judging, *MAIL, "--to", "full@example.com", "--json").json)
    assert {"server", "sessions", "exchanges", "said", "cause", "deliverers", "deferred", "refused", "recipient"} <= names
    assert names <= described, names - described


# --- several hosts, and mistakes


def test_of_several_virtual_hosts_one_is_named(make_server):
    server = make_server()
    first = server.smtp("SmtpPlugin badmailfrom\n" + DELIVERS, name="mx.example.com", control={"badmailfrom": "a@example.net\n"})
    second = server.smtp(name="mail.example.org")
    server.http()
    done = attempt(server, *MAIL)
    assert (done.status, done.out) == (NOT_TRIED, "")
    assert "2 servers have SmtpEngine on; name one with --host: " in done.err
    assert f"mx.example.com:{first.port}" in done.err and f"mail.example.org:{second.port}" in done.err
    assert attempt(server, *MAIL, "--host", "mx.example.com").status == REJECTED
    assert attempt(server, *MAIL, "--host", f"mail.example.org:{second.port}").status == ACCEPTED
    done = attempt(server, *MAIL, "--host", "nobody.example")
    assert done.status == NOT_TRIED and "no server of that name has SmtpEngine on: nobody.example" in done.err


@pytest.mark.parametrize("arguments, complaint", [
    ((), "--ip is missing: it names the client"),
    (("--ip", "host.example"), '--ip takes an IP address such as 192.0.2.1, 192.0.2.1:4711 or [2001:db8::1]:4711, not "host.example"'),
    (("--ip",), "--ip needs a value"),
    (("--colour",), "there is no option --colour; --help"),
    (("--form", "a@b"), 'there is no option --form (did you mean "--from"?)'),
    (("--json=yes",), "--json takes no value"),
    (("--ip=192.0.2.1", "--to", "a@b"), "--to needs --from"),
    (("--ip=192.0.2.1", "message"), "a message needs --from and --to"),
    (("--ip=192.0.2.1", *MAIL, "one", "two"), 'unexpected argument "two": one is the message already'),
    (("--ip=192.0.2.1", *MAIL, "/nowhere/at/all"), "/nowhere/at/all"),
    (("--ip=192.0.2.1", "--auth", "me"), "--auth and --password-file belong together"),
    (("--ip=192.0.2.1", "--again", "soon"), '--again takes a time such as 90, 10min or 2h, not "soon"'),
    (("--ip=192.0.2.1", "--from", "a\r\nRSET"), "--from takes an address without control characters"),
    (("--ip=192.0.2.1", "--log", "loud"), "--log takes a log level"),
    (("--ip=192.0.2.1", "--zone", "/dev/null/zone"), "/dev/null/zone"),
    (("--ip=192.0.2.1", "--httpd", "/nowhere/httpd"), "cannot run /nowhere/httpd"),
])
def test_wrong_calls_are_complained_about(make_server, arguments, complaint):
    server = make_server()
    server.smtp()
    done = attempt(server, *arguments, ip=None)
    assert (done.status, done.out) == (NOT_TRIED, "")
    assert done.err.startswith("smtpd-try: ") and complaint in done.err


def test_a_zone_that_is_none_names_the_line(make_server, tmp_path):
    server = make_server()
    server.smtp()
    (tmp_path / "zone").write_text("a.example A 192.0.2.1\nb.example A here\n")
    done = attempt(server, "--zone", tmp_path / "zone")
    assert done.status == NOT_TRIED and "line 2" in done.err


def test_a_wrong_configuration_is_httpds_to_complain_about(make_server, tmp_path):
    server = make_server()
    server.smtp("SmtpPlugin greylisting blak_timeout=5min\n" + DELIVERS)
    done = attempt(server, *MAIL)
    assert (done.status, done.out) == (NOT_TRIED, "")
    assert 'SmtpPlugin greylisting: unknown option "blak_timeout" (did you mean "black_timeout"?)' in done.err
    assert re.search(rf"{re.escape(str(server.config_file))} line \d+: ", done.err)
    done = attempt(server, "-f", tmp_path / "nothing.conf")
    assert done.status == NOT_TRIED and f"cannot read the configuration {tmp_path}/nothing.conf" in done.err


def test_a_server_without_smtp_is_told(make_server):
    server = make_server(log_level="notice")
    server.http()
    done = attempt(server, *MAIL)
    assert done.status == NOT_TRIED and "no server of this configuration has SmtpEngine on" in done.err
    server.use_configuration(server.configuration().replace(f'LoadModule smtpd_module "{smtpd_env.BUILD["module"]}"', ""))
    done = attempt(server, *MAIL)
    assert done.status == NOT_TRIED and "does not load mod_smtpd, or loads an old version of it" in done.err


def test_variables_come_from_a_file_beside_the_configuration(make_server):
    """As Debian has it."""
    server = make_server()
    server.smtp()
    server.use_configuration(server.configuration().replace(f'ServerRoot "{server.root}"', "ServerRoot ${THIS_ROOT}"))
    done = attempt(server, *MAIL)
    assert done.status == NOT_TRIED and "--envvars FILE" in done.err
    text = f"export THIS_ROOT='{server.root}'\n"
    (server.root / "envvars").write_text(text)
    assert attempt(server, *MAIL).status == ACCEPTED
    assert attempt(server, *MAIL, "--envvars", "none").status == NOT_TRIED
    (server.root / "envvars").rename(server.root / "elsewhere")
    assert attempt(server, *MAIL, "--envvars", "elsewhere", cwd=server.root).status == ACCEPTED


def test_the_directive_is_for_the_command_alone(make_server):
    server = make_server(main="SmtpTry 3 4")
    server.smtp()
    good, words = server.configtest()
    assert not good and "SmtpTry is for the command smtpd-try; its request cannot be read" in words
    done = subprocess.run([smtpd_env.BUILD["httpd"], "-f", str(server.config_file), "-DFOREGROUND"], capture_output=True, text=True, timeout=60 * SLOWDOWN,
                          env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)})
    assert done.returncode != 0 and "SmtpTry is for the command smtpd-try, and works in a configuration test (httpd -t) only" in done.stderr


@pytest.mark.skipif(not smtpd_env.is_root(), reason="only root can become somebody else")
def test_it_has_the_rights_of_the_user_that_serves(make_server, tmp_path):
    """A dry run can read only what a child can read; the message is read with the caller's rights."""
    server = make_server()
    smtp = server.smtp("SmtpPlugin badmailfrom\n" + DELIVERS)
    (tmp_path / "message").write_text("From: a@example.net\n\n")
    (tmp_path / "message").chmod(0o600)
    assert attempt(server, *MAIL, tmp_path / "message").status == ACCEPTED
    identity = smtpd_env.unprivileged_user()
    command = [str(TOOL), "-f", str(server.config_file), "--ip", "192.0.2.1", *MAIL]
    done = subprocess.run(["setpriv", f"--reuid={identity[1]}", f"--regid={identity[2]}", "--clear-groups", *command], capture_output=True, text=True,
                          timeout=60 * SLOWDOWN, env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)})
    assert done.returncode == ACCEPTED, done.stdout + done.stderr
    assert not smtp.maildir.stored()
