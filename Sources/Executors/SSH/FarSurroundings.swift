/// The things that differ for a job that runs on another host: its directory, its home, its user.
public struct FarSurroundings: Sendable, Equatable {
    /// The job's directory there, as a path.
    public var directory: String
    public var home: String
    public var user: String?

    public init(directory: String, home: String, user: String?) {
        self.directory = directory
        self.home = home
        self.user = user
    }

    public init(_ hello: FarAnswers.Hello, directory: String) {
        self.init(directory: "\(hello.base)/\(directory)", home: hello.userHome, user: hello.user)
    }

    /// The name of an input that is not in the job's directory.
    public static let inputName = "input"

    /// True for a file of a job's directory that the job may need: none that spoold or a run has written.
    public static func isSent(_ name: String) -> Bool {
        let written = ["status.json", "stdout", "stderr", "result", "progress", "extend"]
        let families = ["stdout.", "stderr.", "result.", "started.", "end.", "beat.", "place.", "wrapper."]
        return FarPlace.isDirectoryName(name) && name != inputName && !written.contains(name) && !families.contains { name.hasPrefix($0) }
    }

    /// The job as it is there. Paths in its directory and in the home of its user, `home`, become those of the other side; so do the
    /// variables that name the home and the user, unless the job sets them itself.
    public func moved(_ item: Submission, home: String?, user: String?) -> Submission {
        var moved = item
        moved.run.directory = directory
        func inDirectory(_ text: String) -> String { replaced(text, item.run.directory, by: directory) ?? text }
        moved.arguments = item.arguments.map(inDirectory)
        moved.input = item.input.map(inDirectory)
        moved.workingDirectory =
            replaced(item.workingDirectory, item.run.directory, by: directory)
            ?? home.flatMap { replaced(item.workingDirectory, $0, by: self.home) } ?? item.workingDirectory
        moved.environment = item.environment.map { line in
            guard let equals = line.firstIndex(of: "=") else { return line }
            let name = line[..<equals]
            let value = String(line[line.index(after: equals)...])
            switch name {
            case "HOME" where value == home: return "HOME=\(self.home)"
            case "USER" where value == user, "LOGNAME" where value == user: return "\(name)=\(self.user ?? value)"
            default: return "\(name)=\(inDirectory(value))"
            }
        }
        return moved
    }

    /// The wrapper of the job. The limit of its output is kept on this side: see `FarRun`.
    public func wrapper(of item: Submission, home: String?, user: String?) -> [UInt8] {
        var moved = moved(item, home: home, user: user)
        moved.outputLimit = 0
        moved.output = "stdout"
        moved.errorOutput = item.errorOutput == nil || item.errorOutput == item.output ? nil : "stderr"
        return Wrapper(moved, directory: directory).script
    }

    /// A path in `old`, or that itself, below `new`. Nil for any other text.
    private func replaced(_ text: String, _ old: String, by new: String) -> String? {
        guard old != "/", text.hasPrefix(old) else { return nil }
        let rest = text.dropFirst(old.count)
        return rest.isEmpty || rest.utf8.first == UInt8(ascii: "/") ? new + rest : nil
    }
}
