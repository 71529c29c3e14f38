import Store

extension Session {
    /// Prints the id of a job or of a schedule.
    func printID(_ id: String) {
        if isJSON {
            output.jsonObject { writer in
                writer.member("id", id)
            }
        } else {
            output.line(id)
        }
    }

    /// Prints the name of a task that was written or removed; `change` says what was done.
    func printTask(_ name: String, change: String) {
        output.noteChange(change)
        if isJSON {
            output.jsonObject { writer in
                writer.member("name", name)
            }
        } else if isQuiet || output.isTerminal {
            output.line(name)
        }
    }

    /// Asks on the terminal; any answer but `y` and `yes` is a no.
    func asks(_ question: String) -> Bool {
        output.flush()
        errors.write("\(question) [y/N] ")
        errors.flush()
        let answer = readLine()?.lowercased() ?? ""
        return answer == "y" || answer == "yes"
    }
}

extension Session {
    /// Prints a file that an import would write.
    func printFile(_ source: Source, wouldBe file: String) {
        let text = String(decoding: source.bytes, as: UTF8.self)
        guard isJSON else { return output.line("# \(file)\n\(text)") }
        output.jsonObject { writer in
            writer.member("file", file)
            writer.member("text", text)
        }
    }
}
