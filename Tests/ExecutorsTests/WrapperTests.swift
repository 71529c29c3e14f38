// The wrapper, under the shells that machines have.

import Documents
import Executors
import Glibc
import Linux
import TestSupport
import Testing

@Suite struct WrapperTests {
    @Test("The exit code of the command is in the end mark", arguments: WrapperUnderTest.shells, [0, 7, 129, 130, 143, 255])
    func exitCode(shell: WrapperUnderTest.Shell, code: Int32) throws {
        let wrapper = try WrapperUnderTest(shell)
        let item = wrapper.submission("echo out; echo err >&2; exit \(code)")
        #expect(try wrapper.run(item) == code)
        let end = try wrapper.end()
        #expect(end.integer("exit") == Int64(code) && end["signal"] == nil)
        #expect(try wrapper.file("stdout") == "out\n" && wrapper.file("stderr") == "err\n")
    }

    @Test("The signal that ended the command is told from an exit code above 128", arguments: WrapperUnderTest.shells, [1, 2, 6, 9, 10, 13, 15])
    func signal(shell: WrapperUnderTest.Shell, number: Int32) throws {
        let wrapper = try WrapperUnderTest(shell)
        #expect(try wrapper.run(wrapper.submission("kill -s \(number) $$; sleep 100")) == 128 + number)
        let end = try wrapper.end()
        #expect(end.integer("signal") == Int64(number) && end["exit"] == nil)
    }
}
