import CLinux
import Glibc
import Linux
import Testing

@Suite("Somebody who reads the spool all the time", .ownThreads)
struct ReaderTests {
    @Test("A record is never seen without its whole status.json: of jobs that run, fail, are rejected, are canceled, and are forgotten")
    func wholeStatus() throws {
        let spool = try SpoolUnderTest()
        let script = """
            cd "$1"
            i=0
            while [ $i -lt 100 ]; do
              printf 'command = ["true"]\\n' > tmp/good$i; mv tmp/good$i new/good$i.toml
              printf 'command = ["true"]\\nkeep = 0\\n' > tmp/short$i; mv tmp/short$i new/short$i.toml
              printf 'comand = ["true"]\\n' > tmp/bad$i; mv tmp/bad$i new/bad$i.toml
              printf 'no job' > tmp/text$i; mv tmp/text$i new/text$i
              mkdir tmp/directory$i; printf 'comand = 1\\n' > tmp/directory$i/job.toml; mv tmp/directory$i new/
              printf 'command = ["true"]\\nafter = ["nobody-%s"]\\n' $i > tmp/after$i; mv tmp/after$i new/after$i.toml
              i=$((i + 1))
            done
            : > "$2/written"
            """
        let writer = try Commands.Running("sh", ["-c", script, "sh", spool.path, spool.out])
        var reader = try RecordReader(spool.path)
        try spool.wait(for: "the end of all jobs") {
            try reader.look {
                try Files.exists("\(spool.out)/written") && ["new", "running"].allSatisfy { try Files.list("\(spool.path)/\($0)").isEmpty }
            }
        }
        #expect(try writer.end().code == 0)
        #expect(reader.torn.isEmpty)
        #expect(reader.seen.count >= 500)
        try spool.wait(for: "all temporary files to be removed") {
            try ["running", "done", "failed"].allSatisfy { try Files.list("\(spool.path)/\($0)").allSatisfy { !$0.hasPrefix(".") } }
        }
    }
}

/// Reads the records of a spool again and again.
private struct RecordReader {
    private let directories: [String: String]
    /// Records in done/ and failed/. Each is checked once, when it first appears.
    private(set) var seen: Set<String> = []
    /// Faults that a reader must never see.
    private(set) var torn: [String] = []

    init(_ spool: String) throws {
        directories = Dictionary(uniqueKeysWithValues: ["running", "done", "failed"].map { ($0, "\(spool)/\($0)") })
    }

    /// Reads all records many times without a pause. True when enough was seen.
    mutating func look(until isEnough: () throws -> Bool) throws -> Bool {
        for _ in 0..<200 {
            for (state, path) in directories { try look(state, path) }
            guard try !torn.isEmpty || isEnough() else { continue }
            // The last record may have come between the two looks.
            for (state, path) in directories { try look(state, path) }
            return true
        }
        return false
    }

    private mutating func look(_ state: String, _ path: String) throws {
        for name in try Files.list(path) where !name.hasPrefix(".") {
            let record = "\(state)/\(name)"
            // Records that are soon forgotten are checked again until they are gone.
            if state != "running", !seen.insert(record).inserted, !name.contains("short") { continue }
            let status = "\(path)/\(name)/status.json"
            guard let text = try? Files.text(status) else {  // checked below
                // If the directory is gone, the record moved as a whole. If it is still there, its status is missing.
                if Files.exists("\(path)/\(name)"), !Files.exists(status), Files.exists("\(path)/\(name)") {
                    torn.append("\(record) has none")
                }
                continue
            }
            if !text.hasPrefix("{") || !text.hasSuffix("}\n") { torn.append("\(record) says \(text)") }
        }
    }
}
