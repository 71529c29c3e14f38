// What spoold says of itself when something is wrong with the machine.

import Documents

extension SpoolUnderTest {
    /// The kinds of trouble in `state/status.json` now.
    func troubles() throws -> [String] {
        guard case .array(let all)? = try daemonStatus()?["troubles"]?.kind else { return [] }
        return all.compactMap {
            guard case .table(let one) = $0.kind, case .string(let kind)? = one["of"]?.kind else { return nil }
            return kind
        }
    }

    private func state() throws -> String? {
        guard case .string(let state)? = try daemonStatus()?["state"]?.kind else { return nil }
        return state
    }

    /// Waits until the status says it.
    func awaitTrouble(_ kind: String) throws {
        try wait(for: "trouble of \(kind) in the status") { try self.troubles() == [kind] && self.state() == "degraded" }
    }

    func awaitNoTrouble() throws {
        try wait(for: "no trouble in the status") { try self.troubles().isEmpty && self.state() == "running" }
    }

    /// How many lines of the log hold this.
    func count(_ text: String) -> Int { log.split(separator: "\n").count { $0.contains(text) } }
}
