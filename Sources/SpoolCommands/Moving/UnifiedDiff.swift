/// The difference of two texts as a unified diff, as diff -u and patch(1) have it. Lines end with LF, which a last line may lack.
struct UnifiedDiff {
    /// The lines of the diff without their ends: the two names, then the hunks. Empty when the texts are equal.
    let lines: [String]

    private enum Edit { case keep, remove, add }

    /// The number of unchanged lines around a change.
    private static let contextCount = 3
    /// Texts that differ in more lines are shown as replaced, because the time grows with the square of this number.
    private static let editsMax = 1000

    /// - Parameter from, to: the texts; nil for a file that does not exist.
    init(_ from: String?, _ to: String?, names: (from: String, to: String)) {
        let old = Self.split(from ?? "")
        let new = Self.split(to ?? "")
        let edits = Self.edits(old, new)
        var lines: [String] = []
        for hunk in Self.hunks(edits) { lines += Self.text(of: hunk, edits, old, new) }
        if lines.isEmpty, (from == nil) == (to == nil) {
            self.lines = []
        } else {
            self.lines = ["--- \(from == nil ? "/dev/null" : names.from)", "+++ \(to == nil ? "/dev/null" : names.to)"] + lines
        }
    }

    /// The lines with their ends, so that a last line without an end differs from the same line with one.
    private static func split(_ text: String) -> [Substring] {
        var lines: [Substring] = []
        var rest = text.utf8[...]
        while let end = rest.firstIndex(of: 0x0A) {
            let next = rest.index(after: end)
            lines.append(Substring(rest[..<next]))
            rest = rest[next...]
        }
        if !rest.isEmpty { lines.append(Substring(rest)) }
        return lines
    }

    // MARK: Edits

    /// Compares bytes: two spellings of one character are a difference.
    private static func isSame(_ one: Substring, _ other: Substring) -> Bool { one.utf8.elementsEqual(other.utf8) }

    /// The shortest edits that turn the old lines into the new ones.
    private static func edits(_ old: [Substring], _ new: [Substring]) -> [Edit] {
        var begin = 0
        while begin < old.count, begin < new.count, isSame(old[begin], new[begin]) { begin += 1 }
        var end = 0
        while end < old.count - begin, end < new.count - begin, isSame(old[old.count - 1 - end], new[new.count - 1 - end]) { end += 1 }
        let middle = shortest(Array(old[begin..<old.count - end]), Array(new[begin..<new.count - end]))
        return Array(repeating: .keep, count: begin) + middle + Array(repeating: .keep, count: end)
    }

    /// E. Myers, An O(ND) Difference Algorithm and Its Variations, 1986: the greedy algorithm.
    private static func shortest(_ old: [Substring], _ new: [Substring]) -> [Edit] {
        let replaced = Array(repeating: Edit.remove, count: old.count) + Array(repeating: Edit.add, count: new.count)
        if old.isEmpty || new.isEmpty { return replaced }
        let most = min(old.count + new.count, editsMax)
        // furthest[k + most + 1]: how far the diagonal k has come in the old lines.
        var furthest = Array(repeating: 0, count: 2 * most + 3)
        var trace: [[Int]] = []
        for count in 0...most {
            trace.append(furthest)
            for k in stride(from: -count, through: count, by: 2) {
                let at = k + most + 1
                let isDown = k == -count || k != count && furthest[at - 1] < furthest[at + 1]
                var x = isDown ? furthest[at + 1] : furthest[at - 1] + 1
                while x < old.count, x - k < new.count, isSame(old[x], new[x - k]) { x += 1 }
                furthest[at] = x
                if x >= old.count, x - k >= new.count { return path(trace, most, old.count, new.count) }
            }
        }
        return replaced
    }

    private static func path(_ trace: [[Int]], _ most: Int, _ oldCount: Int, _ newCount: Int) -> [Edit] {
        var edits: [Edit] = []
        var (x, y) = (oldCount, newCount)
        for count in stride(from: trace.count - 1, through: 0, by: -1) {
            let furthest = trace[count]
            let k = x - y
            let at = k + most + 1
            let isDown = k == -count || k != count && furthest[at - 1] < furthest[at + 1]
            let before = isDown ? k + 1 : k - 1
            let fromX = furthest[before + most + 1]
            let fromY = fromX - before
            while x > max(fromX, 0), y > max(fromY, 0), x > 0, y > 0 {
                edits.append(.keep)
                (x, y) = (x - 1, y - 1)
            }
            if count > 0 {
                edits.append(isDown ? .add : .remove)
                (x, y) = (fromX, fromY)
            }
        }
        return edits.reversed()
    }

    // MARK: Hunks

    /// Ranges of edits that belong together: changes with the context around them.
    private static func hunks(_ edits: [Edit]) -> [Range<Int>] {
        var hunks: [Range<Int>] = []
        for (index, edit) in edits.enumerated() where edit != .keep {
            let range = max(0, index - contextCount)..<min(edits.count, index + contextCount + 1)
            if let last = hunks.last, range.lowerBound <= last.upperBound {
                hunks[hunks.count - 1] = last.lowerBound..<range.upperBound
            } else {
                hunks.append(range)
            }
        }
        return hunks
    }

    private static func text(of hunk: Range<Int>, _ edits: [Edit], _ old: [Substring], _ new: [Substring]) -> [String] {
        var oldIndex = edits[..<hunk.lowerBound].count { $0 != .add }
        var newIndex = edits[..<hunk.lowerBound].count { $0 != .remove }
        let oldCount = edits[hunk].count { $0 != .add }
        let newCount = edits[hunk].count { $0 != .remove }
        var lines = ["@@ -\(place(oldIndex, oldCount)) +\(place(newIndex, newCount)) @@"]
        func add(_ mark: String, _ line: Substring) {
            let isEnded = line.utf8.last == 0x0A
            lines.append(mark + String(decoding: isEnded ? line.utf8.dropLast() : line.utf8[...], as: UTF8.self))
            if !isEnded { lines.append("\\ No newline at end of file") }
        }
        for edit in edits[hunk] {
            switch edit {
            case .keep: add(" ", old[oldIndex])
            case .remove: add("-", old[oldIndex])
            case .add: add("+", new[newIndex])
            }
            if edit != .add { oldIndex += 1 }
            if edit != .remove { newIndex += 1 }
        }
        return lines
    }

    /// The first line and the number of lines; for no lines, the line before them.
    private static func place(_ index: Int, _ count: Int) -> String {
        count == 1 ? "\(index + 1)" : "\(count == 0 ? index : index + 1),\(count)"
    }
}
