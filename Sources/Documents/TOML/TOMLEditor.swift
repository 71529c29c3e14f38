/// Changes a TOML text that a person wrote. Everything that is not changed keeps its exact bytes, including comments and layout.
///
/// A comment directly above a header belongs to that header's block and is removed with it, unless it is the first comment of the
/// file. After each change the text is valid TOML, and what the change wrote is valid TOML 1.0.
public struct TOMLEditor {
    public private(set) var text: String
    private var bytes: [UInt8]
    private var outline: TOMLOutline
    private var root: Table

    /// Throws when `text` is not TOML.
    public init(_ text: String) throws(DocumentError) {
        self.text = text
        bytes = Array(text.utf8)
        (root, outline) = try TOMLEditor.read(bytes, limits: .standard)
    }

    private static func read(_ bytes: [UInt8], limits: Limits) throws(DocumentError) -> (Table, TOMLOutline) {
        try bytes.withUnsafeBufferPointer { (bytes) throws(DocumentError) -> (Table, TOMLOutline) in
            var parser = try TOMLParser(bytes, limits: limits, outline: TOMLOutline())
            guard case .table(let root) = try parser.parseDocument().kind else {
                preconditionFailure("a TOML document is a table")
            }
            return (root, parser.outline!)
        }
    }

    // MARK: Changes

    /// Sets the top-level `key` to this value. An existing line of the key is changed in place. Otherwise a line is added before
    /// the first header, after the last key there. A table or dotted keys of that name are replaced.
    ///
    /// Throws, and leaves the text unchanged, when the value contains null or nests too deep.
    public mutating func set(_ key: String, to value: Value) throws(DocumentError) {
        try refuseNull(in: value)
        let written = TOMLWriter.line(value, multilineStrings: newline == "\n")
        if let statement = topLevel.first(where: { $0.path.count == 1 && $0.path[0].isExactly(key) }) {
            try replace([(statement.value, Array(written.utf8))])
            return
        }
        let removed = rangesOfAll(key)
        var edits = removed.map { ($0, [UInt8]()) }
        let (place, lead, trail) = placeForKey(removing: removed)
        edits.append((place..<place, Array("\(lead)\(TOMLWriter.key(key)) = \(written)\(trail)".utf8)))
        try replace(edits)
    }

    /// Removes the top-level `key` with its line, or its table or dotted keys. Returns false when there is no such key.
    @discardableResult
    public mutating func remove(_ key: String) -> Bool {
        let ranges = rangesOfAll(key)
        replaceKnownGood(ranges.map { ($0, []) })
        return !ranges.isEmpty
    }

    /// Adds an element to the array of tables `name`: a `[[name]]` block at the end, or one more value if the array is written
    /// inline.
    ///
    /// Throws, and leaves the text unchanged, when `name` is something else already or the table contains null.
    public mutating func append(tableArray name: String, _ table: Table) throws(DocumentError) {
        let value = Value(.table(table))
        try refuseNull(in: value)
        if let (statement, elements) = inlineArray(name) {
            let array = TOMLWriter.inline(Value(.array(elements + [value])))
            try replace([(statement.value, Array(array.utf8))])
            return
        }
        var writer = TOMLWriter(multilineStrings: newline == "\n")
        writer.write(Table([Table.Entry(key: name, keyPosition: value.position, value: Value(.array([value])))]), path: [])
        var block = lines(writer.text)
        if !bytes.isEmpty {
            if bytes.last != Byte.newline { block = newline + block }
            block = newline + block
        }
        try replace([(bytes.count..<bytes.count, Array(block.utf8))])
    }

    /// Removes element `index` (from 0) of the array of tables `name`: its block with its sub-tables, or its value if the array
    /// is written inline. Returns false when there is no such element.
    @discardableResult
    public mutating func removeElement(of name: String, at index: Int) -> Bool {
        guard index >= 0 else { return false }
        if let (statement, elements) = inlineArray(name) {
            guard index < elements.count else { return false }
            var rest = elements
            rest.remove(at: index)
            replaceKnownGood([(statement.value, Array(TOMLWriter.inline(Value(.array(rest))).utf8))])
            return true
        }
        var ranges: [Range<Int>] = []
        var element = -1
        for (place, statement) in outline.statements.enumerated() where statement.kind != .keyValue {
            guard statement.path[0].isExactly(name) else { continue }
            if statement.path.count == 1 {
                guard statement.kind == .arrayElement else { return false }
                element += 1
            }
            if element == index { ranges.append(block(ofHeader: place)) }
        }
        replaceKnownGood(ranges.map { ($0, []) })
        return !ranges.isEmpty
    }

    // MARK: - Finding places

    /// The statements before the first header.
    private var topLevel: ArraySlice<TOMLOutline.Statement> {
        outline.statements.prefix { $0.kind == .keyValue }
    }

    private func inlineArray(_ name: String) -> (TOMLOutline.Statement, [Value])? {
        guard let statement = topLevel.first(where: { $0.path.count == 1 && $0.path[0].isExactly(name) }),
            case .array(let elements) = root[name]?.kind
        else { return nil }
        return (statement, elements)
    }

    /// The lines and blocks that together define the top-level `key`.
    private func rangesOfAll(_ key: String) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        for statement in topLevel where statement.path[0].isExactly(key) {
            ranges.append(startOfLine(statement.range.lowerBound)..<statement.range.upperBound)
        }
        for (place, statement) in outline.statements.enumerated() where statement.kind != .keyValue {
            if statement.path[0].isExactly(key) { ranges.append(block(ofHeader: place)) }
        }
        return ranges
    }

    /// The range from the comments directly above a header to those directly above the next header.
    private func block(ofHeader place: Int) -> Range<Int> {
        let next = outline.statements[(place + 1)...].firstIndex { $0.kind != .keyValue }
        return startOfBlock(ofHeader: place)..<(next.map { startOfBlock(ofHeader: $0) } ?? bytes.count)
    }

    private func startOfBlock(ofHeader place: Int) -> Int {
        let header = startOfLine(outline.statements[place].range.lowerBound)
        // Don't go above the end of the preceding statement: the last lines of its string may look like comments.
        let floor = place > 0 ? outline.statements[place - 1].range.upperBound : startOfLine(0)
        var start = header
        while start > floor {
            let above = startOfLine(start - 1)
            let first = bytes[above..<start].first { $0 != Byte.space && $0 != Byte.tab }
            guard first == Byte.hash else { return start }
            start = above
        }
        // The first comment of the file describes the whole file.
        return place == 0 ? header : start
    }

    private func startOfLine(_ offset: Int) -> Int {
        if let newline = bytes[..<offset].lastIndex(of: Byte.newline) { return newline + 1 }
        return bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    /// The offset for a new top-level key, and the text that must precede and follow it.
    private func placeForKey(removing removed: [Range<Int>]) -> (place: Int, lead: String, trail: String) {
        if let last = topLevel.last {
            let end = last.range.upperBound
            // A new key takes the line of the key that is removed.
            if removed.contains(where: { $0.upperBound == end }) {
                return (end, "", bytes[end - 1] == Byte.newline ? newline : "")
            }
            return bytes[end - 1] == Byte.newline ? (end, "", newline) : (end, newline, "")
        }
        if !outline.statements.isEmpty {
            return (startOfBlock(ofHeader: 0), "", newline + newline)
        }
        let lead = bytes.isEmpty || bytes.last == Byte.newline ? "" : newline
        return (bytes.count, lead, newline)
    }

    /// The line ending that this text uses.
    private var newline: String {
        guard let first = bytes.firstIndex(of: Byte.newline), first > 0 else { return "\n" }
        return bytes[first - 1] == Byte.carriageReturn ? "\r\n" : "\n"
    }

    /// `text` with this text's line endings. It has no multi-line strings when lines end with `\r\n`.
    private func lines(_ text: String) -> String {
        guard newline == "\r\n" else { return text }
        return String(decoding: text.utf8.flatMap { $0 == Byte.newline ? [Byte.carriageReturn, $0] : [$0] }, as: UTF8.self)
    }

    // MARK: - Changing bytes

    private func refuseNull(in value: Value) throws(DocumentError) {
        switch value.kind {
        case .null:
            throw DocumentError(position: value.position, message: "TOML has no null", hint: "remove the key instead")
        case .array(let values):
            for value in values { try refuseNull(in: value) }
        case .table(let table):
            for entry in table.entries { try refuseNull(in: entry.value) }
        default:
            break
        }
    }

    private mutating func replace(_ edits: [(Range<Int>, [UInt8])]) throws(DocumentError) {
        guard !edits.isEmpty else { return }
        var changed = bytes
        // Apply the changes from the end, so that earlier ranges stay valid. Of two that begin at the same offset, apply the
        // longer first, so that text inserted where something is removed stays.
        let ordered = edits.sorted { ($0.0.lowerBound, $0.0.upperBound) > ($1.0.lowerBound, $1.0.upperBound) }
        for (range, replacement) in ordered {
            changed.replaceSubrange(range, with: replacement)
        }
        // Rewritten, a document at a limit may become longer. It was accepted before and must not be refused now.
        let limits = Limits(bytes: .max, depth: .max, values: .max)
        (root, outline) = try TOMLEditor.read(changed, limits: limits)
        bytes = changed
        text = String(decoding: changed, as: UTF8.self)
    }

    /// Removing whole statements and blocks from a valid document leaves a valid document.
    private mutating func replaceKnownGood(_ edits: [(Range<Int>, [UInt8])]) {
        do { try replace(edits) } catch { preconditionFailure("an edit broke the document: \(error)") }
    }
}
