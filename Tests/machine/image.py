"""The image of the machine: a Debian with systemd as process 1, with cron and at running, and crontabs of eight packages."""

import hashlib
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = [
    "systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "udev", "tzdata", "procps", "passwd",
    "linux-image-cloud-amd64", "python3-minimal", "libpython3-stdlib",
    "cron", "at", "sensible-utils", "libstdc++6", "nfs-kernel-server",
]
# With files in /etc/cron.d. e2fsprogs is installed in every Debian. The others are only unpacked, because their daemons are not wanted.
CRONTAB_PACKAGES = ["amavisd-new", "certbot", "mailman3", "mdadm", "munin-node", "php-common", "sysstat"]
# The packages to which a machine can go back.
RETURNING = ["cron", "at"]
REPOSITORY = "opt/debian"
AGENT_UNIT = """[Unit]
After=basic.target
[Service]
ExecStart=/usr/local/sbin/agent
Restart=always
KillMode=process
"""


def make_image(cache):
    """Makes the image once, and again when this file or the agent is another: a directory with disk.img, kernel and initrd. It takes a
    minute or two, and gets Debian's packages."""
    made_by = hashlib.sha256()
    for name in ["image.py", "agent"]:
        with open(f"{HERE}/{name}", "rb") as file:
            made_by.update(file.read())
    image = f"{cache}/{made_by.hexdigest()[:16]}"
    if os.path.exists(image):
        return image
    shutil.rmtree(cache, ignore_errors=True)
    os.makedirs(cache)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        root = f"{temporary}/root"
        downloaded = f"{temporary}/downloaded"
        os.mkdir(downloaded)
        # The hooks run with the new system's apt configuration, and get its directory as $1.
        keep = "; ".join(f'cp "$1"/var/cache/apt/archives/{name}_*.deb {downloaded}' for name in RETURNING)
        unpack = f"cd {downloaded} && mkdir of && cd of && apt-get download -q {' '.join(CRONTAB_PACKAGES)} && " \
            'for deb in *.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$1"; done'
        subprocess.run(
            ["mmdebstrap", "-q", "--variant=minbase", '--aptopt=Acquire::Retries "8"', "--skip=essential/unlink", "--skip=cleanup/apt",
             f"--include={','.join(PACKAGES)}", f"--customize-hook={keep}", f"--customize-hook={unpack}",
             '--customize-hook=rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*', "bookworm", root], check=True)
        shutil.copytree(downloaded, f"{root}/{REPOSITORY}", ignore=shutil.ignore_patterns("of"))
        index = subprocess.run(["dpkg-scanpackages", "-m", "."], cwd=f"{root}/{REPOSITORY}", check=True, capture_output=True).stdout
        with open(f"{root}/{REPOSITORY}/Packages", "wb") as file:
            file.write(index)
        with open(f"{root}/etc/apt/sources.list", "w") as sources:
            sources.write(f"deb [trusted=yes] file:/{REPOSITORY} ./\n")
        # The user of amavisd-new's lines; that of mailman3, list, is in every Debian.
        subprocess.run(["chroot", root, "useradd", "-r", "-m", "-d", "/var/lib/amavis", "amavis"], check=True)
        # The network services start when a check wants them.
        subprocess.run(
            ["chroot", root, "systemctl", "-q", "disable", "nfs-server", "nfs-client.target", "rpcbind.service", "rpcbind.socket",
             "nfs-blkmap"], check=False)
        shutil.copy(f"{HERE}/agent", f"{root}/usr/local/sbin/agent")
        units = f"{root}/etc/systemd/system"
        with open(f"{units}/agent.service", "w") as unit:
            unit.write(AGENT_UNIT)
        os.makedirs(f"{units}/multi-user.target.wants", exist_ok=True)
        os.symlink("../agent.service", f"{units}/multi-user.target.wants/agent.service")
        with open(f"{root}/etc/fstab", "w") as table:
            table.write("/dev/vda / ext4 defaults 0 1\n")
        for name, pattern in [("kernel", "vmlinuz-"), ("initrd", "initrd.img-")]:
            found = [one for one in os.listdir(f"{root}/boot") if one.startswith(pattern)]
            shutil.copy(f"{root}/boot/{found[0]}", f"{temporary}/{name}")
        make_disk(root, f"{temporary}/disk.img", "3G")
        os.mkdir(f"{temporary}/image")
        for name in ["disk.img", "kernel", "initrd"]:
            os.rename(f"{temporary}/{name}", f"{temporary}/image/{name}")
        os.rename(f"{temporary}/image", image)
    return image


def make_disk(directory, path, size):
    """Makes a disk of that size with what is in the directory."""
    with open(path, "w"):
        pass
    subprocess.run(["truncate", "-s", size, path], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", directory, path], check=True)
