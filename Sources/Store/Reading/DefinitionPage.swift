/// Some definitions in the order of their names, found without looking at the files of all others.
public struct DefinitionPage: Sendable {
    public internal(set) var files: [(stem: String, files: [String])] = []
    /// The number of definitions before the page.
    public internal(set) var skipped = 0
    /// The number of definitions after the page.
    public internal(set) var rest = 0
    /// True when there may be more than `rest` after the page, because not all names were looked at.
    public internal(set) var isRestLeast = false

    /// The number of names after the page that are looked at.
    static let lookedAtMax = 1000
}

extension Spool {
    /// The definitions after the first `offset`, at most `limit` of them.
    public func definitionPage(in directory: String, skipping offset: Int, atMost limit: Int) throws(SystemError) -> DefinitionPage {
        let lines = directory == Layout.tasks ? try crontabNames() : [:]
        var names: [(stem: String, file: String)] = lines.map { ($0.key, $0.value) }
        for entry in try fs.list(directory) where !Name.isUnfinished(entry.name) && entry.kind != .directory {
            let stem = Layout.stem(of: entry.name)
            if lines[stem] == nil { names.append((stem, entry.name)) }
        }
        let isPart = offset < names.count && limit < names.count
        var sorted = names.sortFirst(isPart ? offset + limit + DefinitionPage.lookedAtMax : names.count)
        var page = DefinitionPage()
        var next = 0
        while next < names.count {
            if next == sorted {
                names[next...].sort(by: isBefore)
                sorted = names.count
            }
            if page.rest >= DefinitionPage.lookedAtMax {
                // Where all files count, the names are enough.
                page.isRestLeast = fs.hasForeign
                if !fs.hasForeign { page.rest += Set(names[next...].map(\.stem)).count }
                break
            }
            let stem = names[next].stem
            var files: [String] = []
            while next < names.count, names[next].stem == stem {
                let isCounted = lines[stem] != nil ? true : try counts("\(directory)/\(names[next].file)")
                if isCounted { files.append(names[next].file) }
                next += 1
            }
            if files.isEmpty { continue }
            if page.skipped < offset {
                page.skipped += 1
            } else if page.files.count < limit {
                page.files.append((stem, files))
            } else {
                page.rest += 1
            }
        }
        return page
    }

    /// True for a file whose owner's files count here.
    private func counts(_ path: String) throws(SystemError) -> Bool {
        guard fs.hasForeign else { return true }
        return try fs.status(path).map { !fs.isForeign($0) } ?? false
    }
}

private typealias Named = (stem: String, file: String)

private func isBefore(_ one: Named, _ other: Named) -> Bool { (one.stem, one.file) < (other.stem, other.file) }

extension [Named] {
    /// Moves about as many names as are wanted, those that come first, to the front and sorts them: all files of a name, or none. Returns
    /// their number.
    fileprivate mutating func sortFirst(_ wanted: Int) -> Int {
        guard wanted < count / 8 else {
            sort(by: isBefore)
            return count
        }
        let sample = stride(from: 0, to: count, by: Swift.max(1, count / 1024)).map { self[$0].stem }.sorted()
        // Twice as many, because a sample tells it only roughly.
        let bound = sample[Swift.min(sample.count - 1, 2 * wanted * sample.count / count + 1)]
        let end = partition { $0.stem >= bound }
        self[..<end].sort(by: isBefore)
        return end
    }
}
