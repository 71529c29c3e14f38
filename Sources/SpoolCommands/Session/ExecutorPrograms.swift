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

    /// The program of an executor that the daemon would run.
    func executorProgram(_ name: String, besideDaemon pid: pid_t?) throws(ExecutorProgram.Refusal) -> ExecutorProgram {
        let installed = Installation.workerPaths(ofProgramIn: Installation.directory(besideDaemon: pid))
            .map { Installation.executorPath(name, besideWorker: $0) }
        return try ExecutorProgram.find(name, spool: spoolPath, installed: installed)
    }
}

extension Installation {
    /// The directory of spoold's programs: that of a running daemon's, else that of this program.
    static func directory(besideDaemon pid: pid_t?) -> String {
        pid.flatMap(directoryOfProgram) ?? directoryOfProgram(getpid()) ?? "/usr/local/bin"
    }

    /// Nil for a process whose program this user may not see.
    private static func directoryOfProgram(_ pid: pid_t) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { readlink("/proc/\(pid)/exe", $0.baseAddress!, $0.count) }
        guard count > 0 else { return nil }
        let path = String(decoding: buffer.prefix(count), as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) }
    }
}
