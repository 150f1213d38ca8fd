"""Back ends of AUTH that ask another server, each tested with the real server; for tokens, with one in Python."""

import base64
import re
import time

import pytest

import smtpd_env
from auth_peers import Dovecot, Postgres, Slapd, authorization_server
from certificates import Authority
from smtp_client import Client
from smtpd_env import wait_until
from test_auth import encoded
from test_auth_backends import CLEAR, HASH, needs_modules, outcome

PLUGINS = smtpd_env.DEFAULT_PLUGINS
PASSWORD = 'pass "word" \\ gr\u00fcn {5}'
USERS = {"joe@example.com": "secret", "ann": PASSWORD}




def check_users(port):
    tries = [("joe@example.com", "secret", 235), ("joe@example.com", "wrong", 535), ("joe@example.com", PASSWORD, 535), ("ann", PASSWORD, 235), ("ann", "x" * 500, 535),
             ("nobody", "secret", 535), ("j\u00f6", "s\u00e9cret", 535)]
    assert [outcome(port, user, password) for user, password, _ in tries] == [code for _, _, code in tries]


def check_dovecot(make_server, plugin, trouble):
    """`plugin` makes the plugin's line for a Dovecot; `trouble` is the plugin's message about a Dovecot whose own
    back end is down."""
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
    wait_until(lambda: outcome(smtp.port, "ann", PASSWORD) == 454, 60, "its auth process lives as long as a connection")
    server.expect_log(f"error: {trouble}")
    with troubled:
        assert outcome(other.port, "ann", PASSWORD) == 454


def test_dovecots_users_by_its_own_protocol(make_server):
    check_dovecot(make_server, lambda dovecot: f"auth/auth_dovecot {dovecot.socket}", "Dovecot reports a temporary failure")


def test_dovecots_users_by_imap(make_server):
    check_dovecot(make_server, lambda dovecot: f"auth/auth_imap localhost {dovecot.port}", "the IMAP server cannot check the password: UNAVAILABLE")


def test_dovecots_users_by_imap_and_tls(make_server):
    """Each log line gives the reason, and Dovecot gets no password if its certificate is not valid."""
    server = make_server("event")
    authority = Authority(server.root)
    (server.root / "foreign").mkdir()
    foreign = Authority(server.root / "foreign", "Somebody Else")
    dovecot = Dovecot(server.root / "dovecot", USERS, certificate=authority.issue("localhost", file="dovecot"))
    good = [f'localhost {dovecot.tls_port} tls=imaps ca_file="{authority.certificate}"', f'localhost {dovecot.port} tls=starttls ca_file="{authority.certificate}"',
            f'localhost {dovecot.port} tls=starttls ca_file="{server.root}/dovecot.pem"']
    bad = {f'localhost {dovecot.tls_port} tls=imaps ca_file="{foreign.certificate}"': "has no valid certificate for localhost: unable to get local issuer certificate",
           f'localhost {dovecot.port} tls=starttls ca_file="{foreign.certificate}"': "has no valid certificate for localhost: unable to get local issuer certificate",
           f"localhost {dovecot.tls_port} tls=imaps": "has no valid certificate for localhost: unable to get local issuer certificate",
           f'127.0.0.1 {dovecot.tls_port} tls=imaps ca_file="{authority.certificate}"': "has no valid certificate for 127.0.0.1: IP address mismatch",
           f'localhost {dovecot.port} tls=imaps ca_file="{authority.certificate}"': "TLS with 127.0.0.1:[0-9]+ fails: wrong version number"}
    hosts = [server.smtp(f"SmtpPlugin auth/auth_imap {line}\n{PLUGINS}", CLEAR, name=f"host{i}.example.com") for i, line in enumerate([*good, *bad])]
    for complaint in ["cannot connect to 127.0.0.1:[0-9]+: Connection refused", *bad.values()]:
        server.expect_log(f"error: .*{complaint}")
    server.start()
    with dovecot:
        for host in hosts[:len(good)]:
            check_users(host.port)
        told = len(dovecot.log())
        assert "user=<ann>" in dovecot.log()
        for host in hosts[len(good):]:
            assert outcome(host.port, "ann", PASSWORD) == 454
        assert "user=<ann>" not in dovecot.log()[told:]
    for host in hosts[:len(good)]:
        assert outcome(host.port, "ann", PASSWORD) == 454


def test_the_second_dovecot_takes_over(make_server):
    """With both plugins. A server that failed three times in a row is paused, until a call after the pause finds
    that it answers again."""
    server = make_server("event")
    first, second = Dovecot(server.root / "first", USERS), Dovecot(server.root / "second", USERS)
    lines = [f"auth/auth_dovecot {first.socket} {second.socket}", f"auth/auth_imap host=127.0.0.1:{first.port} host=127.0.0.1:{second.port}"]
    hosts = [server.smtp(f"SmtpPlugin {line}\n{PLUGINS}", CLEAR, name=f"host{i}.example.com") for i, line in enumerate(lines)]
    server.expect_log(rf"auth/auth_dovecot: SMTPD0088: {first.socket} failed 3 times in a row and is not asked for \d s: cannot connect to")
    server.expect_log(rf"auth/auth_imap: SMTPD0088: 127.0.0.1:{first.port} failed 3 times in a row and is not asked for \d s: cannot connect to")
    server.start()
    with second:
        for host in hosts:
            assert [outcome(host.port, "ann", PASSWORD) for _ in range(4)] == [235] * 4
            check_users(host.port)
    with first:
        for host in hosts:
            wait_until(lambda host=host: outcome(host.port, "ann", PASSWORD) == 235, 30, "the first one is not asked again")
    server.expect_log("auth/auth_imap: 127.0.0.1:[0-9]+ answers again")
    server.allow_log("error: .*(cannot connect to|is not asked for another)|SMTPD0088")  # before the pause is over


def test_connections_to_dovecot_are_kept(make_server):
    """Logins share a connection, and the plugin connects again to a restarted Dovecot."""
    server = make_server("event")
    dovecot = Dovecot(server.root / "dovecot", USERS, lines="auth_debug = yes")
    smtp = server.smtp(f"SmtpPlugin auth/auth_dovecot {dovecot.socket}\n{PLUGINS}", CLEAR)
    server.start()

    with dovecot:
        for _ in range(5):
            assert outcome(smtp.port, "ann", PASSWORD) == 235
        # Dovecot's own login processes connect, too; one whose first line has not been read is 0 to it.
        clients = [int(pid) for pid in re.findall(r"auth client connected \(pid=(\d+)\)", dovecot.log())]
        assert len([pid for pid in clients if pid in (0, *server.children())]) == server.children_wanted
    time.sleep(2.5)
    with dovecot:
        check_users(smtp.port)


#: For the name server.
ZONES = {"test": "imap A 127.0.0.9\nimap A 127.0.0.1\n", "example.com": "ldap A 127.0.0.1\ndirectory A 127.0.0.1\n"}


def test_an_imap_server_is_found_by_its_name(make_server, nsd):
    """No server listens at one of its addresses."""
    server = make_server("event")
    authority = Authority(server.root)
    dovecot = Dovecot(server.root / "dovecot", USERS, certificate=authority.issue("imap.test", file="dovecot"))
    lines = f"SmtpResolver {nsd.address} timeout=1s tries=2\n{CLEAR}"
    smtp, unknown = (server.smtp(f'SmtpPlugin auth/auth_imap {name} {dovecot.tls_port} tls=imaps ca_file="{authority.certificate}"\n{PLUGINS}', lines, name=f"for.{name}")
                     for name in ("imap.test", "mail.test"))
    server.expect_log("error: no address of mail.test in the DNS: no such name")
    server.start()
    with dovecot:
        check_users(smtp.port)
        assert outcome(unknown.port, "ann", PASSWORD) == 454


def entry(login, password, name=None):
    """LDIF; in base64, because the values may contain anything."""
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


def ldap_server(make_server, *options, more="", **named):
    """A server with a virtual host for each of these options of the plugin; {port} and similar words stand for
    slapd's values: (server, slapd, hosts)."""
    server = make_server("event")
    authority = Authority(server.root)
    slapd = Slapd(server.root / "slapd", ENTRIES, certificate=authority.issue("ldap.example.com", addresses=["127.0.0.1"], file="slapd"), **named)
    (server.root / "password").write_text("hidden\n")
    (server.root / "password").chmod(0o600)
    values = {"port": slapd.port, "tls_port": slapd.tls_port, "ca": authority.certificate, "login": f'bind_dn=cn=search,dc=example,dc=com bind_password_file="{server.root}/password"'}
    hosts = [server.smtp(f"SmtpPlugin auth/auth_ldap_bind {line.format(**values)}\n{PLUGINS}", f"{CLEAR}\n{more}", name=f"host{i}.example.com") for i, line in enumerate(options)]
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


def test_a_directory_through_httpd(make_server):
    """mod_authnz_ldap caches answers: it returns them without asking the directory."""
    modules = ("authn_core", "authz_core", "ldap", "authnz_ldap")
    needs_modules(*modules)
    port = smtpd_env.free_port()
    section = f'<SmtpAuth ldap>\nAuthLDAPURL "ldap://127.0.0.1:{port}/dc=example,dc=com?uid"\nAuthLDAPBindDN cn=search,dc=example,dc=com\nAuthLDAPBindPassword hidden\n</SmtpAuth>'
    server = make_server("event", modules=modules, main=section)
    slapd = Slapd(server.root / "slapd", ENTRIES)
    slapd.port = port
    smtp = server.smtp(f"SmtpPlugin auth/auth_httpd\n{PLUGINS}", CLEAR)
    server.start()
    server.expect_log("the provider ldap could not check the password")
    assert outcome(smtp.port, "joe", "secret") == 454
    with slapd:
        check_tries(smtp.port, [(user, password, code) for user, password, code in TRIES if "@" not in user])
    assert [outcome(smtp.port, user, password) for user, password in (("joe", "secret"), ("joe", "wrong"), ("jim", "secret"))] == [235, 454, 454]


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


def test_the_second_directory_takes_over(make_server):
    """The first does not exist, or has a certificate for another name."""
    closed = smtpd_env.free_port()
    server, slapd, hosts = ldap_server(
        make_server, f"ldap://127.0.0.1:{closed} ldap://127.0.0.1:{{port}} base=dc=example,dc=com",
        'ldaps://localhost:{tls_port} ldaps://127.0.0.1:{tls_port} base=dc=example,dc=com ca_file="{ca}"', is_open=True)
    server.expect_log("auth/auth_ldap_bind: SMTPD0088: 127.0.0.1:[0-9]+ failed 3 times in a row")
    server.expect_log("auth/auth_ldap_bind: SMTPD0088: localhost:[0-9]+ failed 3 times in a row")
    server.start()
    with slapd:
        for host in hosts:
            check_tries(host.port)


def test_a_directory_is_found_by_its_name(make_server, nsd):
    """libldap compares it with the certificate, although it gets an existing connection."""
    server, slapd, (named, other) = ldap_server(
        make_server, *(f'ldaps://{name}:{{tls_port}} base=dc=example,dc=com ca_file="{{ca}}"' for name in ("ldap.example.com", "directory.example.com")), is_open=True,
        more=f"SmtpResolver {nsd.address} timeout=1s tries=2")
    server.expect_log("error: the directory cannot be asked: .*")
    server.start()
    with slapd:
        check_tries(named.port, [("joe", "secret", 235), ("joe", "wrong", 535)])
        assert outcome(other.port, "joe", "secret") == 454


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


# --- tokens

TOKENS = {"joes-token": {"active": True, "username": "joe@example.com", "scope": "openid smtp", "aud": ["mail"]},
          "anns+token/=": {"active": True, "username": "ann@example.com", "scope": "smtp", "aud": "mail"},
          "for-imap": {"active": True, "username": "joe@example.com", "scope": "imap", "aud": "mail"}}


def bearer(port, mechanism, token, user=""):
    """The final code for a client with this token."""
    start = f"user={user}\1" if mechanism == "XOAUTH2" else f"n,{'a=' + user if user else ''},\1"
    with Client(port) as client:
        assert "OAUTHBEARER" in client.ehlo().text
        client.send(f"AUTH {mechanism} {encoded(f'{start}auth=Bearer {token}' + chr(1) * 2)}\r\n")
        reply = client.reply()
        if reply.code == 334:  # it is told why, and has to say that it has heard it
            client.send(encoded("\1") + "\r\n")
            reply = client.reply()
        client.quit()
        return reply.code


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_tokens_are_asked_about(make_server, mechanism):
    server = make_server("event", main="SmtpStore memory:1m")
    authority = Authority(server.root)
    (server.root / "client").write_text("mail\nhidden\n")
    (server.root / "unknown-client").write_text("mail\nchanged\n")
    for name in ("client", "unknown-client"):
        (server.root / name).chmod(0o600)
    with authorization_server(TOKENS, authority.issue("localhost", file="issuer")) as (url, asked):
        options = f'{url} ca_file="{authority.certificate}" scope=smtp audience=mail'
        smtp = server.smtp(f'SmtpPlugin auth/auth_oauth {options} client_file="{server.root}/client"\n{PLUGINS}', CLEAR)
        unknown = server.smtp(f'SmtpPlugin auth/auth_oauth {options} client_file="{server.root}/unknown-client"\n{PLUGINS}', CLEAR, name="unknown.example.com")
        untrusted = server.smtp(f'SmtpPlugin auth/auth_oauth {url} client_file="{server.root}/client"\n{PLUGINS}', CLEAR, name="untrusted.example.com")
        if "mod_smtpd was built without libcurl or jansson" in server.configtest()[1]:
            pytest.skip("this build has no libcurl or no jansson")
        server.expect_log("error: https://localhost:[0-9]+/introspect: the answer is 401")
        server.expect_log("error: https://localhost:[0-9]+/introspect: (?!the answer)")
        server.start()
        tries = [("joes-token", "joe@example.com", 235), ("joes-token", "ann@example.com", 535), ("anns+token/=", "ann@example.com", 235), ("for-imap", "joe@example.com", 535),
                 ("nobodys", "joe@example.com", 535)]
        assert [bearer(smtp.port, mechanism, token, user) for token, user, _ in tries] == [code for _, _, code in tries]
        if mechanism == "OAUTHBEARER":
            assert bearer(smtp.port, mechanism, "anns+token/=") == 235
            server.wait_log(r'authenticated mechanism=OAUTHBEARER user=\\?"ann@example.com', count=2)
        assert asked.count("joes-token") == 1 and asked.count("nobodys") == 1
        assert bearer(unknown.port, mechanism, "another", "joe@example.com") == 454
        count = len(asked)
        assert bearer(untrusted.port, mechanism, "joes-token", "joe@example.com") == 454
        assert len(asked) == count
    assert bearer(smtp.port, mechanism, "joes-token", "joe@example.com") == 235  # it is remembered
    assert bearer(smtp.port, mechanism, "nobodys", "joe@example.com") == 454


def sql_text(value):
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def table(name, columns, rows):
    """SQL that makes it."""
    lines = [f"CREATE TABLE {name} ({', '.join(f'{column} text' for column in columns)});"]
    lines += [f"INSERT INTO {name} VALUES ({', '.join(map(sql_text, row))});" for row in rows]
    return "".join(f"{line}\n" for line in lines)


def postgres_server(make_server, statements, lines=""):
    """A server whose mod_dbd asks a PostgreSQL, with these `lines`: (server, postgres)."""
    modules = ("authn_core", "authn_dbd", "dbd")
    needs_modules(*modules)
    server = make_server("event", modules=modules, main=f'DBDriver pgsql\nDBDParams "host=@root@/postgres user=smtpd dbname=postgres connect_timeout=5"\n{lines}')
    is_content, output = server.configtest()
    if not is_content and "apr_dbd_pgsql" in output:
        pytest.skip("APR's driver for PostgreSQL is not installed")
    assert is_content, output
    return server, Postgres(server.root / "postgres", statements)


VPOPMAIL = table("vpopmail", ("pw_name", "pw_domain", "pw_passwd", "pw_clear_passwd"),
                 [("joe", "example.com", HASH, None), ("ann", "example.com", None, PASSWORD), ("nobody", "example.com", "", "")])


def test_vpopmails_table_in_postgresql(make_server):
    """PostgreSQL is down, up, down and up again: everything that mod_dbd keeps for a connection must be made again.
    mod_dbd distinguishes statements, even if they begin alike."""
    server, postgres = postgres_server(make_server, VPOPMAIL)
    for complaint in ("Can't connect to pgsql", "failed to initialise", "child init failed", "the database cannot be reached", "error: database: .*relation .*vpopmail.* does not exist"):
        server.expect_log(complaint)
    server.allow_log("error: database: |DBD .* Error")  # the one or the other, depending on who looks first
    smtp = server.smtp(f"SmtpPlugin auth/auth_vpopmail_sql\n{PLUGINS}", CLEAR)
    query = "SELECT pw_passwd, pw_clear_passwd FROM vpopmail WHERE pw_name = lower(lower(%s)) AND pw_domain = lower(%s) AND pw_name <> '{}'"
    others = [server.smtp(f'SmtpPlugin auth/auth_vpopmail_sql "query={query.format(name)}"\n{PLUGINS}', CLEAR, name=f"not-{name}.example.com") for name in ("ann", "joe")]
    server.start()
    tries = [("joe@example.com", "secret", 235), ("JOE@Example.COM", "secret", 235), ("joe@example.com", "wrong", 535), ("ann@example.com", PASSWORD, 235),
             ("ann@example.com", "wrong", 535), ("nobody@example.com", "", 535), ("nobody@example.com", "x", 535), ("jim@example.com", "secret", 535), ("joe", "secret", 535),
             ("joe'--@example.com", "secret", 535)]
    for _ in range(2):
        assert outcome(smtp.port, "joe@example.com", "secret") == 454
        with postgres:
            check_tries(smtp.port, tries)
            assert [outcome(host.port, user, password) for host in others for user, password in (("joe@example.com", "secret"), ("ann@example.com", PASSWORD))] == [235, 535, 535, 235]
    with postgres:  # nobody has asked meanwhile
        check_tries(smtp.port, tries)
        postgres.run_sql("ALTER TABLE vpopmail RENAME TO missing;")
        assert outcome(smtp.port, "joe@example.com", "secret") == 454
        postgres.run_sql("ALTER TABLE missing RENAME TO vpopmail;")
        assert outcome(smtp.port, "joe@example.com", "secret") == 235


@pytest.mark.parametrize("persist", ["on", "off"])
def test_users_in_postgresql_through_httpd(make_server, persist):
    """mod_authn_dbd cannot tell a lost answer from an unknown user, which must not become a refusal."""
    section = '<SmtpAuth dbd>\nAuthDBDUserPWQuery "SELECT password FROM users WHERE login = %s"\n</SmtpAuth>'
    server, postgres = postgres_server(make_server, table("users", ("login", "password"), [("joe@example.com", HASH)]), f"DBDPersist {persist}\n{section}")
    smtp = server.smtp(f"SmtpPlugin auth/auth_httpd\n{PLUGINS}", CLEAR)
    tries = [("joe@example.com", "secret", 235), ("joe@example.com", "wrong", 535), ("ann@example.com", "secret", 535), ("joe' OR '1'='1", "secret", 535)]
    with postgres:
        server.start()
        check_tries(smtp.port, tries)
    server.expect_log("the provider dbd (could not check the password|lost the database's answer)")
    server.allow_log("DBD .* Error|Can't connect to pgsql|[Ff]ailed to (initialise|acquire)")
    for _ in range(3):
        assert outcome(smtp.port, "joe@example.com", "secret") == 454
    with postgres:
        check_tries(smtp.port, tries)
    with postgres:  # nobody has asked meanwhile
        if persist == "off":
            return check_tries(smtp.port, tries)
        server.expect_log("lost the database's answer; DBDPersist off avoids that")
        assert [outcome(smtp.port, user, password) for user, password, _ in tries] == [454] * len(tries)
