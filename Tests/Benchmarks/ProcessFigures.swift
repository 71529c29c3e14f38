import Glibc
import Linux

/// Figures of a running process, from proc(5).
struct ProcessFigures {
    let pid: pid_t

    /// The resident memory in bytes.
    func residentBytes() throws -> Int { try number("VmRSS", in: "status") * 1024 }

    /// The resident memory in bytes, where each shared page counts in part.
    func proportionalBytes() throws -> Int { try number("Pss", in: "smaps_rollup") * 1024 }

    func wakeUps() throws -> Int { try number("voluntary_ctxt_switches", in: "status") }

    /// The processor time, user and system, of the process itself.
    func processorSeconds() throws -> Double {
        let text = try read("stat")
        // The name of the program, in brackets, may contain anything.
        guard let end = text.lastIndex(of: ")") else { throw Trouble.unavailable("/proc/\(pid)/stat has no name") }
        let words = text[end...].split(separator: " ")
        guard words.count > 13, let user = Double(words[12]), let system = Double(words[13]) else {
            throw Trouble.unavailable("/proc/\(pid)/stat has no times")
        }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The number on the line `name:` of a file. Sizes are in KiB.
    private func number(_ name: String, in file: String) throws -> Int {
        for line in try read(file).split(separator: "\n") where line.hasPrefix("\(name):") {
            let digits = line.dropFirst(name.count + 1).drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber }
            if let number = Int(digits) { return number }
        }
        throw Trouble.unavailable("/proc/\(pid)/\(file) has no \(name)")
    }

    private func read(_ file: String) throws -> String {
        String(decoding: try FileDescriptor.open("/proc/\(pid)/\(file)", O_RDONLY).readAll(limit: .max), as: UTF8.self)
    }
}

/// `12.3`: a size in units of 1,000,000 bytes.
func megabytes(_ bytes: Int) -> String { decimal(Double(bytes) / 1e6, 1) }
