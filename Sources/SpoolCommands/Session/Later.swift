import Glibc

/// A value that another thread computes while this one goes on. Where no thread can be made, it is computed when it is asked for.
///
/// The thread does not outlive this object, so that it reads files as the user as whom its maker reads them, see ``Reader``.
final class Later<Value: Sendable> {
    private let compute: @Sendable () -> Value
    private let made = Made()
    private var thread: pthread_t?

    /// The value. The thread writes it before it ends, and nobody reads it before that.
    private final class Made: @unchecked Sendable {
        var value: Value?
    }

    /// - Parameter compute: uses nothing that changes meanwhile.
    init(_ compute: @escaping @Sendable () -> Value) {
        self.compute = compute
        let made = made
        thread = Self.start(ThreadWork { made.value = compute() })
    }

    deinit {
        if let thread { pthread_join(thread, nil) }
    }

    /// Waits for the value.
    func get() -> Value {
        if let thread { pthread_join(thread, nil) }
        thread = nil
        if let value = made.value { return value }
        let value = compute()
        made.value = value
        return value
    }

    /// Starts a thread, pthread_create(3), that takes no signals: they go to the threads that expect them.
    private static func start(_ work: ThreadWork) -> pthread_t? {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(work)
        let failure = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<ThreadWork>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, argument.toOpaque())
        guard failure != 0 else { return thread }
        argument.release()
        return nil
    }
}

private final class ThreadWork: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
