import Store

extension Session {
    /// Prints the id of a job, or of a schedule.
    func tell(_ id: String) {
        if isJSON {
            var writer = JSONWriter(reserving: 128)
            writer.beginObject()
            writer.member("id", id)
            writer.endObject()
            output.line(String(decoding: writer.bytes, as: UTF8.self))
        } else {
            output.line(id)
        }
    }

    /// Prints the name of a task that was written or removed, of which `did` says what.
    func tell(task name: String, _ did: String) {
        output.did(did)
        if isJSON {
            var writer = JSONWriter(reserving: 128)
            writer.beginObject()
            writer.member("name", name)
            writer.endObject()
            output.line(String(decoding: writer.bytes, as: UTF8.self))
        } else if isQuiet || output.isTerminal {
            output.line(name)
        }
    }

    /// Asks on the terminal; anything but a yes is a no.
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
    func show(_ source: Source, wouldBe file: String) {
        let text = String(decoding: source.bytes, as: UTF8.self)
        guard isJSON else { return output.line("# \(file)\n\(text)") }
        var writer = JSONWriter(reserving: text.utf8.count + 256)
        writer.beginObject()
        writer.member("file", file)
        writer.member("text", text)
        writer.endObject()
        output.line(String(decoding: writer.bytes, as: UTF8.self))
    }
}
