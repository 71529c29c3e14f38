import Glibc
import Linux
import Store

/// A job that runs, as seen by itself or by somebody else.
struct RunningJob {
    let id: String
    let fs: DiskFileSystem
    /// Its directory, relative to the spool.
    let directory: String

    /// The job that `--job` names, else the one that this is called from.
    init(_ session: Session) throws(Failure) {
        guard let text = session.arguments.value("job") ?? environment("SPOOL_JOB_ID") else {
            throw .usage("\(session.command.name) is for a job to call; elsewhere --job ID says which")
        }
        var records = try session.records()
        let place = try session.job(text, &records).place
        guard place.state == .running else {
            let what = place.state.isTerminal ? "has ended" : "has not begun, or waits for another try"
            throw Failure(ExitCode.failed, "\(place.id) does not run: it \(what)")
        }
        id = place.id
        fs = records.fs
        directory = place.path
    }

    /// Puts a file into the job's directory, whole: written beside it, then renamed.
    func put(_ name: String, _ write: (String) throws(SystemError) -> Void) throws(Failure) {
        let temporary = "\(directory)/.\(name)-\(getpid()).tmp"
        do throws(SystemError) {
            try write(temporary)
            try fs.rename(temporary, to: "\(directory)/\(name)")
        } catch {
            // Litter at worst, in a directory that goes with the job's record.
            try? fs.removeFile(temporary)
            if error.errno == SystemError.noSuchFile { throw Failure(ExitCode.failed, "\(id) has ended meanwhile") }
            throw Failure(error)
        }
    }
}

extension Option {
    static let job = Option("job", value: "ID", "the job (else $SPOOL_JOB_ID: the one this is called from)")
}
