// Troubles of the machine that spoold reports.

import Documents
import Glibc
import Linux

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

    /// Waits until the status shows this trouble and no other.
    func awaitTrouble(_ kind: String) throws {
        try wait(for: "trouble of \(kind) in the status") { try self.troubles() == [kind] && self.state() == "degraded" }
    }

    func awaitNoTrouble() throws {
        try wait(for: "no trouble in the status") { try self.troubles().isEmpty && self.state() == "running" }
    }

    /// The number of lines of the log that contain this text.
    func count(_ text: String) -> Int { log.split(separator: "\n").count { $0.contains(text) } }

    // MARK: A full disk

    /// Writes into a file of the spool's disk until nothing more fits.
    func fillDisk() throws {
        let file = try FileDescriptor.open("\(path)/tmp/.filler", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let block = [UInt8](repeating: 0x78, count: 4096)
        while block.withUnsafeBytes({ write(file.raw, $0.baseAddress, $0.count) }) > 0 {}
        guard errno == ENOSPC else { throw SystemError(call: "write", errno: errno) }
    }

    func freeDisk() throws { try Files.remove("\(path)/tmp/.filler") }

    /// Drops `late-0.toml` and so on. They are written while there is room and renamed when there is none, because a rename needs no block.
    /// There are several, because the daemon still frees a block or two when a new `status.json` replaces the old one.
    func dropOntoFullDisk(_ count: Int, _ text: (Int) -> String) throws {
        for index in 0..<count { try Files.write("\(path)/tmp/late-\(index).toml", text(index)) }
        try fillDisk()
        for index in 0..<count { try Files.rename("\(path)/tmp/late-\(index).toml", "\(path)/new/late-\(index).toml") }
    }
}
