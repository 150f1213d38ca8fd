"""Settings that are allowed but probably not intended: configtest warns with file and line, names the consequence
and the remedy. If an administrator shows the intention, configtest does not warn."""

import os
import re

import pytest

import certificates
import sanitizers
from smtpd_env import Httpd, free_port, is_root

QUEUE = 'SmtpPlugin queue/maildir "@maildir@"\n'
GOOD = "SmtpPlugin rcpt_ok\n" + QUEUE


def configtest(plugins=GOOD, lines="", control=None, main="", prepare=None, mpm="event", **named):
    """(whether httpd accepts the configuration, its remarks, the lines of httpd.conf, the host) for a server with
    one SMTP virtual host."""
    server = Httpd(mpm, main=main, **named)
    try:
        smtp = server.smtp(plugins, lines, control=control)
        if prepare:
            prepare(server, smtp)
        good, output = server.configtest()
        remarks = [line for line in output.splitlines() if line and line != "Syntax OK" and "SMTPD0073" not in line]
        return good, remarks, server.config_file.read_text().splitlines(), smtp
    finally:
        server.finish()


def check_quiet(**named):
    good, remarks, _, _ = configtest(**named)
    assert good and not remarks, "\n".join(remarks)


def check_warning(words, at=None, **named):
    """Exactly one warning: with these words, at the line of httpd.conf that has `at` (or at the place that `words`
    names)."""
    good, remarks, rows, smtp = configtest(**named)
    assert good, remarks
    assert len(remarks) == 1 and re.search(words, remarks[0]), "\n".join(remarks) or "no warning"
    if at is not None:
        numbers = [number for number, row in enumerate(rows, 1) if at in row]
        assert len(numbers) == 1 and f"httpd.conf line {numbers[0]}: " in remarks[0], f"{numbers} {remarks[0]}"
    return remarks[0]


def test_a_good_server_is_quiet():
    check_quiet()


# --- plugins


def test_nobody_accepts_recipients():
    check_warning(
        "no plugin accepts recipients: every RCPT is answered 450; write .*SmtpPlugin rcpt_ok",
        at="SmtpEngine on",
        plugins=QUEUE,
    )
    check_warning(
        "no plugin accepts recipients",
        plugins="SmtpPlugin badrcptto\nSmtpPlugin relay\nSmtpPlugin naughty\nSmtpPlugin karma reject=no\n" + QUEUE,
    )


@pytest.mark.parametrize(
    "accepting", ["SmtpPlugin rcpt_map domain=example.com file=map", "SmtpPlugin relay only", "SmtpPlugin rcpt_regexp"]
)
def test_others_accept_recipients(accepting):
    check_quiet(plugins=f"{accepting}\n{QUEUE}", control={"map": "joe@example.com OK\n"})


def test_dmarc_without_results():
    good, remarks, _, _ = configtest(plugins="SmtpPlugin dmarc\n" + GOOD)
    assert good and len(remarks) == 2, remarks
    assert re.search('httpd.conf line \\d+: SmtpPlugin dmarc: no plugin tests SPF, .*write "SmtpPlugin sender_permitted_from" before', remarks[0])
    assert re.search('no plugin tests DKIM, .*write "SmtpPlugin dkim" before', remarks[1])


def test_dmarc_before_its_sources():
    good, remarks, _, _ = configtest(plugins="SmtpPlugin dmarc\nSmtpPlugin sender_permitted_from\n" + GOOD)
    assert good and len(remarks) == 2, remarks
    assert re.search(r"SmtpPlugin dmarc: it needs the results of sender_permitted_from \(\S*httpd.conf line \d+\), which stands after it; move", remarks[0]), remarks


def test_no_queue_plugin():
    check_warning(
        "there is no queue plugin: every message is answered 451; write",
        at="SmtpEngine on",
        plugins="SmtpPlugin rcpt_ok\n",
    )
    check_quiet(plugins="SmtpPlugin rcpt_ok\nSmtpPlugin queue/discard\n")


def test_a_queue_plugin_that_is_never_asked():
    check_warning(
        "SmtpPlugin queue/discard: this queue plugin is never asked, because queue/maildir .*takes every message",
        at="SmtpPlugin queue/discard",
        plugins=GOOD + "SmtpPlugin queue/discard\n",
    )
    check_warning(
        "SmtpPlugin queue/maildir:copy: .*never asked", plugins=GOOD + 'SmtpPlugin queue/maildir:copy "@spool@"\n'
    )


@pytest.mark.parametrize("content, word", [(None, "missing"), ("", "empty"), ("# nothing\n\n", "empty")])
def test_rcpthosts_is_missing_or_empty(content, word):
    said = check_warning(
        rf"the control file rcpthosts is {word}, so mail is accepted for the domain mx.example.com only; write",
        at="SmtpPlugin rcpt_ok",
        control={"rcpthosts": content},
    )
    assert re.search(r"/control0/rcpthosts$", said)


@pytest.mark.parametrize(
    "more, control",
    [
        ("", {"rcpthosts": "mx.example.com\n"}),
        ("SmtpPlugin relay\n", {"relayclients": "192.0.2.1\n"}),
        ("SmtpPlugin rcpt_regexp\n", {}),
        ("", {"morercpthosts.cdb": None}),
    ],
)
def test_no_rcpthosts_is_meant(more, control):
    def prepare(server, smtp):
        if "morercpthosts.cdb" in control:
            (smtp.control / "morercpthosts.cdb").write_bytes(b"\0\x08\0\0\0\0\0\0" * 256)

    check_quiet(plugins=more + GOOD, control={"rcpthosts": None, **control}, prepare=prepare)


def test_a_policy_behind_the_last_plugin_that_accepts():
    check_warning(
        "SmtpPlugin badrcptto: it never judges a recipient that is accepted, because rcpt_map .* accepts them before",
        at="SmtpPlugin badrcptto",
        plugins='SmtpPlugin rcpt_map domain=example.com file="@root@/work/map"\nSmtpPlugin badrcptto\n' + QUEUE,
        prepare=lambda server, smtp: (server.work / "map").write_text("user@example.com OK\n"),
    )


@pytest.mark.parametrize(
    "plugins",
    [
        'SmtpPlugin badrcptto\nSmtpPlugin rcpt_map domain=example.com file="@root@/work/map"\n',
        'SmtpPlugin rcpt_map domain=example.com file="@root@/work/map"\nSmtpPlugin badrcptto\nSmtpPlugin rcpt_ok\n',
        "SmtpPlugin rcpt_ok\nSmtpPlugin badrcptto\n",
    ],
    ids=["before", "between two", "rcpt_ok is always last"],
)
def test_a_policy_that_is_asked(plugins):
    check_quiet(
        plugins=plugins + QUEUE,
        prepare=lambda server, smtp: (server.work / "map").write_text("user@example.com OK\n"),
    )


@pytest.mark.parametrize(
    "line", ["SmtpPlugin badrcptto reject=naughty", "SmtpPlugin karma", "SmtpPlugin helo reject=naughty"]
)
def test_naughty_is_missing(line):
    check_warning(
        "reject=naughty.* leaves the refusal to the plugin naughty, which is not loaded.*SmtpPlugin naughty",
        at=line,
        plugins=f"{line}\n{GOOD}",
        lines="SmtpStore memory:1m",
    )
    check_quiet(plugins=f"{line}\nSmtpPlugin naughty\n{GOOD}", lines="SmtpStore memory:1m")


@pytest.mark.parametrize("line", ["SmtpPlugin karma reject=no", "SmtpPlugin karma reject=1", "SmtpPlugin helo"])
def test_nobody_leaves_it_to_naughty(line):
    check_quiet(plugins=f"{line}\n{GOOD}", lines="SmtpStore memory:1m")


HAS_DMARC = (sanitizers.build_dir() / "stage" / "plugins" / "dmarc.so").exists()


@pytest.mark.skipif(not HAS_DMARC, reason="there is no plugin dmarc")
@pytest.mark.parametrize("words, level", [("reject=3", 3), ("spf_deny=2", 4), ("reject 6", 6), ("", 5)])
def test_spf_refuses_before_dmarc(words, level):
    line = f"SmtpPlugin sender_permitted_from {words}".rstrip()
    control = {} if words else {"spfbehavior": "5\n"}
    check_warning(
        f"with reject={level} it refuses mail that dmarc would accept.*write reject=1, or rejects_alone=yes",
        at=line,
        plugins=f"{line}\nSmtpPlugin dkim\nSmtpPlugin dmarc\n{GOOD}",
        control=control,
    )
    check_quiet(plugins=f"{line}\n{GOOD}", control=control)
    check_quiet(plugins=f"{line} rejects_alone=yes\nSmtpPlugin dkim\nSmtpPlugin dmarc\n{GOOD}", control=control)


@pytest.mark.parametrize(
    "plugin, file", [("dnsbl", "dnsbl_zones"), ("rhsbl", "rhsbl_zones"), ("dns_whitelist_soft", "whitelist_zones")]
)
def test_lists_without_lists(plugin, file):
    check_warning(
        rf"SmtpPlugin {plugin}: it has no lists to ask, so it does nothing; name them with zones=, or one a line in the control file {file}",
        at=f"SmtpPlugin {plugin}",
        plugins=f"SmtpPlugin {plugin}\n{GOOD}",
    )
    check_quiet(plugins=f"SmtpPlugin {plugin} zones=bl.example\n{GOOD}")
    check_quiet(plugins=f"SmtpPlugin {plugin}\n{GOOD}", control={file: "bl.example\n"})


def test_lists_with_a_mistake():
    good, remarks, _, _ = configtest(
        plugins="SmtpPlugin dnsbl\n" + GOOD, control={"rcpthosts": "example.com\n", "dnsbl_zones": "zen..example\n"}
    )
    assert not good and "dnsbl_zones:1: " in remarks[0] and "no lists to ask" not in "".join(remarks), remarks


@pytest.mark.parametrize(
    "plugin, control",
    [("auth/auth_flat_file", {"flat_auth_pw": "joe@example.com:{PLAIN}secret\n"}), ("auth/authdeny", {})],
)
def test_nobody_can_log_in(plugin, control):
    named = {"plugins": f"SmtpPlugin {plugin}\n{GOOD}", "control": control}
    check_warning(
        "clients cannot log in, because AUTH requires TLS and this server has none; write .*SmtpStartTLS on",
        at=f"SmtpPlugin {plugin}",
        **named,
    )
    for line in ("SmtpAuthWithoutTLS on", "SmtpTrustedProxies 192.0.2.1"):
        check_quiet(lines=line, **named)


def test_mechanisms_that_nobody_knows():
    check_warning(
        "clients cannot log in with it, because SmtpAuthMechanisms has none of the mechanisms that it supports",
        at="SmtpPlugin auth/auth_flat_file",
        plugins=f"SmtpPlugin auth/auth_flat_file\n{GOOD}",
        control={"flat_auth_pw": "joe@example.com:{PLAIN}secret\n"},
        lines="SmtpAuthWithoutTLS on\nSmtpAuthMechanisms EXTERNAL",
    )


def test_passwords():
    named = {"plugins": f"SmtpPlugin auth/auth_flat_file\n{GOOD}", "lines": "SmtpAuthWithoutTLS on"}
    said = check_warning(
        r"there is no \S*/control0/flat_auth_pw, so no user can log in with it; create the file",
        at="SmtpPlugin auth/auth_flat_file",
        **named,
    )
    assert "chmod 0640" in said
    said = check_warning(
        r"flat_auth_pw contains passwords, and every user of this machine can read it; run: chgrp \S+ \S+/flat_auth_pw && chmod 0640 \S+/flat_auth_pw",
        control={"flat_auth_pw": "joe@example.com:{PLAIN}secret\n"},
        prepare=lambda _, smtp: (smtp.control / "flat_auth_pw").chmod(0o644),
        **named,
    )
    said = check_warning(
        r"flat_auth_pw:2: the password of ann@example.com is in clear text.*htpasswd -nB ann@example.com.*\{PLAIN\} in front",
        control={"flat_auth_pw": "joe@example.com:{PLAIN}secret\nann@example.com:secret2\nbob@example.com:secret3\n"},
        **named,
    )
    assert "secret2" not in said
    check_quiet(
        control={
            "flat_auth_pw": "joe@example.com:{PLAIN}secret\nann@example.com:$2y$05$abcdefghijklmnopqrstuu1WxYzW5Ra1dEN0eUkRWfBHlKHfWQ7pa\n"
        },
        **named,
    )


def test_a_line_that_is_replaced():
    said = check_warning(
        "SmtpPlugin earlytalker: the line at .*httpd.conf line \\d+ replaces this one, so its options have no effect; remove one of the two, or give one "
        'a label, as in "earlytalker:second"',
        at="SmtpPlugin earlytalker wait=1s",
        plugins="SmtpPlugin earlytalker wait=1s\nSmtpPlugin earlytalker wait=2s\n" + GOOD,
    )
    assert said.count("httpd.conf line") == 2
    check_quiet(plugins="SmtpPlugin earlytalker wait=1s\nSmtpPlugin earlytalker:later wait=2s check-at=DATA\n" + GOOD)
    check_quiet(
        plugins="SmtpPlugin earlytalker wait=2s\n" + GOOD,
        main="SmtpPluginDir @plugins@\nSmtpPlugin earlytalker wait=1s\n",
    )


def test_a_line_that_is_replaced_is_checked():
    good, remarks, _, _ = configtest(plugins="SmtpPlugin earlytalker wait=never\nSmtpPlugin earlytalker\n" + GOOD)
    assert not good and any("duration" in line for line in remarks), remarks


# --- open relays


def on_port(addresses, port):
    """Replaces the addresses of the virtual host."""

    def prepare(server, smtp):
        smtp.port = port
        smtp.configuration_of_loopback = smtp.configuration
        smtp.configuration = lambda _: smtp.configuration_of_loopback(addresses)

    return prepare


PUBLIC = ("0.0.0.0",)
WIDE = ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3"]


@pytest.mark.parametrize("network", WIDE)
def test_everybody_relays(network):
    relay = f"SmtpPlugin relay\n{GOOD}"
    said = check_warning(
        f"relayclients:2: {network} makes this server an open relay.*list only your own networks",
        plugins=relay,
        control={"relayclients": f"192.0.2.1\n{network}\n"},
        prepare=on_port(PUBLIC, free_port()),
    )
    assert "httpd.conf" not in said
    check_quiet(plugins=relay, control={"relayclients": f"{network}\n"})  # nobody but this machine can reach it
    check_quiet(
        plugins=relay,
        control={"relayclients": "10.0.0.0/8\n2001:db8::/32\nfc00::/7\n"},
        prepare=on_port(PUBLIC, free_port()),
    )


@pytest.mark.parametrize("lines, remarks", [("", 1), ("SmtpEngine off\n", 0)], ids=["forgotten", "switched off"])
def test_plugins_without_an_engine(lines, remarks):
    def prepare(server, smtp):
        server.http(lines + "SmtpPlugin rcpt_ok", name="mx.example.org")

    good, said, _, _ = configtest(prepare=prepare)
    assert good and len(said) == remarks, said
    for line in said:
        assert re.search("SmtpPlugin has no effect in this virtual host, .*SmtpEngine on", line), line


def test_messages_that_are_too_small():
    check_warning("SmtpMaxMessageSize 50 rejects ordinary mail", at="SmtpMaxMessageSize 50", lines="SmtpMaxMessageSize 50")
    check_quiet(lines="SmtpMaxMessageSize 64k")
    check_quiet(lines="SmtpMaxMessageSize 0")


@pytest.mark.parametrize("network", WIDE)
def test_everybody_is_a_proxy(network):
    check_warning(
        rf"SmtpTrustedProxies {re.escape(network)} lets every client say who it is.*open relay; name only the addresses of your own proxies",
        at="SmtpTrustedProxies",
        lines=f"SmtpTrustedProxies 192.0.2.1 {network}",
        prepare=on_port(PUBLIC, free_port()),
    )
    check_quiet(lines=f"SmtpTrustedProxies {network}")
    check_quiet(lines="SmtpTrustedProxies 10.0.0.0/8", prepare=on_port(PUBLIC, free_port()))


@pytest.mark.parametrize("entry", [".com", ".COM.", ".de", ".co.uk", ".com.au"])
def test_domains_of_everybody(entry):
    check_warning(
        rf"rcpthosts:2: {re.escape(entry)} in rcpthosts accepts mail for every domain that ends in it.*open relay",
        control={"rcpthosts": f"example.com\n{entry}\n"},
    )


def test_domains_of_ones_own():
    check_quiet(
        control={"rcpthosts": "com\n.example.com\n.local\n.internal\n.company.co.uk\n.lan\nco.uk\n.co.example.org\n"}
    )


FLAT = {
    "plugins": f"SmtpPlugin auth/auth_flat_file\n{GOOD}",
    "control": {"flat_auth_pw": "joe@example.com:{PLAIN}secret\n"},
}


def test_passwords_in_the_clear():
    def prepare(addresses):
        return on_port(addresses, free_port())

    check_warning(
        "SmtpAuthWithoutTLS on lets clients .*send their passwords unencrypted, so that others on the path can read them; write .*SmtpStartTLS on",
        at="SmtpAuthWithoutTLS",
        lines="SmtpAuthWithoutTLS on",
        prepare=prepare(PUBLIC),
        **FLAT,
    )
    for addresses in (("127.0.0.1",), ("10.1.2.3",), ("192.168.1.1", "127.0.0.1"), ("[fd00::1]",)):
        check_quiet(lines="SmtpAuthWithoutTLS on", prepare=prepare(addresses), **FLAT)
    check_quiet(lines="SmtpAuthWithoutTLS on\nSmtpTrustedProxies 192.0.2.1", prepare=prepare(PUBLIC), **FLAT)
    check_quiet(lines="SmtpAuthWithoutTLS on", prepare=on_port(PUBLIC, free_port()))  # there is nothing to log in with


def tls_configtest(lines, addresses, port, extra=""):
    certificates.needs_mod_ssl()
    server = Httpd("event", modules=("ssl", "socache_shmcb"), main=certificates.SESSION_CACHE)
    try:
        authority = certificates.Authority(server.root)
        server.http(
            certificates.lines(authority.issue("mx.example.com", file="mx")), name="mx.example.com", protocol="https"
        )
        smtp = server.smtp(GOOD, lines)
        on_port(addresses, port)(server, smtp)
        good, output = server.configtest()
        return good, [line for line in output.splitlines() if line != "Syntax OK" and "SMTPD0073" not in line]
    finally:
        server.finish()


def test_tls_demanded_of_everybody():
    good, remarks = tls_configtest("SmtpStartTLS required", PUBLIC, 25)
    assert (
        good
        and len(remarks) == 1
        and re.search(
            "SmtpStartTLS required on port 25 loses the mail of servers without TLS.*write .*SmtpStartTLS on",
            remarks[0],
        )
    ), remarks
    for lines, addresses, port in (
        ("SmtpStartTLS on", PUBLIC, 25),
        ("SmtpStartTLS required", PUBLIC, 587),
        ("SmtpStartTLS required", ("10.0.0.1",), 25),
    ):
        assert tls_configtest(lines, addresses, port) == (True, []), (lines, addresses, port)


# --- clients that would hang


def whole(text, mpm="event", user=True):
    """(whether httpd accepts the configuration, remarks, lines of httpd.conf) for a complete configuration."""
    server = Httpd(mpm)
    try:
        server.smtp()
        host = server.hosts.pop()
        identity = f"User {server.user[0]}\n" if server.user else ""
        text = host.fill_in(text).replace(
            "@good@", f'SmtpEngine on\nSmtpPluginDir "@plugins@"\nSmtpControlDir "{host.control}"\n{host.fill_in(GOOD)}'
        )
        server.use_configuration(
            f'@modules@\n{identity}ServerRoot "@root@"\nDefaultRuntimeDir "@root@"\nPidFile "@root@/httpd.pid"\nServerName main.example.com\n'
            f'ErrorLog "@root@/error.log"\n{text}'
        )
        good, output = server.configtest()
        return (
            good,
            [line for line in output.splitlines() if line != "Syntax OK" and "SMTPD0073" not in line],
            server.config_file.read_text().splitlines(),
        )
    finally:
        server.finish()


def check_whole(text, words=None, at=None):
    good, remarks, rows = whole(text)
    assert good, remarks
    if words is None:
        assert not remarks, "\n".join(remarks)
        return
    assert len(remarks) == 1 and re.search(words, remarks[0]), "\n".join(remarks) or "no warning"
    if at is not None:
        numbers = [number for number, row in enumerate(rows, 1) if row.strip() == at]
        assert len(numbers) == 1 and f"httpd.conf line {numbers[0]}: " in remarks[0], f"{numbers} {remarks[0]}"


def host(address, name="mx.example.com", more="@good@"):
    return f"<VirtualHost {address}>\nServerName {name}\n{more}\n</VirtualHost>\n"


def test_listen_https():
    check_whole(
        "Listen 2525 https\n" + host("*:2525"),
        r'with "Listen \.\.\. https" .*clients of mx.example.com:2525 wait for the greeting; write "Listen 2525 smtp"',
        at="Listen 2525 https",
    )
    for protocol in ("", "smtp", "http"):
        check_whole(f"Listen 2525 {protocol}\n" + host("*:2525"))


def test_listen_https_with_tls():
    certificates.needs_mod_ssl()
    server = Httpd("event", modules=("ssl", "socache_shmcb"), main=certificates.SESSION_CACHE)
    try:
        authority = certificates.Authority(server.root)
        smtp = server.smtp(GOOD, certificates.lines(authority.issue("mx.example.com", file="mx")))
        original = smtp.configuration
        smtp.configuration = lambda addresses: original(addresses).replace(" smtp\n", " https\n")
        good, output = server.configtest()
        assert good and output.strip() == "Syntax OK", output
    finally:
        server.finish()


@pytest.mark.parametrize(
    "listen, address, shown",
    [
        ("Listen 2526", "*:2525", r"\*:2525"),
        ("Listen 127.0.0.1:2525", "127.0.0.2:2525", r"127\.0\.0\.2:2525"),
        ("Listen 127.0.0.1:2526", "127.0.0.1:2525", r"127\.0\.0\.1:2525"),
    ],
)
def test_different_ports(listen, address, shown):
    check_whole(
        f"{listen}\n" + host(address),
        rf"no client can reach {shown}, because httpd does not listen there \(Listen has .*\); write \"Listen 2525\"",
        at=f"<VirtualHost {address}>",
    )


@pytest.mark.parametrize(
    "listen, address",
    [
        ("Listen 2525", "*:2525"),
        ("Listen 127.0.0.1:2525", "*:2525"),
        ("Listen 2525", "127.0.0.1:2525"),
        ("Listen [::1]:2525", "[::1]:2525"),
        ("Listen 2525\nListen 2526", "*:2525 *:2526"),
        ("Listen 2525", "*"),
    ],
)
def test_ports_that_fit(listen, address):
    check_whole(f"{listen}\n" + host(address))


def test_mail_port_without_smtp():
    check_whole(
        "Listen 2525\nListen 25\n" + host("*:2525"),
        r"clients that connect to port 25 get no greeting, .*write <VirtualHost \*:25>",
        at="Listen 25",
    )
    check_whole("Listen 2525\nListen 8080\n" + host("*:2525"))
    check_whole("Listen 2525\nListen 25\n" + host("*:2525 *:25"))
    check_whole("Listen 25\n@good@\n")


def test_http_host_first():
    http = host("*:2525", "www.example.com", "")
    check_whole(
        "Listen 2525\n" + http + host("*:2525"),
        r"clients that connect to \*:2525 get no greeting, because an HTTP virtual host \(.*\) comes before this one",
    )
    check_whole("Listen 2525\nListen 8080\n" + host("*:8080", "www.example.com", "") + host("*:2525"))
    check_whole("Listen 2525\n" + host("127.0.0.2:2525", "www.example.com", "") + host("*:2525"))


def test_second_smtp_host():
    second = host("*:2525", "mx2.example.com")
    check_whole(
        "Listen 2525\n" + host("*:2525") + second,
        r"this virtual host is never used, because mx\.example\.com:2525 \(.*\) comes before it at \*:2525",
    )
    check_whole("Listen 2525\nListen 2526\n" + host("*:2525") + host("*:2526", "mx2.example.com"))
    check_whole("Listen 2525\n" + host("127.0.0.1:2525") + host("127.0.0.2:2525", "mx2.example.com"))


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_note_on_the_mpm(mpm):
    good, remarks, _ = whole("Listen 2525\n" + host("*:2525"), mpm)
    assert (
        good
        and len(remarks) == 1
        and re.search(
            rf"with the MPM {mpm} every SMTP session holds one of at most \d+ (threads|processes) while it lasts",
            remarks[0],
        )
    ), remarks


# --- permissions, as the user that serves

needs_root = pytest.mark.skipif(not is_root(), reason="only root can take files away from the server's user")


def of_root(path, mode=0o755):
    path.mkdir(exist_ok=True)
    os.chown(path, 0, 0)
    path.chmod(mode)
    return path


@needs_root
def test_maildir_of_another_user():
    said = check_warning(
        r"SmtpPlugin queue/maildir: the serving user \(\S+\) cannot create files in \S+maildir0: Permission denied; run: install -d -o \S+ -g \S+ -m 0700 \S+maildir0$",
        at="SmtpPlugin queue/maildir",
        prepare=lambda _, smtp: of_root(smtp.maildir.path),
    )
    assert re.search(r"-o (www-data|apache|httpd|nobody) ", said)


@needs_root
def test_maildir_that_cannot_be_made():
    def prepare(server, smtp):
        of_root(server.root / "mail")

    said = check_warning(
        r"SmtpPlugin queue/maildir: the serving user \(\S+\) cannot create \S+/mail/joe in \S+/mail: Permission denied; run: install -d .* \S+/mail/joe$",
        plugins='SmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@root@/mail/joe"\n',
        prepare=prepare,
    )
    assert said


def test_maildir_that_will_be_made():
    check_quiet(plugins='SmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@/joe"\n')


@needs_root
@pytest.mark.parametrize("plugin", ["logging/file", "content_log"])
def test_files_that_are_written(plugin):
    def line(path):
        return f'SmtpPlugin {plugin} {"file=" if plugin == "content_log" else ""}{path}\n{GOOD}'

    check_warning(
        rf"SmtpPlugin {plugin}: the serving user \(\S+\) cannot create \S+/logs/mail in \S+/logs: Permission denied; run: install -d -o \S+ -g \S+ -m 0700 \S+/logs$",
        at=f"SmtpPlugin {plugin}",
        plugins=line("@root@/logs/mail"),
        prepare=lambda server, _: of_root(server.root / "logs"),
    )

    def make_file(server, _):
        (of_root(server.root / "logs") / "mail").write_text("")

    check_warning(
        rf"SmtpPlugin {plugin}: the serving user \(\S+\) cannot write to \S+/logs/mail: Permission denied; run: chown \S+ \S+/logs/mail$",
        plugins=line("@root@/logs/mail"),
        prepare=make_file,
    )
    check_quiet(plugins=line("@spool@/mail"))
    check_quiet(plugins=line("@spool@/a/b/mail"))


@needs_root
def test_control_directory_and_files():
    check_warning(
        r"the serving user \(\S+\) cannot read \S+/control0/rcpthosts: Permission denied; run: chgrp \S+ \S+/control0/rcpthosts && chmod 0640 \S+/control0/rcpthosts$",
        prepare=lambda _, smtp: (smtp.control / "rcpthosts").chmod(0o600),
    )
    good, remarks, _, _ = configtest(prepare=lambda _, smtp: smtp.control.chmod(0o700))
    assert good and any(
        re.search(
            r"cannot access \S+/control0: Permission denied; run: install -d -o root -g \S+ -m 0750 \S+/control0$",
            line,
        )
        for line in remarks
    ), remarks


@needs_root
def test_spool():
    good, remarks, _, _ = configtest(prepare=lambda _, smtp: os.chown(smtp.spool, 0, 0))
    assert not good and any(
        re.search(
            r"SmtpSpoolDir \S+: the serving user \(\S+\) cannot create files there; run: install -d -o \S+ -g \S+ -m 0700 \S+spool0$",
            line,
        )
        for line in remarks
    ), remarks


# --- names


def test_no_such_plugin():
    good, remarks, _, _ = configtest(plugins="SmtpPlugin maildir /tmp\n")
    assert not good
    assert any(
        re.search(
            r'SmtpPlugin maildir: there is no such plugin in .* \(did you mean "queue/maildir"\?\); the plugins are .*\bbadrcptto, .*queue/maildir.*',
            line,
        )
        for line in remarks
    ), remarks


@pytest.mark.parametrize(
    "written, meant",
    [
        ("maildirs", "queue/maildir"),
        ("flat_file", None),
        ("authflatfile", None),
        ("auth/flat_file", None),
        ("auth/auth_flatfile", "auth/auth_flat_file"),
        ("QUEUE/Maildir", "queue/maildir"),
        ("queue/badrcptto", "badrcptto"),
        ("greylist", "greylisting"),
    ],
)
def test_nearest_name(written, meant):
    good, remarks, _, _ = configtest(plugins=f"SmtpPlugin {written}\n")
    assert not good
    text = "\n".join(remarks)
    assert (f'did you mean "{meant}"' in text) if meant else "the plugins are " in text, text


@pytest.mark.parametrize(
    "foreign",
    [
        "spamassassin",
        "milter",
        "virus/clamav",
        "clamdscan",
        "domainkeys",
        "queue/qmail-queue",
        "queue/smtp-forward",
        "auth/auth_vpopmail",
        "stunnel",
        "http_config",
        "logging/devnull",
        "virus/klez_filter",
        "uribl",
        "dspam",
    ],
)
def test_substitutes(foreign):
    good, remarks, _, _ = configtest(plugins=None, control={"plugins": f"{foreign} some words\n"})
    said = [line for line in remarks if f"/plugins:1: {foreign}: there is no such plugin in" in line]
    assert good and len(said) == 1, remarks
    match = re.search(r"; the line is ignored; (.{20,}); the plugins are ", said[0])
    assert match, said[0]


@pytest.mark.parametrize(
    "before, now",
    [
        ("check_badmailfrom", "badmailfrom"),
        ("check_basicheaders 3", "headers"),
        ("denysoft_greylist", "greylisting"),
        ("check_earlytalker", "earlytalker"),
        ("check_loop", "loop"),
        ("check_spamhelo", "helo"),
        ("require_resolvable_fromhost", "resolvable_fromhost"),
        ("check_relay", "relay"),
        ("spf", "sender_permitted_from"),
        ("relay_only", "relay"),
        ("check_badrcptto", "badrcptto"),
        ("check_bogus_bounce", "bogus_bounce"),
        ("check_badmailfromto", "badmailfromto"),
    ],
)
def test_former_names(before, now):
    check_quiet(plugins=None, control={"plugins": f"{before}\n"}, lines="SmtpStore memory:1m")
    check_quiet(plugins=f"SmtpPlugin {before}\n{GOOD}", lines="SmtpStore memory:1m")


def test_debians_three_names_of_relay():
    check_quiet(plugins=None, control={"plugins": "check_relay\ncheck_norelay\n"})


def test_words_of_existing_configurations():
    named = {"lines": "SmtpAuthWithoutTLS on"}
    plugins = "auth/auth_ldap_bind ldap_base ou=People,dc=example ldap_host localhost ldap_port 3890\nauth/auth_cvm_unix_local cvm_socket /no/such enable_smtp no enable_ssmtp yes\n"
    check_quiet(plugins=None, control={"plugins": plugins}, **named)
