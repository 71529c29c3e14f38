import Glibc
import Linux

/// A spool whose spoold reads the crontabs below a directory of the test.
final class CrontabMachine {
    let spool: SpoolUnderTest
    private var requests = 0
    var root: String { "\(spool.base)/root" }
    var crontab: String { "\(root)/etc/crontab" }

    static let directories = ["etc", "etc/cron.d", "var", "var/spool", "var/spool/cron", "var/spool/cron/crontabs"]

    init(configuration: String = "", directories: [String] = CrontabMachine.directories, starting: Bool = true) throws {
        spool = try SpoolUnderTest(starting: false)
        try Files.makeDirectory("\(spool.base)/root")
        for directory in directories { try Files.makeDirectory("\(root)/\(directory)") }
        for path in [spool.base, spool.path] { chmod(path, 0o755) }
        chmod(spool.out, 0o1777)
        try configure(configuration)
        if starting { try spool.start() }
    }

    func configure(_ more: String = "", crontabs: Bool = true) throws {
        try Files.write("\(spool.base)/new.toml", "crontabs = \(crontabs)\ncrontab_root = \"\(root)\"\n\(more)\n")
        try Files.rename("\(spool.base)/new.toml", spool.configuration)
    }

    /// Replaces a file below the root by rename.
    func write(_ file: String, _ text: String, mode: mode_t = 0o644) throws {
        try Files.write("\(root)/new", text, mode: mode)
        try Files.rename("\(root)/new", "\(root)/\(file)")
    }

    /// Does something, and waits for a line of the log that it causes, and for what root's daemon does after it has written the line: it
    /// answers a request in a later turn.
    func change(until parts: String..., by body: () throws -> Void) throws {
        let seen = spool.logLength
        try body()
        try spool.wait(for: "a log line with \(parts)") {
            let lines = String(Substring(spool.log.utf8.dropFirst(seen))).split(separator: "\n")
            return lines.contains { line in parts.allSatisfy { line.contains($0) } }
        }
        requests += 1
        let request = "\(spool.path)/control/after-\(requests)"
        try spool.define("control/after-\(requests).request", "{\"do\": \"ping\"}")
        try spool.wait(for: "the turn to end") { Files.exists("\(request).answer") }
        try Files.remove("\(request).answer")
    }

    func ctl(_ words: String...) throws -> CtlResult { try spool.ctl(list: words) }

    /// The names of the tasks.
    func names() throws -> [String] { try spool.ctl("list", "-q").lines }

    /// The first field of `show` with this name.
    func shown(_ task: String, _ field: String) throws -> String? {
        try spool.ctl("show", task).lines.first { $0.hasPrefix("\(field)\t") }.map { String($0.dropFirst(field.count + 1)) }
    }
}
