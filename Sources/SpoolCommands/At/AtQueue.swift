import Glibc
import Linux
import Store

/// The jobs of at that wait or run: lists, shows and removes them. root sees those of all users.
struct AtQueue {
    private let session: Session
    /// The name of the caller. A user without a name is shown by the number.
    private let own: String

    init(_ session: Session) {
        self.session = session
        own = (try? User.find(id: geteuid()))??.name ?? "\(geteuid())"  // a database that does not answer: by the number too
    }

    private struct Item {
        var number: Int
        var start: Instant
        /// `=` while the job runs.
        var queue: Character
        var user: String
        var place: JobPlace
        var part: Session
    }

    /// The numbers of all jobs that the caller sees. So a job of root gets no number that a user's job has.
    func numbers() throws(Failure) -> Set<Int> {
        var numbers: Set<Int> = []
        try eachPlace { number, _, _, _ in numbers.insert(number) }
        return numbers
    }

    /// The jobs of at by their numbers.
    private func items() throws(Failure) -> [Item] {
        var items: [Item] = []
        try eachPlace { number, place, part, records throws(Failure) in
            guard let record = try part.record(at: place, &records), !record.place.state.isTerminal,
                record.status.queue.utf8.count == 1, let queue = record.status.queue.first
            else { return }
            let start = record.status.notBefore ?? record.status.scheduledAt ?? session.now
            let isRunning = record.place.state == .running
            items.append(
                Item(
                    number: number, start: start, queue: isRunning ? "=" : queue, user: part.owner?.name ?? own, place: record.place,
                    part: part))
        }
        return items.sorted { ($0.number, $0.user) < ($1.number, $1.user) }
    }

    /// Calls `body` with the number and place of each job that is named as those of at and waits or runs.
    private func eachPlace(_ body: (Int, JobPlace, Session, inout JobRecords<DiskFileSystem>) throws(Failure) -> Void) throws(Failure) {
        guard FileName.isAccessible(session.spoolPath) else { return }
        _ = try EverybodysSpool.each(session) { part throws(Failure) in
            var records = try part.records()
            let places = try part.reading { () throws(JournalError) in try records.places(in: [.new, .running]) }
            for place in places { if let number = AtNumbers.number(ofJob: place.id) { try body(number, place, part, &records) } }
        }
    }

    // MARK: atq

    func list(_ invocation: AtInvocation) throws(Failure) -> Int32 {
        let items = try items()
        // The users whose job a number names without its user.
        let first = Dictionary(grouping: items, by: \.number).mapValues { named(by: nil, among: $0)?.user }
        var wanted: [(owner: String?, number: Int)] = []
        // at ignores the numbers beside a queue.
        if invocation.queue == nil {
            for word in invocation.operands {
                let (owner, name) = UserPart.split(word)
                guard let number = Int(name), number >= 0 else { throw Failure(1, "invalid job number") }
                wanted.append((owner, number))
            }
        }
        for item in items where invocation.queue.map({ $0 == item.queue }) ?? true {
            let isWanted = wanted.contains { $0.number == item.number && $0.owner ?? item.user == item.user }
            guard wanted.isEmpty || isWanted else { continue }
            let name = first[item.number] == item.user ? "\(item.number)" : "\(item.user)/\(item.number)"
            session.output.line("\(name)\t\(AtTime.text(item.start, invocation.timeFormat)) \(item.queue) \(item.user)")
        }
        return 0
    }

    /// The job that a number names, among those that have it: that of the user who was named with it, else the caller's, else the only one.
    private func named(by owner: String?, among items: [Item]) -> Item? {
        if let owner { return items.first { $0.user == owner } }
        return items.first { $0.user == own } ?? (items.count == 1 ? items.first : nil)
    }

    // MARK: at -c, atrm

    func show(_ words: [String]) throws(Failure) -> Int32 {
        try each(words) { item throws(Failure) in
            guard let script = try item.part.asOwner({ () throws(Failure) in try Self.script(of: item) }) else { return false }
            session.output.write(script)
            return true
        }
    }

    func remove(_ words: [String]) throws(Failure) -> Int32 {
        try each(words) { item throws(Failure) in
            try item.part.asOwner { () throws(Failure) in
                if item.place.state == .running { session.errors.line("Warning: deleting running job") }
                let fs = try item.part.openSpoolForWriting()
                if item.place.isFile {
                    do throws(SystemError) {
                        try fs.removeFile(item.place.path)
                        return true
                    } catch {
                        if error.errno != ENOENT { throw Failure(error) }
                        // A job that has started meanwhile is canceled below.
                        guard try Self.placeNow(of: item) != nil else { return false }
                    }
                }
                let answers = try ControlRequest(item.part).make(for: [item.place.id]) { $0.member("do", "cancel") }
                // Without a daemon the request waits for the next one.
                guard let answer = answers?[item.place.id], answer.code != ExitCode.done else { return true }
                if answer.code == ExitCode.notFound { return false }
                throw Failure(1, answer.message)
            }
        }
    }

    /// Does something with each job. root may name a job of a user as USER/NUMBER, as `atq` does where the number alone means another job.
    /// `body` returns false for a job that has ended meanwhile.
    private func each(_ words: [String], _ body: (Item) throws(Failure) -> Bool) throws(Failure) -> Int32 {
        guard !words.isEmpty else { AtInvocation.usage(session.errors) }
        for word in words where UserPart.split(word).name.utf8.contains(where: { !(0x30...0x39).contains($0) }) {
            session.errors.line("at: unknown jobid: \(word)")
            return 1
        }
        var code: Int32 = 0
        let items = try items()
        for word in words {
            let (owner, name) = UserPart.split(word)
            let found = items.filter { $0.number == Int(name) }
            let item = named(by: owner, among: found)
            if let item, try body(item) { continue }
            if item == nil, owner == nil, found.count > 1 {
                let names = found.map { "\($0.user)/\($0.number)" }.joined(separator: ", ")
                session.errors.line("\(word) is a job of several users: \(names)")
            } else {
                session.errors.line("Cannot find jobid \(word)")
            }
            code = 1
        }
        return code
    }

    /// The place of a job at present. Nil when it has ended.
    private static func placeNow(of item: Item) throws(Failure) -> JobPlace? {
        var records = try item.part.records()
        let place = try item.part.reading { () throws(JournalError) in try records.place(of: item.place.id) }
        return place.flatMap { $0.state.isTerminal ? nil : $0 }
    }

    /// The commands of a job. Nil when it has ended.
    private static func script(of item: Item) throws(Failure) -> String? {
        let fs = try item.part.openSpool()
        var place = item.place
        while true {
            let path = place.isFile ? place.path : "\(place.path)/job.toml"
            let taken = try attempt { () throws(SystemError) in try fs.take(path, limit: Source.bytesMax, ignoringWriters: true) }
            if case .file(_, let bytes) = taken, let table = try? TOML.parse(bytes), case .table(let keys) = table.kind,
                case .string(let script)? = keys["script"]?.kind
            {
                return BatchStart.unwrap(script)
            }
            // The job may have started or ended between the two looks.
            guard let now = try placeNow(of: item) else { return nil }
            guard now.path != place.path else { throw Failure(1, "\(item.part.spoolPath)/\(path) cannot be read") }
            place = now
        }
    }
}
