import Model

/// A line that a user's daemon sends to root's.
enum UserReport: Equatable {
    /// The numbers of jobs that run and that wait, whether another slot would be used, and the number of the last grant of slots that it
    /// has got.
    case needs(running: Int, isShort: Bool, grant: Int, waiting: Int)
    /// It has nothing to do until this instant, and asks whether it may end.
    case rest(until: Instant)
    /// It serves nobody, and why.
    case refused(String)
    case tookCrontab

    /// Returns nil for a line that is none: the user could have changed the program.
    init?(line: String) {
        let words = line.split(separator: " ")
        switch words.first {
        case "needs":
            guard words.count == 5, let running = Int(words[1]), let isShort = Int(words[2]), let grant = Int(words[3]),
                let waiting = Int(words[4])
            else { return nil }
            self = .needs(running: running, isShort: isShort == 1, grant: grant, waiting: waiting)
        case "rest":
            guard words.count == 2, let until = Int64(words[1]) else { return nil }
            self = .rest(until: Instant(milliseconds: until))
        case "refused": self = .refused(String(line.dropFirst("refused ".count)))
        case "took" where words == ["took", "crontab"]: self = .tookCrontab
        default: return nil
        }
    }

    /// The line, with its end.
    var text: String {
        switch self {
        case .needs(let running, let isShort, let grant, let waiting): "needs \(running) \(isShort ? 1 : 0) \(grant) \(waiting)\n"
        case .rest(let until): "rest \(until.milliseconds)\n"
        case .refused(let why): "refused \(why)\n"
        case .tookCrontab: "took crontab\n"
        }
    }
}
