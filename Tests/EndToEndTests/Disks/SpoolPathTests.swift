import Documents
import Glibc
import Linux
import Testing

/// Paths of the spool, and names and arguments of jobs, that are not UTF-8.
@Suite("Bytes that are not UTF-8", .ownThreads)
struct SpoolPathTests {
    @Test("The daemon and spoolctl refuse a spool whose path is not UTF-8, because they would read it differently",
        arguments: ["spoold", "spoolctl"])
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

    @Test("The configuration and the worker may be in a directory whose name is not UTF-8, and a changed configuration is read")
    func ofConfiguration() throws {
        let spool = try SpoolUnderTest(starting: false)
        let script = """
            p=$(printf '\(spool.base)/caf\\351'); mkdir "$p"
            cp \(SpoolUnderTest.programs)/spool-worker "$p/w"; echo 'slots = 3' > "$p/c.toml"
            exec "$@" --config "$p/c.toml" --worker "$p/w"
            """
        try spool.launch(tracer: ["/bin/sh", "-ec", script, "sh"], withConfiguration: false)
        try spool.notification("READY=1")
        #expect(try spool.runsOn())
        func slots(_ count: Int64) throws {
            try spool.wait(for: "\(count) slots") {
                if case .integer(count)? = try spool.daemonStatus()?["slots"]?.kind { true } else { false }
            }
        }
        try slots(3)
        let change = "p=$(printf '\(spool.base)/caf\\351'); echo 'slots = 5' > \"$p/d\"; mv \"$p/d\" \"$p/c.toml\""
        #expect(try Commands.run("sh", ["-ec", change]).code == 0)
        try slots(5)
        #expect(try spool.ctl("check").code == 0)
    }

    /// In each line, `$w` is a word in Latin-1, and `$d` a directory of that name with a file `f` that contains `in`.
    static let jobs: [(line: String, output: String)] = [
        ("CTL submit -w --no-stdin -- printf %s \"$w\"", "caf\\351"),
        ("CTL submit -w --no-stdin -- \"printf %s '$w'\"", "caf\\351"),
        ("CTL submit -w --no-stdin -E \"X=$w\" -- 'printf %s \"$X\"'", "caf\\351"),
        ("X=$w CTL submit -w --no-stdin --env -- 'printf %s \"$X\"'", "caf\\351"),
        ("CTL submit -w --no-stdin -C \"$d\" -- cat f", "in"),
        ("cd \"$d\"; CTL submit -w --no-stdin -- cat f", "in"),
        ("CTL submit -w --stdin \"$d/f\" -- cat", "in"),
        ("PATH=$d:$PATH CTL submit -w --no-stdin -- run", "ran"),
        (
            """
            CTL create t --directory \"$d\" --at 2090-01-01T00:00:00Z -- cat \"$d/f\" >&2; CTL run -w t >&2; CTL logs $(CTL jobs -q --task \
            t)
            """, "in"),
        (
            """
            CTL create t --at 2090-01-01T00:00:00Z -- true >&2; CTL update t -- cat \"$d/f\" >&2; CTL run -w t >&2; CTL logs $(CTL jobs -q \
            --task t)
            """, "in"),
    ]

    @Test("A job gets its arguments, variables and paths byte by byte, also when they are not UTF-8", arguments: jobs.indices)
    func ofJobs(_ index: Int) throws {
        let row = Self.jobs[index]
        let spool = try SpoolUnderTest()
        let prepare = """
            w=$(printf 'caf\\351'); d=\(spool.base)/$w; mkdir $d; printf in > $d/f; printf '#!/bin/sh\\nprintf ran\\n' > $d/run; chmod +x \
            $d/run
            """
        let line = row.line.replacing("CTL", with: "\(SpoolUnderTest.programs)/spoolctl")
        let check = "printf '\(row.output)' | cmp - \(spool.out)/got"
        let result = try Commands.run(
            "sh", ["-c", "\(prepare); { \(line); } > \(spool.out)/got && \(check)"], environment: spool.environment)
        #expect(result.code == 0, "\(result)")
    }
}
