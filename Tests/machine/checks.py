"""What the checks share: their list, and how they drop jobs and wait for them."""

import json

from machine import Failed

UNIT_CGROUP = "/sys/fs/cgroup/system.slice/spoold.service"
CHECKS = {}


class Check:
    """A check of the machine. The long ones run only when they are asked for, by name or by --long."""

    def __init__(self, function, is_long):
        self.function = function
        self.is_long = is_long
        self.text = " ".join(function.__doc__.split())


def check(function):
    CHECKS[function.__name__] = Check(function, False)
    return function


def long_check(function):
    CHECKS[function.__name__] = Check(function, True)
    return function


def expect(truth, text):
    if not truth:
        raise Failed(str(text))


def drop(machine, name, lines):
    """Drops a job and waits until it runs. Its command waits for /tmp/NAME.go."""
    text = "\n".join(lines)
    place = "/var/spool/spoold"
    machine.succeed(f"cat >{place}/tmp/{name}.toml <<'END'\n{text}\nEND\nmv {place}/tmp/{name}.toml {place}/new/")
    machine.wait(f"ls -d {place}/running/*-{name}-* >/dev/null 2>&1")
    return machine.succeed(f"basename /var/spool/spoold/running/*-{name}-*").strip()


def waiting(name, more=""):
    return f"command = 'until test -e /tmp/{name}.go; do sleep 0.2; done{more}'"


def ended(machine, id):
    machine.wait(f"test -e /var/spool/spoold/done/{id} -o -e /var/spool/spoold/failed/{id}")
    return json.loads(machine.succeed(f"cat /var/spool/spoold/*/{id}/status.json"))


def main_pid(machine):
    return machine.succeed("systemctl show -P MainPID spoold").strip()
