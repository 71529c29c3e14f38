// The choices of the user, and how keys change them. Pure: a request to the outside world is returned as a value.

import Store

/// A request that a key makes.
public enum ViewAction: Equatable, Sendable {
    case quit
    case cancel(String), kill(String), retry(String)
    /// `of` is the owner of the part. Nil means root's own part.
    case pause(PauseScope, of: String?), resume(PauseScope, of: String?)
    /// Shows a job's output.
    case follow(String)
}

public struct ViewState: Sendable {
    enum Mode: Equatable {
        case lists, help
        /// The user is typing the filter.
        case filter
        case question(Question)
    }

    /// A question that must be answered before something is done. Each answer is a key.
    struct Question: Equatable {
        var text: String
        var answers: [(key: Character, action: ViewAction)]

        static func == (a: Self, b: Self) -> Bool { a.text == b.text }
    }

    private struct Selection {
        var key: String?
        var index = 0
    }

    var mode = Mode.lists
    public private(set) var list = List.running
    public private(set) var filter = ""
    private var orders = Array(repeating: 0, count: List.allCases.count)
    private var selections = Array(repeating: Selection(), count: List.allCases.count)
    /// The result of the last request.
    public var message: String?

    public init() {}

    func order(_ list: List) -> Order { list.orders[orders[list.rawValue] % list.orders.count] }

    func items(_ list: List, _ snapshot: Snapshot) -> [Item] { snapshot.items(list, filter: filter, order: order(list)) }

    /// The index of the selected row. The selection stays on its job; when the job is gone, it stays at its index. Nil when the
    /// list is empty.
    func selected(_ list: List, among items: [Item]) -> Int? {
        guard !items.isEmpty else { return nil }
        let selection = selections[list.rawValue]
        return items.firstIndex { $0.key == selection.key } ?? min(selection.index, items.count - 1)
    }

    // MARK: Keys

    /// Handles a key. `page` is the number of rows of a page.
    public mutating func take(_ key: Key, _ snapshot: Snapshot, page: Int = 10) -> ViewAction? {
        message = nil
        switch mode {
        case .help:
            mode = .lists
            return nil
        case .filter:
            type(key)
            return nil
        case .question(let question):
            mode = .lists
            guard case .character(let character) = key else { return nil }
            return question.answers.first { $0.key == character }?.action
        case .lists: return command(key, snapshot, page)
        }
    }

    private mutating func type(_ key: Key) {
        switch key {
        case .enter: mode = .lists
        case .escape:
            filter = ""
            mode = .lists
        case .backspace: _ = filter.popLast()
        case .character(let character): if filter.utf8.count < 200 { filter.append(character) }
        default: break
        }
    }

    private mutating func command(_ key: Key, _ snapshot: Snapshot, _ page: Int) -> ViewAction? {
        let items = items(list, snapshot)
        let index = selected(list, among: items)
        let item = index.map { items[$0] }
        func move(_ distance: Int) {
            guard let index else { return }
            let (sum, isOver) = index.addingReportingOverflow(distance)
            let place = min(max(isOver ? items.count : sum, 0), items.count - 1)
            selections[list.rawValue] = Selection(key: items[place].key, index: place)
        }
        switch key {
        case .up, .character("k"): move(-1)
        case .down, .character("j"): move(1)
        case .pageUp: move(-page)
        case .pageDown: move(page)
        case .home, .character("g"): move(-(index ?? 0))
        case .end, .character("G"): move(items.count)
        case .tab: list = List(rawValue: (list.rawValue + 1) % List.allCases.count) ?? .running
        case .backTab: list = List(rawValue: (list.rawValue + List.allCases.count - 1) % List.allCases.count) ?? .running
        case .character("1"): list = .running
        case .character("2"): list = .waiting
        case .character("3"): list = .due
        case .character("4"): list = .ended
        case .character("s"): orders[list.rawValue] += 1
        case .character("/"): mode = .filter
        case .escape: filter = ""
        case .character("?"), .character("h"): mode = .help
        case .character("q"): return .quit
        case .enter, .character("l"):
            guard let id = item?.status?.id else { return nothing(to: "follow") }
            return .follow(id)
        case .character("c"): askToEnd("Cancel", item) { .cancel($0) }
        case .character("K"): askToEnd("Kill", item) { .kill($0) }
        case .character("r"):
            guard case .ended(let status)? = item else { return nothing(to: "retry") }
            return .retry(status.id)
        case .character("p"): askToPause(item, snapshot)
        default: break
        }
        return nil
    }

    private mutating func nothing(to what: String) -> ViewAction? {
        message = what == "retry" ? "only a job that has ended can be retried" : "no job is selected to \(what)"
        return nil
    }

    private mutating func askToEnd(_ verb: String, _ item: Item?, _ action: (String) -> ViewAction) {
        switch item {
        case .running(let one)?: ask("\(verb) \(one.status.id)?", action(one.status.id))
        case .waiting(let one)? where verb == "Cancel": ask("\(verb) \(one.status.id)?", action(one.status.id))
        default: message = verb == "Kill" ? "only a job that runs can be killed" : "only a job that waits or runs can be canceled"
        }
    }

    private mutating func ask(_ text: String, _ action: ViewAction) {
        mode = .question(Question(text: "\(PlainText.oneLine(text)) y/n", answers: [("y", action), ("Y", action)]))
    }

    /// Offers one key each for everything, the selected row's queue and its task. The key resumes what is paused, and pauses the
    /// rest.
    private mutating func askToPause(_ item: Item?, _ snapshot: Snapshot) {
        var words: [String] = []
        var answers: [(key: Character, action: ViewAction)] = []
        func offer(_ key: Character, _ scope: PauseScope, of owner: String? = nil) {
            let isPaused = snapshot.pauses.contains { $0.owner == owner && $0.scope == scope }
            words.append("\(key) \(isPaused ? "resume" : "pause") \(scope.spoken(of: owner))")
            answers.append((key, isPaused ? .resume(scope, of: owner) : .pause(scope, of: owner)))
        }
        offer("a", .all)
        if let item {
            offer("u", .queue(item.queue), of: item.owner)
            if let task = item.task { offer("t", .task(task), of: item.owner) }
        }
        mode = .question(Question(text: PlainText.oneLine(words.joined(separator: ", ") + ", n nothing"), answers: answers))
    }
}
