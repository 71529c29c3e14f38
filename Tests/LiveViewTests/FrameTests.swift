import LiveView
import Store
import TestSupport
import Testing

@Suite("Frames")
struct FrameTests {
    static func lines(_ columns: Int, _ rows: Int, _ state: ViewState = ViewState(), _ snapshot: Snapshot = example()) -> [String] {
        Frame(snapshot, state, ScreenSize(columns: columns, rows: rows)).lines.map(\.text)
    }

    static func pressed(_ keys: [Key], _ snapshot: Snapshot = example()) -> ViewState {
        var state = ViewState()
        for key in keys { _ = state.take(key, snapshot) }
        return state
    }

    @Test("A frame of 80 by 24 shows the daemon, the slots, the rates, the pauses and all four lists")
    func whole() {
        let lines = Self.lines(80, 24)
        let text = lines.joined(separator: "\n")
        for part in [
            "spoold up since 00:00:00   slots 2/4, 2 free   queue disk 1/1, 0 free\nwaiting 3   ended 1/min 2/h, failed 0/min 1/h",
            "paused: task nightly, until Monday", "1 Running 2", ">backup-1000", "  1m05s   10m00s  [#####-----]  50% half of it",
            "2 Waiting 3",
            "lock db: backup-1000", "starts in 30s", "queue is full, 1/1", "3 Due next", "nightly", "1m30s  02:01:30          paused",
            "4 Ended", "good-1005", "1.5s  01:59:50          done", "exit 3 exited with 3", "?:help",
        ] { #expect(text.contains(part), "\(part) in:\n\(text)") }
        #expect(lines.count == 24)
    }

    @Test(
        "No line of a frame is wider than the screen, and no frame has more lines, whatever the size",
        arguments: [1, 5, 13, 14, 24, 40, 200]
    )
    func sizes(_ rows: Int) {
        var snapshot = example()
        snapshot.running[0].status.progress?.message = String(repeating: "漢字e\u{301}", count: 60)
        snapshot.surroundings.pauses = (0..<20).map { (.queue("q\($0)"), String(repeating: "n", count: 90)) }
        for keys: [Key] in [[], [.tab], [.character("3")], [.backTab], [.character("?")], [.character("/")], [.character("p")]] {
            let state = Self.pressed(keys, snapshot)
            for columns in [1, 2, 9, 20, 33, 34, 59, 60, 80, 120, 300] {
                let frame = Frame(snapshot, state, ScreenSize(columns: columns, rows: rows))
                #expect(frame.lines.count <= rows)
                // The screen cuts lines that are too wide. Lists cut their own lines.
                for line in frame.lines { #expect(line.cut(to: columns).width <= columns) }
            }
        }
    }

    @Test("A job's title is shown in the place of its progress, beside it on a wide screen, and when the job is done")
    func titles() {
        var snapshot = example()
        for index in snapshot.running.indices { snapshot.running[index].status.title = "The title \(index)" }
        for index in snapshot.ended.indices { snapshot.ended[index].title = "The report" }
        func text(_ columns: Int) -> String { Self.lines(columns, 40, ViewState(), snapshot).joined(separator: "\n") }
        #expect(!text(80).contains("The title 0") && text(80).contains("The title 1"), "\(text(80))")
        #expect(text(160).contains("50% half of it  The title 0"), "\(text(160))")
        #expect(text(80).contains("done The report") && !text(80).contains("exit 3 The report"), "\(text(80))")
    }

    @Test("X4: A run that an executor has shows its state there, and its engine's words cannot write on the screen")
    func elsewhere() {
        var snapshot = example()
        snapshot.running[1].status.executor = "slurm"
        snapshot.running[1].status.remote = RemoteView(
            phase: .pending, handle: "4242", why: "Resources\u{1B}[2J", position: 3, since: now)
        let text = Self.lines(120, 40, ViewState(), snapshot).joined(separator: "\n")
        #expect(text.contains("slurm: pending, as 4242, 3 before it, Resources") && !text.contains("\u{1B}"), "\(text)")
    }

    @Test("20 columns and 5 rows have room for the daemon and the chosen list")
    func smallest() {
        let lines = Self.lines(20, 5)
        #expect(lines[0].hasPrefix("up since"))
        #expect(lines[1].contains("1 Running 2"))
        #expect(lines[2].hasPrefix(">backup-10"))
        #expect(Self.lines(20, 5, Self.pressed([.character("4")]))[1].contains("4 Ended"))
    }

    @Test("Control characters of others are escaped")
    func escaped() {
        var snapshot = example()
        snapshot.running[0].status.progress?.message = "a\u{1B}[2Jb\nc"
        snapshot.ended[1].error = "x\u{202E}y"
        snapshot.surroundings.pauses = [(.all, "\u{7}bell")]
        snapshot.due[0].note = "\u{9B}31m"
        let text = Self.lines(200, 40, ViewState(), snapshot).joined()
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x9B || $0.value == 0x202E })
        #expect(text.contains("a\\x1b[2Jb\\nc") && text.contains("x\\u{202e}y") && text.contains("\\x07bell"))
    }

    @Test("Without a daemon, the first line and the reasons of waiting jobs say so")
    func down() {
        var snapshot = example()
        snapshot.daemon.pid = nil
        snapshot.surroundings.daemonGoneSince = after(-60)
        let lines = Self.lines(80, 24, ViewState(), snapshot)
        #expect(lines[0].hasPrefix("spoold is not running, last seen 00:00:00"))
        #expect(lines.contains { $0.contains("copy-1002") && $0.contains("spoold is not running") })
    }

    @Test("A frame without other changes changes with the clock only if it shows a time that moves")
    func clock() {
        let size = ScreenSize(columns: 80, rows: 24)
        #expect(Frame(example(), ViewState(), size).changesAt == after(1))
        var still = example()
        still.running = []
        still.due = []
        still.waiting = [still.waiting[0]]
        // A job that ended ten seconds ago leaves the rate of the last minute after 50 seconds.
        #expect(Frame(still, ViewState(), size).changesAt == after(50))
        still.rates = EndRates()
        #expect(Frame(still, ViewState(), size).changesAt == nil)
        // A screen of 8 rows does not show the due time, which counts down.
        var due = still
        due.due = example().due
        #expect(Frame(due, ViewState(), size).changesAt == after(1))
        #expect(Frame(due, ViewState(), ScreenSize(columns: 80, rows: 8)).changesAt == nil)
    }

    @Test("The selected row is on the screen, however long the list")
    func scrolling() {
        var snapshot = example()
        snapshot.ended = (0..<150).map { number in status("job", number) { $0.state = .done; $0.endedAt = after(Int64(-number)) } }
        let last = Self.pressed([.character("4"), .end], snapshot)
        #expect(Self.lines(80, 24, last, snapshot).contains { $0.hasPrefix(">job-1149") })
        let middle = Self.pressed([.character("4")] + Array(repeating: .down, count: 75), snapshot)
        #expect(Self.lines(80, 24, middle, snapshot).contains { $0.hasPrefix(">job-1075") })
        #expect(Self.lines(20, 5, middle, snapshot).contains { $0.hasPrefix(">job-1075") })
    }
}
