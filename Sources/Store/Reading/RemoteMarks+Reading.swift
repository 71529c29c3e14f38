import Scheduler

// The marks of a run that an executor has, in its job's directory. Whoever runs the job may have written anything there.

extension FileSystem {
    /// The largest end mark that is read, in bytes.
    private var endMarkBytesMax: Int { 64 << 10 }

    /// The marks of the run with this number in a job's directory.
    public func remoteMarks(in directory: String, number: Int) throws(SystemError) -> RemoteMarks {
        var marks = RemoteMarks()
        // The end is read first: a run that ends meanwhile has its start mark already.
        if case .file(_, let bytes) = try take(
            "\(directory)/\(Layout.endMark).\(number)", limit: endMarkBytesMax, ignoringWriters: true)
        {
            marks.end = RemoteEnd(line: bytes)
            // Not readable as JSON or without a meaning: the mark says nothing, and the engine's word counts.
            marks.host = JSON.readableTable(bytes)?.text("host")
        }
        marks.hasStarted = try status("\(directory)/\(Layout.startMark).\(number)") != nil
        marks.beat = try status("\(directory)/\(Layout.beatMark).\(number)").map { beat in
            beat.inode &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(bitPattern: beat.modifiedNanoseconds)
        }
        return marks
    }
}

extension RemoteEnd {
    /// Reads an end mark. Nil when it says no end.
    public init?(line: [UInt8]) {
        guard let table = JSON.readableTable(line) else { return nil }
        let code = table.whole("exit").flatMap { (0...255).contains($0) ? Int($0) : nil }
        let signal = table.whole("signal").flatMap { (1...64).contains($0) ? Int32($0) : nil }
        if case .boolean(true)? = table["never_began"]?.kind {
            self.init(.neverBegan)
            return
        }
        if let why = table.text("failed") {
            self.init(.notStarted(String(why.prefix(1000)), exitCode: code))
        } else if case .boolean(true)? = table["timed_out"]?.kind {
            self.init(.timedOut(exitCode: signal == nil ? code : nil, signal: signal))
        } else if let signal {
            self.init(.signaled(signal))
        } else if let code {
            self.init(.exited(code))
        } else {
            return nil
        }
        // Times of a clock that nobody here knows: only their difference means something.
        if let started = table.whole("started"), let ended = table.whole("ended") {
            let (wall, isTooLong) = ended.subtractingReportingOverflow(started)
            if !isTooLong { wallMilliseconds = min(max(0, wall), 100 * 366 * 86_400_000) }
        }
        userMilliseconds = table.whole("user_ms").map { max(0, $0) }
        systemMilliseconds = table.whole("sys_ms").map { max(0, $0) }
    }
}
