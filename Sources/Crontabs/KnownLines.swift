import Lines
import Model

/// The tasks of the lines of a crontab. When another text of the crontab is read, most of its lines are in it: the same words below the
/// same comment, with the same variables, are the same task.
public struct KnownLines: Sendable {
    /// The facts that decide on the task of a line.
    struct Place: Hashable {
        /// A number that stands for the variables.
        fileprivate var settings: Int
        fileprivate var comment: [UInt8]
        fileprivate var text: [UInt8]
    }

    /// The number of each text of variables.
    private var settings: [String: Int] = [:]
    private var tasks: [Place: LiveCrontab.Task] = [:]
    /// The crontab has one line, so that its task may have a shorter name.
    var isOnly = false

    public init() {}

    subscript(place: Place) -> LiveCrontab.Task? {
        get { tasks[place] }
        set { tasks[place] = newValue }
    }

    /// Finds the places of the lines of a text, in their order.
    struct Finder {
        fileprivate private(set) var settings: [String: Int]
        private var next: Int
        private var last: (number: Int, settings: Int)?

        init(_ earlier: KnownLines) {
            settings = earlier.settings
            next = (earlier.settings.values.max() ?? -1) + 1
        }

        mutating func place(of unread: Crontab.Unread) -> Place {
            if last?.number != unread.settingsNumber {
                let text = unread.settings.variables.map { "\($0.name)=\($0.value)\n" }.joined()
                if settings[text] == nil {
                    settings[text] = next
                    next += 1
                }
                last = (unread.settingsNumber, settings[text] ?? 0)
            }
            return Place(
                settings: last?.settings ?? 0, comment: Array(unread.comments.joined(separator: [0x0A])), text: Array(unread.line.bytes))
        }
    }

    /// Keeps the numbers that are in the places of these tasks.
    mutating func number(as finder: Finder) {
        let used = Set(tasks.keys.lazy.map(\.settings))
        settings = finder.settings.filter { used.contains($0.value) }
    }
}
