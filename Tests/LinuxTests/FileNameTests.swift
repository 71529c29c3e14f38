import Glibc
import Linux
import TestSupport
import Testing

@Suite struct FileNameTests {
    static let names: [[UInt8]] = [
        Array("plain.toml".utf8), Array("Größe 日本 😀".utf8), [],
        [0xFF], [0x61, 0xFF, 0x62], [0xC3], [0xC3, 0x28], [0xE2, 0x82], [0xF0, 0x9F, 0x98],
        [0x80, 0x81], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
        Array("\u{10FF41}".utf8), Array("\u{10FFFF}\u{10FF00}x".utf8), Array("\u{10FE00}\u{100000}".utf8),
        [0xF4, 0x8F, 0xBF], [0xF4], [0xE4, 0xF6, 0xFC, 0x2E, 0x74, 0x78, 0x74],
    ]

    @Test("Any name's bytes come back from its String", arguments: names)
    func roundTrip(_ bytes: [UInt8]) {
        #expect(FileName.bytes(of: FileName.string(from: bytes)) == bytes)
    }

    @Test func differentNamesAreDifferentStrings() {
        let strings = Self.names.map { Array(FileName.string(from: $0).unicodeScalars) }
        for (index, string) in strings.enumerated() {
            for other in strings[(index + 1)...] { #expect(string != other) }
        }
    }

    @Test func randomBytesRoundTrip() {
        var generator = SeededGenerator(seed: 20261121)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                // Most bytes have a meaning in UTF-8, so that nearly valid sequences are frequent.
                Bool.random(using: &generator)
                    ? UInt8.random(in: 0x80...0xFF, using: &generator)
                    : [0x41, 0xF4, 0x8F, 0xBC, 0xBF, 0xE2, 0xC3].randomElement(using: &generator)!
            }
            #expect(FileName.bytes(of: FileName.string(from: bytes)) == bytes, "\(bytes)")
        }
    }

    @Test func validNamesAreThemselves() {
        #expect(FileName.string(from: Array("Größe 😀".utf8)) == "Größe 😀")
        #expect(FileName.string(from: [0x61, 0xFF]).unicodeScalars.map(\.value) == [0x61, 0x10FFFF])
    }

    @Test("A NUL in a path is refused, plain or escaped", arguments: ["a\0b", "a\u{10FF00}b"])
    func nul(_ path: String) {
        #expect(throws: SystemError(call: "path", path: path, errno: EINVAL)) {
            try FileDescriptor.open(path, O_RDONLY).raw
        }
    }

    @Test func aFileWithAnInvalidNameIsListedAndOpened() throws {
        let temporary = try TemporaryDirectory()
        let name = FileName.string(from: [0x66, 0xFC, 0xF4, 0x8F, 0xBF, 0xBF])
        try temporary.write(name, "content")
        #expect(try temporary.directory.list() == [DirectoryEntry(name: name, kind: .file)])
        #expect(try temporary.text(name) == "content")
        try temporary.directory.rename(name, to: "plain")
        #expect(try temporary.names() == ["plain"])
    }
}
