import Glibc
import Linux
import Store

extension SpoolCommand {
    static let result = SpoolCommand(
        "result", "FILE|- [--job ID]", "from inside a job: store its result",
        details: [
            """
            Writes the file that $SPOOL_RESULT names, complete and synced. When the try ends, JSON of up to 64 KiB becomes result in the \
            job's status. Anything else stays a file in the job's directory, and result holds its name and length.
            """,
        ],
        options: [Option.job],
        examples: [
            Example("echo '{\"rows\": 1200}' | spoolctl result -", "in the job's script"),
            Example("spoolctl status \"$id\" --json | jq .result", "reads the result of an ended job"),
        ]
    ) { session throws(Failure) in
        let path = try session.operand("a FILE, or - for standard input")
        let input = path == "-" ? StandardInput() : try session.asCaller { () throws(Failure) in try StandardInput(path: path) }
        let job = try RunningJob(session)
        var failure: Failure?
        try job.put(Layout.resultFile) { temporary throws(SystemError) in
            let file = try FileDescriptor.open("\(job.fs.path)/\(temporary)", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
            do throws(Failure) {
                while let chunk = try input.nextChunk() { try attempt { () throws(SystemError) in try file.write(chunk) } }
            } catch {
                failure = error
                return
            }
            try file.sync()
        }
        if let failure { throw failure }
        if session.isJSON { session.printID(job.id) }
        return ExitCode.done
    }
}
