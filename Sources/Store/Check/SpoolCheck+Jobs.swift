// Compares the jobs of the journal with those of the directories.

import Glibc

extension SpoolCheck {
    mutating func lookAtJobs(_ state: Scheduler) throws(SystemError) {
        var truth = SpoolTruth(fs, state, context)
        _ = try truth.records(.running)
        for (path, what) in truth.found { add(path, what, .takeUp) }
        for path in truth.unusable { add(path, "is of no job that the journal knows, and what it runs cannot be read", .setAside) }
        let told = Set(truth.found.map(\.path) + truth.unusable)
        var placed: Set<String> = []
        for job in state.jobs.values.sorted(by: { $0.id < $1.id }) {
            let places = try self.places(of: job)
            if places.contains(where: told.contains) {
                placed.formUnion(places)
                continue
            }
            lookAtPlace(of: job, places, wasSettled: state.wasSettled(job))
            placed.formUnion(places)
            if places == [Layout.directory(of: job.id, job.state)] { try lookAtStatus(places[0], job) }
        }
        try lookAtEnded(state, except: placed.union(told))
    }

    /// The directories of a job that contain its file.
    private func places(of job: Job) throws(SystemError) -> [String] {
        var places: [String] = []
        for state in JobState.allCases where try fs.hasJobFile(Layout.directory(of: job.id, state)) {
            places.append(Layout.directory(of: job.id, state))
        }
        return places
    }

    private mutating func lookAtPlace(of job: Job, _ all: [String], wasSettled: Bool) {
        let target = Layout.directory(of: job.id, job.state)
        let waiting = Layout.directory(of: job.id, .new)
        // A record that was moved or copied back into new/ runs again.
        let places = job.state.isTerminal && (wasSettled || all.count > 1) ? all.filter { $0 != waiting } : all
        if places.isEmpty {
            // The record was removed or pruned, which is allowed.
            if job.state.isTerminal { return }
            if job.state == .new, job.attempt == 0, let file = job.file {
                let path = "\(Layout.new)/\(file.name)"
                // After an error the path counts as missing. The next operation on it reports the error.
                if (try? fs.status(path)) != nil { return }
                add(path, "is missing, and the journal says that \(job.id) waits as this file", .place(job.id))
            } else {
                add(target, "is missing, and the journal says that the job is \(job.state.rawValue)", .place(job.id))
            }
            return
        }
        // The journal decides. Without it, the directory that has progressed furthest is kept.
        let kept = places.contains(target) ? target : places[places.count - 1]
        if kept != target { add(kept, "stands here, and the journal says that the job is \(job.state.rawValue)", .place(job.id)) }
        for place in places where place != kept { add(place, "is a second place of \(kept)", .setAside) }
    }

    /// Ended jobs that the journal no longer contains. Only their directories describe them.
    private mutating func lookAtEnded(_ state: Scheduler, except known: Set<String>) throws(SystemError) {
        for place in [JobState.done, .failed] {
            for entry in try fs.list(place.rawValue).sorted(by: { $0.name < $1.name }) where entry.kind == .directory {
                let directory = "\(place.rawValue)/\(entry.name)"
                guard !known.contains(directory), JobID(entry.name) != nil, try fs.hasJobFile(directory) else { continue }
                let other = "\(JobState.failed.rawValue)/\(entry.name)"
                if place == .done, try fs.hasJobFile(other) {
                    let isDone = try fs.jobStatus(in: directory)?.state == .done
                    add(isDone ? other : directory, "is a second place of \(isDone ? directory : other)", .setAside)
                    continue
                }
                try lookAtStatus(directory, nil)
            }
        }
    }

    private mutating func lookAtStatus(_ directory: String, _ job: Job?) throws(SystemError) {
        let path = "\(directory)/\(Layout.statusFile)"
        let place = directory.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
        guard place.count == 2 else { return }
        guard let status = try fs.jobStatus(in: directory) else {
            add(path, try fs.status(path) == nil ? "is missing" : "is damaged", .rewriteStatus)
            return
        }
        if status.id != place[1] {
            add(path, "says that the job is \(status.id)", .rewriteStatus)
        } else if status.state.rawValue != place[0] {
            add(path, "says that the job is \(status.state.rawValue), and it stands in \(place[0])/", .rewriteStatus)
        } else if let job, job.attempt != status.attempt {
            add(path, "tells of try \(status.attempt), and the journal of try \(job.attempt)", .rewriteStatus)
        }
    }

    /// Directories with a job's place but without a job.
    mutating func lookAtRemains() throws(SystemError) {
        for place in [JobState.running, .done, .failed] {
            for entry in try fs.list(place.rawValue).sorted(by: { $0.name < $1.name }) {
                let path = "\(place.rawValue)/\(entry.name)"
                // Left over, or being made by a daemon at this moment.
                if Layout.isAside(entry.name) { continue }
                // A user's part, which is checked as a spool of its own.
                if JobID(entry.name) == nil, try fs.status(UserPart.path(of: entry.name)) != nil { continue }
                if entry.kind != .directory {
                    add(path, "is no job's directory", .setAside)
                } else if try !fs.hasJobFile(path) {
                    add(path, "has no job's file", .setAside)
                } else if JobID(entry.name) == nil {
                    add(path, "is not named after a job", .setAside)
                }
            }
        }
    }
}

extension FileSystem {
    func hasJobFile(_ directory: String) throws(SystemError) -> Bool {
        guard try status(directory)?.kind == .directory else { return false }
        for name in Source.fileNames {
            if try status("\(directory)/\(name)") != nil { return true }
        }
        return false
    }
}
