import Glibc
import Linux
import TestSupport

/// Built programs, in one directory.
struct Programs {
    let directory: String
    let daemon: String
    /// Nil if spoolctl is not built.
    let control: String?

    init(in directory: String) throws {
        func find(_ name: String) -> String? {
            let path = "\(directory)/\(name)"
            return Process.executability(path) == .executable ? path : nil
        }
        guard let daemon = find("spoold"), find("spool-worker") != nil else {
            throw Trouble.unavailable(
                "there is no spoold with its spool-worker in \(directory); build them: swift build -c release --static-swift-stdlib")
        }
        self.directory = directory
        self.daemon = daemon
        control = find("spoolctl")
    }

    /// Copies of the programs in an empty directory, as an installation makes them. The linker writes a file here and there, and the kernel
    /// keeps such a file in small pieces until it is read anew: spoolctl starts a quarter slower from it.
    func copied(to other: String) throws -> Programs {
        let copies = try Directory.open(other)
        for name in ["spoold", "spool-worker", "spoolctl", "spool-executor"] {
            let path = "\(directory)/\(name)"
            guard Process.executability(path) == .executable else { continue }
            try copies.writeFile(name, try FileDescriptor.open(path, O_RDONLY).readAll(limit: .max), mode: 0o755)
        }
        return try Programs(in: other)
    }

    /// The programs beside this one.
    init() throws {
        let own = try Directory.open("/proc/self").readSymbolicLink("exe")
        try self.init(in: String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]))
    }

    /// The programs in a directory, or those of a commit, which is built first.
    static func other(_ name: String) throws -> (programs: Programs, build: BuiltCommit?) {
        if Process.executability("\(name)/spoold") == .executable { return (try Programs(in: name), nil) }
        let build = try BuiltCommit(name)
        do { return (try Programs(in: build.products), build) } catch {
            try build.remove()
            throw error
        }
    }
}

/// A commit that was checked out and built in a directory of its own.
struct BuiltCommit {
    private let tree: String

    var products: String { "\(tree)/.build/release" }

    init(_ commit: String) throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
        tree = "\(try makeTemporaryDirectory(in: parent, "spoold-before"))/tree"
        do {
            try Self.run("git", ["worktree", "add", "--detach", tree, commit])
            for product in ["spoold", "spool-worker", "spoolctl"] {
                try Self.run(
                    "swift", ["build", "-c", "release", "--static-swift-stdlib", "--package-path", tree, "--product", product])
            }
        } catch {
            try remove()
            throw error
        }
    }

    func remove() throws {
        try? Self.run("git", ["worktree", "remove", "--force", tree])  // git does not know it when the checkout failed
        let parent = String(tree.dropLast("/tree".count))
        guard let slash = parent.lastIndex(of: "/") else { return }
        try Directory.open(String(parent[..<slash])).removeTree(String(parent[parent.index(after: slash)...]))
    }

    /// Runs a program with its output on standard error.
    private static func run(_ program: String, _ arguments: [String]) throws {
        guard let path = System.find(program) else { throw Trouble.unavailable("\(program) is not installed") }
        var variables: [String] = []
        var next = environ
        while let entry = next.pointee {
            variables.append(String(cString: entry))
            next += 1
        }
        let input = try FileDescriptor.open("/dev/null", O_RDONLY)
        let pid = try Process.spawn(
            path, arguments: [program] + arguments, environment: variables, descriptors: [(input.raw, 0), (2, 1), (2, 2)])
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else { throw Trouble.failed("\(program) \(arguments.joined(separator: " ")) failed") }
    }
}
