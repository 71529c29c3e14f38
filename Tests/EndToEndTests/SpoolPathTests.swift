import Glibc
import Linux
import Testing

/// Which directory a name means that is not UTF-8.
@Suite("A spool's path", .ownThreads)
struct SpoolPathTests {
    @Test("Daemon and spoolctl refuse a spool whose path is not UTF-8, rather than mean different ones", arguments: ["spoold", "spoolctl"])
    func notUTF8(program: String) throws {
        let base = try Files.makeTemporaryDirectory()
        defer { try? Files.removeTree(base) }  // litter in the temporary directory
        let call = "\(SpoolUnderTest.programs)/\(program)"
        let more = program == "spoolctl" ? "jobs" : ""
        for line in ["\(call) --spool \"$p/s\" \(more)", "SPOOL_DIR=\"$p/s\" \(call) \(more)", "cd \"$p\" && \(call) --spool s \(more)"] {
            let result = try Commands.run("sh", ["-c", "p=$(printf '\(base)/caf\\351'); mkdir -p \"$p\"; \(line)"])
            #expect(result.code != 0 && result.error.contains("the spool's path is not UTF-8"), "\(line): \(result)")
        }
        #expect(try Files.list(base).count == 1 && Files.list("\(base)/\(Files.list(base)[0])") == [])
    }
}
