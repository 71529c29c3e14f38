import Synchronization

/// The machine's time zones by name. Each zone is read once, until `reload()`, and then shared. Copies of a database share the
/// zones too.
public struct ZoneDatabase: Sendable {
    /// The directories in the order of the search.
    public let directories: [String]
    private let known = KnownZones()

    /// Without `directories`: `$TZDIR` when set, then `/usr/share/zoneinfo`.
    public init(directories: [String]? = nil) {
        if let directories {
            self.directories = directories
        } else {
            let own = ZoneFiles.environment("TZDIR").flatMap { $0.isEmpty ? nil : [$0] } ?? []
            self.directories = own + ["/usr/share/zoneinfo"]
        }
    }

    /// A zone by its IANA name, or `local`: the zone of `$TZ`, else of `/etc/localtime`, else UTC. `UTC` needs no file.
    ///
    /// Throws for an unknown name, with the nearest names; for a missing database, with the name of the Debian package; and for a
    /// damaged file. Absolute paths and `..` are refused.
    public func zone(_ name: String) throws(RecurrenceError) -> Zone {
        if name == "UTC" { return .utc }
        if let zone = known[name] { return zone }
        return known.share(try fresh(name), as: name)
    }

    /// The same for a name that may well be unknown, without the search for the nearest names. Nil when the name is unknown or its file is
    /// damaged.
    func zone(ifKnown name: String) -> Zone? {
        if name == "UTC" || name == "local" || known[name] != nil { return try? zone(name) }  // damaged
        guard Self.isPlausible(name), let zone = try? find(name) else { return nil }  // damaged
        return known.share(zone, as: name)
    }

    private func fresh(_ name: String) throws(RecurrenceError) -> Zone { name == "local" ? try local() : try read(name) }

    // MARK: Files that change

    /// A zone whose rules have changed.
    public struct Change: Sendable {
        public let old: Zone
        /// The zone that `zone(_:)` returns from now on.
        public let new: Zone
    }

    /// Reads again every zone that was ever requested. A zone that cannot be read any more stays as it was, and is reported as a
    /// failure.
    public func reload() -> (changes: [Change], failures: [(name: String, error: RecurrenceError)]) {
        var changes: [Change] = []
        var failures: [(name: String, error: RecurrenceError)] = []
        for (name, old) in known.all.sorted(by: { $0.key < $1.key }) {
            do throws(RecurrenceError) {
                let new = try fresh(name)
                guard !new.isAlike(old) else { continue }
                known.replace(new, as: name)
                changes.append(Change(old: old, new: new))
            } catch {
                failures.append((name, error))
            }
        }
        return (changes, failures)
    }

    /// The number of zones that were requested. `files` stays the same as long as this number does and no file changes.
    public var count: Int { known.all.count }

    /// Every path that decides the rules of the requested zones: their files, whether they exist or not, the directories of the
    /// database that lead to them, and the targets of links among these.
    public var files: Set<String> {
        var files = Set<String>()
        for name in known.all.keys {
            for path in name == "local" ? localFiles : databaseFiles(name) { files.formUnion(ZoneFiles.steps(from: path)) }
        }
        return files
    }

    private func databaseFiles(_ name: String) -> [String] {
        var files: [String] = []
        for directory in directories {
            files.append(directory)
            for part in name.split(separator: "/") { files.append("\(files.last ?? directory)/\(part)") }
        }
        return files
    }

    private var localFiles: [String] {
        guard let setting = Self.localSetting else { return ["/etc/localtime"] }
        if setting.hasPrefix("/") { return [setting] }
        return Self.isPlausible(setting) ? databaseFiles(setting) : []
    }

    // MARK: Named zones

    private func read(_ name: String) throws(RecurrenceError) -> Zone {
        guard Self.isPlausible(name) else {
            throw RecurrenceError(
                "\(quoted(name)) is not the name of a time zone", hint: #"names look like "Europe/Berlin", "UTC" or "local""#)
        }
        guard let zone = try find(name) else { throw unknown(name) }
        return zone
    }

    private func find(_ name: String) throws(RecurrenceError) -> Zone? {
        for directory in directories {
            if let zone = try load(directory + "/" + name, name: name) { return zone }
        }
        // The names of UTC that work without a database.
        if ["Etc/UTC", "Zulu", "UCT", "Etc/UCT", "Universal", "GMT", "Etc/GMT"].contains(name) {
            return Zone(name: name, ranges: Zone.utc.ranges, abbreviations: [name.hasSuffix("GMT") ? "GMT" : "UTC"])
        }
        return nil
    }

    /// Returns nil when there is no such file.
    private func load(_ path: String, name: String) throws(RecurrenceError) -> Zone? {
        let bytes: [UInt8]
        do {
            bytes = try ZoneFiles.read(path)
        } catch {
            switch error {
            case .missing: return nil
            case .unreadable(let reason):
                throw RecurrenceError("time zone \(quoted(name)): can't read \(path): \(reason)")
            }
        }
        do {
            let file = try TimeZoneFile(bytes)
            return Zone(name: name, ranges: file.ranges, abbreviations: file.abbreviations)
        } catch {
            throw RecurrenceError("time zone \(quoted(name)): \(path) \(error.reason)")
        }
    }

    /// True for letters, digits, `_`, `-`, `+` in parts between slashes. Such a name cannot leave the directory.
    private static func isPlausible(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 64
            && name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
                !part.isEmpty
                    && part.allSatisfy { $0.isLetter || $0.isDigit || $0 == 0x5F || $0 == 0x2D || $0 == 0x2B }
            }
    }

    private func unknown(_ name: String) -> RecurrenceError {
        guard directories.contains(where: ZoneFiles.isDirectory) else {
            let places = directories.joined(separator: " or ")
            return RecurrenceError(
                "time zone \(quoted(name)) is not known: there is no time-zone database in \(places)",
                hint: "install the package tzdata (Debian, Ubuntu: apt install tzdata)")
        }
        let near = nearest(to: name).map(quoted)
        return RecurrenceError(
            "unknown time zone \(quoted(name))", hint: near.isEmpty ? nil : "did you mean \(near.joined(separator: " or "))?")
    }

    /// Names with the same letters in another case, names of the same city elsewhere, and names with at most a third of the
    /// letters wrong.
    private func nearest(to name: String) -> [String] {
        let wanted = name.asciiLowercased
        let wantedCity = wanted.split(separator: "/").last ?? ""
        var scored: [(distance: Int, name: String)] = []
        for candidate in Set(directories.flatMap { ZoneFiles.zoneNames(in: $0) }) {
            let lower = candidate.asciiLowercased
            let city = lower.split(separator: "/").last ?? ""
            var distance = lower.editDistance(to: wanted)
            if city == wantedCity { distance = min(distance, 1) }
            if !wanted.contains("/") { distance = min(distance, String(city).editDistance(to: wanted) + 1) }
            if distance <= max(2, wanted.utf8.count / 3) { scored.append((distance, candidate)) }
        }
        scored.sort { ($0.distance, $0.name) < ($1.distance, $1.name) }
        guard let best = scored.first?.distance else { return [] }
        return scored.prefix { $0.distance == best }.prefix(3).map(\.name)
    }

    // MARK: The machine's own

    /// tzset(3): a colon may precede. An empty value is UTC. Otherwise the value is a file's name or path, or else a rule.
    private static var localSetting: String? {
        ZoneFiles.environment("TZ").map { $0.hasPrefix(":") ? String($0.dropFirst()) : $0 }
    }

    private func local() throws(RecurrenceError) -> Zone {
        guard let setting = Self.localSetting else { return try localFile("/etc/localtime") ?? .utc }
        if setting.isEmpty { return .utc }
        if setting.hasPrefix("/") {
            if let zone = try localFile(setting) { return zone }
            throw RecurrenceError("TZ names \(setting), and there is no such file")
        }
        if setting == "UTC" { return .utc }
        if Self.isPlausible(setting) {
            for directory in directories {
                if let zone = try load(directory + "/" + setting, name: setting) { return zone }
            }
        }
        if let rule = PosixRule(setting.utf8) {
            let file = TimeZoneFile(rule: rule)
            return Zone(name: setting, ranges: file.ranges, abbreviations: file.abbreviations)
        }
        throw RecurrenceError("TZ is set to \(quoted(setting)), which is neither a time zone nor a rule")
    }

    private func localFile(_ path: String) throws(RecurrenceError) -> Zone? {
        // The link's target gives the name: /usr/share/zoneinfo/Europe/Berlin.
        let parts = (ZoneFiles.link(path) ?? path).split(separator: "/")
        var name = "local"
        if let root = parts.lastIndex(of: "zoneinfo") {
            let tail = parts[(root + 1)...].joined(separator: "/")
            if Self.isPlausible(tail) { name = tail }
        }
        return try load(path, name: name)
    }
}

/// The zones that have been read.
private final class KnownZones: Sendable {
    private let zones = Mutex<[String: Zone]>([:])

    subscript(name: String) -> Zone? {
        zones.withLock { $0[name] }
    }

    var all: [String: Zone] { zones.withLock { $0 } }

    func replace(_ zone: Zone, as name: String) { zones.withLock { $0[name] = zone } }

    /// Stores a zone and returns the stored one, in case two threads have read the same zone.
    func share(_ zone: Zone, as name: String) -> Zone {
        zones.withLock { zones in
            if let first = zones[name] { return first }
            zones[name] = zone
            return zone
        }
    }
}

func quoted(_ text: String) -> String {
    "\"\(text)\""
}
