import Linux
import Model
import Store

extension SpoolIdentity {
    /// Reads the spool's identity, or makes one for a new spool. When the spool is a copy of another one, also returns that.
    ///
    /// The new identity of a copy is not written here, but by recovery, which calls the closure in `copy`.
    static func settle(of spool: Spool<DiskFileSystem>, path: String) throws(SystemError) -> (id: String, copy: SpoolCopy?) {
        let known = try SpoolIdentity.read(spool.fs)
        let newID = Base32.encode(stableHash("\(spool.host)\u{0}\(path)\u{0}\(Clock.now())"), characters: 8)
        var here = try SpoolIdentity(id: newID, of: spool.fs, path: path)
        if let known, known.isSamePlace(as: here) { here.id = known.id }
        let id = here.id
        if let known, !known.isSamePlace(as: here) {
            return (id, SpoolCopy(of: known.path) { () throws(SystemError) in
                try SpoolIdentity(id: id, of: spool.fs, path: path).write(spool.fs)
            })
        }
        if known != here { try here.write(spool.fs) }
        return (id, nil)
    }
}
