/// Chooses a host for each job: the one that has the least of its slots in use.
public struct HostChoice: Sendable {
    /// The slots of the hosts that the configuration names.
    private let slots: [HostName: Int]
    /// The jobs that each host has.
    private var used: [HostName: Int]
    /// Hosts that did not answer in this call.
    private var away: Set<HostName> = []

    public init(slots: [HostName: Int], used: [HostName: Int]) {
        self.slots = slots
        self.used = used
    }

    public enum Choice: Equatable, Sendable {
        case host(HostName)
        /// All slots of these hosts are in use.
        case full
        /// No host with a free slot has answered.
        case away
    }

    /// Chooses one of these hosts, and counts the job there. A host without a number of slots has as many as there are jobs, and counts
    /// as having sixteen when it is compared with others.
    public mutating func choose(among hosts: [HostName]) -> Choice {
        let free = hosts.filter { host in slots[host].map { used[host, default: 0] < $0 } ?? true }
        let there = free.filter { !away.contains($0) }
        guard let best = there.min(by: { (load($0), $0) < (load($1), $1) }) else { return free.isEmpty ? .full : .away }
        used[best, default: 0] += 1
        return .host(best)
    }

    /// The host does not answer: the job that was counted there is not there, and no other is sent there in this call.
    public mutating func isAway(_ host: HostName) {
        away.insert(host)
        used[host, default: 1] -= 1
    }

    private func load(_ host: HostName) -> Double { Double(used[host, default: 0]) / Double(max(1, slots[host] ?? 16)) }
}
