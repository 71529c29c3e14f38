import Glibc
import Linux
import Store

/// `spoolctl import at`: submits the jobs that at(1) has queued. at's own spool is read and not changed.
struct ImportAt {
    let session: Session

    init(_ session: Session) { self.session = session }

    /// The directory of Debian's atd.
    private static let standardDirectory = "/var/spool/cron/atjobs"

    func run() throws(Failure) -> Int32 {
        let directory = session.arguments.value("dir") ?? Self.standardDirectory
        var jobs: [AtJob] = []
        var refused = 0
        for (file, name) in try files(directory) {
            do throws(AtJob.Refusal) { jobs.append(try read("\(directory)/\(file)", name)) } catch {
                session.complain("\(directory)/\(file): \(error.why)")
                refused += 1
            }
        }
        if session.arguments.flag("dry-run") {
            for job in jobs { session.printFile(job.source, wouldBe: "\(Layout.new)/\(JobDrop.fileName(job.id, job.source.format))") }
        } else {
            try drop(jobs)
        }
        return refused == 0 ? ExitCode.done : ExitCode.invalid
    }

    /// The files of jobs, in the order of the jobs' numbers.
    private func files(_ directory: String) throws(Failure) -> [(file: String, name: AtJob.Name)] {
        let entries = try attempt { () throws(SystemError) in
            do throws(SystemError) { return try Directory.open(directory).list() } catch {
                throw error.at(directory)
            }
        }
        return entries.compactMap { entry in AtJob.Name(entry.name).map { (entry.name, $0) } }.sorted { $0.1.number < $1.1.number }
    }

    private func read(_ path: String, _ name: AtJob.Name) throws(AtJob.Refusal) -> AtJob {
        let bytes: [UInt8]
        let status: FileStatus
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)
            status = try file.status()
            bytes = status.kind == .file ? try file.readAll(limit: Source.bytesMax) : []
        } catch {
            throw AtJob.Refusal(why: error.message)
        }
        guard status.kind == .file else { throw AtJob.Refusal(why: "it is not a regular file") }
        let user = try user(of: status.owner)
        // at.c makes the file executable when it is complete.
        guard status.mode & S_IXUSR != 0 else { throw AtJob.Refusal(why: "it is still being written") }
        let job = try AtJob(name, text: bytes, owner: status.owner, user: user, path: path)
        do throws(Failure) {
            let context = try session.context()
            do throws(Problems) { _ = try JobDefinition.accept(try job.source.table(), context) } catch {
                throw Failure(ExitCode.invalid, error.all.map(\.message))
            }
        } catch {
            throw AtJob.Refusal(why: error.lines.joined(separator: "; "))
        }
        return job
    }

    /// The user that runs a job of at; nil for the spool's owner. Only root's jobs may name another user.
    private func user(of id: uid_t) throws(AtJob.Refusal) -> String? {
        if id == geteuid() { return nil }
        guard geteuid() == 0 else {
            throw AtJob.Refusal(why: "it belongs to user \(id), but the jobs of this spool run as user \(geteuid())")
        }
        let known: User?
        do throws(SystemError) { known = try User.find(id: id) } catch { throw AtJob.Refusal(why: "\(error)") }
        guard let known else { throw AtJob.Refusal(why: "it belongs to user \(id), who is not in the user database") }
        return known.name
    }

    private func drop(_ jobs: [AtJob]) throws(Failure) {
        let fs = try session.openSpoolForWriting()
        if let last = jobs.last { try AtNumbers.takeOver(upTo: last.number, fs) }
        let drop = JobDrop(fs)
        var records = try session.records()
        var composed: [JobDrop.Composed] = []
        var earlier: [JobID] = []
        for job in jobs {
            if let place = try session.reading({ () throws(JournalError) in try records.place(of: job.id.text) }) {
                session.complain("at's job \(job.number) was imported before and is in \(place.state.rawValue): \(job.id)")
                earlier.append(job.id)
            } else {
                composed.append(try drop.compose(job.source, id: job.id))
            }
        }
        try drop.publish(composed)
        // A caller that was interrupted learns which jobs it can remove there.
        for id in earlier { session.printID(id.text) }
        for job in composed {
            session.output.noteChange("queued as \(job.id)")
            session.printID(job.id.text)
        }
        if !jobs.isEmpty {
            let numbers = jobs.map { "\($0.number)" }.joined(separator: " ")
            session.complain("at still has these jobs and would run them too; to remove them there: atrm \(numbers)")
        }
    }
}
