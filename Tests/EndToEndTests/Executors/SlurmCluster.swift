// A real cluster of Slurm on this machine, made by Tests/slurm/cluster.

import Glibc
import Linux
import Testing

/// One slurmctld and two nodes of 8 processors, n1 and n2.
final class SlurmCluster {
    let base: String
    var configuration: String { "\(base)/slurm.conf" }

    static let isHere = getuid() == 0 && ["slurmctld", "slurmd", "sbatch", "munged"].allSatisfy { Commands.has($0) }
    static let reason: Comment = "needs root, slurmctld, slurmd, sbatch and munged"
    static let hasMemoryGroups = isHere && access("/sys/fs/cgroup/memory/memory.limit_in_bytes", R_OK) == 0
    static let memoryReason: Comment = "needs root, slurmctld, slurmd, sbatch, munged and the memory controller of cgroups version 1"
    static let hasAccounting = isHere && Commands.has("slurmdbd") && Commands.has("mariadbd")
    static let accountingReason: Comment = "needs root, slurmctld, slurmd, sbatch, munged, slurmdbd and mariadbd"

    /// What tests need whose Slurm is to do nothing by itself: a machine that is busy with other tests is no dead node, and what has ended
    /// is known as long as a test asks for it.
    private static let patience = ["SlurmdTimeout=600", "MessageTimeout=60", "MinJobAge=300"]

    /// - Parameter words: options of Tests/slurm/cluster. A key of slurm.conf that they set has no other value.
    init(_ words: [String] = []) throws {
        base = try Files.makeTemporaryDirectory()
        let patience = Self.patience.filter { one in
            !words.contains { $0.hasPrefix(one.prefix { $0 != "=" } + "=") }
        }
        try control("start", words + patience.flatMap { ["--set", $0] })
    }

    deinit {
        try? control("stop")  // what it leaves is killed with the test machine
        try? Files.removeTree(base)  // litter in the temporary directory at worst
    }

    /// `kill-ctld`, `start-ctld`, `stop-ctld`, `cont-ctld`, `kill-node 1` …
    func control(_ command: String, _ words: [String] = []) throws {
        let result = try Commands.run("\(ShippedTextTests.root)/Tests/slurm/cluster", [command, base] + words)
        guard result.code == 0 else { throw WaitFailed(description: "cluster \(command): \(result.error)") }
    }

    /// Runs one of Slurm's programs as the test does, not by the executor.
    func run(_ words: String...) throws -> Commands.Result {
        try Commands.run("env", ["SLURM_CONF=\(configuration)"] + words)
    }

    /// Calls of the executor slurm for this cluster. `first` is a directory that comes first in PATH.
    func calls(first: String? = nil, more: String = "") throws -> RemoteCalls {
        let path = (first.map { "\($0):" } ?? "") + "/usr/local/bin:/usr/bin:/bin"
        let calls = try RemoteCalls("slurm", settings: "{\"conf\":\"\(configuration)\",\"path\":\"\(path)\"\(more)}")
        // Users of the cluster's nodes, too, must reach the spool.
        try Commands.succeed("chmod", "755", calls.base)
        return calls
    }
}
