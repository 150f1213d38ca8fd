"""The configurations and commands in the manual, adapted so that tests can run them."""

import pathlib
import re
import shutil

import certificates
import smtpd_env

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def fenced(path, language="apache"):
    return [match[1] for match in re.finditer(rf"^```{language}\n(.*?)^```$", path.read_text(), re.M | re.S)]


def indented(path):
    """The indented blocks with a directive of mod_smtpd."""
    blocks = re.findall(r"(?:^    .*\n)+", path.read_text(), re.M)
    return [block for block in blocks if re.search(r"^\s+(LoadModule smtpd_module|Smtp\w+ )", block, re.M)]


def adapted(block, root, make_folders=True):
    """A configuration with its folders below `root` (created here unless the test must create them), with free
    ports, and the plugins of this build."""
    def folder(match):
        path = pathlib.Path(f"{root}{match[1]}")
        if make_folders:
            (path.parent if path.suffix == ".log" else path).mkdir(parents=True, exist_ok=True)
        return str(path)

    def secret(match):
        path = pathlib.Path(f"{root}{match[1]}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret\n")
        return f"password-file={path}"

    ports = {}
    def port(number):
        return str(ports.setdefault(number, smtpd_env.free_port()))

    def certificate(match):
        """A new certificate at this place; its key is at the place in the next directive."""
        path, key = (pathlib.Path(f"{root}{place}") for place in match.groups())
        authority = root / "authority"
        for place in (path.parent, key.parent, authority):
            place.mkdir(parents=True, exist_ok=True)
        made = certificates.Authority(authority).issue(path.stem, "localhost")
        shutil.copy(made.certificate, path)
        shutil.copy(made.key, key)
        return f"SSLCertificateFile {path}\nSSLCertificateKeyFile {key}"

    block = re.sub(r"^\s*LoadModule .*\n", "", block, flags=re.M).replace("${APACHE_LOG_DIR}", "/var/log")
    block = re.sub(r"SSLCertificateFile +(/\S+)\s+SSLCertificateKeyFile +(/\S+)", certificate, block)
    block = block.replace("shmcb:/run/httpd", f"shmcb:{root}")
    block = re.sub(r"password-file=(/\S+)", secret, block)
    block = re.sub(rf"(?<=[\s\"])(?!{root})(/[a-z][^\s\">]*)", folder, block)
    block = re.sub(r"^(\s*Listen) (\d+) (\w+)", lambda match: f"{match[1]} 127.0.0.1:{port(match[2])} {match[3]}", block, flags=re.M)
    block = re.sub(r"<VirtualHost \*:(\d+)>", lambda match: f'<VirtualHost *:{port(match[1])}>\nSmtpPluginDir "@plugins@"', block)
    return block


def adapted_commands(block, root, user):
    """Commands of a page with their folders below `root`; `user` is the server's user (None: the caller)."""
    block = re.sub(r"(?<=[\s>])(?=/[a-z])", str(root), block)
    return block.replace("www-data", user) if user else re.sub(r"^chown .*\n", "", block, flags=re.M)
