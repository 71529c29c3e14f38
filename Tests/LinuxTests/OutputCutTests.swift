import Testing
import WorkerProtocol

@Suite("The record of the missing part of an output file")
struct OutputCutTests {
    static let cuts = [
        OutputCut(jobID: "20261121T020000.000Z-a-k3f9", inode: 7),
        OutputCut(jobID: "j", inode: .max, givenBack: 512..<4096, notice: 512..<580, leftOutBytes: 90_000_000),
    ]

    @Test("A written record is read again", arguments: cuts)
    func read(_ cut: OutputCut) { #expect(OutputCut(cut.text) == cut) }

    @Test(
        "A text that is none is refused",
        arguments: ["", "j 1 0 0 0 0 0", "j 1 0 0 0 0\n", "j 1 5 4 0 0 0\n", "j 1 -1 4 0 0 0\n", "j x 0 0 0 0 0\n"]
    )
    func refused(_ text: String) { #expect(OutputCut(text) == nil) }

    @Test("The file that the command writes to lacks the part given back; the shorter file lacks the part that its notice counts")
    func gaps() {
        let cut = OutputCut(jobID: "j", inode: 7, givenBack: 512..<4096, notice: 512..<580, leftOutBytes: 9000)
        #expect(cut.gap(inFileOf: 7) == (512..<4096, 3584))
        #expect(cut.gap(inFileOf: 8) == (512..<580, 9000))
    }
}
