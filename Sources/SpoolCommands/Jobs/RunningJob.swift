import Glibc
import Linux
import Store

/// A running job, for commands that the job itself or another process calls.
struct RunningJob {
    let id: String
    let fs: DiskFileSystem
    /// The job's directory, relative to the spool.
    let directory: String

    /// The job that `--job` names, else the job that calls spoolctl.
    init(_ session: Session) throws(Failure) {
        guard let text = session.arguments.value("job") ?? environment("SPOOL_JOB_ID") else {
            throw .usage("\(session.command.name) needs --job ID outside of a job")
        }
        var records = try session.records()
        let place = try session.job(text, &records, preferring: [.running]).place
        guard place.state == .running else {
            let what = place.state.isTerminal ? "has ended" : "has not started, or waits for another try"
            throw Failure(ExitCode.failed, "\(place.id) is not running: it \(what)")
        }
        id = place.id
        fs = records.fs
        directory = place.path
    }

    /// Puts a complete file into the job's directory: writes a temporary file and renames it.
    func put(_ name: String, _ write: (String) throws(SystemError) -> Void) throws(Failure) {
        let temporary = "\(directory)/.\(name)-\(getpid()).tmp"
        do throws(SystemError) {
            try write(temporary)
            try fs.rename(temporary, to: "\(directory)/\(name)")
        } catch {
            // At worst a file is left, which is removed with the job's record.
            try? fs.removeFile(temporary)
            if error.errno == SystemError.noSuchFile { throw Failure(ExitCode.failed, "\(id) has ended meanwhile") }
            throw Failure(error)
        }
    }
}

extension Option {
    static let job = Option("job", value: "ID", "the job (default: $SPOOL_JOB_ID, the job that calls spoolctl)").ofUsers
}
