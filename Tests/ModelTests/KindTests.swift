import Model
import Testing

@Suite struct KindTests {
    static let files: [(String, String, Bool, Source.Format?)] = [
        ("a.toml", "", false, .toml), ("a.json", "", false, .json), ("a.toml", "#!/bin/sh", true, .toml),
        ("a", "#!/bin/sh", true, .script), ("a.sh", "#!/bin/sh", true, .script), ("a", "#!/bin/sh", false, nil),
        ("a", "echo", true, nil), ("a", "#", true, nil), ("toml", "x = 1", true, nil), ("a.TOML", "x", true, nil),
    ]

    @Test(arguments: files)
    func aFilesKindIsToldByNameAndFirstBytes(file: String, text: String, isExecutable: Bool, format: Source.Format?) {
        #expect(Source.format(ofFile: file, firstBytes: Array(text.utf8), isExecutable: isExecutable) == format)
    }

    @Test func eachKindHasAFileOfItsOwn() {
        let names = Source.Format.allCases.map { Source(format: $0, bytes: []).fileName }
        #expect(Set(names) == Set(Source.fileNames) && names.count == Source.fileNames.count)
    }
}
