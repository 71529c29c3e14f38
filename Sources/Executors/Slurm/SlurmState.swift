import ExecutorProtocol

/// The states of Slurm's jobs, squeue(1) "JOB STATE CODES".
enum SlurmState {
    /// The meaning of a state of Slurm. A state that is not in the table is `open`, and ends nothing.
    static func meaning(of name: some StringProtocol) -> (state: EngineState, reason: EndReason?) {
        // sacct writes `CANCELLED by 1000`.
        switch name.prefix(while: { $0 != " " }) {
        case "BOOT_FAIL", "BF": (.ended, .nodeFail)
        case "CANCELLED", "CA": (.ended, .canceled)
        case "COMPLETED", "CD": (.ended, .completed)
        case "DEADLINE", "DL": (.ended, .deadline)
        case "FAILED", "F": (.ended, .failed)
        case "NODE_FAIL", "NF": (.ended, .nodeFail)
        case "OUT_OF_MEMORY", "OOM": (.ended, .outOfMemory)
        case "PREEMPTED", "PR": (.ended, .preempted)
        case "TIMEOUT", "TO": (.ended, .timeout)
        case "PENDING", "PD", "REQUEUED", "RQ", "REQUEUE_HOLD", "RH", "REQUEUE_FED", "RF", "SPECIAL_EXIT", "SE": (.pending, nil)
        case "RUNNING", "R", "COMPLETING", "CG", "CONFIGURING", "CF", "RESIZING", "RS", "SIGNALING", "SI", "STAGE_OUT", "SO", "STOPPED",
            "ST", "SUSPENDED", "S":
            (.running, nil)
        default: (.open, nil)
        }
    }
}
