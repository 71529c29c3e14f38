"""A Debian with systemd as process 1, in QEMU without KVM."""

import base64
import socket
import subprocess
import time

from image import make_disk

QEMU_SECONDS = 60
BOOT_SECONDS = 600


class Failed(Exception):
    pass


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
        self.monitor = f"{directory}/monitor.sock"
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
            + ["-monitor", f"unix:{self.monitor},server,nowait"]
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
        """Waits until the agent says that it is there. A line that the earlier agent had only begun may stand before its word."""
        end = time.monotonic() + BOOT_SECONDS
        while not self._line(end).strip().endswith(b"READY"):
            pass

    def cut_power(self):
        """Resets the machine at once: what it had not written to its disk is gone. Waits until it is there again."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(self.monitor)
            monitor.sendall(b"system_reset\n")
            self.await_boot()

    def send(self, command):
        """Begins a bash command line whose answer nobody waits for, as one that restarts the machine."""
        self.number += 1
        self.link.sendall(b"%d %s\n" % (self.number, base64.b64encode(command.encode())))

    def run(self, command, seconds=600):
        """Runs a bash command line as root; its exit code, and its output with its errors."""
        self.send(command)
        end = time.monotonic() + seconds
        while True:
            words = self._line(end).split(b" ")
            # The answer to an earlier one, for which nobody waits any more, is passed over.
            if words[0] == b"DONE" and int(words[1]) == self.number:
                return int(words[2]), base64.b64decode(words[3]).decode(errors="replace")

    def succeed(self, command, seconds=600):
        code, output = self.run(command, seconds)
        if code != 0:
            raise Failed(f"{command}\nended with {code}:\n{output}")
        return output

    def wait(self, condition, seconds=300):
        """Waits, in the machine, until a command line succeeds."""
        loop = f"until {{ {condition}; }} >/dev/null 2>&1; do ((SECONDS < end)) || exit 1; sleep 0.2; done"
        code, _ = self.run(f"end=$((SECONDS + {seconds})); {loop}", seconds + 60)
        if code != 0:
            raise Failed(f"waited in vain for: {condition}\n{self.log()}")

    def log(self):
        return self.run("journalctl -b -u spoold --no-pager -n 40; spoolctl status; spoolctl jobs 2>&1 | head -40")[1]

    def console(self):
        with open(f"{self.directory}/console.log", errors="replace") as console:
            return "".join(console.readlines()[-20:])

    def end(self):
        self.process.kill()
        self.process.wait()
