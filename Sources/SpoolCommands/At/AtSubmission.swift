import Glibc
import Linux
import Store

/// Submits a job of at or batch.
struct AtSubmission {
    private let session: Session
    private let invocation: AtInvocation

    init(_ session: Session, _ invocation: AtInvocation) {
        self.session = session
        self.invocation = invocation
    }

    func run() throws(Failure) -> Int32 {
        guard let start = try start() else { return 1 }
        if invocation.saysTime {
            say("\(AtTime.text(start, "%a %b %e %T %Y"))\n")
        }
        if !invocation.isBatch { say("warning: commands will be executed using /bin/sh") }
        let commands = try commands(start)
        let script = try AtScript(commands: commands, mailUser: try mailUser(), mail: invocation.mail)
        guard !script.hasZero else { throw Failure(1, "the commands contain a zero byte, so they are no script") }

        let fs = try session.openSpoolForWriting()
        let number = try AtNumbers.next(fs, besides: try AtQueue(session).numbers())
        let name = AtJob.Name(queue: invocation.queueOfJob, number: number, start: start)
        var table = AtJob.table(name, text: script.text)
        // The script goes to its own directory. at's home need not exist.
        table.set("directory", Value(.string("/")))
        if invocation.waitsForLoad {
            table.set("script", Value(.string(BatchStart.wrap(script.text))))
            BatchStart.setTries(&table)
        }
        let source = Source(writing: table)
        let context = try session.context()
        do throws(Problems) { _ = try JobDefinition.accept(try source.table(), context) } catch {
            throw Failure(1, error.all.map(\.message))
        }
        var drop = JobDrop(fs)
        _ = try drop.drop(source, name: "at-\(name.number)")
        say("job \(name.number) at \(AtTime.text(start, invocation.timeFormat))")
        if try session.daemon() == nil { say("Warning: at daemon not running: spoold serves \(session.spoolPath) when it is started") }
        return 0
    }

    private func say(_ line: String) {
        session.errors.line(line)
        session.errors.flush()
    }

    private func start() throws(Failure) -> Instant? {
        if let text = invocation.time {
            guard invocation.operands.isEmpty else {
                say("Cannot give time twice.")
                return nil
            }
            // The time was checked before the caller's permission was, as in Debian's at.
            return AtTime.posix(text, session)
        }
        if !invocation.operands.isEmpty {
            do throws(Failure) { return try AtTime.words(invocation.operands, session) } catch {
                guard error.lines.last == "Garbled time" else { throw error }
                for line in error.lines { say(line) }
                return nil
            }
        }
        if invocation.isBatch { return session.now }
        say("Garbled time")
        return nil
    }

    private func mailUser() throws(Failure) -> String {
        func isUser(_ name: String) throws(Failure) -> Bool {
            try attempt { () throws(SystemError) in try User.find(name: name) } != nil
        }
        if let name = invocation.mailUser {
            guard try isUser(name) else { throw Failure(1, "Cannot find username \(name)") }
            return name
        }
        if let name = environment("LOGNAME"), try isUser(name) { return name }
        let own = try attempt { () throws(SystemError) in try User.find(id: getuid()) }
        guard let own else { throw Failure(1, "Cannot find username to mail output to") }
        return own.name
    }

    // MARK: Commands

    private func commands(_ start: Instant) throws(Failure) -> [UInt8] {
        guard let path = invocation.file else { return try typed(start) }
        do throws(SystemError) { return try FileDescriptor.open(path, O_RDONLY).readAll(limit: Source.bytesMax) } catch {
            let what = error.call == "open" ? "Cannot open input file \(path): \(error.message)" : "\(path): \(error.message)"
            AtInvocation.end(session.errors, what)
        }
    }

    /// The commands from standard input. On a terminal, each line has a prompt.
    private func typed(_ start: Instant) throws(Failure) -> [UInt8] {
        let isTerminal = isatty(STDIN_FILENO) == 1
        if isTerminal { prompt("at \(AtTime.text(start, "%a %b %e %T %Y"))\nat> ") }
        var bytes: [UInt8] = []
        while true {
            let chunk = try attempt { () throws(SystemError) in try Self.readInput() }
            if chunk.isEmpty { break }
            bytes += chunk
            guard bytes.count <= Source.bytesMax else { throw Failure(1, "the commands have more than \(Source.bytesMax) bytes") }
            if isTerminal { prompt(String(repeating: "at> ", count: chunk.count { $0 == 0x0A })) }
        }
        if isTerminal { prompt("<EOT>\n") }
        return bytes
    }

    private static func readInput() throws(SystemError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count >= 0 { return Array(buffer.prefix(count)) }
            if errno != EINTR { throw SystemError(call: "read", path: "standard input", errno: errno) }
        }
    }

    private func prompt(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)  // only a prompt
    }
}
