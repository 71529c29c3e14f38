import Documents

/// The arguments of sbatch for one try. The wrapper is its standard input.
public enum SbatchArguments {
    /// Variables of a batch script's environment that the command keeps, so that it can use srun and finds its GPUs.
    public static let kept = [
        "SLURM_CLUSTER_NAME", "SLURM_CONF", "SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_GPU", "SLURM_CPUS_PER_TASK", "SLURM_GPUS",
        "SLURM_GPUS_ON_NODE", "SLURM_GPUS_PER_NODE", "SLURM_GPUS_PER_TASK", "SLURM_GTIDS", "SLURM_JOBID", "SLURM_JOB_ACCOUNT",
        "SLURM_JOB_CPUS_PER_NODE", "SLURM_JOB_END_TIME", "SLURM_JOB_GID", "SLURM_JOB_GPUS", "SLURM_JOB_ID", "SLURM_JOB_NAME",
        "SLURM_JOB_NODELIST", "SLURM_JOB_NUM_NODES", "SLURM_JOB_PARTITION", "SLURM_JOB_QOS", "SLURM_JOB_RESERVATION",
        "SLURM_JOB_START_TIME", "SLURM_JOB_UID", "SLURM_JOB_USER", "SLURM_LOCALID", "SLURM_MEM_PER_CPU", "SLURM_MEM_PER_GPU",
        "SLURM_MEM_PER_NODE", "SLURM_NNODES", "SLURM_NODEID", "SLURM_NODELIST", "SLURM_NODE_ALIASES", "SLURM_NPROCS", "SLURM_NTASKS",
        "SLURM_NTASKS_PER_NODE", "SLURM_PROCID", "SLURM_SUBMIT_DIR", "SLURM_SUBMIT_HOST", "SLURM_TASKS_PER_NODE", "SLURM_TASK_PID",
        "SLURM_THREADS_PER_CORE", "SLURM_TOPOLOGY_ADDR", "SLURM_TOPOLOGY_ADDR_PATTERN", "SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES",
        "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK",
    ]

    /// The file for what Slurm itself says of a run, in its directory.
    public static func engineLog(_ run: Run) -> String { "slurm.\(run.attempt)" }

    /// Minutes beyond the job's own limit, so that the wrapper's limit comes first, and kill_after after it.
    static let marginMinutes: Int64 = 5

    /// The settings `partition`, `account` and `qos` come first, then the job's keys, the setting `args`, the job's `#SBATCH` lines and its
    /// `executor_args`: of two equal options sbatch takes the last.
    public static func of(_ item: Submission, settings: Table) throws(UnusableItem) -> [String] {
        // ALL sends what sbatch itself has, which is next to nothing. With NONE, or some names, Slurm asks for the variables of a login on
        // the node, by su(1) for each job, and the wrapper has the job's own.
        var words = [
            "--parsable", "--no-requeue", "--dependency=singleton", "--export=ALL", "--job-name=\(item.run.name)", "--chdir=/",
            "--open-mode=append", "--output=\(pattern("\(item.run.directory)/\(engineLog(item.run))"))",
        ]
        let set = Members(settings)
        if let key = unknownSetting(settings) { throw UnusableItem("[executors.slurm] has the unknown key \"\(key)\"") }
        words += try own(set)
        let resources = item.resources
        if let cpus = resources.cpus { words.append("--cpus-per-task=\(cpus)") }
        if let memory = resources.memory { words.append("--mem=\((memory - 1) / 1024 + 1)K") }
        if let gpus = resources.gpus { words.append("--gpus=\(gpus)") }
        if let nodes = resources.nodes { words.append("--nodes=\(nodes)") }
        if item.timeoutMilliseconds > 0 {
            let (length, isTooLong) = item.timeoutMilliseconds.addingReportingOverflow(item.killAfterMilliseconds)
            if !isTooLong { words.append("--time=\((length - 1) / 60_000 + 1 + marginMinutes)") }
        }
        words += try SlurmOptions.words(try set.texts("args"))
        var directives: [String] = []
        for directive in item.directives { directives += try SlurmOptions.split(directive: directive) }
        words += try SlurmOptions.words(directives)
        words += try SlurmOptions.words(item.executorArguments)
        return words
    }

    private static func own(_ settings: Members) throws(UnusableItem) -> [String] {
        var words: [String] = []
        for key in ["partition", "account", "qos"] {
            if let value = try settings.textIfThere(key) { words.append("--\(key)=\(value)") }
        }
        return words
    }

    /// The options of the settings that say which nodes a job may get and on whose account, for srun too.
    public static func places(_ settings: Table) throws(UnusableItem) -> [String] {
        let set = Members(settings)
        let names = ["partition", "account", "qos", "reservation", "constraint", "nodelist", "exclude", "wckey"]
        return try own(set) + SlurmOptions.words(try set.texts("args")).filter { word in
            names.contains { word.hasPrefix("--\($0)=") }
        }
    }

    /// The keys of `[executors.slurm]`: those of this program, then the daemon's own.
    private static let keys: Set<String> = [
        "partition", "account", "qos", "args", "conf", "path", "slots", "poll", "lag", "lost_after", "find_grace", "call_timeout",
    ]

    /// A key that nobody reads.
    public static func unknownSetting(_ settings: Table) -> String? { settings.entries.first { !keys.contains($0.key) }?.key }

    /// A path in which sbatch replaces nothing. A backslash changes what sbatch replaces, so such a path is not given.
    private static func pattern(_ path: String) -> String {
        guard !path.utf8.contains(UInt8(ascii: "\\")) else { return "/dev/null" }
        return path.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%%")
    }
}
