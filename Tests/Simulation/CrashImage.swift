import Store

extension SimulatedDisk {
    /// The size that a disk writes as a whole.
    static let blockBytes = 512

    /// The disk after a power cut: everything that was synced, and of everything else what the generator picks.
    ///
    /// Changes of directories survive as a file system may have written them: all up to some moment, or each by itself. Of a rename, the
    /// new name may survive alone, so that a file has both names (seen on btrfs), but never the loss of the old name alone, as it
    /// would be if the directory of the new name did not survive. Content that was not synced is new, old, empty, cut off anywhere, or
    /// full of holes: another process's sync has made the file's size durable, and any of the later blocks are on the disk, while the
    /// others are zeros.
    package func cutPower(_ random: inout Random) {
        isStopped = false
        (fault, syncFault) = (nil, nil)
        interruption = nil
        isFailureUntold = false
        let order = random.below(4)
        let until = random.below(pending.count + 1)
        var chosen: [Int: Int] = [:]
        // A change is lost when an earlier change of the same name is lost. The loss of an old name is lost when the new name is.
        var lost: [Change] = []
        let renames = Set(pending.filter { $0.kind == .removed }.map(\.number))
        // The directories that were made and did not survive.
        var unmade: Set<ObjectIdentifier> = []
        for (index, change) in pending.enumerated() {
            var survives: Bool
            switch order {
            case 0: survives = index < until
            case 1: survives = true
            case 2: survives = false
            default:
                // One choice for both halves of a rename. 0: neither survives; 1: only the new name survives; 2 and 3: both
                // survive.
                let choice = chosen[change.number] ?? random.below(4)
                chosen[change.number] = choice
                survives = change.kind == .added ? choice > 0 : choice > 1
            }
            if lost.contains(where: { $0.number == change.number || $0.directory === change.directory && $0.name == change.name }) {
                survives = false
            }
            if unmade.contains(ObjectIdentifier(change.directory)) { survives = false }
            if change.kind == .added, change.node.kind == .directory {
                if survives { unmade.remove(ObjectIdentifier(change.node)) }
                if !survives, !renames.contains(change.number) { unmade.insert(ObjectIdentifier(change.node)) }
            }
            if survives { apply(change) } else { lost.append(change) }
        }
        pending.removeAll()
        var met: [ObjectIdentifier: Node] = [:]
        root = image(of: root, &random, &met)
        noteTorn()
    }

    /// - Parameter met: a file with two names stays one file. A directory with two names becomes two separate ones.
    private func image(of node: Node, _ random: inout Random, _ met: inout [ObjectIdentifier: Node]) -> Node {
        guard let known = met[ObjectIdentifier(node)] else { return copy(of: node, &random, &met) }
        if node.kind == .file { return known }
        var none: [ObjectIdentifier: Node] = [:]
        return copy(of: node, &random, &none)
    }

    private func copy(of node: Node, _ random: inout Random, _ met: inout [ObjectIdentifier: Node]) -> Node {
        let new = Node(inode: node.inode, kind: node.kind, mode: node.mode, at: node.modified)
        new.changed = node.changed
        if node.kind == .directory {
            for (name, entry) in node.syncedEntries.sorted(by: { $0.key < $1.key }) {
                new.entries[name] = image(of: entry, &random, &met)
            }
            new.syncedEntries = new.entries
        } else {
            let content = content(of: node, &random)
            new.bytes = content.bytes
            new.modified = content.modified
            new.syncedCount = new.bytes.count
        }
        met[ObjectIdentifier(node)] = new
        return new
    }

    private func content(of node: Node, _ random: inout Random) -> Content {
        let all = Content(bytes: node.bytes, modified: node.modified)
        guard !node.isDurable else { return all }
        switch random.below(6) {
        case 0: return all
        case 1: return node.before.map { Content(bytes: $0.bytes, modified: $0.modified) } ?? all.cut(to: node.syncedCount)
        case 2, 3: return all.cut(to: node.syncedCount + random.below(node.bytes.count - node.syncedCount + 1))
        default:
            let missing = random.below(2) * random.below(node.bytes.count - node.syncedCount + 1)
            return all.withHoles(behind: node.syncedCount, size: node.bytes.count - missing, &random)
        }
    }

    /// Drops the content in memory, and reads that on the disk again. The size stays known.
    func forget(_ node: Node, _ random: inout Random) {
        let all = Content(bytes: node.bytes, modified: node.modified)
        let old = node.before.map { Array($0.bytes.prefix(all.bytes.count)) } ?? []
        let kept = all.withHoles(behind: node.syncedCount, size: all.bytes.count, &random)
        node.bytes = old.isEmpty || random.below(2) == 0 ? kept.bytes : old + [UInt8](repeating: 0, count: all.bytes.count - old.count)
        node.syncedCount = node.bytes.count
        node.before = nil
        node.hasFailed = false
    }

    private struct Content {
        var bytes: [UInt8]
        var modified: Int64

        func cut(to count: Int) -> Content { Content(bytes: Array(bytes.prefix(count)), modified: modified) }

        /// Each block after this many bytes is there or not.
        func withHoles(behind synced: Int, size: Int, _ random: inout Random) -> Content {
            var content = cut(to: size)
            var at = synced
            while at < size {
                let next = min(size, (at / SimulatedDisk.blockBytes + 1) * SimulatedDisk.blockBytes)
                if random.below(2) == 0 { for place in at..<next { content.bytes[place] = 0 } }
                at = next
            }
            return content
        }
    }
}

/// SplitMix64: the same numbers for the same seed.
package struct Random: RandomNumberGenerator {
    private var state: UInt64

    package init(_ seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var x = state
        x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
        return x ^ (x >> 31)
    }

    /// A number from 0 up to but not including `bound`; 0 when `bound` is 0.
    package mutating func below(_ bound: Int) -> Int { bound <= 0 ? 0 : Int(next() % UInt64(bound)) }
}
