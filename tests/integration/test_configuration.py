"""configtest names mistakes in the configuration, with file and line and the allowed values; and no configuration
relays by accident."""

import os
import re
import socket

import pytest

import smtpd_env
from maildir import check_stored
from smtp_client import Client
from smtpd_env import Httpd

HEADER = b"From: sender@example.net\r\nSubject: configuration\r\n\r\n"


def configtest(plugins="", lines="", control=None, main=""):
    """(verdict, output, lines of the configuration file) of a server with one SMTP virtual host."""
    server = Httpd("event", main=main)
    try:
        server.smtp(plugins, lines, control=control)
        good, output = server.configtest()
        return good, output, server.config_file.read_text().splitlines(), server.hosts[0].control
    finally:
        server.finish()


def position(rows, text):
    """How a message names the configuration line with this text: in httpd's words or in ours."""
    numbers = [number for number, row in enumerate(rows, 1) if text in row]
    assert len(numbers) == 1, f"{text!r} stands in {len(numbers)} lines"
    return rf"(?:on line {numbers[0]} of \S*httpd\.conf:|httpd\.conf(?: line |:){numbers[0]}\b)"


# Directive as written: what the complaint says.
DIRECTIVES = {
    "SmtpEngine maybe": r"SmtpEngine must be On or Off",
    "SmtpPlugin": r"SmtpPlugin takes the name of a plugin",
    "SmtpPluginDir /no/such/folder": r'SmtpPluginDir takes a directory that exists, not "/no/such/folder"',
    "SmtpPluginInherit perhaps": r"SmtpPluginInherit must be On or Off",
    "SmtpControlDir /no/such/folder": r'SmtpControlDir takes a directory that exists, not "/no/such/folder"',
    "SmtpQmailControlDir /no/such/folder": r'SmtpQmailControlDir takes a directory that exists, not "/no/such/folder"',
    'SmtpGreeting ""': r"SmtpGreeting takes .*the text",
    'SmtpGreeting "Grüße"': r"SmtpGreeting takes printable ASCII",
    "SmtpMaxMessageSize big": r'SmtpMaxMessageSize takes a number of octets.*, not "big"',
    "SmtpMaxMessageSize -1": r'SmtpMaxMessageSize takes a number of octets.*, not "-1"',
    "SmtpMaxMessageSize 99999999999999999999g": r"SmtpMaxMessageSize takes a number of octets",
    "SmtpSpoolDir /no/such/folder": r'SmtpSpoolDir takes a directory that exists, not "/no/such/folder"',
    "SmtpSpoolThreshold 5x": r'SmtpSpoolThreshold takes a number of octets.*, not "5x"',
    "SmtpMaxRecipients 0": r'SmtpMaxRecipients takes a number from 1 to \d+, not "0"',
    "SmtpMaxRecipients many": r'SmtpMaxRecipients takes a number from 1 to \d+, not "many"',
    "SmtpMaxErrors x": r'SmtpMaxErrors takes a number from 0 to \d+, not "x"',
    "SmtpMaxConnections -5": r'SmtpMaxConnections takes a number from 0 to \d+, not "-5"',
    "SmtpMaxConnectionsPerClient x": r"SmtpMaxConnectionsPerClient takes a number of sessions",
    "SmtpMaxConnectionsPerClient 5 33": r"IPv4 prefix \(1 to 32",
    "SmtpMaxConnectionsPerClient 5 24 129": r"IPv6 prefix \(1 to 128",
    "SmtpSessionTimeout soon": r'SmtpSessionTimeout takes a time such as .*, not "soon"',
    "SmtpSessionTimeout -1": r"SmtpSessionTimeout takes a time such as",
    "SmtpMinDataRate slow": r"SmtpMinDataRate takes octets a second",
    "SmtpMinDataRate 100 soon": r"SmtpMinDataRate takes octets a second .*, then the time",
    "SmtpMaxLineLength 500": r"SmtpMaxLineLength takes 0 for no limit, or at least 998",
    "SmtpBareNewline allow": r"SmtpBareNewline takes reject, normalize or accept",
    "SmtpBareNewline reject 10.0.0.0/40": r'"10\.0\.0\.0/40" is not an address or network',
    "SmtpBareNewline reject everybody": r'"everybody" is not an address or network',
    "SmtpAuthWithoutTLS maybe": r"SmtpAuthWithoutTLS must be On or Off",
    "SmtpAddressSyntax loose": r'SmtpAddressSyntax takes lenient or strict, not "loose"',
    "SmtpLocalPartCase fold": r'SmtpLocalPartCase takes insensitive or sensitive, not "fold"',
    "SmtpUnknownParameters keep": r'SmtpUnknownParameters takes refuse or ignore, not "keep"',
    "SmtpNoSuchDirective on": r"Invalid command 'SmtpNoSuchDirective'",
}


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_mistake_in_a_directive(directive):
    good, output, rows, _ = configtest(lines=directive + "\n")
    where = position(rows, directive) if directive != "SmtpPlugin" else rf"on line {[row.strip() for row in rows].index(directive) + 1} of \S*httpd\.conf:"
    assert not good
    assert re.search(where + r"\s*" + ".*" + DIRECTIVES[directive], output, re.S), output


@pytest.mark.parametrize("number", ["0", "1001", "many"])
def test_backend_threads(number):
    good, output, _, _ = configtest(main=f"SmtpBackendThreads {number}\n")
    assert not good and re.search(r"SmtpBackendThreads takes a number of threads from 1 to 1000", output), output
    good, output, _, _ = configtest(lines="SmtpBackendThreads 8\n")
    assert not good and re.search(r"SmtpBackendThreads cannot occur within <VirtualHost>", output), output


@pytest.mark.parametrize("directive", [directive for directive in DIRECTIVES if "NoSuch" not in directive and "Inherit" not in directive])
def test_the_same_mistake_in_the_main_server(directive):
    good, output, _, _ = configtest(main=directive + "\n")
    assert not good and re.search(DIRECTIVES[directive], output), output


def test_inherit_is_for_virtual_hosts():
    good, output, rows, _ = configtest(main="SmtpPluginInherit off\n")
    assert not good
    assert re.search(position(rows, "SmtpPluginInherit off") + r"\s*SmtpPluginInherit must be inside a <VirtualHost>", output), output


@pytest.mark.parametrize("directive", ["SmtpEngine on", "SmtpPlugin rcpt_ok", "SmtpMaxErrors 5"])
def test_directives_do_not_belong_into_a_directory(directive):
    good, output, rows, _ = configtest(main=f'<Directory "/srv">\n{directive}\n</Directory>\n')
    assert not good and re.search(r"not allowed (in|within) <Directory", output), output


# The line of a plugin: what the complaint says.
PLUGINS = {
    "SmtpPlugin no_such_plugin": r'no_such_plugin"?: .*no (such )?plugin|no_such_plugin',
    "SmtpPlugin rcpt_okay": r'did you mean "rcpt_ok"',
    "SmtpPlugin queue/maildirs /tmp": r'did you mean "queue/maildir"',
    "SmtpPlugin ../plugins/rcpt_ok": r"\.\./plugins/rcpt_ok",
    "SmtpPlugin earlytalker wait=an_hour": r'earlytalker: .*wait.*duration',
    "SmtpPlugin earlytalker wait=2d": r"earlytalker: .*wait.* from .* to ",
    "SmtpPlugin earlytalker wat=1": r'unknown option "wat" \(did you mean "wait"',
    "SmtpPlugin earlytalker check-at=NOON": r"check-at.*one of CONNECT, DATA",
    "SmtpPlugin badrcptto reject=perhaps": r"badrcptto: .*reject.*naughty",
    "SmtpPlugin badrcptto reject_type=never": r"badrcptto: .*reject_type.*one of perm",
    "SmtpPlugin badrcptto onerror=laugh": r"badrcptto: .*onerror.*accept.*tempfail",
    "SmtpPlugin badrcptto karma_fail=bad": r"badrcptto: .*karma_fail.*number",
    "SmtpPlugin badrcptto loglevel=loud": r"badrcptto: .*loglevel",
    "SmtpPlugin badrcptto deadline=never": r"badrcptto: .*deadline.*duration",
    "SmtpPlugin badrcptto whatever": r'badrcptto: .*whatever',
    "SmtpPlugin count_unrecognized_commands many": r"count_unrecognized_commands: .*number",
    "SmtpPlugin noop_counter x": r"noop_counter: .*number",
    "SmtpPlugin loop no": r"loop: .*number",
    "SmtpPlugin headers future=x": r"headers: .*future",
    "SmtpPlugin headers past=-3": r"headers: .*past",
    "SmtpPlugin bogus_bounce explode": r"bogus_bounce: .*one of log, deny, denysoft",
    "SmtpPlugin naughty reject=sometimes": r"naughty: .*reject.*one of",
    "SmtpPlugin random_error x": r"random_error: .*number",
    "SmtpPlugin hosts_allow max_per_client=x": r"hosts_allow: .*max_per_client",
    "SmtpPlugin queue/maildir": r"queue/maildir: .*directory",
    "SmtpPlugin queue/maildir /no/such/place/at/all": r"queue/maildir: .*neither /no/such/place/at/all nor the directory above it exists",
    "SmtpPlugin queue/maildir /tmp/x %q/new": r"queue/maildir: .*may contain %l, %d, %u and %% only",
    "SmtpPlugin queue/maildir /tmp/x ../%l": r"queue/maildir: .*must not contain \. or \.\.",
    "SmtpPlugin queue/maildir /tmp/x %l 999": r'queue/maildir: .*perms "999"',
    "SmtpPlugin queue/maildir /tmp/x newline=cr": r"queue/maildir: .*newline.*one of crlf, lf",
    "SmtpPlugin queue/maildir /tmp/x fsync=sometimes": r"queue/maildir: .*fsync.*on",
    "SmtpPlugin relay only=both": r"relay: .*only",
    "SmtpPlugin logging/file": r"logging/file: .*(path|file)",
    "SmtpPlugin logging/syslog facility=kitchen": r"logging/syslog: .*facility.*one of",
    "SmtpPlugin logging/warn loudly": r"logging/warn: .*level",
}


@pytest.mark.parametrize("line", PLUGINS)
def test_mistake_in_a_plugin_line(line):
    good, output, rows, _ = configtest(plugins=line + "\n")
    assert not good
    assert re.search(position(rows, line) + ".*" + f"(?:{PLUGINS[line]})", output), output


def test_mistakes_in_a_section():
    good, output, rows, _ = configtest(plugins="<SmtpPlugin earlytalker>\n  wat  3\n</SmtpPlugin>\n<SmtpPlugin badrcptto>\n  reject  perhaps\n</SmtpPlugin>\n")
    assert not good
    for line, words in (("<SmtpPlugin earlytalker>", 'unknown option "wat"'), ("<SmtpPlugin badrcptto>", "reject")):
        number = [row.strip() for row in rows].index(line) + 1
        # The section's line, or the line of the option itself.
        assert re.search(rf"httpd\.conf(?: line |:)(?:{number}|{number + 1})\b.*{words}", output), output


@pytest.mark.parametrize("opening, words", [("<SmtpPlugin>", "takes the name of a plugin"), ("<SmtpPlugin rcpt_ok", 'lacks its closing ">"'),
                                            ("<SmtpPlugin rcpt_ok reject=no>", "write each option on its own line")])
def test_broken_section(opening, words):
    good, output, rows, _ = configtest(plugins=f"{opening}\n</SmtpPlugin>\n")
    assert not good
    number = [row.strip() for row in rows].index(opening) + 1
    assert re.search(rf"on line {number} of \S*httpd\.conf:\s.*{words}", output, re.S), output


def test_section_without_end():
    good, output, _, _ = configtest(plugins="<SmtpPlugin rcpt_ok>\n reject no\n")
    assert not good and re.search(r"without closing|Expected </SmtpPlugin", output), output


def test_all_mistakes_of_plugins_are_reported_at_once():
    lines = ["SmtpPlugin earlytalker wat=1 wait=2d", "SmtpPlugin no_such_plugin", "SmtpPlugin badrcptto reject=perhaps", "SmtpPlugin queue/maildir"]
    good, output, rows, _ = configtest(plugins="\n".join(lines))
    assert not good
    for line in lines:
        assert re.search(position(rows, line), output), f"{line!r} is not named in:\n{output}"
    assert "wat" in output and re.search(r"wait.* from .* to ", output), output


def test_mistakes_in_several_virtual_hosts_are_reported_at_once(make_server):
    server = make_server("event")
    server.smtp("SmtpPlugin first_mistake")
    server.smtp("SmtpPlugin second_mistake")
    good, output = server.configtest()
    assert not good and "first_mistake" in output and "second_mistake" in output, output


CONTROL_FILES = {
    "badmailfrom": ("SmtpPlugin badmailfrom", "good@example.net\n/unclosed(group/ reason\n", r"badmailfrom(:| line )2"),
    "badrcptto": ("SmtpPlugin badrcptto", "# a comment\n[*?\n", r"badrcptto(:| line )2"),
    "relayclients": ("SmtpPlugin relay", "192.0.2.0/24\n192.0.2.0/99\n", r"relayclients(:| line )2"),
    "norelayclients": ("SmtpPlugin relay", "not an address\n", r"norelayclients(:| line )1"),
    "hosts_allow": ("SmtpPlugin hosts_allow", "192.0.2.1 DENY no\n192.0.2.2 EXPLODE\n", r"hosts_allow(:| line )2"),
    "badmailfromto": ("SmtpPlugin badmailfromto", "a@example.net b@example.com\nonlyone@example.net\n", r"badmailfromto(:| line )2"),
    "databytes": ("", "lots\n", r"databytes is a number of octets, not \"lots\""),
}


@pytest.mark.parametrize("name", CONTROL_FILES)
def test_mistake_in_a_control_file(name):
    line, content, words = CONTROL_FILES[name]
    good, output, _, control = configtest(plugins=line, control={name: content})
    assert not good
    assert str(control) in output and re.search(words, output), output


def test_circular_include():
    good, output, _, _ = configtest(plugins="SmtpPlugin badrcptto", control={"badrcptto": "$include other\n", "other": "$include badrcptto\n"})
    assert not good and re.search(r"include", output), output


def test_spool_that_the_children_may_not_write(make_server):
    """The permissions of the children's user count, whichever user runs configtest."""
    server = make_server("event")
    smtp = server.smtp()
    if server.user:
        os.chown(smtp.spool, 0, 0)
    else:
        smtp.spool.chmod(0o500)
    good, output = server.configtest()
    assert not good and re.search(rf"SmtpSpoolDir.*{smtp.spool}", output), output


def test_good_configurations_are_silent(make_server):
    server = make_server("event", main="SmtpMaxErrors 5\nSmtpSessionTimeout 10min\nSmtpMinDataRate 1k 30s\nSmtpBackendThreads 8\n")
    server.smtp("""
        <SmtpPlugin earlytalker>
            wait      2s
            reject    naughty
            check-at  CONNECT DATA
        </SmtpPlugin>
        SmtpPlugin count_unrecognized_commands 4
        SmtpPlugin relay
        SmtpPlugin badmailfrom reject naughty
        SmtpPlugin badrcptto:1 reject=no loglevel=+1
        SmtpPlugin rcpt_ok
        SmtpPlugin naughty reject data reject_type temp
        SmtpPlugin queue/maildir "@maildir@" "%d/%l" 0750
    """, "SmtpMaxConnectionsPerClient 10 24 56\nSmtpBareNewline reject 192.0.2.0/24 2001:db8::/32\nSmtpGreeting \"mx.example.com ESMTP\"")
    good, output = server.configtest()
    assert good and output.strip() == "Syntax OK", output


# --- the plugins file of a qpsmtpd directory

def test_plugins_file(make_server):
    server = make_server("event")
    smtp = server.smtp("", control={"plugins": "# a comment\ncount_unrecognized_commands 2\nrcpt_ok\n\nqueue/maildir MAILDIR\n"})
    smtp.set_control("plugins", (smtp.control / "plugins").read_text().replace("MAILDIR", str(smtp.maildir.path)))
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER).expect(250)
        client.command("BOGUS", 500)
        client.command("BOGUS", 521)
        client.expect_close()
    check_stored(smtp.maildir.only(), HEADER)


def test_unknown_plugin_in_a_plugins_file_is_named_and_the_server_starts(make_server):
    server = make_server("event")
    server.expect_log(r"plugins(:| line )2.*spamassassin")
    smtp = server.smtp(control={"plugins": "rcpt_ok\nspamassassin reject 12\n"}, plugins='SmtpPlugin queue/maildir "@maildir@"')
    good, output = server.configtest()
    assert good
    assert re.search(r"plugins(:| line )2.*spamassassin", output), output
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER).expect(250)


def test_mistake_in_a_plugins_file_names_its_line():
    good, output, _, control = configtest(control={"plugins": "rcpt_ok\nearlytalker wat 5\n"})
    assert not good
    assert re.search(rf"{re.escape(str(control))}/plugins(:| line )2\b.*unknown option \"wat\"", output), output


# --- safe whatever is written

HOST = """
SmtpControlDir "@control@"
SmtpSpoolDir "@spool@"
"""

#: Configurations that are minimal, careless or broken; some do not even start.
CARELESS = {
    "nothing at all": ("", {"rcpthosts": None}),
    "only a queue": ('SmtpPlugin queue/maildir "@maildir@"', {"rcpthosts": None}),
    "only a queue, with rcpthosts": ('SmtpPlugin queue/maildir "@maildir@"', {}),
    "discard": ("SmtpPlugin queue/discard", {"rcpthosts": None}),
    "relay without its files": ("SmtpPlugin relay\nSmtpPlugin queue/discard", {"rcpthosts": None}),
    "relay only": ("SmtpPlugin relay only=1\nSmtpPlugin queue/discard", {}),
    "relay, empty relayclients": ("SmtpPlugin relay\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/discard", {"relayclients": "", "rcpthosts": ""}),
    "relay, other relayclients": ("SmtpPlugin relay\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/discard", {"relayclients": "192.0.2.\n10.0.0.0/8\n2001:db8::/32\n"}),
    "rcpt_ok without rcpthosts": ("SmtpPlugin rcpt_ok\nSmtpPlugin queue/discard", {"rcpthosts": None}),
    "rcpt_ok with empty rcpthosts": ("SmtpPlugin rcpt_ok\nSmtpPlugin queue/discard", {"rcpthosts": "\n\n# nothing\n"}),
    "rcpthosts with a star": ("SmtpPlugin rcpt_ok\nSmtpPlugin queue/discard", {"rcpthosts": "*\n"}),
    "rcpthosts with a dot": ("SmtpPlugin rcpt_ok\nSmtpPlugin queue/discard", {"rcpthosts": ".\n"}),
    "rcpthosts with an at": ("SmtpPlugin rcpt_ok\nSmtpPlugin queue/discard", {"rcpthosts": "@\n"}),
    "rcpthosts with a pattern": ("SmtpPlugin rcpt_ok\nSmtpPlugin queue/discard", {"rcpthosts": "/.*/\n.*\n"}),
    "every policy, no rcpt_ok": ("\n".join(f"SmtpPlugin {name}" for name in ("earlytalker wait=0", "relay", "badmailfrom", "badrcptto", "headers", "loop",
                                                                           "dont_require_anglebrackets", "naughty", "queue/discard")), {}),
    "all rejections switched off": ("SmtpPlugin badrcptto reject=no\nSmtpPlugin relay\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/discard", {"badrcptto": "/./\n"}),
    "whitelist files of other plugins": ("SmtpPlugin rcpt_ok\nSmtpPlugin queue/discard", {"whitelisthosts": "127.0.0.1\n", "whitelistsenders": "sender@example.net\n"}),
    "an unknown plugin": ("SmtpPlugin rcpt_okay\nSmtpPlugin queue/discard", {}),
    "a wrong option": ("SmtpPlugin rcpt_ok everything=1\nSmtpPlugin queue/discard", {}),
    "two of everything": ("SmtpPlugin rcpt_ok\nSmtpPlugin rcpt_ok:2\nSmtpPlugin relay\nSmtpPlugin relay:2\nSmtpPlugin queue/discard", {}),
}

STRANGERS = ["<user@elsewhere.example>", "<user@example.com.elsewhere.example>", "<user@notexample.com>", "<user@com>", "<user@[192.0.2.77]>",
             "<user@[IPv6:2001:db8::77]>", "<@example.com:user@elsewhere.example>", "<user%example.com@elsewhere.example>",
             "<example.com!user@elsewhere.example>", "<\"user@example.com\"@elsewhere.example>", "<user@sub.example.com>", "<user>", "user@elsewhere.example",
             "<user@elsewhere.example@example.com>", "<user@elsewhere.example>, <user@example.com>", "<user@elsewhere.example>\0<user@example.com>"]


@pytest.mark.parametrize("name", CARELESS)
def test_no_careless_configuration_relays(name):
    plugins, control = CARELESS[name]
    server = Httpd("event", threads=4)
    try:
        host = server.smtp(plugins, "SmtpMaxErrors 0", control=control)
        server.allow_log(r":warn|httpd\.conf line \d+: ")
        good, _ = server.configtest()
        if not good:
            return
        server.start()
        with Client(host.port) as client:
            client.ehlo()
            client.command("MAIL FROM:<sender@example.net>", 250)
            for recipient in STRANGERS:
                reply = client.command(f"RCPT TO:{recipient}")
                assert reply.code >= 400, f"{recipient} was accepted: {reply!r}"
            client.command("DATA", 503)
            client.quit()
        assert server.stop() == []
    finally:
        server.finish()


def test_without_a_plugin_every_recipient_is_refused(make_server):
    server = make_server("event")
    smtp = server.smtp("")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("RCPT TO:<user@example.com>", 450, "4.7.1")
        client.command("RCPT TO:<postmaster>", 450, "4.7.1")
        client.command("DATA", 503, "5.5.1")


def test_without_a_queue_no_message_is_accepted(make_server):
    server = make_server("event")
    smtp = server.smtp("SmtpPlugin rcpt_ok")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER).expect(451, "4.3.0")


def test_relaying_needs_a_line_that_says_so(make_server, needs_ipv6):
    server = make_server("event")
    smtp = server.smtp('SmtpPlugin relay\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"', control={"relayclients": "127.0.0.9\n"})
    server.start()
    for source, host, code in (("127.0.0.9", "127.0.0.1", 250), ("127.0.0.1", "127.0.0.1", 550), (None, "::1", 550)):
        with Client(smtp.port, host=host, source=source) as client:
            client.ehlo()
            client.command("MAIL FROM:<sender@example.net>", 250)
            client.command("RCPT TO:<user@elsewhere.example>", code, "2.1.5" if code == 250 else "5.7.1")


def test_module_without_the_engine_changes_nothing(make_server):
    """LoadModule alone starts no SMTP server."""
    server = make_server("event", modules=("authz_core",))
    web = server.http()
    server.start()
    with socket.create_connection(("127.0.0.1", web.port), 10) as client:
        client.sendall(b"EHLO client.example.net\r\n\r\n")
        answer = client.recv(4096)
    assert not answer.startswith((b"2", b"5")), answer


@pytest.mark.parametrize("name, is_known", [("mod_smtpd.c", True), ("smtpd_module", True), ("!mod_smtpd.c", False), ("mod_other.c", False)])
def test_ifmodule_knows_the_module(name, is_known):
    good, output, _, _ = configtest(main=f"<IfModule {name}>\nSmtpMaxErrors x\n</IfModule>")
    assert good != is_known and ("SmtpMaxErrors takes" in output) == is_known, output


def test_qpsmtpds_logging_file_is_taken_as_it_is():
    """Its level 9 is in every old installation."""
    logging = "# by default, qpsmtpd logs to STDERR at the level set in config/loglevel.\n\nlogging/warn 9\n#logging/adaptive 4 6\n"
    good, output, _, _ = configtest(control={"logging": logging})
    assert good, output


def test_trailing_blanks_of_passwords_are_named():
    good, output, _, control = configtest("SmtpPlugin auth/auth_flat_file", "SmtpAuthWithoutTLS on", control={"flat_auth_pw": "me@example.com:good\nyou@example.com:bad \n"})
    assert not good and "flat_auth_pw:2: blanks follow the password of you@example.com" in output and "bad" not in output.partition("flat_auth_pw:2")[2], output
