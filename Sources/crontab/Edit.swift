import CLinux
import Crontabs
import Glibc
import Linux

/// `-e`: gives the caller's editor a copy of the crontab, and makes the copy the crontab when the editor has ended.
///
/// Invariant: an edit that was not installed, also because it was only to be checked, is left in its file, whose path is printed, unless
/// nothing was changed in it.
struct Edit {
    private let invocation: Invocation
    private var user: String { invocation.user.name }

    init(_ invocation: Invocation) { self.invocation = invocation }

    /// Ends the program with 1 if nothing was installed but something was changed, or if an editor failed. As with Debian's crontab, only
    /// an edit whose text was read has an end in the log.
    func run(_ tabs: borrowing TabDirectory) {
        invocation.log("BEGIN EDIT")
        let stored = readStored(tabs)
        if stored == nil { complain("no crontab for \(user) - using an empty one") }
        let text = stored.map { Array($0.dropFirst(TabHeader.length(in: $0))) } ?? Array(Self.template.utf8)
        guard let copy = EditFile.make(text) else { fail("Creation of temporary crontab file failed - aborting") }
        let isDone = edit(copy, stored, tabs)
        invocation.log("END EDIT")
        if !isDone { exit(1) }
    }

    /// The text of the file, with its header; nil when there is no crontab.
    private func readStored(_ tabs: borrowing TabDirectory) -> [UInt8]? {
        do throws(SystemError) { return try tabs.openTab(of: invocation.user)?.readAll(limit: NewTab.storedBytesMax) } catch {
            fail("crontabs/\(user)/: fdopen: \(error.message)")
        }
    }

    /// Returns true when the crontab is as the editor left the copy.
    private func edit(_ copy: borrowing EditFile, _ stored: [UInt8]?, _ tabs: borrowing TabDirectory) -> Bool {
        while true {
            if let failure = Editor.edit(copy.path) {
                complain("\(programName): \(failure)")
                copy.keepIfChanged()
                exit(1)
            }
            switch copy.read() {
            case .unusable(let why):
                complain(why)
                complain("Error while editing crontab")
                copy.keepIfChanged()
                exit(1)
            case .unchanged:
                complain("No modification made")
                copy.remove()
                return true
            case .changed(let text):
                if !invocation.isDryRun { complain("\(programName): installing new crontab") }
                switch NewTab(text, from: copy.path).install(invocation, tabs, over: .text(stored)) {
                case .installed:
                    if invocation.isDryRun { copy.keep() } else { copy.remove() }
                    return true
                case .refused where ask("Do you want to retry the same edit? (y/n) ", again: "Enter Y or N\n") == true: continue
                case .refused, .failed:
                    copy.keep()
                    return false
                }
            }
        }
    }

    private static let template = """
        # Edit this file to introduce tasks to be run by cron.
        #\u{20}
        # Each task to run has to be defined through a single line
        # indicating with different fields when the task will be run
        # and what command to run for the task
        #\u{20}
        # To define the time you can provide concrete values for
        # minute (m), hour (h), day of month (dom), month (mon),
        # and day of week (dow) or use '*' in these fields (for 'any').
        #\u{20}
        # Notice that tasks will be started based on the cron's system
        # daemon's notion of time and timezones.
        #\u{20}
        # Output of the crontab jobs (including errors) is sent through
        # email to the user the crontab file belongs to (unless redirected).
        #\u{20}
        # For example, you can run a backup of all your user accounts
        # at 5 a.m every week with:
        # 0 5 * * 1 tar -zcf /var/backups/home.tgz /home/
        #\u{20}
        # For more information see the manual pages of crontab(5) and cron(8)
        #\u{20}
        # m h  dom mon dow   command

        """
}

/// The editor of the caller: `$VISUAL`, `$EDITOR`, else the editor that Debian chooses.
enum Editor {
    private static let command: String = {
        for variable in ["VISUAL", "EDITOR"] {
            if let value = getenv(variable), value[0] != 0 { return FileName.string(from: value) }
        }
        let known = ["/usr/bin/sensible-editor", "/usr/bin/editor", "/usr/bin/vi"]
        return known.first { FileName.isAccessible($0, X_OK) } ?? known[0]
    }()

    /// Runs the editor on a file and waits for its end. Returns the reason when it failed. Signals from the keyboard are for the editor.
    static func edit(_ path: String) -> String? {
        let numbers = [SIGHUP, SIGINT, SIGQUIT]
        let before = numbers.map { signal($0, SIG_IGN) }
        defer { for (number, action) in zip(numbers, before) { _ = signal(number, action) } }
        let pid: pid_t
        do throws(SystemError) {
            // The shell splits what VISUAL says into words. As Debian's crontab, it begins in /tmp.
            pid = try Process.spawn(
                "/bin/sh", arguments: ["sh", "-c", "\(command) \"$@\"", "sh", path], environment: environment,
                descriptors: [(0, 0), (1, 1), (2, 2)], directory: "/tmp")
        } catch {
            return "\"\(command)\" could not be started: \(error)"
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        if linux_wifsignaled(status) != 0 {
            let core = linux_wcoredump(status) != 0 ? "" : "no "
            return "\"\(command)\" killed; signal \(linux_wtermsig(status)) (\(core)core dumped)"
        }
        let code = linux_wexitstatus(status)
        return code == 0 ? nil : "\"\(command)\" exited with status \(code)"
    }

    private static var environment: [String] {
        var variables: [String] = []
        var next = environ
        while let variable = next.pointee {
            variables.append(FileName.string(from: variable))
            next += 1
        }
        return variables
    }
}
