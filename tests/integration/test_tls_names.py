"""The effects of the name in a client's handshake (SNI), and of its list of protocols (ALPN). The name chooses the
certificate that the client gets, and never the trusted authorities for client certificates. Each test uses a port
with STARTTLS, whose lender has a neighbour with another name at its address, and a port with TLS from the first
octet, which has such a neighbour itself. The neighbour trusts another authority."""

import contextlib
import os
import re
import socket
import ssl

import pytest

from certificates import SESSION_CACHE, Authority, client_context, lines, needs_mod_ssl, needs_module, openssl
from smtp_client import Client, Closed, encrypted
from smtpd_env import SmtpHost, free_port, wait_until
from test_auth_backends import encoded
from test_tls import s_client

OWN, OTHER, NOBODY = "mx.example.com", "other.example.org", "nobody.example.net"
EMAIL = "joe@example.com"
PLUGINS = 'SmtpPlugin auth/auth_certificate\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"'
TRUSTS_A = 'SSLVerifyClient {}\nSSLCACertificateFile "@root@/ca.pem"'
TRUSTS_B = 'SSLVerifyClient {}\nSSLCACertificateFile "@root@/b/ca.pem"'
HOW = pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
VERSION = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
NO_SESSION = (ssl.SSLError, Closed, ConnectionError)


#: What mod_ssl says about certificates that it does not take.
REFUSED = "AH02039: Certificate Verification: Error"


class Site:
    """A server with the two virtual hosts, and certificates of clients by both authorities."""

    def __init__(self, tls_server, implicit, own=TRUSTS_A.format("optional"), other=TRUSTS_B.format("optional"),
                 **more):
        self.implicit = implicit
        self.server, self.smtp, self.a = tls_server(https=own, implicit=implicit, plugins=PLUGINS, **more)
        (self.server.root / "b").mkdir()
        self.b = Authority(self.server.root / "b", "Somebody Else")
        host = self.smtp if implicit else self.server.hosts[1]
        neighbour = (f"</VirtualHost>\n<VirtualHost 127.0.0.1:{host.port} [::1]:{host.port}>\n    ServerName {OTHER}\n"
                     f"    {lines(self.a.issue(OTHER, file='other'))}\n{other}\n")
        if implicit:  # one that speaks SMTP as well
            host._plugins += (f'\n{neighbour}\nSmtpEngine on\nSmtpPluginDir "@plugins@"\nSmtpControlDir "@control@"\n'
                              f'SmtpSpoolDir "@spool@"\n{PLUGINS}')
        else:
            host._lines += f"\n{neighbour}"
        self.known = self.a.issue(subject="/CN=Joe", emails=[EMAIL])
        self.foreign = self.b.issue(subject="/CN=Joe", emails=[EMAIL])

    def context(self, own=None, version=ssl.TLSVersion.TLSv1_3):
        context = client_context(self.a, own)
        context.check_hostname = False
        context.maximum_version = version
        return context

    @contextlib.contextmanager
    def session(self, context, name, session=None):
        """A client under TLS, and the reply to its EHLO."""
        with Client(self.smtp.port, greet=not self.implicit) as client:
            if not self.implicit:
                client.ehlo()
                client.command("STARTTLS", 220)
            client.socket = context.wrap_socket(client.socket, server_hostname=name, session=session)
            if self.implicit:
                client.reply().expect(220)
            yield client, client.ehlo().text

    def login(self, context, name, session=None):
        """The codes for EXTERNAL and for a recipient elsewhere, and the name in the server's certificate."""
        with self.session(context, name, session) as (client, text):
            shown = dict(part[0] for part in client.socket.getpeercert()["subject"])["commonName"]
            code = None
            if "EXTERNAL" in text:
                client.send(f"AUTH EXTERNAL {encoded(EMAIL)}\r\n")
                code = client.reply().code
            client.command(f"MAIL FROM:<{EMAIL}>", 250)
            client.send("RCPT TO:<you@elsewhere.example>\r\n")
            relayed = client.reply().code
            client.quit()
        return code, relayed, shown


    def refuses(self, *login):
        """Whether the session ends before the client can say anything under TLS."""
        try:
            self.login(*login)
        except NO_SESSION:
            return True
        return False


@pytest.fixture
def site(tls_server):
    def make(implicit, *arguments, log=(REFUSED,), **named):
        made = Site(tls_server, implicit, *arguments, **named)
        for text in log:
            made.server.expect_log(text)
        return made

    return make


# --- who is trusted

@VERSION
@HOW
def test_the_name_decides_which_certificate_is_shown_and_not_whose_are_trusted(site, implicit, version):
    at = site(implicit)
    at.server.start()
    for name in (OWN, OTHER, NOBODY, None):
        shown = OTHER if name == OTHER else OWN
        assert at.login(at.context(at.known, version), name) == (235, 250, shown), name
        assert at.login(at.context(None, version), name) == (None, 550, shown), name
        assert at.refuses(at.context(at.foreign, version), name), name


@HOW
def test_it_is_so_after_a_graceful_restart(site, implicit, mpm):
    at = site(implicit, mpm=mpm)
    at.server.start()
    old = at.server.children()
    at.server.graceful()
    wait_until(lambda: not set(old) & set(at.server.children()), 20, "old children stay")
    assert at.login(at.context(at.known), OTHER) == (235, 250, OTHER)
    assert at.refuses(at.context(at.foreign), OTHER)


@VERSION
@HOW
def test_no_name_makes_a_certificate_needless(site, implicit, version):
    at = site(implicit, own=TRUSTS_A.format("require"), other="SSLVerifyClient none")
    at.server.start()
    for name in (OWN, OTHER, None):
        assert at.refuses(at.context(None, version), name), name
        assert at.refuses(at.context(at.foreign, version), name), name
        assert at.login(at.context(at.known, version), name)[0] == 235, name


@VERSION
@HOW
def test_no_name_makes_a_server_ask_for_certificates(site, implicit, version):
    at = site(implicit, own="", log=())
    at.server.start()
    for name in (OWN, OTHER, None):
        assert at.login(at.context(at.foreign, version), name)[:2] == (None, 550), name
    assert not [line for line in at.server.log_lines() if "certificate=" in line.text]


@HOW
def test_no_name_lets_in_unknown_authorities(site, implicit):
    at = site(implicit, other="SSLVerifyClient optional_no_ca")
    at.server.start()
    for name in (OWN, OTHER, None):
        assert at.refuses(at.context(at.foreign), name), name


@HOW
def test_with_optional_no_ca_no_name_makes_a_certificate_a_verified_one(site, implicit):
    at = site(implicit, own='SSLVerifyClient optional_no_ca\nSSLCACertificateFile "@root@/ca.pem"', log=())
    at.server.start()
    for count, name in enumerate((OWN, OTHER, None), 1):
        assert at.login(at.context(at.foreign), name)[:2] == (None, 550), name
        at.server.wait_log("unverified certificate=|certificate=.*unable to get", count=count)
        assert at.login(at.context(at.known), name)[0] == 235, name


@HOW
def test_no_name_makes_a_revoked_certificate_good(site, implicit):
    revocation = 'SSLCARevocationCheck chain\nSSLCARevocationFile "@root@/crl.pem"'
    at = site(implicit, own=f"{TRUSTS_A.format('optional')}\n{revocation}", other=TRUSTS_A.format("optional"))
    at.a.revoke(at.known)
    at.server.start()
    good = at.a.issue(subject="/CN=Joe", emails=[EMAIL])
    for name in (OWN, OTHER, None):
        assert at.refuses(at.context(at.known), name), name
        assert at.login(at.context(good), name)[0] == 235, name


@HOW
def test_no_name_makes_a_longer_chain_good(site, implicit):
    trust = TRUSTS_A.format("optional")
    at = site(implicit, own=f"{trust}\nSSLVerifyDepth 1", other=f"{trust}\nSSLVerifyDepth 5", log=("AH02040",))
    distant = at.a.subordinate(at.server.root / "below").issue(subject="/CN=Joe", emails=[EMAIL])
    at.server.start()
    for name in (OWN, OTHER, None):
        assert at.refuses(at.context(distant), name), name
        assert at.login(at.context(at.known), name)[0] == 235, name


# --- sessions that are resumed

def web_session(port, context, name):
    """From a host with HTTPS, where a second connection can resume the session."""
    session = None
    for is_again in (False, True):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname=name, session=session) as client:
                client.sendall(f"GET / HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
                while client.recv(4096):
                    pass
                assert client.session_reused == is_again
                session = client.session
    return session


#: How sessions of one server become known to all.
SHARED = {"cache": "SSLSessionTickets off", "key file": 'SSLSessionTicketKeyFile "@root@/tickets"'}


@pytest.mark.parametrize("shared", SHARED)
@VERSION
@HOW
def test_a_session_of_another_host_brings_no_certificate_along(site, implicit, version, shared):
    """A host that has the same name, and a host whose name the client must ask for."""
    at = site(implicit)
    (at.server.root / "tickets").write_bytes(os.urandom(48))
    settings = f"{lines(at.a.issue(OWN, file='twin'))}\n{TRUSTS_B.format('optional')}\n{SHARED[shared]}"
    twin = at.server.http(settings, name=OWN, protocol="https")
    at.server.allow_log("another one has the same name and other directives")
    hosts = [(twin.port, OWN)] if implicit else [(twin.port, OWN), (at.server.hosts[1].port, OTHER)]
    for host in at.server.hosts[:2]:
        if not isinstance(host, SmtpHost) or implicit:
            host._lines = f"{SHARED[shared]}\n{host._lines}".replace(OTHER, f"{OTHER}\n{SHARED[shared]}")
    at.server.allow_log("AH00025")  # there is nothing to be had by HTTP
    at.server.start()
    for port, name in hosts:
        context = at.context(at.foreign, version)
        session = web_session(port, context, name)
        assert at.refuses(context, name, session), name


@VERSION
@HOW
def test_a_session_brings_its_certificate_along_where_it_was_made(site, implicit, version):
    at = site(implicit, log=())
    at.server.start()
    for name in (OWN, OTHER, NOBODY):
        context = at.context(at.known, version)
        session = None
        for is_again in (False, True):
            with at.session(context, name, session) as (client, text):
                assert client.socket.session_reused == is_again
                assert "EXTERNAL" in text
                session = client.socket.session
                client.quit()
    at.server.wait_log("resumed .*verified certificate", count=3)


@VERSION
@HOW
def test_a_session_is_not_resumed_under_another_name(site, implicit, version):
    """RFC 6066 3: the client has never seen the certificate for that name."""
    at = site(implicit, log=())
    at.server.start()
    for made_for, used_for in ((OWN, OTHER), (OTHER, OWN)):
        context = at.context(None, version)
        with at.session(context, made_for) as (client, _):
            session = client.socket.session
            client.quit()
        with at.session(context, used_for, session) as (client, _):
            assert not client.socket.session_reused
            client.quit()


# --- what is shown

def test_of_two_lenders_of_the_same_name_the_first_one_lends(tls_server):
    server, smtp, authority = tls_server()
    server.http(lines(authority.issue(OWN, "second.example.com", file="second")), name=OWN, protocol="https")
    server.expect_log("another one has the same name and other directives")
    server.start()
    with encrypted(smtp.port, client_context(authority), False) as client:
        assert ("DNS", "second.example.com") not in client.socket.getpeercert()["subjectAltName"]
        client.quit()


def test_configtest_says_that_there_are_two_lenders_and_how_to_choose(tls_server):
    server, smtp, authority = tls_server()
    first = server.hosts[-1]
    second = server.http(lines(authority.issue(OWN, "second.example.com", file="second")), name=OWN, protocol="https")
    good, output = server.configtest()
    rows = server.config_file.read_text().splitlines()
    place = rows.index("    SmtpStartTLS on") + 1
    assert good and re.search(rf"httpd\.conf line {place}\b.*another one has the same name and other directives", output), output
    assert f'Write "{OWN}:{first.port}" for the first one' in output, output
    for host in (first, second):
        smtp._lines = f"SmtpStartTLS on {OWN}:{host.port}"
        good, output = server.configtest()
        assert good and "another one" not in output, output
    server.start()
    with encrypted(smtp.port, client_context(authority), False) as client:
        assert ("DNS", "second.example.com") in client.socket.getpeercert()["subjectAltName"]
        client.quit()
    server.stop()
    smtp._lines = f"SmtpStartTLS on {OWN}:1"
    good, output = server.configtest()
    assert not good and f"the ServerName {OWN}:1" in output, output


def test_two_lenders_with_the_same_directives_are_no_question(tls_server):
    server, _, _ = tls_server()
    first = server.hosts[-1]
    server.http("\n".join(reversed(first._lines.splitlines())), name=OWN, protocol="https")
    good, output = server.configtest()
    assert good and "another one" not in output, output


@HOW
def test_all_certificates_of_a_name_can_be_had_with_their_chains(site, implicit):
    at = site(implicit, log=())
    below = at.a.subordinate(at.server.root / "below")
    below.issue(OTHER, file="../other")  # in place of what was issued for that name
    rsa = below.issue(OTHER, file="rsa", rsa=True)
    host, attribute = (at.smtp, "_plugins") if implicit else (at.server.hosts[1], "_lines")
    setattr(host, attribute, getattr(host, attribute).replace(TRUSTS_B.format("optional"), lines(rsa)))
    at.server.start()
    for algorithms in ("ECDSA+SHA256", "RSA-PSS+SHA256"):
        printed = s_client(at.smtp, at.a, *(["-tls"] if implicit else []), "-servername", OTHER, "-sigalgs", algorithms,
                           "-verify_hostname", OTHER)
        assert "Verify return code: 0" in printed and "CN = Subordinate" in printed, printed
        assert f"Peer signature type: {algorithms.partition('+')[0]}" in printed, printed


def test_a_key_with_a_pass_phrase_is_lent(tls_server):
    server, smtp, authority = tls_server(main='SSLPassPhraseDialog "exec:@root@/phrase"')
    key = server.root / "mx-key.pem"
    openssl("pkey", "-in", key, "-aes128", "-passout", "pass:secret", "-out", server.root / "locked.pem")
    (server.root / "locked.pem").rename(key)
    (server.root / "phrase").write_text("#!/bin/sh\necho secret\n")
    (server.root / "phrase").chmod(0o755)
    server.start()
    assert "Verify return code: 0" in s_client(smtp, authority, "-servername", OWN)


def test_the_main_server_can_lend(make_server):
    needs_mod_ssl()
    server = make_server(modules=("ssl", "socache_shmcb"))
    authority = Authority(server.root)
    port = free_port()
    server._main = f"{SESSION_CACHE}\nListen 127.0.0.1:{port} https\n{lines(authority.issue('main.example.com', OWN))}"
    smtp = server.smtp(lines="SSLEngine off\nSmtpStartTLS on main.example.com")
    server.start()
    with encrypted(smtp.port, client_context(authority), False) as client:
        client.quit()


def test_a_certificate_of_mod_md_is_lent(make_server):
    needs_mod_ssl()
    needs_module("md")
    server = make_server(modules=("watchdog", "md", "ssl", "socache_shmcb"))
    authority = Authority(server.root)
    own = authority.issue(OWN)
    server._main = (f'{SESSION_CACHE}\nMDStoreDir "@root@/md"\n<MDomain {OWN}>\nMDCertificateFile "{own.certificate}"\n'
                    f'MDCertificateKeyFile "{own.key}"\n</MDomain>')
    smtp = server.smtp(lines="SmtpStartTLS on")
    server.http("SSLEngine on", name=OWN, protocol="https")
    server.start()
    for _ in range(2):
        with encrypted(smtp.port, client_context(authority), False) as client:
            client.quit()
        server.graceful()


# --- the protocol that is spoken under TLS

@VERSION
@HOW
def test_no_protocol_of_http_is_agreed_upon(site, implicit, version):
    needs_module("http2")
    at = site(implicit, log=(), modules=("http2",), main="Protocols h2 http/1.1\n")
    at.server.start()
    for offers, agreed in ((["smtp"], "smtp"), (["h2", "http/1.1"], None), (["h2", "smtp"], "smtp"),
                           (["http/1.1"], None), (["lmtp"], None), (["SMTP", "smtp2", "s"], None), (["acme-tls/1"], None)):
        for name in (OWN, OTHER):
            context = at.context(None, version)
            context.set_alpn_protocols(offers)
            with at.session(context, name) as (client, _):
                assert client.socket.selected_alpn_protocol() == agreed, offers
                client.quit()
    if not implicit:  # HTTP has what it had
        context = at.context(None, version)
        context.set_alpn_protocols(["h2", "smtp"])
        for name in (OWN, OTHER):
            with socket.create_connection(("127.0.0.1", at.server.hosts[1].port), timeout=10) as plain:
                with context.wrap_socket(plain, server_hostname=name) as client:
                    assert client.selected_alpn_protocol() == "h2"


@HOW
def test_openssls_client_offers_a_protocol(tls_server, implicit):
    server, smtp, authority = tls_server(implicit=implicit, modules=("http2",), main="Protocols h2 http/1.1")
    server.start()
    for offered, agreed in (("smtp", "ALPN protocol: smtp"), ("h2,smtp", "ALPN protocol: smtp"),
                            ("h2,http/1.1", "No ALPN negotiated")):
        printed = s_client(smtp, authority, *(["-tls"] if implicit else []), "-servername", OWN, "-alpn", offered)
        assert agreed in printed and "Verify return code: 0" in printed and "221 " in printed, printed


def test_lmtp_is_agreed_upon_where_it_is_spoken(tls_server):
    server, smtp, authority = tls_server(implicit=True, more="SmtpProtocol lmtp")
    server.start()
    for offers, agreed in ((["smtp"], None), (["smtp", "lmtp"], "lmtp")):
        context = client_context(authority)
        context.set_alpn_protocols(offers)
        with Client(smtp.port, greet=False) as client:
            client.socket = context.wrap_socket(client.socket, server_hostname=OWN)
            client.reply().expect(220)
            assert client.socket.selected_alpn_protocol() == agreed
            client.quit()
