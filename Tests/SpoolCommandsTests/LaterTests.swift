import Glibc
import Linux
import Synchronization
import Testing

@testable import SpoolCommands

@Suite struct LaterTests {
    @Test("The value is computed by another thread, once")
    func once() {
        let here = UInt(pthread_self())
        let laters = (0..<50).map { number in
            Later { (number: number, thread: UInt(pthread_self()), random: UInt64.random(in: 0 ... .max)) }
        }
        for (number, later) in laters.enumerated() {
            let value = later.get()
            #expect(value.number == number && value.thread != here && later.get() == value)
        }
    }

    @Test("The thread has ended when nobody can ask for its value any more")
    func forgotten() {
        for _ in 0..<50 {
            let flag = Flag()
            do {
                _ = Later {
                    for _ in 0..<10 { sched_yield() }
                    flag.hasEnded.store(true, ordering: .relaxed)
                }
            }
            let hasEnded = flag.hasEnded.load(ordering: .relaxed)
            #expect(hasEnded)
        }
    }

    private final class Flag: Sendable {
        let hasEnded = Atomic(false)
    }

    @Test("There is a processor for this process")
    func processors() {
        #expect((1...65_536).contains(Machine.processors()))
    }
}
