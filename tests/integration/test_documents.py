"""The configurations in the manual, the README and the samples are accepted as they stand, but for ports and folders."""

import pathlib
import re
import shutil

import pytest

import certificates
import sanitizers
import smtpd_env
from smtpd_env import Httpd

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def fenced(path):
    return [match[1] for match in re.finditer(r"^```apache\n(.*?)^```$", path.read_text(), re.M | re.S)]


def indented(path):
    """The indented blocks with a directive of ours."""
    blocks = re.findall(r"(?:^    .*\n)+", path.read_text(), re.M)
    return [block for block in blocks if re.search(r"^\s+(LoadModule smtpd_module|Smtp\w+ )", block, re.M)]


def configurations():
    pages = sorted((SOURCE / "docs").glob("*.md"))
    found = [(f"{page.name} {number}", block) for page in pages for number, block in enumerate(fenced(page), 1)]
    found += [(f"README {number}", block) for number, block in enumerate(indented(SOURCE / "README"), 1)]
    found.append(("smtpd.conf", (sanitizers.build_dir() / "conf" / "smtpd.conf").read_text()))
    # The plugin that the manual lets its readers build is tested with its build.
    return [(name, block) for name, block in found if "closed_mailbox" not in block]


CONFIGURATIONS = configurations() if smtpd_env.BUILD else []


def adapted(block, root):
    """The same with folders below `root`, which are made, free ports, and the plugins of this build."""
    def folder(match):
        path = pathlib.Path(f"{root}{match[1]}")
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
        """A new one where the certificate is to be; its key is where the next directive wants it."""
        path, key = (pathlib.Path(f"{root}{place}") for place in match.groups())
        authority = root / "authority"
        for place in (path.parent, key.parent, authority):
            place.mkdir(parents=True, exist_ok=True)
        made = certificates.Authority(authority).issue(path.stem)
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


def test_there_are_some():
    assert len(CONFIGURATIONS) > 8, [name for name, _ in CONFIGURATIONS]


@pytest.mark.parametrize("block", [block for _, block in CONFIGURATIONS], ids=[name for name, _ in CONFIGURATIONS])
def test_configuration_is_accepted(block):
    is_whole = "<VirtualHost" in block or "<IfModule" in block
    modules = re.findall(r"LoadModule (\w+)_module", block) + (["ssl", "socache_shmcb"] if "SSLEngine" in block else [])
    needed = [name for name in modules if name != "smtpd"]
    missing = [name for name in needed if not (pathlib.Path(smtpd_env.BUILD["httpd_modules"]) / f"mod_{name}.so").is_file()]
    if missing:
        pytest.skip(f"this httpd has no {' and no '.join(missing)}")
    server = Httpd("event", modules=["watchdog", *needed])  # which mod_md needs, and which may be built in
    try:
        text = adapted(block, server.root)
        if is_whole:
            server._main = text
        else:
            server.smtp(plugins=text)
        good, output = server.configtest()
        assert good, f"{output}\n{server.config_file.read_text()}"
        # An example of one directive is without the plugins that it is for.
        warnings = [line for line in output.splitlines() if "no plugin uses a namespace of that name" not in line]
        assert warnings == ["Syntax OK"], output
    finally:
        server.finish()
