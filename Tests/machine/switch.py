"""Checks of a machine whose cron and at are replaced by spoold, and come back.

A line of a crontab says what it saw with `probe NAME`. Minutes are not waited for: a check sets the clock to just before the next one.
"""

from checks import check, drop, ended, expect, long_check, main_pid, waiting

SEEN = "/var/tmp/seen"
MAIL = "/var/tmp/mail"
TABS = "/etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/*"
OF_PACKAGES = ["amavisd-new", "certbot", "e2scrub_all", "mailman3", "mdadm", "munin-node", "php", "sysstat"]
APT = "DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends"

# The crontabs of the machine. Those of the packages call what the machine has in place of mailman's and munin's programs, which are long
# to start. A mail program keeps what it gets.
SET_UP = r"""
set -e
mkdir -m 1777 /var/tmp/seen /var/tmp/mail
cp /mnt/probe /usr/bin/
printf '%s\n' '#!/bin/sh' 'f=$(mktemp /var/tmp/mail/.XXXXXX); cat >$f; mv $f /var/tmp/mail/${f##*/.}' >/usr/sbin/sendmail
rm /usr/bin/mailman
printf '%s\n' '#!/bin/sh' 'exec probe mailman-$1' >/usr/bin/mailman
printf '%s\n' '#!/bin/sh' 'exec probe munin' >/etc/munin/plugins/apt_all
printf '%s\n' '#!/bin/sh' 'echo "* * * * * probe crontab-e" >>"$1"' >/usr/bin/append-line
chmod 755 /usr/sbin/sendmail /usr/bin/mailman /etc/munin/plugins/apt_all /usr/bin/append-line
echo SITE=everywhere >>/etc/environment
echo 'u1 - nofile 333' >/etc/security/limits.d/site.conf
cat >/etc/cron.d/site <<'END'
MAILTO=postmaster
FILE=site
* * * * * root probe site-root; echo "output of root"
* * * * * u1 probe site-u1
@reboot root probe reboot-root
END
printf '%s\n' 'OWN="x y"' '* * * * * probe tab-u1; echo "output of u1"' '@reboot probe reboot-u1' | runuser -u u1 -- crontab -
printf '%s\n' '* * * * * cat >>/var/tmp/seen/input-u2%first line%second line' | runuser -u u2 -- crontab -
printf '%s\n' '* * * * * probe tab-root' | crontab -
"""
# Two lines of site, and one of each user.
EACH_MINUTE = 5
PROBES = ["site-root", "site-u1", "tab-root", "tab-u1"]

# The lines of the packages are due each minute while cron and spoold are compared.
OF_PACKAGES_BEGIN = "set -e; cd /etc/cron.d; for name in PACKAGES; do cp -p $name /var/tmp/$name.before; " \
    "sed -i -E 's/^([0-9*][^ \\t]*[ \\t]+){5}/* * * * * /' $name; ! cmp -s $name /var/tmp/$name.before; done"
OF_PACKAGES_END = "for name in PACKAGES; do cp -p /var/tmp/$name.before /etc/cron.d/$name; done"
OF_PACKAGES_LINES = 12
OF_PACKAGES_PROBES = ["mailman-notify", "mailman-digests", "munin"]


# MARK: What checks do in the machine


def is_installed(machine, package):
    return machine.run(f"dpkg-query -W -f '${{db:Status-Abbrev}}' {package} 2>/dev/null | grep -q '^ii'")[0] == 0


def with_crontabs(machine):
    """Gives the machine its crontabs, with cron and at running and spoold beside them."""
    machine.run("mountpoint -q /mnt || mount -o ro /dev/vdb /mnt")
    if machine.run(f"test -e {SEEN}")[0] != 0:
        machine.succeed(SET_UP)
    if not is_installed(machine, "spoold"):
        machine.succeed("dpkg -i /mnt/spoold.deb </dev/null 2>&1 && systemctl is-active spoold")


def switched(machine):
    """The machine, after spoold has taken the place of cron and at."""
    with_crontabs(machine)
    if not is_installed(machine, "spoold-cron"):
        machine.succeed(f"{APT} /mnt/spoold-cron.deb /mnt/spoold-at.deb 2>&1")
    machine.wait("spoolctl list -q | grep -q ^u1/crontab-u1-probe && spoolctl list -q | grep -q ^crontab-root-probe")


def idle(but=""):
    """A condition: what was due has run, its mails are sent, and nothing waits but for jobs of at and those with that in their ids."""
    left = f"grep -v -e -at-{f' -e {but}' if but else ''}"
    return (
        "[[ $(spoolctl list | cut -f 2 | grep -v '^-' | sort | head -n 1) > $(date -u +%FT%T) ]] && "
        f"[[ -z $( (spoolctl jobs --state running -q; spoolctl jobs --state new -q) | {left}) ]]")


# What is forgotten before a minute begins.
FORGET = f"find {SEEN} {MAIL} -type f ! -name 'reboot-*' ! -name 'at-*' -delete"


def as_soon_as(machine, condition, command):
    """Waits for a condition, and runs a command line while it holds: a slow machine takes its time between two command lines."""
    machine.wait(condition)
    return machine.succeed(f"until {{ {condition}; }} >/dev/null 2>&1; do sleep 0.2; done; {command}")


def before_minute(machine, seconds=3, but=""):
    """Waits until the past minutes' lines have run, forgets what was seen of them, sets the clock to some seconds before the next minute,
    and returns that minute, as probes write it. A slow machine begins and ends a minute's lines late."""
    # timedated is started here, so that it sets the clock at once.
    return as_soon_as(
        machine, f"timedatectl && (( $(date +%-S) < 50 )) && {idle(but)}",
        f"{FORGET}; now=$(date +%s); left=$((60 - now % 60)); "
        f"timedatectl set-time \"$(date -d @$((now + left - {seconds})) '+%F %T')\"; date -d @$((now + left)) '+%F %H:%M'").strip()


def jump_before(machine, minute):
    """The same for a minute that is not the next one."""
    as_soon_as(
        machine, f"timedatectl && (( $(date +%-S) < 50 )) && {idle()}",
        f"{FORGET}; timedatectl set-time \"$(date -d '{minute} 3 seconds ago' '+%F %T')\"")


def started(minute):
    """A command line that prints the lines of cron in the system's log of a minute, but for those of /etc/crontab itself. journalctl does
    not find a time after which the clock was set back, so all lines are read."""
    begin = f"^{minute.replace(' ', 'T')}:[^ ]* [^ ]* CRON\\[[0-9]*\\]: "
    return f"journalctl -q -t CRON -o short-iso --no-pager | sed -n 's/{begin}//p' | grep ' CMD ' | grep -v run-parts"


def wait_started(machine, minute, count):
    machine.wait(f"[ $({started(minute)} | wc -l) -ge {count} ]")


def wait_idle(machine, but=""):
    machine.wait(idle(but))


def minute_of_cron(machine, count=EACH_MINUTE):
    """Lets cron run the lines of a minute, and returns the minute. cron sleeps through a change of the clock, so it is started anew, and
    once more when it was not ready before the minute: its word about @reboot comes after its first look at the clock."""
    done = "! pgrep -P $(systemctl show -P MainPID cron)"
    ready = "journalctl -q --no-pager _PID=$(systemctl show -P MainPID cron) | grep -q '@reboot jobs'"
    minute = as_soon_as(
        machine, f"timedatectl && (( $(date +%-S) < 50 )) && {done}",
        f"while until {done} >/dev/null 2>&1; do sleep 0.2; done; {FORGET}; now=$(date +%s); next=$((now + 60 - now % 60)); "
        "timedatectl set-time \"$(date -d @$((next - 10)) '+%F %T')\"; systemctl restart cron; "
        f"until {ready}; do sleep 0.2; done; (( $(date +%s) >= next )); do :; done; date -d @$next '+%F %H:%M'").strip()
    wait_started(machine, minute, count)
    machine.wait(done)
    return minute


def seen(machine, name):
    """What the probes of a name have noted: pairs of the minute and the rest, a list whose variables are sorted."""
    lines = machine.succeed(f"cat {SEEN}/{name} 2>/dev/null || true").splitlines()
    return [(line[:16], [line[17:].split("|")[0], *sorted(line.split("|")[1:])]) for line in lines]


def with_spoold_too(note):
    """The note of a probe that ran with cron, as it is with spoold: there are two variables more, and the directory of a user without a
    home is / and not cron's own."""
    user = next(word.removeprefix("LOGNAME=") for word in note if word.startswith("LOGNAME="))
    first, *variables = [word.replace("=/var/spool/cron", "=/") for word in note]
    return [first, *sorted(variables + [f"USER={user}", "LANG=C.UTF-8"])]


def expect_once(machine, names, minute):
    """Each probe has run once in the minute."""
    for name in names:
        found = [when for when, _ in seen(machine, name)]
        expect(found.count(minute) == 1, f"{name} ran at {found}, and once at {minute} was expected\n{machine.log()}")


def picture(machine, minute):
    """All that can be seen of one minute's runs from outside: the system's log, the probes' notes and the mails."""
    machine.wait(f"[ -e {SEEN}/input-u2 ]")
    return {
        "log": sorted(machine.succeed(started(minute)).splitlines()),
        "probes": [(name, rest) for name in PROBES + OF_PACKAGES_PROBES for when, rest in seen(machine, name)
                   if when == minute],
        "input": machine.succeed(f"cat {SEEN}/input-u2"),
        "mails": sorted(machine.succeed(f"cd {MAIL}; for f in *; do grep -v '^Date: ' $f; echo =====; done").split("=====\n")),
    }


def tabs(machine):
    return machine.succeed(f"sha256sum {TABS}; stat -c '%a %U %G %n' {TABS}")


# MARK: Checks


@check
def switch(machine):
    """spoold-cron and spoold-at take the place of cron and at. The crontabs of eight packages, of a site and of users run within their
    minute as under cron, as whom they should, to the letter of log, environment, limits and mail. Jobs of at move over. No @reboot line
    runs."""
    with_crontabs(machine)
    machine.succeed(OF_PACKAGES_BEGIN.replace("PACKAGES", " ".join(OF_PACKAGES)))
    all_lines = EACH_MINUTE + OF_PACKAGES_LINES
    before = tabs(machine)
    # Nothing of the daemon beside cron runs a crontab.
    expect(machine.succeed("spoolctl list -q") == "", machine.log())
    minute = minute_of_cron(machine, all_lines)
    with_cron = picture(machine, minute)
    expect(len(with_cron["log"]) == all_lines and len(with_cron["probes"]) == len(PROBES + OF_PACKAGES_PROBES), with_cron)

    machine.succeed("echo 'probe at-u1; echo of at' | runuser -u u1 -- at now + 40 minutes 2>&1; echo true | at -q c 12:00 2031-01-01 2>&1")
    queue = machine.succeed("atq")
    at_minute = machine.succeed("date -d \"$(atq -q a | cut -f2 | cut -d ' ' -f 1-5)\" '+%F %H:%M'").strip()
    output = machine.succeed(f"{APT} /mnt/spoold-cron.deb /mnt/spoold-at.deb 2>&1")
    expect("wait for spoold now, as atq shows: 2" in output and "WARNING" not in output, output)
    expect(not is_installed(machine, "cron") and not is_installed(machine, "at"), machine.succeed("dpkg -l"))
    # The processes that cron has made for lines of the last minute end by themselves.
    machine.wait("! pgrep -x cron && ! pgrep -x atd")
    status = machine.succeed("systemctl is-active cron spoold; systemctl is-enabled spoold; systemctl show -P Id cron")
    expect(status == "active\nactive\nenabled\nspoold.service\n", status)
    expect(sorted(machine.succeed("atq").splitlines()) == sorted(queue.splitlines()), f"{queue}\n{machine.succeed('atq')}")
    expect(machine.succeed("runuser -u u1 -- atq | wc -l").strip() == "1", "u1 does not see the job that waits")
    # A user's at needs no spool to be named.
    machine.succeed("echo 'probe at-now' | runuser -u u1 -- at now 2>&1")
    machine.wait(f"test -s {SEEN}/at-now")
    expect(machine.succeed("find /var/spool/cron/atjobs -type f ! -name .SEQ") == "", "at still has a job")
    expect(before == tabs(machine), f"the crontabs have changed\n{before}\n{tabs(machine)}")

    machine.wait("spoolctl list -q | grep -q ^u1/crontab-u1-probe && spoolctl list -q | grep -q ^u2/crontab-u2-cat")
    jump_before(machine, at_minute)
    wait_started(machine, at_minute, all_lines)
    machine.wait(f"test -e {SEEN}/at-u1")
    wait_idle(machine)
    with_spoold = picture(machine, at_minute)
    of_at = seen(machine, "at-u1")
    expect([when for when, _ in of_at] == [at_minute] and "(u1) gid=" in of_at[0][1][0], of_at)
    mails = [mail for mail in with_spoold["mails"] if "Output from your job" in mail]
    expect(len(mails) == 1, with_spoold["mails"])
    with_spoold["mails"].remove(mails[0])
    with_cron["probes"] = [(name, with_spoold_too(note)) for name, note in with_cron["probes"]]
    others = [part for part in with_cron if with_spoold[part] != with_cron[part]]
    expect(not others, "\n".join(f"{part} differs\nof cron:   {with_cron[part]}\nof spoold: {with_spoold[part]}" for part in others))
    notes = {name: " ".join(note) + " " for name, note in with_spoold["probes"]}
    for name, parts in {
        "site-u1": ["(u1) gid=", "files=333 ", "SITE=everywhere "], "mailman-notify": ["(list) gid="], "munin": ["(root) gid=", "login=0 "],
    }.items():
        for part in parts:
            expect(part in notes[name], f"{name}: no {part}in {notes[name]}")
    for name in ["reboot-root", "reboot-u1"]:
        expect(not seen(machine, name), f"{name} ran at the installation")
    machine.succeed("spoolctl doctor")
    machine.succeed(OF_PACKAGES_END.replace("PACKAGES", " ".join(OF_PACKAGES)))


@check
def edits(machine):
    """An edit of each kind of file takes effect. A bad line, a file with a wrong mode and a line of nobody are reported, and all others
    run."""
    switched(machine)
    machine.succeed(r"""set -e
runuser -u u1 -- env EDITOR=append-line crontab -e
(runuser -u u2 -- crontab -l; echo '* * * * * probe crontab-stdin') | runuser -u u2 -- crontab -
cd /etc/cron.d
printf '* * * * * root probe of-mv\n' >.of-mv; mv .of-mv of-mv
printf '* * * * * root probe of-editor-1\n' >of-editor
dpkg -i /mnt/site-1.deb
echo '* * * * * root probe of-crontab' >>/etc/crontab
printf '* * * * * root probe beside-bad\n61 * * * * root probe bad\n' >bad
(umask 0; printf '* * * * * root probe open\n' >open)
printf '* * * * * nobody-knows probe unknown\n* * * * * root probe beside-unknown\n' >unknown""")
    machine.wait("spoolctl list -q | grep -q of-dpkg && spoolctl list -q | grep -q of-editor")
    machine.succeed(
        "dpkg -i /mnt/site-2.deb; cd /etc/cron.d; mv of-editor of-editor~; printf '* * * * * root probe of-editor-2\\n' >of-editor; "
        "rm of-editor~")
    code, output = machine.run("echo '61 * * * * true' | runuser -u u1 -- crontab -")
    expect(code == 1 and "bad minute" in output, output)
    for command in ["spoolctl status", "spoolctl check"]:
        for place in ["/etc/cron.d/bad:2:1", "/etc/cron.d/open", "/etc/cron.d/unknown:1:"]:
            machine.wait(f"{command} 2>&1 | grep -q '{place}'")
    machine.wait("journalctl -u spoold --no-pager | grep 'event=refused' | grep -q /etc/cron.d/bad")
    minute = before_minute(machine, 5)
    new = ["crontab-e", "crontab-stdin", "of-mv", "of-editor-2", "of-dpkg-2", "of-crontab", "beside-bad", "beside-unknown"]
    wait_started(machine, minute, EACH_MINUTE + len(new))
    wait_idle(machine)
    expect_once(machine, PROBES + new, minute)
    for name in ["of-editor-1", "of-dpkg-1"]:
        expect(minute not in [when for when, _ in seen(machine, name)], f"the earlier line ran: {name}")
    for name in ["bad", "open", "unknown"]:
        expect(not seen(machine, name), f"{name} ran")
    machine.succeed(
        "cd /etc/cron.d; rm bad open unknown of-mv of-editor; dpkg -P site; sed -i /of-crontab/d /etc/crontab; for user in u1 u2; do "
        "runuser -u $user -- crontab -l | grep -v 'probe crontab-' | runuser -u $user -- crontab -; done; spoolctl check")


@long_check
def restarts(machine):
    """A line that is due while the daemon is restarted or killed runs once, within its minute."""
    switched(machine)
    for way in ["systemctl restart spoold", "systemctl kill -s KILL --kill-who=main spoold"]:
        minute = before_minute(machine)
        machine.succeed(f"until [ $(date +%S) = 59 ]; do sleep 0.05; done; sleep 0.7; {way}")
        wait_started(machine, minute, EACH_MINUTE)
        machine.wait("spoolctl health")
        wait_idle(machine)
        expect_once(machine, PROBES, minute)


@check
def upgrade(machine):
    """An upgrade to newer packages, while jobs run and lines are due, ends no job and loses no line."""
    switched(machine)
    id = drop(machine, "spanning", [waiting("spanning", "; exit 7")])
    pid = main_pid(machine)
    minute = before_minute(machine, 3, id)
    output = machine.succeed(f"{APT} /mnt/newer.deb /mnt/newer-spoold-cron.deb /mnt/newer-spoold-at.deb 2>&1; date '+%F %H:%M'")
    expect("restarted spoold" in output and "WARNING" not in output, output)
    expect(output.splitlines()[-1] >= minute, f"the upgrade was over before the minute {minute}: {output}")
    expect(main_pid(machine) == pid, "another process serves the spool")
    wait_started(machine, minute, EACH_MINUTE)
    wait_idle(machine, id)
    expect_once(machine, PROBES, minute)
    machine.succeed("touch /tmp/spanning.go")
    status = ended(machine, id)
    expect(status["reason"] == "exit" and status["exit_code"] == 7, status)


@check
def starts(machine):
    """At each start of the machine, orderly or after a power cut, the @reboot lines run once. A running line is lost, a missed line is
    not made up for, and a missed job of at is."""
    switched(machine)
    machine.succeed(
        "printf '* * * * * root test -e /root/long || { touch /root/long; exec sleep 10000; }\\n' >/etc/cron.d/long; rm -f /root/long")
    before_minute(machine, 3, "cron.d-long")
    machine.wait("test -e /root/long")
    # The first one: a later minute's job ends at once, and may not have ended yet.
    long = machine.succeed("spoolctl jobs --state running -q | grep -e -cron.d-long | sort | head -n 1").strip()
    reboots = ["reboot-root", "reboot-u1"]
    machine.succeed(f"rm -f {SEEN}/reboot-*")
    # Longer than the wait below, so that it is not due before the clock is set.
    machine.succeed("echo 'probe at-missed' | runuser -u u1 -- at now + 15 minutes 2>&1")
    missed = machine.succeed("date -d \"$(runuser -u u1 -- atq -q a | cut -f2 | cut -d ' ' -f 1-5)\" '+%F %H:%M'").strip()
    wait_idle(machine, "cron.d-long")
    machine.succeed(f"find {SEEN} -type f -delete")
    # The daemon ends first. Otherwise the job could begin while the machine goes down, and be killed before it has said so.
    machine.succeed("systemctl stop spoold")
    machine.send(f"timedatectl set-time \"$(date -d '{missed} 2 seconds ago' '+%F %T')\"; systemctl reboot")
    machine.await_boot()
    machine.wait("systemctl is-active -q spoold && spoolctl health")
    for name in reboots:
        machine.wait(f"test -e {SEEN}/{name}")
    machine.wait(f"test -e {SEEN}/at-missed")
    status = ended(machine, long)
    expect(status["reason"] == "lost", status)
    machine.succeed("rm /etc/cron.d/long; systemctl restart spoold")
    machine.wait("spoolctl health")
    minute = before_minute(machine)
    wait_started(machine, minute, EACH_MINUTE)
    wait_idle(machine)
    expect_once(machine, PROBES, minute)
    for name in reboots + ["at-missed"]:
        expect(len(seen(machine, name)) == 1, f"{name} ran at {seen(machine, name)}")

    id = drop(machine, "cut", [waiting("cut")])
    machine.succeed("sync")
    machine.cut_power()
    machine.wait("systemctl is-active -q spoold && spoolctl health")
    status = ended(machine, id)
    expect(status["reason"] == "lost", status)
    for name in reboots:
        machine.wait(f"[ $(wc -l <{SEEN}/{name}) -ge 2 ]")
    minute = before_minute(machine)
    wait_started(machine, minute, EACH_MINUTE)
    wait_idle(machine)
    expect_once(machine, PROBES, minute)
    for name in reboots:
        expect(len(seen(machine, name)) == 2, f"{name} ran at {seen(machine, name)}")
    machine.succeed("spoolctl fsck")


@long_check
def clock(machine):
    """Lines follow the machine's zone and clock, which timedatectl sets, as with cron. A day that is left out is not made up for. In a
    minute that comes again, the lines with * in the hour or minute run again, and those of a time of day do not."""
    switched(machine)
    machine.succeed(
        "TZ=Asia/Tokyo date -d '10 minutes' '+%-M %-H * * * root probe zone' >/etc/cron.d/zone; timedatectl set-timezone Asia/Tokyo")
    minute = machine.succeed("date -d '10 minutes' '+%F %H:%M'").strip()
    machine.wait(f"spoolctl next cron.d-zone -n 1 | grep -q '{minute.replace(' ', 'T')}'")
    jump_before(machine, minute)
    wait_started(machine, minute, EACH_MINUTE + 1)
    wait_idle(machine)
    expect_once(machine, PROBES + ["zone"], minute)
    machine.succeed("timedatectl set-timezone Etc/UTC; rm /etc/cron.d/zone")

    minute = machine.succeed("date -d '1 day' '+%F %H:%M'").strip()
    machine.succeed(f"date -d '{minute}' '+%-M %-H * * * root probe fixed' >/etc/cron.d/fixed")
    machine.wait("spoolctl list -q | grep -qx cron.d-fixed")
    jump_before(machine, minute)
    wait_started(machine, minute, EACH_MINUTE + 1)
    wait_idle(machine)
    for name in PROBES + ["fixed"]:
        expect([when for when, _ in seen(machine, name)] == [minute], f"{name} ran at {seen(machine, name)}")

    # The same minute again. A clock that is set back by less than a minute was only corrected, so this goes back by more.
    later = machine.succeed(f"date -d '{minute} 20 minutes' '+%F %H:%M'").strip()
    machine.wait(f"timedatectl && (( $(date +%-S) < 50 )) && {idle()}")
    machine.succeed(f"timedatectl set-time \"$(date -d '{later} 3 seconds ago' '+%F %T')\"")
    wait_started(machine, later, EACH_MINUTE)
    wait_idle(machine)
    machine.succeed(f"timedatectl set-time \"$(date -d '{minute} 3 seconds ago' '+%F %T')\"")
    wait_started(machine, minute, 2 * EACH_MINUTE + 1)
    wait_idle(machine)
    for name, count in [(name, 2) for name in PROBES] + [("fixed", 1)]:
        expect([when for when, _ in seen(machine, name)].count(minute) == count, f"{name} ran at {seen(machine, name)}")

    # Two hours that are left out: one run of the line of a time of day in them.
    left_out = machine.succeed(f"date -d '{minute} 40 minutes' '+%F %H:%M'").strip()
    machine.succeed(f"date -d '{left_out}' '+%-M %-H * * * root probe left-out' >/etc/cron.d/fixed")
    machine.wait("spoolctl list -q | grep -qx cron.d-fixed && spoolctl show cron.d-fixed | grep -q left-out")
    machine.wait(f"timedatectl && (( $(date +%-S) < 50 )) && {idle()}")
    machine.succeed(f"timedatectl set-time \"$(date -d '{minute} 2 hours' '+%F %T')\"")
    machine.wait(f"test -s {SEEN}/left-out")
    wait_idle(machine)
    expect(len(seen(machine, "left-out")) == 1, seen(machine, "left-out"))
    machine.succeed("rm /etc/cron.d/fixed")
    after = before_minute(machine)
    wait_started(machine, after, EACH_MINUTE)
    wait_idle(machine)
    expect_once(machine, PROBES, after)


@long_check
def read_only_etc(machine):
    """With a read-only /etc the daemon starts, lines run, and crontab works."""
    switched(machine)
    machine.succeed("mount --bind /etc /etc && mount -o remount,bind,ro /etc && ! touch /etc/x 2>/dev/null")
    try:
        machine.succeed("systemctl restart spoold && spoolctl health")
        machine.succeed("(runuser -u u2 -- crontab -l; echo '* * * * * probe of-read-only') | runuser -u u2 -- crontab -")
        minute = before_minute(machine, 5)
        wait_started(machine, minute, EACH_MINUTE + 1)
        wait_idle(machine)
        expect_once(machine, PROBES + ["of-read-only"], minute)
    finally:
        machine.run("umount /etc; runuser -u u2 -- crontab -l | grep -v of-read-only | runuser -u u2 -- crontab -")


@long_check
def full_disk(machine):
    """On a full disk crontab says so and keeps the old crontab whole, whose lines go on."""
    switched(machine)
    machine.succeed(r"""set -e
place=/var/spool/cron/crontabs
truncate -s 1M /root/small.img; mkfs.ext4 -q -F -m 0 /root/small.img
mount -o loop /root/small.img /media
cp -p $place/* /media/; chown root:crontab /media; chmod 1730 /media
umount /media; mount -o loop /root/small.img $place
cat /dev/zero >$place/.filler || true""")
    try:
        before = machine.succeed("runuser -u u1 -- crontab -l")
        code, output = machine.run(
            "(runuser -u u1 -- crontab -l; yes \"# $(printf %0300d 0)\" | head -n 9000) | runuser -u u1 -- crontab -")
        expect(code == 1 and "No space left on device" in output, f"{code} {output}")
        expect(machine.succeed("runuser -u u1 -- crontab -l") == before, "the crontab has changed")
        expect(machine.succeed("ls -A /var/spool/cron/crontabs | grep -v -e filler -e lost") == "root\nu1\nu2\n", "a file was left")
        minute = before_minute(machine, 5)
        wait_started(machine, minute, EACH_MINUTE)
        wait_idle(machine)
        expect_once(machine, PROBES, minute)
    finally:
        machine.run("umount /var/spool/cron/crontabs")


@long_check
def network_home(machine):
    """The lines of a user whose home is on NFS, where root is nobody, run in that home: those of the user's crontab, those of cron.d, and
    jobs of at. crontab -e works from there."""
    switched(machine)
    machine.succeed(r"""set -e
mkdir -p /srv/homes/u3 /srv/mounted
useradd -M -d /srv/mounted/u3 u3; chown u3:u3 /srv/homes/u3; chmod 700 /srv/homes/u3
echo '/srv/homes 127.0.0.1(rw,sync,root_squash,no_subtree_check,fsid=1)' >/etc/exports
systemctl start rpcbind nfs-server; exportfs -ra
mount -t nfs -o vers=4.2 127.0.0.1:/srv/homes /srv/mounted
! ls /srv/mounted/u3 2>/dev/null
cd /; runuser -u u3 -- sh -c 'cd; echo "* * * * * probe network; pwd >here" >tab; crontab tab; EDITOR=append-line crontab -e'
echo '* * * * * u3 probe network-system; pwd >from-system' >/etc/cron.d/network
runuser -u u3 -- sh -c 'cd; echo "probe at-network; pwd >from-at" | at now 2>&1'""")
    try:
        minute = before_minute(machine, 5)
        wait_started(machine, minute, EACH_MINUTE + 3)
        wait_idle(machine)
        machine.wait(f"test -e {SEEN}/at-network && ! runuser -u u3 -- atq | grep -q .")
        expect_once(machine, PROBES + ["network", "network-system"], minute)
        for name in ["here", "from-system", "from-at"]:
            expect(machine.succeed(f"cat /srv/homes/u3/{name}") == "/srv/mounted/u3\n", f"{name}: another directory")
    finally:
        machine.run("cd /; rm -f /etc/cron.d/network; crontab -u u3 -r; umount -f /srv/mounted; systemctl stop nfs-server rpcbind; userdel u3")


@long_check
def own_daemon(machine):
    """A user who lingers has a daemon of their own beside the machine's, which goes on to run the user's crontab."""
    switched(machine)
    machine.succeed("loginctl enable-linger u1")
    user = "systemctl --user -M u1@.host"
    machine.wait(f"{user} is-system-running 2>/dev/null | grep -qE 'running|degraded'")
    machine.succeed(f"{user} enable --now spoold 2>&1")
    machine.wait("cd /; runuser -u u1 -- spoolctl --spool /home/u1/.local/state/spoold health")
    output = machine.succeed(
        "cd /; runuser -u u1 -- env SPOOL_DIR=/home/u1/.local/state/spoold spoolctl submit -w -- sh -c 'id -un; cat /proc/self/cgroup' "
        "</dev/null 2>/dev/null")
    expect(output.startswith("u1\n") and "user@" in output, output)
    minute = before_minute(machine)
    wait_started(machine, minute, EACH_MINUTE)
    wait_idle(machine)
    expect_once(machine, PROBES, minute)
    machine.succeed(f"{user} disable --now spoold 2>&1; loginctl disable-linger u1")


@long_check
def silent(machine):
    """A replaced cron whose daemon does not run is no silent fault: the installation enables and starts it, or warns."""
    switched(machine)
    machine.succeed("dpkg -r spoold-cron && systemctl disable -q --now spoold")
    output = machine.succeed("dpkg -i /mnt/spoold-cron.deb /mnt/spoold.deb /mnt/spoold-at.deb 2>&1")
    expect("becomes so, because it is the cron of this machine now" in output, output)
    expect(machine.succeed("systemctl is-active spoold; systemctl is-enabled spoold") == "active\nenabled\n", output)
    machine.succeed("dpkg -r spoold-cron && systemctl disable -q --now spoold && systemctl mask -q spoold")
    output = machine.succeed("dpkg -i /mnt/spoold-cron.deb 2>&1")
    expect("NOTHING RUNS THE CRONTABS OF THIS MACHINE" in output, output)
    machine.succeed("systemctl unmask -q spoold && systemctl enable -q --now spoold")
    minute = before_minute(machine, 5)
    wait_started(machine, minute, EACH_MINUTE)


@check
def back(machine):
    """apt install cron at goes back: each crontab is byte-equal, cron alone runs the lines, and a purge leaves the spool alone."""
    switched(machine)
    before = tabs(machine)
    machine.succeed("echo true | at 12:00 2032-01-01 2>&1")
    output = machine.succeed(f"apt-get update -q 2>&1 && {APT} cron at 2>&1")
    expect("jobs of at that wait or run:" in output, output)
    expect(not is_installed(machine, "spoold-cron") and not is_installed(machine, "spoold-at"), output)
    expect(before == tabs(machine), f"the crontabs have changed\n{before}\n{tabs(machine)}")
    status = machine.succeed("systemctl is-active cron atd spoold; systemctl show -P Id cron; stat -c '%a %U %G' /usr/bin/crontab")
    expect(status == "active\nactive\nactive\ncron.service\n2755 root crontab\n", status)
    status = machine.succeed("stat -c '%a %U %G' /etc/at.deny")
    expect(status == "640 root daemon\n", status)
    machine.wait("[ -z \"$(spoolctl list -q)\" ]")
    minute = minute_of_cron(machine)
    expect_once(machine, PROBES, minute)
    machine.succeed("dpkg --purge spoold-cron spoold-at spoold 2>&1")
    left = machine.succeed(
        "find /etc /usr /var/lib/systemd /run/systemd/system -name '*spoold*'; find /etc/systemd /usr/lib/systemd -lname '*spoold*'; "
        "dpkg-query -W 'spoold*' 2>/dev/null || true")
    expect(left == "", left)
    machine.succeed("test -d /var/spool/spoold/done")
    expect(before == tabs(machine), "the purge has changed crontabs")
