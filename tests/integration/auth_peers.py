"""Servers with users for back ends of AUTH: a private Dovecot, OpenLDAP and PostgreSQL, installed or unpacked by
bootstrap; and a server in Python with tokens."""

import base64
import contextlib
import grp
import http.server
import json
import os
import pathlib
import pwd
import signal
import socket
import ssl
import subprocess
import threading
import urllib.parse

import pytest

import smtpd_env


def can_connect(place):
    """A port, or the path of a local socket."""
    is_local = isinstance(place, pathlib.Path)
    with socket.socket(socket.AF_UNIX if is_local else socket.AF_INET) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(place) if is_local else ("127.0.0.1", place)) == 0


def libraries(tree):
    """The prefix of a command for a program in this tree: only env, and for an unpacked program its libraries."""
    found = ":".join(map(str, tree.glob("usr/lib/*-linux-gnu*"))) if tree != pathlib.Path("/") else ""
    return ["env", *([f"LD_LIBRARY_PATH={found}"] if found else [])]


class Peer:
    """A server that runs in the foreground, with its files in `folder`, and answers on a loopback port."""

    #: What tells it to end, and who it is where root starts it: None for root.
    END = signal.SIGTERM
    user = None

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        self.port = smtpd_env.free_port()
        self._process = None

    def start(self):
        with open(self.folder / "output", "ab") as output:
            self._process = subprocess.Popen([str(word) for word in self._command()], stdin=subprocess.DEVNULL, stdout=output, stderr=output, **self._identity())
        smtpd_env.wait_until(self._is_up, 20 * smtpd_env.SLOWDOWN, f"{type(self).__name__} does not answer")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def _is_up(self):
        assert self._process.poll() is None, f"{type(self).__name__} has ended: {self.log()}"
        return can_connect(self.port)

    def _identity(self):
        return {"user": self.user[1], "group": self.user[2], "extra_groups": []} if self.user else {}

    def log(self):
        return "".join(path.read_text(errors="replace") for path in (self.folder / "output", self.folder / "log") if path.exists())

    def stop(self):
        if self._process is None:
            return
        self._process.send_signal(self.END)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


#: In a mount name space of its own: lays the folder $0 over /usr.
MOUNT = 'mount -t overlay -o "lowerdir=$0:/usr" overlay /usr'


class Dovecot(Peer):
    """IMAP on `port`, and the service for auth/auth_dovecot at `socket`. `users` are names and passwords; `lines`
    precede them in the configuration. With a `certificate` it offers STARTTLS, and IMAP over TLS on `tls_port`.
    If root runs it, its processes run as users without other purposes."""

    SIGN = "usr/sbin/dovecot"

    def __init__(self, folder, users, *, lines="", certificate=None):
        self._tree = smtpd_env.unpacked("SMTPD_DOVECOT", "dovecot", self.SIGN) or pytest.skip("dovecot is neither installed nor unpacked")
        if self._tree != pathlib.Path("/"):
            tried = subprocess.run(["unshare", "--mount", "sh", "-c", MOUNT, self._tree / "usr"], capture_output=True, text=True)
            if tried.returncode != 0:
                pytest.skip(f"this machine lays no unpacked Dovecot over /usr: {tried.stderr.strip()}")
        super().__init__(folder)
        self.tls_port = smtpd_env.free_port()
        self._certificate = certificate
        self.socket = self.folder / "auth"
        self.users = self.folder / "users"
        self.users.write_text("".join(f"{name}:{{PLAIN}}{password}\n" for name, password in users.items()))
        (self.folder / "mail").mkdir()
        self._configuration = self.folder / "dovecot.conf"
        self._lines = lines
        self._configuration.write_text(self._text())

    def _is_up(self):
        # It begins to listen at one after the other.
        return super()._is_up() and can_connect(self.socket) and (not self._certificate or can_connect(self.tls_port))

    def _accounts(self):
        """The users of the processes that get passwords, of those that talk to clients, and of mail."""
        if not smtpd_env.is_root():
            own = pwd.getpwuid(os.geteuid())
            return own, own, own
        found = [pwd.getpwnam(name) for name in ("daemon", "bin", "nobody")]
        os.chown(self.folder / "mail", found[2].pw_uid, found[2].pw_gid)
        return found

    def _text(self):
        internal, login, mail = self._accounts()
        rights = "" if smtpd_env.is_root() else "chroot =\n"
        tls = f"ssl = yes\nssl_cert = <{self._certificate.certificate}\nssl_key = <{self._certificate.key}" if self._certificate else "ssl = no"
        return f"""
protocols = imap
listen = 127.0.0.1
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/log
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain
auth_failure_delay = 0
default_internal_user = {internal.pw_name}
default_internal_group = {grp.getgrgid(internal.pw_gid).gr_name}
default_login_user = {login.pw_name}
first_valid_uid = 1
mail_location = maildir:{self.folder}/mail/%u
{self._lines}
passdb {{
    driver = passwd-file
    args = username_format=%u {self.users}
}}
userdb {{
    driver = static
    args = uid={mail.pw_uid} gid={mail.pw_gid} home={self.folder}/mail/%u
}}
service imap-login {{
    {rights}
    inet_listener imap {{
        port = {self.port}
    }}
    inet_listener imaps {{
        port = {self.tls_port if self._certificate else 0}
        ssl = yes
    }}
}}
service anvil {{
    chroot =
    unix_listener anvil-auth-penalty {{
        mode = 0
    }}
}}
service auth {{
    unix_listener {self.socket} {{
        mode = 0666
    }}
}}
"""

    def _command(self):
        command = [f"/{self.SIGN}", "-F", "-c", self._configuration]
        if self._tree == pathlib.Path("/"):
            return command
        # Its programs look for each other where they are installed. So that is where they see themselves, and nobody else does.
        return ["unshare", "--mount", "sh", "-c", f'{MOUNT} && exec "$@"', self._tree / "usr", *command]


class Slapd(Peer):
    """OpenLDAP's server with the directory `entries` (LDIF) below dc=example,dc=com. cn=search may search, with the
    password "hidden"; with `is_open`, every client may. With a `certificate` it offers StartTLS, and LDAP over
    TLS on `tls_port`."""

    SIGN = "usr/sbin/slapd"

    def __init__(self, folder, entries, *, is_open=False, certificate=None):
        self._tree = smtpd_env.unpacked("SMTPD_SLAPD", "slapd", self.SIGN) or pytest.skip("slapd is neither installed nor unpacked")
        super().__init__(folder)
        self.tls_port = smtpd_env.free_port()
        self._has_tls = certificate is not None
        self._configuration = self.folder / "slapd.conf"
        (self.folder / "data").mkdir()
        schemas = next(place for place in (self._tree / "etc/ldap/schema", self._tree / "etc/openldap/schema") if place.is_dir())
        modules = next((place for place in (self._tree / "usr/lib/ldap", self._tree / "usr/lib64/openldap") if place.is_dir()), None)
        lines = [*(f"include {schemas}/{name}.schema" for name in ("core", "cosine", "inetorgperson")), f"pidfile {self.folder}/pid"]
        if modules:
            lines += [f"modulepath {modules}", "moduleload back_mdb"]
        if certificate:
            lines += [f"TLSCertificateFile {certificate.certificate}", f"TLSCertificateKeyFile {certificate.key}"]
        lines += ["database mdb", "suffix dc=example,dc=com", f"directory {self.folder}/data", "rootdn cn=search,dc=example,dc=com", "rootpw hidden",
                  "access to attrs=userPassword by anonymous auth by * none", f"access to * by {'*' if is_open else 'users'} read by anonymous auth"]
        self._configuration.write_text("".join(f"{line}\n" for line in lines))
        self._add("dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n" + entries)

    def _add(self, entries):
        file = self.folder / "entries.ldif"
        file.write_text(entries)
        done = subprocess.run([*self._slapd(), "-T", "add", "-f", self._configuration, "-l", file], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def _slapd(self):
        return [*libraries(self._tree), self._tree / self.SIGN]

    def _command(self):
        urls = f"ldap://127.0.0.1:{self.port}/" + (f" ldaps://127.0.0.1:{self.tls_port}/" if self._has_tls else "")
        return [*self._slapd(), "-d", "0", "-h", urls, "-f", self._configuration]


class Postgres(Peer):
    """PostgreSQL, only at a local socket in `folder`, with a database made by `statements` (one a line); its user is
    "smtpd"."""

    SIGNS = ("usr/lib/postgresql/*/bin/postgres", "usr/bin/postgres")
    END = signal.SIGINT  # without waiting for clients, whose connections last

    def __init__(self, folder, statements):
        found = [(tree, sign) for sign in self.SIGNS if (tree := smtpd_env.unpacked("SMTPD_POSTGRESQL", "postgresql", sign))]
        if not found:
            pytest.skip("PostgreSQL is neither installed nor unpacked")
        super().__init__(folder)
        tree, sign = found[0]
        self._environment = libraries(tree)
        self._programs = max(tree.glob(sign)).parent
        self.user = smtpd_env.unprivileged_user() if smtpd_env.is_root() else None
        if self.user:
            os.chown(self.folder, self.user[1], self.user[2])
        self._data = self.folder / "data"
        self._run("initdb", "-D", self._data, "-U", "smtpd", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        self._run("postgres", "--single", "-D", self._data, "-c", "exit_on_error=on", "postgres", octets=statements)

    def _run(self, program, *words, octets=""):
        done = subprocess.run([str(word) for word in (*self._environment, self._programs / program, *words)], input=octets, capture_output=True, text=True,
                              cwd=self.folder, timeout=60 * smtpd_env.SLOWDOWN, **self._identity())
        assert done.returncode == 0, done.stdout + done.stderr

    def run_sql(self, statements):
        self._run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "smtpd", "postgres", octets=statements)

    def _is_up(self):
        assert self._process.poll() is None, f"PostgreSQL has ended: {self.log()}"
        state = self._data / "postmaster.pid"
        return state.exists() and state.read_text().splitlines()[7:] and state.read_text().splitlines()[7].strip() == "ready"

    def _command(self):
        settings = {"unix_socket_directories": self.folder, "listen_addresses": "", "fsync": "off", "shared_buffers": "16MB"}
        return [*self._environment, self._programs / "postgres", "-D", self._data, *(f"--{name}={value}" for name, value in settings.items())]


@contextlib.contextmanager
def authorization_server(tokens, certificate=None):
    """Answers questions about tokens (RFC 7662) from `tokens`, for the client "mail" with the secret "hidden"; with
    a certificate, over TLS. Returns its URL, and the list of requested tokens."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            question = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            is_known = self.headers["Authorization"] == "Basic " + base64.b64encode(b"mail:hidden").decode()
            asked.append(question["token"][0])
            body = json.dumps(tokens.get(question["token"][0], {"active": False})).encode()
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        # The handshake is made when the handler's thread first reads, so that a client without one holds up nobody.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http{'s' if certificate else ''}://localhost:{server.server_port}/introspect", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
