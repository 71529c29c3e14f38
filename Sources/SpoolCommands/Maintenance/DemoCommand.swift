import Linux
import Store

extension SpoolCommand {
    static let demo = SpoolCommand(
        "demo", "[--examples DIR]", "show a spool at work, with the examples, in less than 20 seconds",
        details: [
            "Starts spoold on a new temporary spool, drops the files of examples/ into it, and shows them moving until all have ended. Nothing is left running; the spool stays for looking.",
        ],
        options: [Option("examples", value: "DIR", "the examples (else those found near the program)")],
        examples: [Example("spoolctl demo", "needs no preparation")]
    ) { session throws(Failure) in
        try session.noOperands()
        var demo = try Demo(session)
        return try demo.run()
    }
}
