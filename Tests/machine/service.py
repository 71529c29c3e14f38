"""Checks of spoold as a service: restarts, cgroups, a reboot, the package. cron and at run beside it and are left alone."""

import json

from checks import UNIT_CGROUP, check, drop, ended, expect, long_check, main_pid, waiting


@check
def restart(machine):
    """The service can be restarted in any way while jobs with limits run, and the jobs keep their limits. One of the jobs has
    enabled controllers in a cgroup of its own."""
    nest = "g=/sys/fs/cgroup$(cut -d: -f3- /proc/self/cgroup); mkdir $g/inner; echo $$ >$g/inner/cgroup.procs; " \
        "echo +pids >$g/cgroup.subtree_control"
    command = f"command = '{nest} && touch /tmp/nested; until test -e /tmp/nested.go; do sleep 0.2; done'"
    nested = drop(machine, "nested", ["limits = {tasks = 50}", command])
    machine.wait("test -e /tmp/nested")
    id = drop(machine, "limited", ["limits = {memory = \"64MiB\", tasks = 50, cpu_percent = 90}", waiting("limited")])
    group = f"{UNIT_CGROUP}/jobs/{id}"
    limits = f"cat {group}/memory.max {group}/pids.max {group}/cpu.max"
    before = machine.succeed(limits)
    expect(before == "67108864\n50\n90000 100000\n", before)
    for way in ["systemctl restart spoold", "systemctl kill -s KILL --kill-who=main spoold",
                "systemctl stop spoold; systemctl start spoold", "spoolctl restart"]:
        old = main_pid(machine)
        seen = machine.succeed("journalctl -u spoold --no-pager | grep -c event=adopted || true").strip()
        machine.succeed(f"timeout 100 bash -c '{way}'")
        if way != "spoolctl restart":
            # systemd may take notice of a killed process later.
            machine.wait(f"[ $(systemctl show -P MainPID spoold) != {old} ]")
        # Both jobs, so that no line of this restart is taken for one of the next.
        machine.wait(
            f"systemctl is-active -q spoold && [ $(journalctl -u spoold --no-pager | grep -c event=adopted) -ge $(({seen} + 2)) ]")
        machine.wait(f"[ \"$({limits} 2>/dev/null)\" = \"$(printf '67108864\\n50\\n90000 100000')\" ]")
        machine.succeed(f"grep -q . {group}/cgroup.procs")
    machine.succeed("touch /tmp/limited.go /tmp/nested.go")
    for id in [id, nested]:
        status = ended(machine, id)
        expect(status["state"] == "done", status)
        machine.wait(f"! test -e {UNIT_CGROUP}/jobs/{id}")


@check
def leftovers(machine):
    """The cgroup of a job is removed when the last process that the job left running has ended, and not before."""
    id = drop(
        machine, "leaving",
        ["leftovers = \"leave\"", "limits = {tasks = 50}",
         waiting("leaving", "; setsid sh -c \"until test -e /tmp/left.go; do sleep 0.2; done\" >/dev/null 2>&1 &")])
    machine.succeed("touch /tmp/leaving.go")
    ended(machine, id)
    machine.succeed(f"test -e {UNIT_CGROUP}/jobs/{id}")
    machine.succeed("touch /tmp/left.go")
    machine.wait(f"! test -e {UNIT_CGROUP}/jobs/{id}")


@check
def memory_score(machine):
    """When memory runs out, the kernel is as likely to kill a job, also a user's, as any other process."""
    for user in ["root", "u1"]:
        command = waiting(f"score-{user}", "; cat /proc/self/oom_score_adj /proc/$PPID/oom_score_adj")
        id = drop(machine, f"score-{user}", [f"user = \"{user}\"", command])
        machine.succeed(f"touch /tmp/score-{user}.go")
        ended(machine, id)
        output = machine.succeed(f"cat /var/spool/spoold/done/{id}/stdout")
        expect(output == "0\n0\n", output)


@check
def memory(machine):
    """The error of a job that the kernel kills for want of memory names this cause. Limits also hold for a job with user=."""
    eat = "python3 -c \"x = b\\\"a\\\" * 200000000\"; exit $?"
    for user in ["root", "u1"]:
        name = f"eats-{user}"
        id = drop(machine, name, [f"user = \"{user}\"", "limits = {memory = \"32MiB\"}", waiting(name, f"; {eat}")])
        machine.succeed(f"touch /tmp/{name}.go")
        status = ended(machine, id)
        expect(status["exit_code"] == 137 and "want of memory: limits.memory, 33554432 bytes" in status["error"], status)
        machine.wait(f"! test -e {UNIT_CGROUP}/jobs/{id}")


@check
def fork_bomb(machine):
    """A job that starts more processes than limits.tasks allows is refused the rest, and the machine goes on."""
    bomb = "n=0; while [ $n -lt 200 ]; do sleep 60 & n=$((n + 1)); done; echo not reached"
    id = drop(machine, "bomb", ["limits = {tasks = 20}", "leftovers = \"kill\"", waiting("bomb", f"; {bomb}")])
    machine.succeed("touch /tmp/bomb.go")
    machine.wait(f"grep -qE 'max [1-9]' {UNIT_CGROUP}/jobs/{id}/pids.events || test -e /var/spool/spoold/failed/{id}")
    machine.run(f"spoolctl cancel {id}")
    status = ended(machine, id)
    output = machine.succeed(f"cat /var/spool/spoold/*/{id}/stdout")
    expect(status["state"] == "failed" and "not reached" not in output, f"{status} {output}")
    machine.wait(f"! test -e {UNIT_CGROUP}/jobs/{id}")


@check
def processor(machine):
    """A job that computes without end gets the share of a processor that limits.cpu_percent allows."""
    id = drop(machine, "busy", ["limits = {cpu_percent = 25}", waiting("busy", "; while :; do :; done")])
    group = f"{UNIT_CGROUP}/jobs/{id}"
    machine.succeed("touch /tmp/busy.go")
    machine.wait(f"grep -qE 'nr_throttled [1-9]' {group}/cpu.stat")
    # The time is that before the first look and after the last one: a machine that stands still in between makes the share no larger.
    clock, usage = "date +%s%N", f"sed -n 's/^usage_usec //p' {group}/cpu.stat"
    first = machine.succeed(f"{clock}; {usage}").split()
    machine.wait(f"[ $(sed -n 's/nr_throttled //p' {group}/cpu.stat) -ge 30 ]")
    last = machine.succeed(f"{usage}; {clock}").split()
    share = (int(last[0]) - int(first[1])) * 1000 / (int(last[1]) - int(first[0]))
    # A period of 100 ms that began or ended in between is counted whole.
    expect(0 < share < 0.3, f"it got {share:.0%}")
    machine.succeed(f"spoolctl cancel {id}")
    ended(machine, id)


@check
def reload(machine):
    """systemctl reload reads the configuration again, while a job runs."""
    id = drop(machine, "reloaded", [waiting("reloaded")])
    pid = main_pid(machine)
    machine.succeed("cp -p /etc/spoold/spoold.toml /root/; echo 'slots = 13' >>/etc/spoold/spoold.toml; systemctl reload spoold")
    machine.wait("spoolctl status --json | tr -d ' \n' | grep -q '\"slots\":13'")
    machine.succeed("cp -p /root/spoold.toml /etc/spoold/; systemctl reload spoold; touch /tmp/reloaded.go")
    expect(ended(machine, id)["state"] == "done" and main_pid(machine) == pid, "the job or the daemon ended")


@long_check
def watchdog(machine):
    """systemd restarts a daemon that is silent, and its jobs go on."""
    machine.succeed(
        "mkdir -p /run/systemd/system/spoold.service.d && printf '[Service]\\nWatchdogSec=4\\n' "
        ">/run/systemd/system/spoold.service.d/fast.conf && systemctl daemon-reload && systemctl restart spoold")
    id = drop(machine, "watched", [waiting("watched", "; exit 3")])
    pid = main_pid(machine)
    machine.succeed(f"kill -STOP {pid}")
    machine.wait(f"systemctl is-active -q spoold && [ $(systemctl show -P MainPID spoold) != {pid} ] && spoolctl health")
    machine.succeed("touch /tmp/watched.go")
    status = ended(machine, id)
    expect(status["exit_code"] == 3, status)
    machine.succeed("rm -r /run/systemd/system/spoold.service.d && systemctl daemon-reload && systemctl restart spoold")


@check
def user_limits(machine):
    """A user's own job with limits on the machine's spool fails, and the error says what to do."""
    code, output = machine.run(
        "cd /; SPOOL_DIR=/var/spool/spoold runuser -u u1 -- timeout 100 spoolctl submit -w --limit memory=64MiB -- true </dev/null")
    expect(code != 0 and "user service" in output, f"{code} {output}")


ASK = """
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.settimeout(60)
link.connect("/run/spoold-monitor.sock")
link.sendall(("GET %s HTTP/1.0\\r\\n\\r\\n" % sys.argv[1]).encode())
sys.stdout.write(link.makefile(encoding="utf-8", newline="").read())
"""

GET = """
import sys, urllib.error, urllib.request
fields = {"Authorization": "Bearer " + sys.argv[2]} if len(sys.argv) > 2 else {}
try:
    print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers=fields), timeout=60).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


@check
def page(machine):
    """The page of the machine's spool is served to root alone, on a socket that starts the service, and shows the jobs of all users. The
    service has a user of its own, who may read and do nothing else, sees no home, no log and no secret, and can write nowhere. A page
    on a port wants its token."""
    machine.succeed(f"cat >/tmp/ask.py <<'END'{ASK}END")
    machine.succeed("systemctl start spoold-monitor.socket && test \"$(stat -c %a:%U /run/spoold-monitor.sock)\" = 600:root")
    machine.succeed("! systemctl is-active spoold-monitor.service")
    ids = [machine.succeed("spoolctl submit -w -q --name of-root -- true; spoolctl jobs -q --name of-root").split()[-1]]
    ids += [machine.succeed("runuser -u u1 -- env SPOOL_DIR=/var/spool/spoold sh -c "
                            "'spoolctl submit -w -q --name of-u1 -- printf says-%s u1; spoolctl jobs -q --name of-u1'").split()[-1]]
    code, jobs = machine.run("python3 /tmp/ask.py /jobs || { systemctl status --no-pager -l spoold-monitor.service; journalctl -q -u spoold-monitor.service; }")
    expect(" 200 OK" in jobs and ids[0] in jobs and f"u1/{ids[1]}" in jobs and 'role="alert"' not in jobs, jobs)
    expect("says-u1" in machine.succeed(f"python3 /tmp/ask.py /jobs/u1/{ids[1]}"), "the output of a user's job is not shown")
    health = machine.succeed("python3 /tmp/ask.py /health")
    expect(f"pid {main_pid(machine)} " in health and 'role="alert"' not in health, health)
    expect('spoold_up{user="u1"}' in machine.succeed("python3 /tmp/ask.py /metrics"), "no metrics of a user")
    expect(machine.run("runuser -u u1 -- python3 /tmp/ask.py /")[0] != 0, "a user reaches the page")
    pid = machine.succeed("systemctl show -P MainPID spoold-monitor").strip()
    process = dict(line.split(":", 1) for line in machine.succeed(f"cat /proc/{pid}/status").splitlines())
    users = {int(user) for user in process["Uid"].split()}
    # The users that systemd makes, systemd.exec(5).
    expect(len(users) == 1 and users < set(range(61184, 65520)), process)
    expect({int(group) for group in process["Groups"].split()} == users, process)
    expect(process["NoNewPrivs"].strip() == "1" and process["Seccomp"].strip() == "2", process)
    # CAP_DAC_READ_SEARCH, capabilities(7).
    expect({int(process[f"Cap{one}"], 16) for one in ("Prm", "Eff", "Bnd", "Amb")} == {1 << 2}, process)
    seen = machine.run(f"cd /proc/{pid}/root && ls -A . home root run var var/spool etc")[1]
    expect(not {"shadow", "log", "u1", "cron", "dbus", "media", "srv"} & set(seen.split()), seen)
    expect(machine.run(f"nsenter -t {pid} -m touch /var/spool/spoold/tmp/x")[0] != 0, "the service can write to the spool")
    # A link in a user's part leads to a secret that the service sees, too.
    machine.succeed("cp -p /etc/spoold/spoold.toml /root/ && echo '# hunter2' >>/etc/spoold/spoold.toml && "
                    "chmod 600 /etc/spoold/spoold.toml")
    machine.succeed(f"runuser -u u1 -- ln -sfn /etc/spoold/spoold.toml /var/spool/spoold/done/u1/{ids[1]}/stdout")
    linked = machine.succeed(f"python3 /tmp/ask.py /jobs/u1/{ids[1]}")
    expect(" 200 OK" in linked and "hunter2" not in linked and "says-u1" not in linked, linked)
    machine.succeed("cp -p /root/spoold.toml /etc/spoold/")
    machine.succeed("systemctl stop spoold-monitor.socket spoold-monitor.service")
    machine.succeed("systemd-run -q --unit=page-on-a-port spoolctl monitor --listen 127.0.0.1:0")
    machine.wait("journalctl -q -o cat -u page-on-a-port | grep -q token=")
    address = machine.succeed("journalctl -q -o cat -u page-on-a-port | grep token=").strip()
    machine.succeed(f"cat >/tmp/get.py <<'END'{GET}END")
    place, token = address.split("?token=")
    for words, wanted in [(place, 401), (f"{place} wrong-{token}", 401), (f"{place} {token}", 200)]:
        code = machine.succeed(f"python3 /tmp/get.py {words}").strip()
        expect(code == str(wanted), f"{words}: {code}")
    machine.succeed("systemctl stop page-on-a-port")


@check
def journal(machine):
    """The journal has each event with its fields and its explanation, and the lines of a job that asks for it."""
    machine.succeed("cat >/var/spool/spoold/tmp/teller.toml <<'END'\ncommand = 'echo tells; echo \"<3>grave\"; exit 3'\noutput = \"journal\"\nEND\n"
                    "mv /var/spool/spoold/tmp/teller.toml /var/spool/spoold/tasks/")
    machine.wait("spoolctl list --names | grep -qx teller")
    expect(machine.run("spoolctl run -w teller")[0] == 3, "the job does not fail as it should")
    machine.wait("journalctl -q SPOOL_TASK=teller -o cat | grep -q tells && journalctl -q SPOOL_TASK=teller SPOOL_EVENT=ended -o cat | grep -q .")
    machine.wait("journalctl -q SPOOL_TASK=teller -p err -o cat | grep -qx grave")
    message = json.loads(machine.succeed("journalctl -q SPOOL_TASK=teller SPOOL_EVENT=ended -o json").splitlines()[0])
    expect(message["_SYSTEMD_UNIT"] == "spoold.service" and message["UNIT"] == "spoold.service" and "USER_UNIT" not in message, message)
    explained = machine.succeed("journalctl -q -x SPOOL_TASK=teller SPOOL_EVENT=ended --no-pager")
    # The words of the catalogue, with the fields of this message in them.
    expect(f"A try of job {message['SPOOL_JOB_ID']} has ended" in explained and "The result is failed." in explained, explained)
    expect(f"spoolctl logs {message['SPOOL_JOB_ID']} shows the output." in explained, explained)
    machine.succeed("systemctl restart systemd-journald")
    expect(machine.run("spoolctl run -w teller")[0] == 3, "after a restart of journald")
    machine.wait("test $(journalctl -q SPOOL_TASK=teller -p err -o cat | grep -cx grave) = 2")
    machine.succeed("spoolctl delete -f teller")


@check
def doctor(machine):
    """spoolctl doctor finds the daemon and its unit in order, and says how to mend a unit that does not start at boot."""
    def lines():
        output = machine.run("spoolctl doctor")[1]
        rows = [line.split("\t") for line in output.splitlines()]
        return {row[1]: row for row in rows if len(row) > 2}, output
    found, output = lines()
    for name in ["spool", "daemon", "version", "worker", "unit", "configuration", "open files", "inotify", "space"]:
        expect(found.get(name, [""])[0] == "ok", f"{name}: {output}")
    expect(found["unit"][2] == "spoold.service is enabled", output)
    expect(f"process {main_pid(machine)} " in found["daemon"][2], output)
    expect(found.get("clock", ["no clock"])[0] in ["ok", "warn"], output)
    machine.succeed("systemctl disable spoold")
    found, output = lines()
    expect(found["unit"][0] == "warn" and "systemctl enable spoold" in output, output)
    machine.succeed("systemctl enable spoold && systemctl stop spoold")
    found, output = lines()
    expect(found["daemon"][0] == "fail" and "systemctl enable --now spoold" in output, output)
    machine.succeed("systemctl start spoold")
    machine.wait("spoolctl health")


@check
def reboot(machine):
    """A job that an orderly reboot ends is lost, as after a hard reset, and on_crash = "retry" runs it again."""
    id = drop(machine, "survivor", ["on_crash = \"retry\"", waiting("survivor")])
    other = drop(machine, "marked", [waiting("marked")])
    machine.send("touch /root/before; systemctl reboot")
    machine.await_boot()
    machine.wait("systemctl is-active -q spoold")
    machine.wait(f"grep -q '\"try\": *2' /var/spool/spoold/running/{id}/status.json")
    status = ended(machine, other)
    expect(status["reason"] == "lost", status)
    machine.succeed("touch /tmp/survivor.go")
    status = ended(machine, id)
    expect(status["state"] == "done", status)


@check
def package(machine):
    """The package is upgraded while a job runs, without a gap; removal lets the job end, and its end is recorded; purge leaves the
    spool alone, because it holds records, and nothing else."""
    machine.run("mountpoint -q /mnt || mount -o ro /dev/vdb /mnt")
    machine.succeed("systemctl is-enabled spoold && spoolctl doctor")
    id = drop(machine, "upgraded", [waiting("upgraded", "; exit 7")])
    before = main_pid(machine)
    output = machine.succeed("dpkg -i /mnt/newer.deb </dev/null 2>&1")
    expect("restarted spoold" in output, output)
    expect(main_pid(machine) == before, "another process serves the spool")
    output = machine.succeed("dpkg -r spoold 2>&1")
    expect("jobs that still run: 1;" in output, output)
    machine.succeed("! systemctl is-active spoold && ! test -e /usr/libexec/spoold")
    machine.succeed("touch /tmp/upgraded.go")
    machine.succeed("dpkg -i /mnt/spoold.deb 2>&1 && systemctl is-active spoold")
    status = ended(machine, id)
    expect(status["reason"] == "exit" and status["exit_code"] == 7, status)
    machine.succeed("dpkg --purge spoold 2>&1")
    left = machine.succeed("find /etc /usr /var/lib/systemd /run/systemd/system -name '*spoold*'")
    expect(left == "", left)
    machine.succeed(f"test -e /var/spool/spoold/failed/{id} && ! systemctl cat spoold")
