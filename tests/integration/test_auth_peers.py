"""Back ends of AUTH that ask another server, each with the real one."""

import base64

import pytest

import smtpd_env
from auth_peers import Dovecot, Slapd
from certificates import Authority
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


def entry(login, password, name=None):
    """LDIF; base64 because of what may be in it."""
    def value(text):
        return base64.b64encode(text.encode()).decode()
    name = name or f"uid={login},dc=example,dc=com"
    secret = f"userPassword:: {value(password)}\n" if password else ""
    return f"dn:: {value(name)}\nobjectClass: inetOrgPerson\nuid:: {value(login)}\ncn: somebody\nsn: somebody\nmail: {login.encode().hex()}@example.com\n{secret}\n"


ENTRIES = (entry("joe", "secret") + entry("ann", PASSWORD) + entry("a,b=c+(d)*\\e#", "secret", r"uid=a\,b\=c\+(d)*\\e\#,dc=example,dc=com") + entry("j\u00f6", "s\u00e9cret") +
           entry("nobody", "") + entry("twice", "secret") + entry("twice", "secret", "uid=twice+sn=somebody,dc=example,dc=com"))
#: The same, however the entry is found.
TRIES = [("joe", "secret", 235), ("joe@example.com", "secret", 235), ("JOE", "secret", 235), ("joe", "wrong", 535), ("joe", "Secret", 535), ("ann", PASSWORD, 235),
         ("ann", "secret", 535), ("nobody", "x", 535), ("stranger", "secret", 535), ("*", "secret", 535), ("j*", "secret", 535), ("joe)(uid=*", "secret", 535),
         ("joe,dc=example", "secret", 535), ("a,b=c+(d)*\\e#", "secret", 235), ("j\u00f6", "s\u00e9cret", 235)]


def check_tries(port, tries=TRIES):
    assert [(user, outcome(port, user, password)) for user, password, _ in tries] == [(user, code) for user, _, code in tries]


def ldap_server(make_server, *options, **named):
    """A server with a virtual host for each of these options of the plugin, in which {port} and the like stand for what slapd has: (server, slapd, hosts)."""
    server = make_server("event")
    authority = Authority(server.root)
    slapd = Slapd(server.root / "slapd", ENTRIES, certificate=authority.issue("ldap.example.com", addresses=["127.0.0.1"], file="slapd"), **named)
    (server.root / "password").write_text("hidden\n")
    values = {"port": slapd.port, "tls_port": slapd.tls_port, "ca": authority.certificate, "login": f'bind_dn=cn=search,dc=example,dc=com bind_password_file="{server.root}/password"'}
    hosts = [server.smtp(f"SmtpPlugin auth/auth_ldap_bind {line.format(**values)}\n{PLUGINS}", CLEAR, name=f"host{i}.example.com") for i, line in enumerate(options)]
    if "mod_smtpd was built without libldap" in server.configtest()[1]:
        pytest.skip("this build has no libldap")
    return server, slapd, hosts


def test_a_directory_knows_its_users(make_server):
    server, slapd, (searched, named, filtered) = ldap_server(
        make_server, "ldap://127.0.0.1:{port} base=dc=example,dc=com {login}", 'ldap://127.0.0.1:{port} "dn=uid=%u,dc=example,dc=com"',
        'ldap://127.0.0.1:{port} base=dc=example,dc=com "filter=(&(objectClass=inetOrgPerson)(mail=%l))" {login}')
    server.expect_log("error: the directory cannot be asked: Can't contact LDAP server")
    server.expect_log(r"error: the directory has more than one entry for \(uid=twice\)")
    server.start()
    assert outcome(searched.port, "joe", "secret") == 454
    with slapd:
        check_tries(searched.port)
        check_tries(named.port)
        assert outcome(searched.port, "twice", "secret") == 454
        joe = "joe".encode().hex()
        check_tries(filtered.port, [(f"{joe}@example.com", "secret", 235), (f"{joe}@example.com", "wrong", 535), (f"{joe}@example.net", "secret", 535), ("joe", "secret", 535)])
    assert outcome(named.port, "joe", "secret") == 454


def test_a_directory_behind_tls(make_server):
    """Whose certificate is for its address, because libldap asks for another name than localhost."""
    server, slapd, (started, implicit, unknown, wrong_name) = ldap_server(
        make_server, 'ldap://127.0.0.1:{port} base=dc=example,dc=com starttls=yes ca_file="{ca}"', 'ldaps://127.0.0.1:{tls_port} base=dc=example,dc=com ca_file="{ca}"',
        "ldap://127.0.0.1:{port} base=dc=example,dc=com starttls=yes", 'ldaps://localhost:{tls_port} base=dc=example,dc=com ca_file="{ca}"', is_open=True)
    server.expect_log("error: the directory does not begin TLS")
    server.expect_log("error: the directory cannot be asked")
    server.start()
    with slapd:
        for host in (started, implicit):
            check_tries(host.port, [("joe", "secret", 235), ("joe", "wrong", 535)])
        for host in (unknown, wrong_name):
            assert outcome(host.port, "joe", "secret") == 454


def test_a_directory_that_lets_nobody_search(make_server):
    server, slapd, (closed, changed) = ldap_server(make_server, "ldap://127.0.0.1:{port} base=dc=example,dc=com",
                                                   "ldap://127.0.0.1:{port} base=dc=example,dc=com bind_dn=cn=somebody,dc=example,dc=com bind_password_file=password")
    (server.root / "password").write_text("another\n")
    server.expect_log("error: the directory refuses the search: Insufficient access")
    server.expect_log("error: the directory does not know cn=somebody,dc=example,dc=com with this password")
    server.start()
    with slapd:
        assert outcome(closed.port, "joe", "secret") == 454
        assert outcome(changed.port, "joe", "secret") == 454
