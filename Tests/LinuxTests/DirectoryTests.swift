import CLinux
import Glibc
import Linux
import TestSupport
import Testing

@Suite struct DirectoryTests {
    let temporary: TemporaryDirectory

    init() throws { temporary = try TemporaryDirectory() }

    private func errno(_ body: () throws(SystemError) -> Void) -> Int32? {
        do throws(SystemError) { try body() } catch { return error.errno }
        return nil
    }

    @Test func errorsSayWhatWasDoneToWhat() {
        #expect(SystemError(call: "open", path: "new/x.toml", errno: EACCES).description == "open new/x.toml: Permission denied")
        #expect(SystemError(call: "fork", errno: EAGAIN).description == "fork: Resource temporarily unavailable")
        #expect(throws: SystemError(call: "open", path: "missing", errno: ENOENT)) {
            try temporary.directory.readFile("missing", limit: .max)
        }
    }

    @Test func writingAndReading() throws {
        let directory = try Directory.open(temporary.path)
        try temporary.write("a", "first, longer")
        try temporary.write("a", "second", mode: 0o644)
        #expect(try temporary.text("a") == "second")
        try directory.makeDirectory("sub")
        try temporary.write("sub/b", "", mode: 0o640)
        #expect(try directory.status("sub/b").mode == 0o640)
        #expect(try temporary.names() == ["a", "sub"])
        try directory.sync()
    }

    @Test("Attack 14: reading stops at the limit") func readingStopsAtTheLimit() throws {
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try temporary.directory.writeFile("big", bytes)
        #expect(try temporary.directory.readFile("big", limit: .max) == bytes)
        #expect(try temporary.directory.readFile("big", limit: 300_000) == bytes)
        #expect(errno { () throws(SystemError) in _ = try temporary.directory.readFile("big", limit: 299_999) } == EFBIG)
        // Files in /proc have the size 0 although they have content.
        let process = try Directory.open("/proc/self")
        #expect(try process.readFile("stat", limit: .max).count > 20)
    }

    @Test func onlyRegularFilesAreRead() throws {
        let directory = try Directory.open(temporary.path)
        try directory.makeDirectory("directory")
        try directory.makeSymbolicLink("link", to: "directory")
        _ = try Pipe(temporary, "pipe")
        #expect(errno { () throws(SystemError) in _ = try directory.readFile("directory", limit: .max) } == EISDIR)
        #expect(errno { () throws(SystemError) in _ = try directory.readFile("link", limit: .max) } == ELOOP)
        #expect(errno { () throws(SystemError) in _ = try directory.readFile("pipe", limit: .max) } == EINVAL)
        #expect(errno { () throws(SystemError) in try directory.writeFile("link", []) } == ELOOP)
        #expect(try directory.readSymbolicLink("link") == "directory")
    }

    @Test func renamingAndLinking() throws {
        let directory = try Directory.open(temporary.path)
        try temporary.write("a", "a")
        try temporary.write("b", "b")
        #expect(errno { () throws(SystemError) in try directory.renameNoReplace("a", to: "b") } == EEXIST)
        try directory.exchange("a", "b")
        #expect(try temporary.text("a") == "b")
        try directory.rename("a", to: "b")
        #expect(try temporary.names() == ["b"])
        try directory.link("b", to: "c")
        let status = try directory.status("c")
        #expect(status.links == 2 && status.kind == .file && status.size == 1 && status.owner == getuid())
        try directory.makeDirectory("d")
        let inner = try directory.openDirectory("d")
        try directory.rename("c", into: inner, as: "c")
        #expect(try inner.list() == [DirectoryEntry(name: "c", kind: .file)])
        #expect(errno { () throws(SystemError) in try directory.removeDirectory("d") } == ENOTEMPTY)
        try directory.unlink("d/c")
        try directory.removeDirectory("d")
        #expect(try temporary.names() == ["b"])
    }

    @Test func listingTellsKinds() throws {
        try temporary.write("file", "")
        try temporary.directory.makeDirectory("directory")
        try temporary.directory.makeSymbolicLink("link", to: "nowhere")
        _ = try Pipe(temporary, "pipe")
        let kinds = Dictionary(uniqueKeysWithValues: try temporary.directory.list().map { ($0.name, $0.kind) })
        #expect(kinds == ["file": .file, "directory": .directory, "link": .symbolicLink, "pipe": .fifo])
        #expect(try temporary.directory.status("link").kind == .symbolicLink)
    }

    @Test func listingManyNamesMissesNone() throws {
        for number in 0..<3000 { try temporary.write("file-with-a-longer-name-\(number)", "") }
        #expect(Set(try temporary.names()).count == 3000)
        // A second list starts at the first name again.
        #expect(try temporary.directory.list().count == 3000)
    }

    @Test("Attack 2: removing a tree leaves the targets of its links") func removingATreeLeavesWhatItsLinksPointTo() throws {
        let directory = try Directory.open(temporary.path)
        try directory.makeDirectory("outside")
        try temporary.write("outside/kept", "")
        try directory.makeDirectory("tree")
        try directory.makeSymbolicLink("tree/link", to: "../outside")
        var path = "tree"
        // A deep tree. Its directories have a name that the removal itself gives to directories, so that name is taken.
        for depth in 0..<500 {
            path += "/.1"
            try directory.makeDirectory(path)
            if depth % 7 == 0 { try temporary.write("\(path)/file", "") }
        }
        try directory.removeTree("tree")
        #expect(try temporary.names() == ["outside"])
        #expect(try directory.status("outside/kept").kind == .file)
        #expect(errno { () throws(SystemError) in try directory.removeTree("tree") } == ENOENT)
        try directory.removeTree("outside/kept")
        try directory.removeTree("outside")
        #expect(try temporary.names() == [])
    }

    @Test func aWriterIsNoticed() throws {
        try temporary.write("file", "")
        let reader = try temporary.directory.openFile("file", O_RDONLY)
        try Descriptors.alone {
            let writer = try temporary.directory.openFile("file", O_WRONLY)
            let isAlone = reader.excludeWriters()
            #expect(!isAlone)
            try writer.write([1])
        }
        let isAlone = reader.excludeWriters()
        #expect(isAlone)
        // An opener that does not wait gets EAGAIN. The kernel then sends SIGIO to the holder of the lease, which must not end
        // the tests.
        _ = linux_ignore_signal(SIGIO)
        #expect(errno { () throws(SystemError) in _ = try temporary.directory.openFile("file", O_WRONLY | O_NONBLOCK) } == EAGAIN)
        let unleasable = try FileDescriptor.open("/proc/self/stat", O_RDONLY)
        let isUnleasableAlone = unleasable.excludeWriters()
        #expect(isUnleasableAlone)
    }

    @Test func descriptorsCloseWithTheirOwner() throws {
        let raw: Int32
        do {
            let file = try FileDescriptor.open("/dev/null", O_RDWR)
            raw = file.raw
            #expect(linux_fcntl_int(raw, F_GETFD, 0) == FD_CLOEXEC)
        }
        let released = try FileDescriptor.open("/dev/null", O_RDWR).duplicate(atLeast: 500).release()
        #expect(released >= 500 && close(released) == 0)
        #expect(raw >= 0)
    }

    @Test func positionsAndSizes() throws {
        let file = try temporary.directory.openFile("file", O_RDWR | O_CREAT)
        try file.write(Array("0123456789".utf8), at: 0)
        try file.write(Array("xy".utf8), at: 4)
        let middle = try file.read(count: 100, at: 2)
        #expect(middle == Array("23xy6789".utf8))
        try file.truncate(to: 3)
        try file.syncData()
        let size = try file.status().size
        let all = try file.readAll(limit: .max)
        #expect(size == 3 && all == Array("012".utf8))
    }

    @Test("A tree with any content is removed some names at a time", arguments: [1, 7, 100])
    func removesInSteps(most: Int) throws {
        let temporary = try TemporaryDirectory()
        let directory = try Directory.open(temporary.path)
        try directory.makeDirectory("tree")
        for number in 0..<60 { _ = try directory.openFile("tree/\(number)", O_WRONLY | O_CREAT) }
        var path = "tree"
        for _ in 0..<30 {
            path += "/deep"
            try directory.makeDirectory(path)
            for number in 0..<3 { _ = try directory.openFile("\(path)/.\(number)", O_WRONLY | O_CREAT) }
        }
        try directory.makeSymbolicLink("tree/link", to: "..")
        func count(_ path: String) throws -> Int {
            try Directory.open(path).list().reduce(0) { try $0 + 1 + ($1.kind == .directory ? count("\(path)/\($1.name)") : 0) }
        }
        var before = try count("\(temporary.path)/tree")
        var (raised, steps) = (0, 0)
        while try !directory.removeTree("tree", atMost: most, &raised) {
            let after = try count("\(temporary.path)/tree")
            #expect(before - after <= 2 * most + 1, "about so many in one step")
            before = after
            steps += 1
            try #require(steps < 1000)
        }
        #expect(try directory.list().isEmpty)
        #expect(steps >= 100 / most)
    }

    @Test func aNameIsExaminedInOneCallUnlessSomethingIsMountedThere() throws {
        let temporary = try TemporaryDirectory()
        try temporary.write("file", "text")
        try temporary.directory.makeDirectory("directory")
        try temporary.directory.makeSymbolicLink("link", to: "file")
        for name in ["file", "directory", "link"] {
            #expect(try temporary.directory.statusUnlessMounted(name) == temporary.directory.status(name))
        }
        #expect(try Directory.open("/").statusUnlessMounted("proc") == nil)
        #expect(throws: SystemError(call: "statx", path: "nope", errno: ENOENT)) { try temporary.directory.statusUnlessMounted("nope") }
    }
}
