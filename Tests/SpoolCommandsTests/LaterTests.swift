import Glibc
import Linux
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

    @Test("A value that nobody asks for harms nothing")
    func forgotten() {
        for number in 0..<50 { _ = Later { number } }
    }

    @Test("There is a processor for this process")
    func processors() {
        #expect((1...65_536).contains(Machine.processors()))
    }
}
