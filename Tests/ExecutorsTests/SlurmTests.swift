// The arguments and the output of Slurm's programs.

import Documents
import ExecutorProtocol
import Executors
import Testing

@Suite struct SlurmTests {
    static let name = "spoold-7-1"

    static func job(_ state: String, id: String = "5", exit: Int32 = 0, signal: Int32 = 0, reason: String? = nil) -> SlurmJob {
        SlurmJob(id: id, name: name, state: state, reason: reason, host: "n1", partition: "main", exit: exit, signal: signal)
    }

    @Test("Each state of Slurm ends a run, lets it run, lets it wait, or stays open", arguments: [
        ("BOOT_FAIL", "ended node_fail"), ("CANCELLED", "ended canceled"), ("CANCELLED by 1000", "ended canceled"),
        ("COMPLETED", "ended completed"), ("DEADLINE", "ended deadline"), ("FAILED", "ended failed"), ("NODE_FAIL", "ended node_fail"),
        ("OUT_OF_MEMORY", "ended out_of_memory"), ("PREEMPTED", "ended preempted"), ("TIMEOUT", "ended timeout"),
        ("BF", "ended node_fail"), ("CA", "ended canceled"), ("CD", "ended completed"), ("DL", "ended deadline"), ("F", "ended failed"),
        ("NF", "ended node_fail"), ("OOM", "ended out_of_memory"), ("PR", "ended preempted"), ("TO", "ended timeout"),
        ("PENDING", "pending"), ("REQUEUED", "pending"), ("REQUEUE_HOLD", "pending"), ("REQUEUE_FED", "pending"),
        ("SPECIAL_EXIT", "pending"),
        ("RUNNING", "running"), ("COMPLETING", "running"), ("CONFIGURING", "running"), ("RESIZING", "running"), ("SIGNALING", "running"),
        ("STAGE_OUT", "running"), ("STOPPED", "running"), ("SUSPENDED", "running"),
        ("REVOKED", "open"), ("LAUNCH_FAILED", "open"), ("RECONFIG_FAIL", "open"), ("POWER_UP_NODE", "open"), ("42", "open"), ("", "open"),
    ])
    func states(name: String, meaning: String) throws {
        let word = try #require(EngineWord.slurm(queue: [Self.job(name)], account: .disabled))
        #expect([word.state.rawValue, word.reason?.rawValue].compactMap(\.self).joined(separator: " ") == meaning)
    }

    @Test("squeue's lines are read, whatever stands in a name")
    func queue() throws {
        let text = """
            6|FAILED|NonZeroExitCode|1792|n1|main|a|b, c
            8|FAILED|JobLaunchFailure|9|n1|main|k
            9|PENDING|Resources|0|n/a|main|\(Self.name)

            """
        let jobs = try #require(SlurmJob.queue(Array(text.utf8)))
        #expect(jobs.map(\.name) == ["a|b, c", "k", Self.name])
        #expect(jobs[0].exit == 7 && jobs[0].signal == 0 && jobs[1].exit == 0 && jobs[1].signal == 9)
        #expect(jobs[2].host == nil && jobs[2].reason == "Resources")
        #expect(SlurmJob.queue([]) == [])
    }

    @Test("Output that is not of the format is no answer", arguments: [
        "slurm_load_jobs error: Invalid job id specified", "6|FAILED|None|0|n1|main", "JOBID|STATE|REASON|EXIT_CODE|HOST|PARTITION|NAME",
        "|||||||",
    ])
    func noAnswer(line: String) { #expect(SlurmJob.queue(Array("\(line)\n".utf8)) == nil) }

    @Test("sacct's lines are read")
    func account() throws {
        let text = "1|CANCELLED by 0|0:15|n1|None|\(Self.name)\n2|FAILED|3:0|None assigned|None|x|y\n"
        let jobs = try #require(SlurmJob.account(Array(text.utf8)))
        #expect(jobs[0] == SlurmJob(
            id: "1", name: Self.name, state: "CANCELLED by 0", reason: nil, host: "n1", partition: nil, exit: 0, signal: 15))
        #expect(jobs[1].exit == 3 && jobs[1].host == nil && jobs[1].name == "x|y")
    }

    struct Judgment: Sendable, CustomTestStringConvertible {
        var why: String
        var queue: [SlurmJob]
        var account: SlurmAccount
        var word: EngineWord?
        var testDescription: String { why }
    }

    static let judgments: [Judgment] = [
        Judgment(why: "a job that waits", queue: [job("PENDING", reason: "Priority")], account: .disabled,
            word: EngineWord(.pending, handle: "5", why: "Priority", position: 3, host: "n1")),
        Judgment(why: "a job that runs beside an ended copy", queue: [job("COMPLETED"), job("RUNNING", id: "6")], account: .disabled,
            word: EngineWord(.running, handle: "6", host: "n1")),
        Judgment(why: "a second copy that found the start mark says nothing", queue: [job("FAILED", exit: 124)], account: .disabled,
            word: EngineWord(.gone)),
        Judgment(why: "nor does it in the accounting", queue: [], account: .jobs([job("FAILED", exit: 124)]), word: EngineWord(.gone)),
        Judgment(why: "the end of the first copy is found in the accounting", queue: [job("FAILED", id: "6", exit: 124)],
            account: .jobs([job("FAILED", exit: 7), job("FAILED", id: "6", exit: 124)]),
            word: EngineWord(.ended, handle: "5", host: "n1", exit: 7, reason: .failed, message: "Slurm: FAILED")),
        Judgment(why: "a job that slurmctld has forgotten stays RUNNING in the accounting", queue: [], account: .jobs([job("RUNNING")]),
            word: EngineWord(.gone, message: "Slurm's accounting has it as RUNNING")),
        Judgment(why: "without an answer of the accounting nothing is known", queue: [], account: .unanswered, word: nil),
        Judgment(why: "the queue's word needs no accounting", queue: [job("FAILED", exit: 7)], account: .unanswered,
            word: EngineWord(.ended, handle: "5", host: "n1", exit: 7, reason: .failed, message: "Slurm: FAILED")),
        Judgment(why: "a script that slurmd could not start", queue: [job("FAILED", signal: 53, reason: "JobLaunchFailure")],
            account: .disabled,
            word: EngineWord(.ended, handle: "5", host: "n1", reason: .launch, message: "Slurm: FAILED, JobLaunchFailure")),
        Judgment(why: "a script that was killed", queue: [job("FAILED", signal: 9, reason: "JobLaunchFailure")],
            account: .disabled,
            word: EngineWord(.ended, handle: "5", host: "n1", signal: 9, reason: .failed, message: "Slurm: FAILED, JobLaunchFailure")),
        Judgment(why: "a limit whose trap exited 0", queue: [job("TIMEOUT", reason: "TimeLimit")], account: .disabled,
            word: EngineWord(.ended, handle: "5", host: "n1", reason: .timeout, message: "Slurm: TIMEOUT, TimeLimit")),
        Judgment(why: "an unknown job", queue: [], account: .jobs([]), word: EngineWord(.gone)),
    ]

    @Test("Slurm's word of a run", arguments: judgments)
    func judges(_ judgment: Judgment) {
        #expect(EngineWord.slurm(queue: judgment.queue, account: judgment.account, positions: ["5": 3]) == judgment.word)
    }

    @Test("The place in the queue counts the jobs before it in its partition")
    func positions() {
        let places = SlurmJob.positions(Array("9|main\n3|long\n4|main\n8|long,main\n".utf8))
        #expect(places == ["9": 0, "3": 0, "4": 1, "8": 0])
    }

    @Test("sbatch's failures are later, refused or unknown", arguments: [
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", 1, ErrorClass.later),
        ("sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy "
            + "(job submit limit, user's size and/or time limits)", 1, .later),
        ("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n"
            + "sbatch: error: Batch job submission failed: Resource temporarily unavailable", 1, .later),
        ("sbatch: error: Slurm job queue full, sleeping and retrying\n"
            + "sbatch: error: Batch job submission failed: Unable to create job record, try again", 1, .later),
        ("sbatch: Job creation temporarily disabled, retrying\n"
            + "sbatch: error: Batch job submission failed: Requested nodes are busy", 1, .later),
        ("sbatch: warning: can't run 1 processes on 2 nodes, setting nnodes to 1", 137, .unknown),
        ("sbatch: error: slurm_msg_sendto: address:port=127.0.0.1:30173 msg_type=4003: Unexpected missing socket error\n"
            + "sbatch: error: Batch job submission failed: Unexpected missing socket error", 1, .unknown),
        ("sbatch: error: Batch job submission failed: Bad file descriptor", 1, .unknown),
        ("sbatch: fatal: Unable to process configuration file", 1, .later),
        ("sbatch: error: fetch_config: DNS SRV lookup failed\nsbatch: fatal: Could not establish a configuration source", 1, .later),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", 1, .unknown),
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (receive failure)", 1, .unknown),
        ("sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received", 1, .unknown),
        ("", 137, .unknown), ("", 0, .unknown),
        ("sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: Invalid partition name specified", 1,
            .refused),
        ("sbatch: error: Batch job submission failed: Requested node configuration is not available", 1, .refused),
        ("sbatch: error: Batch job submission failed: Job violates accounting/QOS policy "
            + "(job submit limit, user's size and/or time limits)", 1, .refused),
        ("sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified", 1, .refused),
        ("sbatch: unrecognized option '--bogus'\nTry \"sbatch --help\" for more information", 255, .refused),
        ("sbatch: error: Batch script contains DOS line breaks (\\r\\n)", 1, .refused),
    ])
    func failures(text: String, status: Int32, error: ErrorClass) {
        #expect(SbatchFailure(status: status, errors: Array(text.utf8)).error == error)
    }

    @Test("An sbatch that was ended by its time limit may have submitted")
    func timedOut() { #expect(SbatchFailure(status: nil, errors: []).error == .unknown) }

    @Test("An sbatch that was ended before it tried again has not submitted, and one that was ended later may have")
    func retreat() {
        for text in SbatchFailure.retreats {
            let retreat = SbatchFailure(status: nil, errors: Array(text.utf8), hasRetreated: true)
            #expect(retreat.error == .later && retreat.message == text)
            #expect(SbatchFailure(status: nil, errors: Array(text.utf8)).error == .unknown)
        }
    }

    @Test("The id is the whole first line", arguments: [
        ("12\n", "12"), ("12;cluster\n", "12"), ("12", nil), ("", nil), ("1x\n", nil), ("Submitted batch job 12\n", nil),
    ] as [(String, String?)])
    func ids(output: String, id: String?) { #expect(SbatchFailure.id(in: Array(output.utf8)) == id) }

    static func submission() -> Submission {
        Submission(run: Run(id: "7", attempt: 1, name: name, directory: "/s/running/7"), arguments: ["true"])
    }

    @Test("A job's keys become options of sbatch")
    func arguments() throws {
        var item = Self.submission()
        item.run.directory = "/s 100%/running/7"
        item.timeoutMilliseconds = 60_001
        item.killAfterMilliseconds = 10_000
        item.resources = .init(cpus: 2, memory: 1025, gpus: 1, nodes: 3)
        item.directives = ["--partition=long  -t 5 # a remark", "--comment='a b'"]
        item.executorArguments = ["-c4", "--exclusive", "--qos", "high"]
        let settings = try #require(JSON.readableTable(Array(#"{"partition":"main","account":"a","args":["--nice=5"],"poll":"9s"}"#.utf8)))
        #expect(try SbatchArguments.of(item, settings: settings) == [
            "--parsable", "--no-requeue", "--dependency=singleton", "--export=ALL", "--job-name=spoold-7-1", "--chdir=/",
            "--open-mode=append", "--output=/s 100%%/running/7/slurm.1", "--partition=main", "--account=a", "--cpus-per-task=2",
            "--mem=2K", "--gpus=1", "--nodes=3", "--time=7", "--nice=5", "--partition=long", "--time=5", "--comment=a b",
            "--cpus-per-task=4", "--exclusive", "--qos=high",
        ])
    }

    @Test("Options that would undo what the executor needs are refused with a sentence", arguments: [
        ["--array=1-3"], ["-a", "1"], ["--arr=1"], ["-J", "x"], ["-Jx"], ["--job-name=x"], ["--job=x"], ["--output=x"], ["-ox"],
        ["--out=x"], ["-e", "x"], ["--error=x"], ["--dependency=afterok:1"], ["-d1"], ["--dep=1"], ["--requeue"], ["--no-requeue"],
        ["--no-r"], ["--export=ALL"], ["--export-file=x"], ["--exp=ALL"], ["--wait"], ["-W"], ["--parsable"], ["--pars"],
        ["--test-only"], ["--wrap=x"], ["--chdir=/x"], ["-D/x"], ["--input=x"], ["-M", "c"], ["--clusters=c"], ["--uid=0"],
        ["--open-mode=truncate"], ["-Q"], ["--quiet"], ["-V"], ["--version"], ["--get-user-env"], ["--help"], ["script.sh"],
        ["--exclusive", "script.sh"], ["--"], ["-"], [""], ["--partition"], ["-p"], ["-Z"], ["--=x"], ["--hold", "x"],
    ])
    func refusedOptions(words: [String]) {
        #expect(throws: UnusableItem.self) { _ = try SlurmOptions.words(words) }
    }

    @Test("#SBATCH lines are words with quotes", arguments: [
        ("--mem 100 -c 6 # x", ["--mem", "100", "-c", "6"]), ("--comment=\"a b\" -p'x y'", ["--comment=a b", "-px y"]), ("", []),
        ("# only", []),
        ("--comment=a#b", ["--comment=a#b"]), ("''", [""]),
    ])
    func directives(text: String, words: [String]) throws { #expect(try SlurmOptions.split(directive: text) == words) }

    @Test("A quote that is not closed is refused")
    func openQuote() { #expect(throws: UnusableItem.self) { _ = try SlurmOptions.split(directive: "--comment='a") } }

    @Test("Neither arguments nor variables of a job become lines that sbatch reads")
    func noDirectives() throws {
        var item = Self.submission()
        item.arguments = ["a\r\n#SBATCH --array=1-9\n"]
        item.environment = ["A=\r\n#SBATCH --array=1-9\n"]
        let lines = Wrapper(item).script.split(separator: UInt8(ascii: "\n"))
        let code = lines.firstIndex { $0.first != UInt8(ascii: "#") }
        let directive = lines.firstIndex { $0.starts(with: "#SBATCH".utf8) }
        #expect(try #require(code) < #require(directive) && !Wrapper(item).script.contains(UInt8(ascii: "\r")))
    }
}
