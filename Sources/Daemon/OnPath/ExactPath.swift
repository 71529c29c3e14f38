/// A path, or a name in one, that is compared by its bytes. Swift compares strings by characters: the two spellings of é are equal strings
/// and different files.
struct ExactPath: Hashable, CustomStringConvertible {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (a: ExactPath, b: ExactPath) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    var description: String { text }

    /// The path of a name in this directory.
    func appending(_ name: String) -> ExactPath { ExactPath(text == "/" ? "/\(name)" : "\(text)/\(name)") }

    /// The path's directory, and its name there. The path must not be `/`.
    var split: (directory: ExactPath, name: ExactPath) {
        let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) ?? text.startIndex
        let directory = slash == text.startIndex ? "/" : String(text[..<slash])
        return (ExactPath(directory), ExactPath(String(text[text.utf8.index(after: slash)...])))
    }

    /// True when this path is in the directory or anywhere below it.
    func lies(below directory: ExactPath) -> Bool {
        directory.text == "/" || text.utf8.starts(with: "\(directory.text)/".utf8)
    }
}
