import Executors

/// Slurm, by its own programs.
struct SlurmExecutor: Executor {
    private let header: Header

    init(_ header: Header) { self.header = header }

    func submit(_ items: Items<Submission>) -> Int32 { 1 }
    func poll(_ runs: [Run]) -> Int32 { 1 }
    func find(_ runs: [Run]) -> Int32 { 1 }
    func cancel(_ orders: [Order]) -> Int32 { 1 }
    func signal(_ orders: [Order]) -> Int32 { 1 }
    func extend(_ orders: [Order]) -> Int32 { 1 }
    func logs(_ runs: [Run]) -> Int32 { 0 }
    func check() -> Int32 { 1 }
}
