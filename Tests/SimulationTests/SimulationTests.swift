import Simulation
import Testing

@Suite struct Simulations {
    @Test(arguments: 0..<8)
    func nothingIsLostAndNothingRunsTwice(batch: UInt64) {
        for seed in batch * 25 + 1...batch * 25 + 25 {
            if let violation = Run.seed(seed).violation { Issue.record("seed \(seed): \(violation)") }
        }
    }
}
