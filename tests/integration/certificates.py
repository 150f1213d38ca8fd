"""Keys and certificates for tests, made with the openssl command while the test runs and not kept.

    ca = Authority(folder)
    mine = ca.issue("mx.example.com")            mine.certificate, mine.key: files;  ca.certificate: what a client has to trust
    lines(mine)                                  the directives of mod_ssl that use it

If a required program is not installed, the test is skipped.
"""

import pathlib
import shutil
import ssl
import subprocess

import pytest

import smtpd_env


def openssl(*arguments, timeout=60):
    """Runs the openssl command and returns its output."""
    program = shutil.which("openssl") or pytest.skip("openssl is not installed")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, errors="backslashreplace", timeout=timeout * smtpd_env.SLOWDOWN)
    assert done.returncode == 0, f"openssl {' '.join(map(str, arguments))}: {done.stderr}"
    return done.stdout


class Certificate:
    def __init__(self, certificate, key):
        self.certificate = pathlib.Path(certificate)
        self.key = pathlib.Path(key)

    def fingerprint(self):
        """SHA-256, in lower case without colons."""
        return openssl("x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256").partition("=")[2].strip().replace(":", "").lower()


class Authority(Certificate):
    """A private certificate authority, in `folder`."""

    def __init__(self, folder, name="Test Authority"):
        super().__init__(pathlib.Path(folder) / "ca.pem", pathlib.Path(folder) / "ca-key.pem")
        self.folder = pathlib.Path(folder)
        self._issued = 0
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.key, "-out", self.certificate)

    def issue(self, *names, subject=None, emails=(), addresses=(), file=None, rsa=False, days=2):
        """A certificate for these names (DNS), of which the first is the subject's, or for a client with that
        subject and these e-mail addresses; `addresses` are addresses of hosts."""
        self._issued += 1
        base = self.folder / (file or f"issued{self._issued}")
        issued = Certificate(f"{base}.pem", f"{base}-key.pem")
        extensions = base.with_suffix(".ext")
        alternatives = ",".join([f"DNS:{name}" for name in names] + [f"email:{address}" for address in emails] + [f"IP:{address}" for address in addresses])
        extensions.write_text("basicConstraints=critical,CA:FALSE\n" + (f"subjectAltName={alternatives}\n" if alternatives else ""))
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        openssl("req", "-newkey", *kind, "-nodes", "-subj", subject or f"/CN={names[0]}", "-keyout", issued.key, "-out", base.with_suffix(".csr"))
        openssl("x509", "-req", "-in", base.with_suffix(".csr"), "-CA", self.certificate, "-CAkey", self.key, "-set_serial", str(1000 + self._issued),
                "-days", days, "-extfile", extensions, "-out", issued.certificate)
        return issued

    def subordinate(self, folder, name="Subordinate"):
        """An intermediate authority. Its certificate follows those that it issues, in the same file."""
        folder.mkdir()
        made = Subordinate.__new__(Subordinate)
        Certificate.__init__(made, folder / "ca.pem", folder / "ca-key.pem")
        made.folder, made._issued = folder, 0
        extensions, request = folder / "ca.ext", folder / "ca.csr"
        extensions.write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                "-keyout", made.key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-set_serial", "77",
                "-days", "2", "-extfile", extensions, "-out", made.certificate)
        return made

    def revoke(self, *certificates):
        """The file of a revocation list with these certificates."""
        database, settings, revoked = self.folder / "index", self.folder / "revoke.cnf", self.folder / "crl.pem"
        database.write_text("")
        settings.write_text(f"[ca]\ndefault_ca = here\n[here]\ndatabase = {database}\n"
                            "default_md = sha256\ndefault_crl_days = 2\n")
        ours = ("ca", "-config", settings, "-cert", self.certificate, "-keyfile", self.key)
        for certificate in certificates:
            openssl(*ours, "-revoke", certificate.certificate)
        openssl(*ours, "-gencrl", "-out", revoked)
        return revoked


class Subordinate(Authority):
    def issue(self, *names, **more):
        issued = super().issue(*names, **more)
        with issued.certificate.open("a") as file:
            file.write(self.certificate.read_text())
        return issued


def lines(certificate):
    return f'SSLEngine on\nSSLCertificateFile "{certificate.certificate}"\nSSLCertificateKeyFile "{certificate.key}"'


def client_context(authority, own=None):
    """The TLS context of a careful client: it trusts only `authority`, and may have its own certificate."""
    context = ssl.create_default_context(cafile=authority.certificate)
    if own:
        context.load_cert_chain(own.certificate, own.key)
    return context


#: For the modules ssl and socache_shmcb.
SESSION_CACHE = 'SSLSessionCache "shmcb:@root@/cache(512000)"'


def needs_module(name):
    if not (pathlib.Path(smtpd_env.BUILD["httpd_modules"]) / f"mod_{name}.so").is_file():
        pytest.skip(f"this httpd has no mod_{name}")


def needs_mod_ssl():
    needs_module("ssl")
