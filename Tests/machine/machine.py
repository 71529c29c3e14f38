"""A Debian with systemd as process 1, in QEMU without KVM."""

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = [
    "systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "udev", "tzdata", "procps", "passwd",
    "linux-image-cloud-amd64", "python3-minimal", "libpython3-stdlib",
]
QEMU_SECONDS = 60
BOOT_SECONDS = 600
AGENT_UNIT = """[Unit]
After=basic.target
[Service]
ExecStart=/usr/local/sbin/agent
Restart=always
KillMode=process
"""


class Failed(Exception):
    pass


def make_image(cache):
    """Makes the image once, and again when this file or the agent is another: a directory with disk.img, kernel and initrd. It takes a
    minute or two, and gets Debian's packages."""
    made_by = hashlib.sha256()
    for name in ["machine.py", "agent"]:
        with open(f"{HERE}/{name}", "rb") as file:
            made_by.update(file.read())
    image = f"{cache}/{made_by.hexdigest()[:16]}"
    if os.path.exists(image):
        return image
    shutil.rmtree(cache, ignore_errors=True)
    os.makedirs(cache)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        root = f"{temporary}/root"
        subprocess.run(["mmdebstrap", "-q", "--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm", root], check=True)
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


class Machine:
    """One machine, on a copy of the image, with a second disk that holds `files`."""

    def __init__(self, image, files, directory):
        self.directory = directory
        self.received = b""
        self.number = 0
        # The copy shares its blocks with the image where the file system can.
        subprocess.run(["cp", "--reflink=auto", "--sparse=always", f"{image}/disk.img", f"{directory}/disk.img"], check=True)
        make_disk(files, f"{directory}/files.img", "200M")
        path = f"{directory}/agent.sock"
        disks = []
        for number, name in enumerate(["disk.img", "files.img"]):
            disks += ["-drive", f"file={directory}/{name},format=raw,if=none,id=d{number},cache=unsafe"]
            disks += ["-device", f"virtio-blk-pci,drive=d{number}"]
        errors = open(f"{directory}/qemu.log", "w+")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(QEMU_SECONDS)
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024", "-nodefaults", "-no-user-config"]
            + ["-display", "none", *disks, "-device", "virtio-rng-pci", "-serial", f"file:{directory}/console.log"]
            + ["-chardev", f"socket,id=agent,path={path}", "-serial", "chardev:agent"]
            + ["-kernel", f"{image}/kernel", "-initrd", f"{image}/initrd"]
            + ["-append", "root=/dev/vda rw console=ttyS0 loglevel=4 random.trust_cpu=on"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
        )
        try:
            self.link, _ = listener.accept()
        except socket.timeout:
            errors.seek(0)
            raise Failed(f"qemu does not start: {errors.read()}") from None
        self.await_boot()

    def _line(self, end):
        while b"\n" not in self.received:
            self.link.settimeout(max(0.01, end - time.monotonic()))
            try:
                part = self.link.recv(1 << 16)
            except socket.timeout:
                part = b""
            if not part:
                raise Failed(f"the machine does not answer; its console ends:\n{self.console()}")
            self.received += part
        line, self.received = self.received.split(b"\n", 1)
        return line

    def await_boot(self):
        """Waits until the agent says that it is there."""
        end = time.monotonic() + BOOT_SECONDS
        while self._line(end).strip() != b"READY":
            pass

    def send(self, command):
        """Begins a bash command line whose answer nobody waits for, as one that restarts the machine."""
        self.number += 1
        self.link.sendall(b"%d %s\n" % (self.number, base64.b64encode(command.encode())))

    def run(self, command, seconds=180):
        """Runs a bash command line as root; its exit code, and its output with its errors."""
        self.send(command)
        end = time.monotonic() + seconds
        while True:
            words = self._line(end).split(b" ")
            # The answer to an earlier one, for which nobody waits any more, is passed over.
            if words[0] == b"DONE" and int(words[1]) == self.number:
                return int(words[2]), base64.b64decode(words[3]).decode(errors="replace")

    def succeed(self, command, seconds=180):
        code, output = self.run(command, seconds)
        if code != 0:
            raise Failed(f"{command}\nended with {code}:\n{output}")
        return output

    def wait(self, condition, seconds=120):
        """Waits, in the machine, until a command line succeeds."""
        code, output = self.run(
            f"end=$((SECONDS + {seconds})); until {condition}; do ((SECONDS < end)) || exit 1; sleep 0.2; done", seconds + 60)
        if code != 0:
            raise Failed(f"waited in vain for: {condition}\n{output}\n{self.log()}")

    def log(self):
        return self.run("journalctl -b -u spoold --no-pager -n 40; spoolctl status; spoolctl jobs 2>&1 | head -40")[1]

    def console(self):
        with open(f"{self.directory}/console.log", errors="replace") as console:
            return "".join(console.readlines()[-20:])

    def end(self):
        self.process.kill()
        self.process.wait()
