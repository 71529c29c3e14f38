/// The variables of spoold's own environment that its user's jobs get too: the key `inherit_env`.
public enum InheritedVariables: Sendable, Equatable {
    /// None, as under cron(8).
    case none
    /// All but those that concern spoold alone.
    case all
    case named([String])

    public func has(_ name: String) -> Bool {
        switch self {
        case .none: false
        case .all: !Self.isOwn(name) && !Self.ofServiceManager.contains(name)
        case .named(let names): names.contains(name) && !Self.isOwn(name)
        }
    }

    /// True for a variable that spoold reads, or sets for each job.
    static func isOwn(_ name: String) -> Bool { name.hasPrefix("SPOOL_") || name.hasPrefix("SPOOLD_") }

    /// The variables by which a service manager speaks with the process that it has started, sd_notify(3) and systemd.exec(5).
    private static let ofServiceManager: Set = [
        "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "JOURNAL_STREAM", "MAINPID",
        "INVOCATION_ID", "SYSTEMD_EXEC_PID", "MANAGERPID", "CREDENTIALS_DIRECTORY",
    ]
}

extension TableReader {
    /// `true`, `false`, or a list of names of variables.
    mutating func inheritedVariables(_ key: String) -> InheritedVariables? {
        guard let value = value(key) else { return nil }
        if case .boolean(let isAll) = value.kind { return isAll ? .all : InheritedVariables.none }
        guard case .array(let elements) = value.kind else {
            fail(value, key, expected: "true, false or a list of names of variables")
            return nil
        }
        var names: [String] = []
        for element in elements {
            guard case .string(let name) = element.kind, !name.isEmpty, !name.utf8.contains(where: { [0, UInt8(ascii: "=")].contains($0) })
            else {
                fail(element.position, "\(key) must hold names of variables")
                return nil
            }
            if InheritedVariables.isOwn(name) {
                let why = "variables that begin with SPOOL are spoold's own, and it sets those of jobs"
                fail(element.position, "\(key) names \"\(name)\": \(why)")
                return nil
            }
            names.append(name)
        }
        return .named(names)
    }
}
