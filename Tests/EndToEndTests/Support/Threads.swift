// These tests wait in blocking calls, as the programs that they imitate do. Swift has only one thread for each core, which would leave the
// machine idle. So these tests run on their own threads.

import Glibc
import Testing

extension Trait where Self == OwnThreads {
    /// Runs every test of the suite on threads that may block.
    static var ownThreads: Self { Self() }
}

struct OwnThreads: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(ThreadExecutor.shared) { try await function() }
    }
}

/// A fixed number of threads that take work from one queue.
final class ThreadExecutor: TaskExecutor, @unchecked Sendable {
    static let shared = ThreadExecutor(threads: 10)

    // The queue is only used while the lock is held.
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let arrival = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var queue: [UnownedJob] = []

    private init(threads: Int) {
        pthread_mutex_init(lock, nil)
        pthread_cond_init(arrival, nil)
        for _ in 0..<threads {
            var thread = pthread_t()
            let own = Unmanaged.passRetained(self).toOpaque()
            let failure = pthread_create(&thread, nil, { argument in
                let executor = Unmanaged<ThreadExecutor>.fromOpaque(argument!).takeRetainedValue()
                while true { executor.runNext() }
            }, own)
            precondition(failure == 0, "threads can be made")
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pthread_mutex_lock(lock)
        queue.append(job)
        pthread_cond_signal(arrival)
        pthread_mutex_unlock(lock)
    }

    private func runNext() {
        pthread_mutex_lock(lock)
        while queue.isEmpty { pthread_cond_wait(arrival, lock) }
        let job = queue.removeFirst()
        pthread_mutex_unlock(lock)
        job.runSynchronously(on: asUnownedTaskExecutor())
    }
}
