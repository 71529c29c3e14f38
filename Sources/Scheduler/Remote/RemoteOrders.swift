/// The orders for the runs of one executor and one user that no call has passed on yet: `signal`, `extend`, and the farewell, which is the
/// last `cancel` of a run that is about to be lost.
///
/// Invariants:
/// - An order is for one try. It is passed on when the engine may have the try, and dropped when the try is over.
/// - A farewell is dropped when its run shows itself alive.
/// - A signal is passed on once, since a second call could send it twice. An extension is passed on until the engine has taken or refused
///   it.
struct RemoteOrders {
    struct Order {
        let verb: ExecutorCall.Verb
        var item: ExecutorCall.Item
        /// The time of the next call, for an order that did not reach its run.
        var at: Instant?
    }

    static let verbs: [ExecutorCall.Verb] = [.cancel, .signal, .extend]

    private(set) var waiting: [Order] = []

    mutating func add(_ verb: ExecutorCall.Verb, _ item: ExecutorCall.Item) { waiting.append(Order(verb: verb, item: item)) }

    /// Plans that an order which did not reach its run is passed on again, if it may be.
    mutating func addAgain(_ order: Order, after answer: ExecutorAnswer?, at instant: Instant) {
        guard order.verb == .extend, answer?.kind != .asked, answer?.kind != .refused else { return }
        var order = order
        order.at = instant
        waiting.append(order)
    }

    mutating func clockWasSet(at now: Instant) {
        for index in waiting.indices where waiting[index].at != nil { waiting[index].at = now }
    }

    /// Drops the orders that are of no use any more.
    mutating func dropVoid(_ runs: [JobID: RemoteRun]) {
        waiting.removeAll { order in
            guard let run = runs[order.item.job.id], run.attempt == order.item.attempt else { return true }
            return order.verb == .cancel && run.farewell != .wanted
        }
    }

    /// Takes the orders of one call, at most `itemsMax`.
    mutating func take(_ verb: ExecutorCall.Verb, itemsMax: Int, at now: Instant, _ runs: inout [JobID: RemoteRun]) -> [Order] {
        var taken: [Order] = []
        waiting.removeAll { order in
            let id = order.item.job.id
            guard order.verb == verb, taken.count < itemsMax, order.at ?? now <= now, let run = runs[id], run.takesOrders
            else { return false }
            if verb == .cancel { runs[id]?.bidFarewell() }
            taken.append(order)
            taken[taken.count - 1].item.handle = run.handle
            return true
        }
        return taken
    }

    /// A sentence about an order that did not reach its run. Nil when it did, and for a `cancel` that is repeated.
    static func remark(on verb: ExecutorCall.Verb, _ answer: ExecutorAnswer?, _ failure: String?, isFarewell: Bool) -> String? {
        if answer?.kind == .asked { return nil }
        let why = answer?.message ?? failure ?? "the executor did not answer"
        return switch verb {
        case .signal: "a signal did not reach it: \(why)"
        case .extend: "the engine did not move its limit: \(why)"
        case .cancel where isFarewell: "its engine had it wait again, and may have it yet, since it was not told to end it: \(why)"
        case .submit, .poll, .find, .cancel: nil
        }
    }
}
