import Testing

@testable import Model

/// The kind of schedule that `explain` recognizes in a text.
@Suite struct PastedScheduleTests {
    @Test("The kind of a schedule is found by its form, and its text is kept", arguments: [
        ("*/5 * * * *", "cron"), ("@daily", "cron"), ("@every 10m", "cron"), ("midnight", "cron"), ("0 0 12 * * ?", "cron"),
        ("0 10 ? * MON *", "cron"),
        ("CRON_TZ=Europe/Berlin 0 5 * * *", "cron"), ("0 0 12 * * ? 2027", "cron"), ("0 0 * * mon#2", "cron"),
        ("0 30 4 * * MON-FRI", "cron"),
        ("Mon *-05~07/1", "calendar"), ("Thu 2027-01-01", "calendar"), ("weekly UTC", "calendar"), ("00:00", "calendar"),
        ("05:30:15", "calendar"),
        ("Mon", "calendar"), ("Mon,Wed..Fri", "calendar"), ("Sat,Sun 20:00", "calendar"), ("*-*~1", "calendar"), ("*-*-1..7", "calendar"),
        ("quarterly", "calendar"), ("daily Europe/Berlin", "calendar"), ("12..14:10,20", "calendar"),
        ("Fri *-*-13 05:30:00 Asia/Tokyo", "calendar"), ("daily", "calendar"),
        ("2026-12-24 18:00", "at"), ("2026-12-24T18:00:00Z", "at"), ("@1790000000", "at"), ("in 2 hours", "at"),
        ("90s", "every"), ("5 minutes", "every"), ("PT1H30M", "every"),
        ("50.seconds", "pattern"), ("**.01.05.00.00", "pattern"), ("saturday|sunday.22.00.00", "pattern"), ("ext:key:args", "pattern"),
        ("FREQ=WEEKLY;BYDAY=MO", "rrule"), ("RRULE:FREQ=DAILY", "rrule"), ("/srv/in/*.csv", "on_path"),
    ])
    func kinds(_ text: String, _ key: String) {
        let pasted = PastedSchedule(text)
        #expect(pasted.key == key)
        #expect(pasted.text == text)
        #expect(pasted.leftOut == nil)
    }

    @Test("A wrong text is read as the kind that its form is nearest to", arguments: [
        ("60 * * * *", "cron"), ("0 9 * 1-5", "cron"), ("*/5 * * *", "cron"), ("@dayly", "cron"), ("0 0 1 1 1 2026", "cron"),
        ("1 2 3 4 5 6 7 8", "cron"),
        ("Mon 25:00", "calendar"), ("Mno 05:00", "calendar"), ("*-13-01", "calendar"), ("Mon..", "calendar"), ("weekyl", "calendar"),
        ("daily 05:00", "calendar"),
    ])
    func mistakes(_ text: String, _ key: String) {
        #expect(PastedSchedule(text).key == key)
        #expect(PastedSchedule(text).text == text)
    }

    @Test("The parts around a schedule in a crontab or a unit are left out and reported", arguments: [
        ("*/5 * * * * /usr/bin/php x", "cron", "*/5 * * * *", "\"/usr/bin/php x\" is left out: in a crontab that is the command"),
        ("0\t4 * * sun   backup", "cron", "0 4 * * sun", "\"backup\" is left out: in a crontab that is the command"),
        (
            "17 * * * * root cd / && run-parts /etc/cron.hourly", "cron", "17 * * * *",
            """
            \"root cd / && run-parts /etc/cron.hourly\" is left out: in a crontab that is the command, in /etc/crontab the user and the \
            command
            """),
        ("@reboot ~/bin/start", "cron", "@reboot", "\"~/bin/start\" is left out: in a crontab that is the command"),
        ("@daily /usr/bin/x -y", "cron", "@daily", "\"/usr/bin/x -y\" is left out: in a crontab that is the command"),
        ("0 4 * * * [ -f /x ] && y", "cron", "0 4 * * *", "\"[ -f /x ] && y\" is left out: in a crontab that is the command"),
        ("0 4 * * * MAILTO=x run", "cron", "0 4 * * *", "\"MAILTO=x run\" is left out: in a crontab that is the command"),
        ("CRON_TZ=UTC 0 4 * * * /bin/x", "cron", "CRON_TZ=UTC 0 4 * * *", "\"/bin/x\" is left out: in a crontab that is the command"),
        ("61 4 * * * /bin/x", "cron", "61 4 * * *", "\"/bin/x\" is left out: in a crontab that is the command"),
        (
            "-*/15 * * * * root /bin/x", "cron", "*/15 * * * *",
            """
            the - at the beginning keeps cron from logging the start; \"root /bin/x\" is left out: in a crontab that is the command, in \
            /etc/crontab the user and the command
            """),
        ("OnCalendar=Mon 05:00", "calendar", "Mon 05:00", "OnCalendar= is left out: it names the setting"),
        ("oncalendar = daily", "calendar", "daily", "oncalendar = is left out: it names the setting"),
        ("OnUnitActiveSec=5min", "every", "5min", "OnUnitActiveSec= is left out: it names the setting"),
        ("cron = \"0 5 * * *\"", "cron", "0 5 * * *", "cron = is left out: it names the setting"),
        ("calendar='Mon 05:00'", "calendar", "Mon 05:00", "calendar= is left out: it names the setting"),
    ])
    func pasted(_ text: String, _ key: String, _ schedule: String, _ leftOut: String) {
        let pasted = PastedSchedule(text)
        #expect(pasted.key == key)
        #expect(pasted.text == schedule)
        #expect(pasted.leftOut == leftOut)
    }
}
