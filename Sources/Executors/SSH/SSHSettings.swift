import Documents

/// The table `[executors.ssh]`.
public struct SSHSettings: Sendable, Equatable {
    /// The hosts of jobs that name none, and how many jobs each may have at once. Nil: any number.
    public var hosts: [HostName: Int?]
    /// The configuration of ssh in place of `~/.ssh/config`.
    public var configuration: String?
    /// Further options, as `-o` takes them.
    public var options: [String]
    /// The time for which a connection is kept for the next call, in seconds. Nil leaves that to OpenSSH's configuration.
    public var reuseSeconds: Int64?

    public struct Mistake: Error, Equatable {
        public var message: String
        public init(message: String) { self.message = message }
    }

    /// Reads the table. Keys that it does not know are for the daemon.
    public init(_ table: Table) throws(Mistake) {
        hosts = [:]
        switch table["hosts"]?.kind {
        case nil: break
        case .table(let all):
            for entry in all.entries {
                guard case .integer(let slots) = entry.value.kind, 1...100_000 ~= slots else {
                    throw Mistake(message: "hosts: \(entry.key): expected a number of jobs from 1")
                }
                hosts[try Self.host(entry.key)] = Int(slots)
            }
        case .array(let all):
            for value in all {
                guard case .string(let name) = value.kind else { throw Mistake(message: "hosts: expected names") }
                hosts[try Self.host(name)] = .some(nil)
            }
        default: throw Mistake(message: "hosts: expected a table of names and numbers of jobs, or an array of names")
        }
        configuration = try Self.string(table, "config")
        if let configuration, !configuration.hasPrefix("/") { throw Mistake(message: "config: expected an absolute path") }
        options = []
        if let value = table["options"] {
            guard case .array(let all) = value.kind else { throw Mistake(message: "options: expected an array of strings") }
            for value in all {
                guard case .string(let option) = value.kind, Self.isOption(option) else {
                    throw Mistake(message: "options: expected strings such as \"Port=2222\"")
                }
                options.append(option)
            }
        }
        switch table["reuse"]?.kind {
        case nil: reuseSeconds = nil
        case .integer(let seconds) where 1...86_400 ~= seconds: reuseSeconds = seconds
        case .string(let text):
            guard let seconds = Self.seconds(text), 1...86_400 ~= seconds else { fallthrough }
            reuseSeconds = seconds
        default: throw Mistake(message: "reuse: expected a time such as \"5m\", at most a day")
        }
    }

    private static func host(_ name: String) throws(Mistake) -> HostName {
        guard let host = HostName(name) else { throw Mistake(message: "hosts: \"\(name)\" is no name of a host") }
        return host
    }

    private static func string(_ table: Table, _ key: String) throws(Mistake) -> String? {
        switch table[key]?.kind {
        case nil: return nil
        case .string(let text): return text
        default: throw Mistake(message: "\(key): expected a string")
        }
    }

    /// `Name=value`. What ssh would read as several lines, or an empty name, is not one option.
    private static func isOption(_ text: String) -> Bool {
        guard let first = text.utf8.first, (first | 0x20) >= UInt8(ascii: "a"), (first | 0x20) <= UInt8(ascii: "z") else { return false }
        return text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    private static func seconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()), 0...86_400 ~= number else { return nil }
        return number * unit
    }

    // MARK: ssh

    /// The arguments of ssh, before the line for the other side. `controlDirectory` is a directory of this user alone.
    ///
    /// ssh takes the first value that it meets of each option, so the options that a call needs come first, then those of the
    /// configuration, then what is better than ssh's defaults.
    public func arguments(for host: HostName, controlDirectory: String?) -> [String] {
        var words = ["-T"]
        if let configuration { words += ["-F", configuration] }
        let needed = [
            "BatchMode=yes", "ForwardAgent=no", "ForwardX11=no", "ClearAllForwardings=yes", "PermitLocalCommand=no", "RemoteCommand=none",
            "LogLevel=ERROR",
        ]
        let better = ["ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3"]
        var control: [String] = []
        if let reuseSeconds, let controlDirectory {
            control = ["ControlMaster=auto", "ControlPath=\(controlDirectory)/%C", "ControlPersist=\(reuseSeconds)"]
        }
        for option in needed + options + control + better { words += ["-o", option] }
        return words + ["--", host.text]
    }
}
