/// An action that is started when a job starts, is slow or has ended, or when a task is overdue.
public struct FollowUp: Sendable, Hashable {
    public enum Action: Sendable, Hashable {
        case task(String)
        case arguments([String])
        /// A shell command.
        case line(String)
        case mail(Mail)
    }

    public enum When: String, Sendable, CaseIterable {
        case start, slow, success, failure, end, overdue
        /// The first success after failures of which people were told.
        case recovery
        /// A failure, or a success that wrote output.
        case output
    }

    /// The key of the action.
    public let key: String
    public let when: When
    public let action: Action

    /// The end of a job, as far as its follow-ups depend on it.
    public enum End: Sendable, Hashable {
        case success(isRecovery: Bool)
        /// `isTold`: the notices of this failure are not held back by `notify_after` or `notify_every`.
        case failure(isTold: Bool)
        /// It was canceled or replaced, so somebody knows about it.
        case asked
    }

    /// True when the action follows a job that ended this way.
    public func follows(_ end: End, hasOutput: Bool) -> Bool {
        if sendsOutputAlone, !hasOutput { return false }
        let isTold = switch end {
        case .failure(let isTold): isTold
        case .success, .asked: false
        }
        let isFailure = if case .failure = end { true } else { false }
        return switch when {
        case .success: if case .success = end { true } else { false }
        case .failure: isTold
        case .end: isMail && isFailure ? isTold : true
        case .output: isFailure ? isTold : hasOutput
        case .recovery: end == .success(isRecovery: true)
        case .start, .slow, .overdue: false
        }
    }

    /// The action depends on the output of the job.
    public var needsOutput: Bool { sendsOutputAlone || when == .output }

    /// A mail in the form of another program, which is left out when the machine has no program to send it.
    public var isOptionalMail: Bool { if case .mail(let mail) = action { mail.form != .report } else { false } }

    /// A mail in the form of another program says nothing about the end of the job, so none is sent without output. at's `-m` asks for it.
    private var sendsOutputAlone: Bool {
        guard case .mail(let mail) = action else { return false }
        return switch mail.form {
        case .report: false
        case .cron: true
        case .at: when != .end
        }
    }

    /// Its payload contains the last lines of a failed run; a mail contains the output itself.
    public var isToldOfErrors: Bool { !isMail && (when == .failure || when == .end) }

    private var isMail: Bool { if case .mail = action { true } else { false } }
}

extension TableReader {
    /// The actions that follow a job's start and end, and its being slow.
    mutating func followUps() -> [FollowUp] {
        let slow = followUp("on_slow", .slow)
        if slow != nil, table["slow"] == nil, let value = table["on_slow"] {
            fail(value.position, "on_slow without slow", hint: "add slow = \"30m\"")
        }
        return [
            followUp("on_start", .start), slow, followUp("on_success", .success), followUp("on_failure", .failure),
            followUp("on_end", .end), followUp("on_recovery", .recovery), mail("mail"),
        ].compactMap { $0 }
    }

    /// A text that is a valid name means a task. Any other text is a shell command, and a list is a command with its arguments.
    mutating func followUp(_ key: String, _ when: FollowUp.When) -> FollowUp? {
        guard let value = value(key) else { return nil }
        switch value.kind {
        // For a task that declines a default of the configuration.
        case .boolean(false): return nil
        case .string(let text) where Name.isValid(text): return FollowUp(key: key, when: when, action: .task(text))
        case .string(let line) where line.utf8.contains(where: { $0 != 0x20 }) && !line.utf8.contains(0):
            return FollowUp(key: key, when: when, action: .line(line))
        case .array:
            guard let words = strings(value, key) else { return nil }
            if words.first?.isEmpty == false { return FollowUp(key: key, when: when, action: .arguments(words)) }
        default: break
        }
        fail(value.position, "\(key) must be a task's name, a line for the shell, or a list of strings (an argv)")
        return nil
    }

    mutating func mail(_ key: String) -> FollowUp? {
        guard let value = value(key) else { return nil }
        if case .boolean(false) = value.kind { return nil }
        var address = value
        var when = FollowUp.When.failure
        var (form, from) = (Mail.Form.report, String?.none)
        if case .table(let table) = value.kind {
            var inner = TableReader(table, context)
            if let to = inner.value("to") {
                address = to
            } else {
                inner.fail(value.position, "\(key) has no address", hint: "add to = \"ADDRESS\"")
            }
            switch inner.choice("when", as: MailRule.self) ?? .failure {
            case .failure: break
            case .output: when = .output
            case .always: when = .end
            }
            form = inner.choice("form", as: Mail.Form.self) ?? .report
            from = inner.string("from")
            if let from, let value = table["from"], !Mail.isAddress(from) {
                inner.fail(value.position, "from must be an address, in printable ASCII")
            }
            inner.finish()
            absorb(inner)
            if table["to"] == nil { return nil }
        }
        guard case .string(let text) = address.kind, Mail.isAddress(text) else {
            fail(address.position, "\(key) must be an address, or several with commas between them, in printable ASCII")
            return nil
        }
        return FollowUp(key: key, when: when, action: .mail(Mail(to: text, form: form, from: from)))
    }
}

/// A mail about the end of a job.
public struct Mail: Sendable, Hashable {
    public enum Form: String, Sendable, CaseIterable {
        /// The end of the job, and the last lines of its output.
        case report
        /// All of its output, as cron(8) mails it; nothing without output.
        case cron
        /// All of its output, as atd(8) mails it, with the number of a job of at in the subject.
        case at
    }

    /// The PATH that cron(8) gives a job when the crontab sets none.
    public static let cronPath = "/usr/bin:/bin"

    /// One address, or several with commas between them.
    public let to: String
    public let form: Form
    /// The sender, where another one than the usual is named.
    public let from: String?

    public init(to: String, form: Form = .report, from: String? = nil) {
        self.to = to
        self.form = form
        self.from = from
    }

    /// An address becomes a line of the mail's header, so it must not contain line ends. RFC 5322, 2.1.1: at most 998 characters.
    static func isAddress(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && text.utf8.contains { $0 != 0x20 } && text.utf8.count <= 500
    }
}

/// The condition for sending a mail.
public enum MailRule: String, Sendable, CaseIterable { case failure, output, always }
