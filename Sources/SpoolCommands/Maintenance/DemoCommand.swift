import Linux
import Store

extension SpoolCommand {
    static let demo = SpoolCommand(
        "demo", "[--examples DIR]", "run the examples in a temporary spool, in less than 20 seconds",
        details: [
            "Starts spoold on a new temporary spool, drops the example files into it, and shows their jobs until all have ended. "
                + "Nothing is left running; the spool stays, so that you can look at its files.",
        ],
        options: [Option("examples", value: "DIR", "the examples (default: those installed with the program, or in its checkout)")],
        examples: [Example("spoolctl demo", "runs without preparation")]
    ) { session throws(Failure) in
        try session.noOperands()
        var demo = try Demo(session)
        return try demo.run()
    }
}
