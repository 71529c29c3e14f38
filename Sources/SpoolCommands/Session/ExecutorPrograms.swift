import Glibc
import Linux
import Store

extension Session {
    /// True when this process may run the programs of executors: those in another user's spool are that user's, and a program would have
    /// the rights of both users while this process acts for another.
    func mayRunExecutors() throws(SystemError) -> Bool {
        guard getuid() == geteuid() else { return false }
        return try FileStatus.read(spoolPath, followingLinks: true).owner == geteuid()
    }

    /// True when this process may run an executor for a running job. The daemon runs it as the job's user, who has the directory, and so
    /// must this process be that user: root would run it with root's keys, and what it makes there would be root's.
    func mayRunExecutors(for record: JobRecord) throws(SystemError) -> Bool {
        guard try mayRunExecutors() else { return false }
        return try FileStatus.read("\(spoolPath)/\(record.place.path)").owner == geteuid()
    }

    /// The environment in which an executor's program runs: as the daemon's, whatever this process was given.
    func executorEnvironment() throws(SystemError) -> [String] { try User.own().variables.map { "\($0.name)=\($0.value)" } }

    /// The path of an executor's program: in the spool, or beside the worker. Nil when there is none.
    func executorProgram(_ name: String, besideDaemon pid: pid_t?) -> String? {
        let directory = Doctor.directoryOfProgram(pid) ?? Doctor.directoryOfProgram(getpid()) ?? "/usr/local/bin"
        let installed = Installation.workerPaths(ofProgramIn: directory).map { Installation.executorPath(name, besideWorker: $0) }
        return (["\(spoolPath)/\(Layout.executors)/\(name)"] + installed).first { access($0, F_OK) == 0 }
    }
}
