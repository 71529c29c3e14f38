import Executors
import Glibc
import Linux

/// The jobs that each host has now, by the places in the directories of running jobs.
enum UsedHosts {
    /// Costs a few system calls for each running job. Jobs whose directory cannot be read, such as those of other users, are not counted.
    static func count(spool: String) -> [HostName: Int] {
        var used: [HostName: Int] = [:]
        guard let running = try? Directory.open("\(spool)/running"), let jobs = try? running.list() else { return used }  // nothing runs
        for job in jobs where job.kind == .directory {
            guard let directory = try? running.openDirectory(job.name), let names = try? directory.list() else { continue }  // not ours
            let attempts = names.compactMap { $0.name.hasPrefix("place.") ? Int64($0.name.dropFirst(6)) : nil }
            guard let attempt = attempts.max(), !names.contains(where: { $0.name == "end.\(attempt)" }),
                let bytes = try? directory.readFile(FarPlace.fileName(attempt: attempt), limit: FarPlace.bytesMax),  // gone by now
                let place = FarPlace(String(decoding: bytes, as: UTF8.self))
            else { continue }
            used[place.host, default: 0] += 1
        }
        return used
    }
}
