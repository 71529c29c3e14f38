import Glibc
import Linux

/// The Linux-PAM library, as far as a session without a conversation needs it: pam(3).
///
/// It is loaded when it is needed, so that spoold needs it neither to be built nor to start on a machine without it.
struct Pam {
    /// The reason why PAM gives no session.
    struct Refusal: Error {
        var why: String
    }

    private typealias Handle = UnsafeMutableRawPointer
    private typealias Text = UnsafePointer<CChar>
    private typealias Conversation = @convention(c) (Int32, UnsafeRawPointer?, UnsafeRawPointer?, UnsafeRawPointer?) -> Int32
    private typealias Start = @convention(c) (Text, Text, UnsafeRawPointer, UnsafeMutablePointer<Handle?>) -> Int32
    private typealias SetItem = @convention(c) (Handle, Int32, Text) -> Int32
    private typealias Step = @convention(c) (Handle, Int32) -> Int32
    private typealias Variables = @convention(c) (Handle) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    private typealias Message = @convention(c) (Handle?, Int32) -> Text?

    /// The numbers of security/_pam_types.h of Linux-PAM.
    private enum Number {
        static let success: Int32 = 0
        static let conversationFailed: Int32 = 19
        static let tty: Int32 = 3
        static let silent: Int32 = 0x8000
        static let establish: Int32 = 0x2
    }

    private let library: Handle

    init() throws(Refusal) {
        guard let library = dlopen("libpam.so.0", RTLD_NOW) else {
            throw Refusal(why: "PAM: \(dlerror().map { String(cString: $0) } ?? "libpam.so.0 cannot be loaded")")
        }
        self.library = library
    }

    /// Opens a session of the service for the user in this process, which is root: limits, login id and whatever else the modules of
    /// /etc/pam.d/SERVICE set. Returns the variables that they want, as `NAME=value`.
    ///
    /// Nobody can be asked for anything: a module that asks fails. The session is never closed, because this process becomes another
    /// program.
    func openSession(service: String, user: String) throws(Refusal) -> [String] {
        let start: Start = try function("pam_start")
        let account: Step = try function("pam_acct_mgmt")
        let credentials: Step = try function("pam_setcred")
        let session: Step = try function("pam_open_session")
        let setItem: SetItem = try function("pam_set_item")
        let conversation: Conversation = { _, _, _, _ in Number.conversationFailed }
        // struct pam_conv. The library keeps its address.
        let conversations = UnsafeMutablePointer<UnsafeRawPointer?>.allocate(capacity: 2)
        conversations[0] = unsafeBitCast(conversation, to: UnsafeRawPointer.self)
        conversations[1] = nil
        var opened: Handle?
        let started = start(service, user, conversations, &opened)
        guard started == Number.success, let handle = opened else { throw try refusal(nil, started, "the service \(service)") }
        let terminal = setItem(handle, Number.tty, service)
        guard terminal == Number.success else { throw try refusal(handle, terminal, "the service \(service)") }
        let steps = [(account, Int32(0), "the account"), (credentials, Number.establish, "credentials"), (session, 0, "a session")]
        for (step, flag, what) in steps {
            let result = step(handle, flag | Number.silent)
            guard result == Number.success else { throw try refusal(handle, result, "\(what) of \(user) for the service \(service)") }
        }
        let variables: Variables = try function("pam_getenvlist")
        guard var next = variables(handle) else { return [] }
        var result: [String] = []
        while let variable = next.pointee {
            result.append(FileName.string(from: UnsafePointer(variable)))
            next += 1
        }
        return result
    }

    private func refusal(_ handle: Handle?, _ number: Int32, _ what: String) throws(Refusal) -> Refusal {
        let message: Message = try function("pam_strerror")
        return Refusal(why: "PAM refuses \(what): \(message(handle, number).map { String(cString: $0) } ?? "error \(number)")")
    }

    private func function<Function>(_ name: String) throws(Refusal) -> Function {
        guard let symbol = dlsym(library, name) else { throw Refusal(why: "PAM: the library has no \(name)") }
        return unsafeBitCast(symbol, to: Function.self)
    }
}
