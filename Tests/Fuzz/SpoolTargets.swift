// Files that people put into the spool, read by a daemon on a simulated disk. The daemon must continue, every job must be in its directory
// with a readable status, and the next daemon must find nothing to mend.

import Daemon
import Simulation
import Store

/// The first line is the name of a file in new/, and the rest its content. A file whose name has no ending, such as `script`, is
/// executable.
@Sendable func fuzzJob(_ bytes: [UInt8]) {
    let end = bytes.firstIndex(of: 0x0A) ?? bytes.endIndex
    let name = String(decoding: bytes[..<end], as: UTF8.self)
    guard !name.isEmpty, name.utf8.count <= 255, !name.contains("/"), !name.utf8.contains(0), name != ".", name != ".." else { return }
    let world = started()
    put("new/\(name)", Array(bytes[end...].dropFirst()), in: world, mode: name.contains(".") ? 0o600 : 0o700)
    settle(world)
}

@Sendable func fuzzTask(_ bytes: [UInt8]) {
    let world = started()
    put("tasks/a.toml", bytes, in: world)
    settle(world)
    if let configuration = try? Configuration(bytes, zones: ZoneDatabase(directories: []), now: world.now) {
        expect((1...Configuration.slotsMax).contains(configuration.slots), "\(configuration.slots) slots")
    }
}

/// A request. `%R` in it means the id of a running job, and `%W` that of a waiting one. The same text is the note of a pause.
@Sendable func fuzzControl(_ bytes: [UInt8]) {
    let world = started()
    put("new/runs.toml", Array("command = [\"true\"]\ntimeout = \"1h\"\n".utf8), in: world)
    put("new/waits.toml", Array("command = [\"true\"]\nstart = \"in 1 hour\"\n".utf8), in: world)
    turn(world, times: 2)
    guard let jobs = world.service?.scheduler.jobs else { fatalError("the daemon ended") }
    var request: [UInt8] = []
    var rest = bytes[...]
    while let byte = rest.popFirst() {
        var state: JobState?
        if byte == UInt8(ascii: "%") {
            if rest.first == UInt8(ascii: "R") { state = .running }
            if rest.first == UInt8(ascii: "W") { state = .new }
        }
        if let state, let id = jobs.keys.first(where: { jobs[$0]?.state == state }) {
            rest.removeFirst()
            request += id.text.utf8
        } else {
            request.append(byte)
        }
    }
    put("control/a.request", request, in: world)
    put("control/pause-x", bytes, in: world)
    turn(world, times: 1)
    guard let service = world.service else { fatalError("the daemon ended") }
    if service.restartRequests.isEmpty {
        guard case .file(_, let answer)? = try? world.disk.take("control/a.answer", limit: 1 << 16, ignoringWriters: false),
            let table = JSON.readableTable(answer), case .integer? = table["code"]?.kind,
            case .string? = table["message"]?.kind
        else { fatalError("the request has no answer that can be read") }
    }
    settle(world)
}

private func started() -> SimulatedWorld {
    let world = SimulatedWorld()
    do throws(Violation) { expect(try world.startDaemon(), "the daemon starts") } catch { fatalError("\(error)") }
    return world
}

/// Puts a file into the spool by rename, as careful people do.
private func put(_ path: String, _ bytes: [UInt8], in world: SimulatedWorld, mode: UInt32 = 0o600) {
    do throws(SystemError) {
        try world.disk.create("tmp/put", bytes, mode: mode)
        try world.disk.rename("tmp/put", to: path)
    } catch {
        fatalError("\(error)")
    }
}

private func turn(_ world: SimulatedWorld, times: Int) {
    do throws(Violation) { for _ in 0..<times { try world.turn() } } catch { fatalError("\(error)") }
}

private func settle(_ world: SimulatedWorld) {
    do {
        try live(world)
        expect(world.service != nil, "the daemon goes on")
        for state in [JobState.running, .done, .failed] {
            for entry in try world.disk.list(Layout.directory(state)) where !Layout.isAside(entry.name) {
                let path = "\(Layout.directory(state))/\(entry.name)/\(Layout.statusFile)"
                guard case .file(_, let bytes) = try world.disk.take(path, limit: .max, ignoringWriters: false),
                    let table = JSON.readableTable(bytes, limits: .status), JobStatus(json: table) != nil
                else { fatalError("\(path) cannot be read") }
            }
        }
        world.killDaemon()
        expect(try world.startDaemon(), "a second daemon starts")
        try live(world)
    } catch {
        fatalError("\(error)")
    }
}
