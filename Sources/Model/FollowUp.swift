/// What is started when a job has ended, or when a task is overdue.
public struct FollowUp: Sendable, Hashable {
    public enum Action: Sendable, Hashable {
        case task(String)
        case arguments([String])
        /// A line for the shell.
        case line(String)
        /// Mails how the job ended, and its output, to these addresses.
        case mail(to: String)
    }

    public enum When: String, Sendable, CaseIterable {
        case success, failure, end, overdue
        /// A failure, or a success that wrote something.
        case output
    }

    /// The key that asks for it.
    public let key: String
    public let when: When
    public let action: Action

    /// Whether it is to be started after a job that ended so.
    public func follows(_ state: JobState, _ reason: FailureReason?, hasOutput: Bool) -> Bool {
        // Whoever canceled or replaced a run knows of it.
        let isFailure = state == .failed && reason != .canceled && reason != .replaced
        return switch when {
        case .success: state == .done
        case .failure: isFailure
        case .end: state.isTerminal
        case .output: isFailure || hasOutput
        case .overdue: false
        }
    }
}

extension TableReader {
    /// What follows the end of a job.
    mutating func followUps() -> [FollowUp] {
        [followUp("on_success", .success), followUp("on_failure", .failure), followUp("on_end", .end), mail("mail")].compactMap { $0 }
    }

    /// A text of the form of a name is a task's; any other is a line for the shell, and a list an argv.
    mutating func followUp(_ key: String, _ when: FollowUp.When) -> FollowUp? {
        guard let value = value(key) else { return nil }
        switch value.kind {
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

    private mutating func mail(_ key: String) -> FollowUp? {
        guard let value = value(key) else { return nil }
        var address = value
        var when = FollowUp.When.failure
        if case .table(let table) = value.kind {
            var inner = TableReader(table, context)
            if let to = inner.value("to") {
                address = to
            } else {
                inner.fail(value.position, "\(key) says no address", hint: "add to = \"ADDRESS\"")
            }
            switch inner.choice("when", as: MailRule.self) ?? .failure {
            case .failure: break
            case .output: when = .output
            case .always: when = .end
            }
            inner.finish()
            absorb(inner)
            if table["to"] == nil { return nil }
        }
        // It becomes a line of the mail's header, so nothing may end that line. RFC 5322, 2.1.1: at most 998 characters.
        guard case .string(let text) = address.kind, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }),
            text.utf8.contains(where: { $0 != 0x20 }), text.utf8.count <= 500
        else {
            fail(address.position, "\(key) must be an address, or several with commas between them, in printable ASCII")
            return nil
        }
        return FollowUp(key: key, when: when, action: .mail(to: text))
    }
}

/// When a mail is sent.
public enum MailRule: String, Sendable, CaseIterable { case failure, output, always }
