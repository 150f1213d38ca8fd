"""Back ends of AUTH on a running server: httpd's own providers, a flat file, checkpassword; SCRAM with channel binding through mod_ssl."""

import base64
import hashlib
import hmac
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import ssl
import struct
import subprocess
import time

import pytest

import smtpd_env
from certificates import Authority, client_context, lines as ssl_lines, needs_mod_ssl
from smtp_client import Client, encrypted
from test_auth import encoded, plain

PLUGINS = smtpd_env.DEFAULT_PLUGINS
CLEAR = "SmtpAuthWithoutTLS on"
#: "secret" by htpasswd -bm
HASH = "$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0"
#: "another"
OTHER_HASH = "$apr1$saltsalt$NXlTDRAOGJcqsh0btFnxo."


def needs_modules(*names):
    for name in names:
        if not (pathlib.Path(smtpd_env.BUILD["httpd_modules"]) / f"mod_{name}.so").is_file():
            pytest.skip(f"this httpd has no mod_{name}")


def outcome(port, user, password):
    """The code of the reply to AUTH PLAIN."""
    with Client(port) as client:
        client.ehlo()
        client.send(plain(user, password) + "\r\n")
        code = client.reply().code
        client.quit()
        return code


def test_a_file_of_htpasswd(make_server, mpm):
    needs_modules("authn_core", "authn_file")
    server = make_server(mpm, modules=("authn_core", "authn_file"), main='<SmtpAuth file>\nAuthUserFile "@root@/users"\n</SmtpAuth>')
    (server.root / "users").write_text(f"joe:{HASH}\n")
    smtp = server.smtp(f"SmtpPlugin auth/auth_httpd\n{PLUGINS}", CLEAR)
    server.start()
    with Client(smtp.port) as client:
        assert "AUTH LOGIN PLAIN" in client.ehlo().text
        client.command(plain("joe", "wrong"), 535, "5.7.8")
        client.command(plain("jim", "secret"), 535, "5.7.8")
        client.command("AUTH LOGIN", 334)
        client.command(encoded("joe"), 334)
        client.command(encoded("secret"), 235, "2.7.0")
        client.quit()
    (server.root / "users").unlink()
    server.expect_log("Could not open password file")
    server.expect_log("the provider file could not check the password")
    assert outcome(smtp.port, "joe", "secret") == 454


def sdbm_file(path, rows):
    """A database of the kind that every APR supports, of one page: words, of which the first counts those that
    follow, with the places of keys and values; keys and values grow from the end."""
    words, content = [], b""
    for text in (text.encode() for row in rows for text in row):
        content = text + content
        words.append(1024 - len(content))
    page = struct.pack(f"={1 + len(words)}H", len(words), *words)
    path.with_suffix(".pag").write_bytes(page + bytes(1024 - len(page) - len(content)) + content)
    path.with_suffix(".dir").write_bytes(b"")


def test_a_dbm_file(make_server):
    modules = ("authn_core", "authn_dbm")
    needs_modules(*modules)
    server = make_server("event", modules=modules, main='<SmtpAuth dbm>\nAuthDBMType SDBM\nAuthDBMUserFile "@root@/users"\n</SmtpAuth>')
    sdbm_file(server.root / "users", [("joe@example.com", HASH), ("ann", HASH)])
    smtp = server.smtp(f"SmtpPlugin auth/auth_httpd\n{PLUGINS}", CLEAR)
    server.start()
    tries = [("joe@example.com", "secret", 235), ("joe@example.com", "wrong", 535), ("ann", "secret", 235), ("jim", "secret", 535)]
    assert [outcome(smtp.port, user, password) for user, password, _ in tries] == [code for _, _, code in tries]
    (server.root / "users.pag").unlink()
    server.expect_log("could not open dbm")
    server.expect_log("the provider dbm could not check the password")
    assert outcome(smtp.port, "joe@example.com", "secret") == 454


def test_a_cache_before_another_provider(make_server):
    """Each section has its own cache: the sections must not share answers about a user, although both are in the
    same server."""
    modules = ("authn_core", "authn_file", "authn_socache", "socache_shmcb")
    needs_modules(*modules)
    main = ('AuthnCacheSOCache shmcb:@root@/cache(512000)\n<SmtpAuth socache file>\nAuthnCacheProvideFor file\nAuthUserFile "@root@/users"\n</SmtpAuth>\n'
            '<SmtpAuth socache file name=other>\nAuthnCacheProvideFor file\nAuthUserFile "@root@/others"\n</SmtpAuth>')
    server = make_server("event", modules=modules, main=main)
    (server.root / "users").write_text(f"joe:{HASH}\nann:{HASH}\n")
    (server.root / "others").write_text(f"joe:{OTHER_HASH}\n")
    smtp = server.smtp(f"SmtpPlugin auth/auth_httpd\n{PLUGINS}", CLEAR)
    other = server.smtp(f"SmtpPlugin auth/auth_httpd other\n{PLUGINS}", CLEAR)
    server.start()
    assert [outcome(smtp.port, "joe", password) for password in ("secret", "wrong", "secret")] == [235, 535, 235]
    assert [outcome(other.port, "joe", password) for password in ("secret", "another")] == [535, 235]
    (server.root / "users").unlink()
    server.expect_log("Could not open password file")
    server.expect_log("the provider file could not check the password")
    assert [outcome(smtp.port, user, password) for user, password in (("joe", "secret"), ("joe", "wrong"), ("ann", "secret"))] == [235, 535, 454]


def test_a_database_through_mod_dbd(make_server):
    needs_modules("authn_core", "authn_dbd", "dbd")
    main = ('DBDriver sqlite3\nDBDParams "@root@/work/users.db"\n<SmtpAuth dbd>\nAuthDBDUserPWQuery "SELECT password FROM users WHERE login = %s"\n</SmtpAuth>')
    server = make_server("event", modules=("authn_core", "authn_dbd", "dbd"), main=main)
    with sqlite3.connect(server.work / "users.db") as database:
        database.execute("CREATE TABLE users (login TEXT, password TEXT)")
        database.execute("INSERT INTO users VALUES (?, ?)", ("joe@example.com", HASH))
    os.chmod(server.work / "users.db", 0o666)
    smtp = server.smtp(f"SmtpPlugin auth/auth_httpd\n{PLUGINS}", CLEAR)
    server.start()
    assert outcome(smtp.port, "joe@example.com", "secret") == 235
    assert outcome(smtp.port, "joe@example.com", "wrong") == 535
    assert outcome(smtp.port, "joe' OR '1'='1", "secret") == 535
    with sqlite3.connect(server.work / "users.db") as database:
        database.execute("DROP TABLE users")
    server.expect_log("Query execution error")
    server.expect_log("the provider dbd could not check the password")
    assert outcome(smtp.port, "joe@example.com", "secret") == 454


def test_vpopmails_table(make_server):
    needs_modules("dbd")
    server = make_server("event", modules=("dbd",), main='DBDriver sqlite3\nDBDParams "@root@/work/vpopmail.db"')
    with sqlite3.connect(server.work / "vpopmail.db") as database:
        database.execute("CREATE TABLE vpopmail (pw_name TEXT, pw_domain TEXT, pw_passwd TEXT, pw_clear_passwd TEXT)")
        rows = [("joe", "example.com", HASH, None), ("ann", "example.com", None, "secret"), ("nobody", "example.com", "", "")]
        database.executemany("INSERT INTO vpopmail VALUES (?, ?, ?, ?)", rows)
    os.chmod(server.work / "vpopmail.db", 0o666)
    smtp = server.smtp(f"SmtpPlugin auth/auth_vpopmail_sql\n{PLUGINS}", CLEAR)
    server.start()
    tries = [("joe@example.com", "secret", 235), ("JOE@Example.COM", "secret", 235), ("joe@example.com", "wrong", 535), ("ann@example.com", "secret", 235),
             ("ann@example.com", "wrong", 535), ("nobody@example.com", "", 535), ("nobody@example.com", "x", 535), ("jim@example.com", "secret", 535), ("joe", "secret", 535),
             ("joe'--@example.com", "secret", 535)]
    assert [outcome(smtp.port, user, password) for user, password, _ in tries] == [code for _, _, code in tries]
    with sqlite3.connect(server.work / "vpopmail.db") as database:
        database.execute("DROP TABLE vpopmail")
    server.expect_log("error: database")
    assert outcome(smtp.port, "ann@example.com", "secret") == 454


def test_sections_are_told_apart(make_server):
    needs_modules("authn_core", "authn_file")
    main = ('<SmtpAuth file name=staff>\nAuthUserFile "@root@/staff"\n</SmtpAuth>\n<SmtpAuth file>\nAuthUserFile "@root@/users"\n</SmtpAuth>')
    server = make_server("event", modules=("authn_core", "authn_file"), main=main)
    (server.root / "users").write_text(f"joe:{HASH}\n")
    (server.root / "staff").write_text(f"ann:{HASH}\n")
    users = server.smtp(f"SmtpPlugin auth/auth_httpd\n{PLUGINS}", CLEAR)
    both = server.smtp(f"SmtpPlugin auth/auth_httpd\nSmtpPlugin auth/auth_httpd:staff staff\n{PLUGINS}", CLEAR, name="both.example.com")
    server.start()
    assert [outcome(users.port, "joe", "secret"), outcome(users.port, "ann", "secret")] == [235, 535]
    assert [outcome(both.port, "joe", "secret"), outcome(both.port, "ann", "secret")] == [235, 235]


@pytest.mark.parametrize(("main", "plugins", "complaint"), [
    ("", "SmtpPlugin auth/auth_httpd", "there is no section <SmtpAuth> without a name"),
    ("", "SmtpPlugin auth/auth_httpd section=staff", "there is no section <SmtpAuth> with name=staff"),
    ("", "SmtpPlugin auth/auth_vpopmail_sql", "mod_dbd is not loaded"),
    ("<SmtpAuth nonsense>\n</SmtpAuth>", "", 'there is no provider "nonsense"'),
    ("<SmtpAuth>\n</SmtpAuth>", "", "takes the names of providers"),
    ("<SmtpAuth file>\nNonsense on\n</SmtpAuth>", "", "Invalid command 'Nonsense'"),
    ("SmtpAuthMechanisms PLAIN SCRAM", "", 'there is no mechanism "SCRAM"'),
    ("SmtpAuthMechanisms PLAIN +CRAM-MD5", "", "takes names, or names that all have + or - in front"),
])
def test_mistakes_are_found_by_configtest(make_server, main, plugins, complaint):
    server = make_server("event", modules=("authn_core", "authn_file"), main=main)
    server.smtp(f"{plugins}\n{PLUGINS}")
    is_content, output = server.configtest()
    assert not is_content
    assert complaint in output, output


def test_the_flat_file_serves_swaks(make_server):
    swaks = smtpd_env.shutil.which("swaks") or pytest.skip("swaks is not installed")
    server = make_server("event")
    smtp = server.smtp(f"SmtpPlugin auth/auth_flat_file\n{PLUGINS}", f"{CLEAR}\nSmtpAuthMechanisms +CRAM-MD5 -SCRAM-SHA-1",
                       control={"flat_auth_pw": "joe@example.com:{PLAIN}secret\n"})
    server.start()
    with Client(smtp.port) as client:
        assert "AUTH CRAM-MD5 LOGIN PLAIN SCRAM-SHA-256\n" in client.ehlo().text + "\n"
        client.quit()
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
        for password, code in (("secret", 0), ("wrong", 28)):
            command = [swaks, "--server", "127.0.0.1", "--port", str(smtp.port), "--from", "joe@example.com", "--to", "you@elsewhere.example", "--auth", mechanism,
                       "--auth-user", "joe@example.com", "--auth-password", password]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert done.returncode == code, done.stdout + done.stderr


def test_checkpassword_is_run(make_server, mpm):
    server = make_server(mpm)
    program = server.root / "checkpw"
    program.write_text("#!/bin/sh\ncase $(tr '\\0' ' ' <&3) in 'joe secret Y123456 ') exec \"$@\" ;; 'down '*) exit 111 ;; *) exit 1 ;; esac\n")
    program.chmod(0o755)
    smtp = server.smtp(f'SmtpPlugin auth/auth_checkpassword checkpw="{program}" true=/bin/true\n{PLUGINS}', CLEAR)
    server.expect_log("exited with 111")
    server.start()
    assert outcome(smtp.port, "joe", "secret") == 235
    assert outcome(smtp.port, "joe", "wrong") == 535
    assert outcome(smtp.port, "down", "secret") == 454


@pytest.mark.skipif(not smtpd_env.is_root(), reason="only root can make a program that the server's user may not kill")
def test_a_checkpassword_that_may_not_be_killed_delays_nobody(make_server, mpm):
    """As with sudo: the program runs as root, and the server's user gets EPERM. The reply comes at the time limit,
    and no zombie remains."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("there is no setpriv")
    server = make_server(mpm, threads=4)
    as_root = server.root / "as_root"
    shutil.copy(setpriv, as_root)
    as_root.chmod(0o4755)
    program = server.root / "checkpw"
    program.write_text(f"#!/bin/sh\nexec {as_root} --reuid=0 --regid=0 --clear-groups sleep 30\n")
    program.chmod(0o755)
    options = f'checkpw="{program}" true=/bin/true timeout=1s'
    smtp = server.smtp(f"SmtpPlugin auth/auth_checkpassword {options}\n{PLUGINS}", CLEAR)
    server.expect_log("did not end in time")
    server.start()
    began = time.monotonic()
    assert outcome(smtp.port, "joe", "secret") == 454
    assert time.monotonic() - began < 8
    running = {process for child in server.children() for process in smtpd_env.programs_of(child)}
    assert len(running) == 1, "the program was killed after all: the test shows nothing"
    os.kill(running.pop(), signal.SIGKILL)
    def is_clean():
        return not any(smtpd_env.programs_of(child) for child in server.children())
    smtpd_env.wait_until(is_clean, 10, "a zombie is left")


# --- SCRAM-SHA-256-PLUS, from Python's own ssl module ---

def scram(reader, writer, password, header, binding):
    """Plays the client after the greeting or the handshake; returns the final code."""
    def say(text):
        writer.write(text.encode() + b"\r\n")
        writer.flush()
        while line := reader.readline().decode():
            if re.match(r"\d{3} ", line):  # not what s_client tells of session tickets
                return line.strip()
        raise AssertionError("the server has closed the connection")

    def mac(key, text):
        return hmac.new(key, text, hashlib.sha256).digest()

    offered = say("EHLO client.example.net")
    assert offered.startswith("250 ")
    bare = "n=joe@example.com,r=clientnonce"
    name = "SCRAM-SHA-256-PLUS" if header.startswith("p=") else "SCRAM-SHA-256"
    reply = say(f"AUTH {name} " + encoded(header + bare))
    if not reply.startswith("334"):
        return int(reply[:3])
    first = base64.b64decode(reply[4:]).decode()
    fields = dict(part.split("=", 1) for part in first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    without = "c=" + base64.b64encode(header.encode() + binding).decode() + ",r=" + fields["r"]
    message = f"{bare},{first},{without}".encode()
    key = mac(salted, b"Client Key")
    proof = bytes(a ^ b for a, b in zip(key, mac(hashlib.sha256(key).digest(), message)))
    reply = say(encoded(without + ",p=" + base64.b64encode(proof).decode()))
    if not reply.startswith("334"):
        return int(reply[:3])
    assert base64.b64decode(reply[4:]).decode() == "v=" + base64.b64encode(mac(mac(salted, b"Server Key"), message)).decode()
    return int(say("")[:3])


@pytest.mark.parametrize("start_tls", [False, True], ids=["implicit", "starttls"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_scram_is_bound_to_the_connection(make_server, version, start_tls):
    needs_mod_ssl()
    server = make_server("event", modules=("ssl", "socache_shmcb"), main='SSLSessionCache "shmcb:@root@/cache(512000)"')
    authority = Authority(server.root)
    certificate = ssl_lines(authority.issue("localhost", "mx.example.com"))
    smtp = server.smtp(f"SmtpPlugin auth/auth_flat_file\n{PLUGINS}", "SmtpStartTLS on" if start_tls else certificate,
                       control={"flat_auth_pw": "joe@example.com:{PLAIN}secret\n"})
    if start_tls:
        server.http(certificate, name="mx.example.com", protocol="https")
    server.start()
    context = client_context(authority)
    context.minimum_version = context.maximum_version = version
    is_old = version == ssl.TLSVersion.TLSv1_2

    def login(header, binding_of, password="secret"):
        with Client(smtp.port, greet=start_tls) as client:
            if start_tls:
                assert "AUTH" not in client.ehlo().text
                client.start_tls(context, "localhost")
            else:
                client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
                client.reply().expect(220)
            stream = client.socket.makefile("rwb")
            return scram(stream, stream, password, header, binding_of(client.socket))

    def unique(connection):
        return connection.get_channel_binding("tls-unique") or b""

    def end_point(connection):
        return hashlib.sha256(connection.getpeercert(binary_form=True)).digest()

    assert login("n,,", lambda connection: b"") == 235
    assert login("p=tls-server-end-point,,", end_point) == 235
    assert login("p=tls-server-end-point,,", end_point, "wrong") == 535
    assert login("p=tls-server-end-point,,", lambda connection: b"x" * 32) == 535
    assert login("p=tls-unique,,", unique) == (235 if is_old else 535)
    assert login("p=tls-exporter,,", lambda connection: b"x" * 32) == 535
    assert login("y,,", lambda connection: b"") == 535

    # tls-exporter, which Python's ssl module does not know, from OpenSSL's own client; that leaves the context out, which makes a difference before TLS 1.3
    if is_old:
        return
    command = [smtpd_env.shutil.which("openssl"), "s_client", *(["-starttls", "smtp"] if start_tls else []), "-connect", f"127.0.0.1:{smtp.port}", "-servername", "localhost", "-nocommands", "-ign_eof",
               "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32", "-tls1_3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        try:
            exported = b""
            for line in client.stdout:
                if b"Keying material: " in line:
                    exported = bytes.fromhex(line.split(b": ")[1].strip().decode())
                if line.startswith(b"250 " if start_tls else b"220 "):  # behind STARTTLS s_client shows what its own EHLO was answered
                    break
            assert len(exported) == 32
            assert scram(client.stdout, client.stdin, "secret", "p=tls-exporter,,", exported) == 235
        finally:
            client.kill()


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_a_certificate_is_a_login(tls_server, implicit):
    server, smtp, authority = tls_server(https='SSLVerifyClient optional\nSSLCACertificateFile "@root@/ca.pem"', implicit=implicit,
                                         plugins=f"SmtpPlugin auth/auth_certificate\n{PLUGINS}")
    (smtp.control / "certificate_logins").write_text("printer@example.com CN=Printer \\, 3rd floor,O=Example\n")
    joe = authority.issue(subject="/CN=Joe Doe", emails=["joe@example.com", "sales@example.com"])
    printer = authority.issue(subject="/O=Example/CN=Printer , 3rd floor")
    nameless = authority.issue(subject="/CN=nobody@example.com/emailAddress=joe@example.com")
    server.start()

    def login(own, *tries):
        """The codes of the replies to EXTERNAL with these initial responses; None if the server does not offer it."""
        with encrypted(smtp.port, client_context(authority, own), implicit) as client:
            if "EXTERNAL" not in client.ehlo().text:
                client.command("AUTH EXTERNAL =", 502, "5.5.1")
                return None
            codes = []
            for user in tries:
                client.send(f"AUTH EXTERNAL {encoded(user) or '='}\r\n")
                codes.append(client.reply().code)
            if codes[-1] == 235:
                client.command("MAIL FROM:<joe@example.com>", 250)
                client.command("RCPT TO:<you@elsewhere.example>", 250)
            client.quit()
            return codes

    assert login(None) is None
    assert login(joe, "ann@example.com", "Joe Doe", "") == [535, 535, 235]
    server.wait_log(r'authenticated mechanism=EXTERNAL user=\\?"joe@example.com')
    assert login(joe, "sales@example.com") == [235]
    server.wait_log(r'authenticated mechanism=EXTERNAL user=\\?"sales@example.com')
    assert login(printer, "joe@example.com", "printer@example.com") == [535, 235]
    assert login(nameless, "", "joe@example.com", "nobody@example.com") == [535, 535, 535]


def test_pam_is_asked(make_server, mpm):
    server = make_server(mpm)
    script = server.root / "script"
    script.write_text(f"""#!/bin/sh
password=$(tr -d '\\0')
if [ "$PAM_USER" = slow ]; then
    touch '{server.work}/asked'
    while [ ! -e '{server.root}/go' ]; do sleep 0.05; done
fi
[ "$PAM_USER $password" = 'joe secret' ]
""")
    script.chmod(0o755)
    (server.root / "pam").mkdir()
    (server.root / "pam" / "smtp").write_text(f"auth [success=done default=ignore] pam_exec.so quiet expose_authtok {script}\n"
                                              "auth requisite pam_deny.so\naccount required pam_permit.so\n")
    (server.root / "pam" / "down").write_text("auth required pam_exec.so quiet /bin/false\naccount required pam_permit.so\n")
    os.chmod(server.work, 0o777)
    smtp = server.smtp(f'SmtpPlugin auth/auth_pam confdir="{server.root}/pam" domain=example.com max=1\n{PLUGINS}', CLEAR)
    down = server.smtp(f'SmtpPlugin auth/auth_pam down confdir="{server.root}/pam"\n{PLUGINS}', CLEAR, name="down.example.com")
    complaint = server.configtest()[1]
    if "mod_smtpd was built without libpam" in complaint or "reads its own folder only" in complaint:
        pytest.skip("this build, or this system's PAM, cannot read services of a test's own")
    server.expect_log("error: PAM: System error")
    if mpm != "prefork":  # whose processes each have one call at a time
        server.expect_log("error: 1 calls of PAM are already running")
    server.start()
    assert [outcome(smtp.port, user, password) for user, password in (("joe", "secret"), ("joe@example.com", "secret"), ("joe", "wrong"), ("joe@other.example", "secret"))] == \
        [235, 235, 535, 535]
    assert outcome(down.port, "joe", "secret") == 454
    with Client(smtp.port) as slow:
        slow.ehlo()
        slow.send(plain("slow", "secret") + "\r\n")
        smtpd_env.wait_until((server.work / "asked").exists, 20 * smtpd_env.SLOWDOWN, "PAM was not asked")
        if mpm != "prefork":  # whose processes each have one call at a time
            assert outcome(smtp.port, "joe", "secret") == 454
        (server.root / "go").touch()
        slow.reply().expect(535)
    assert outcome(smtp.port, "joe", "secret") == 235
