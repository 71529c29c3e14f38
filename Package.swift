// swift-tools-version: 6.1
import PackageDescription

// Sections for functions, and no promise to anybody outside the program: then --gc-sections removes public functions that no program
// calls, most of them because their callers have a specialized copy.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .unsafeFlags(["-Xfrontend", "-function-sections", "-Xfrontend", "-internalize-at-link"], .when(configuration: .release)),
]

// For what a person waits for, not a job.
let small: [SwiftSetting] = strict + [.unsafeFlags(["-Osize"], .when(configuration: .release))]

// What a program does not need and would carry all the same:
// - thousands of symbols of the Swift library, offered to libraries that need none;
// - tables for unwinding, an eighth of each program: nothing throws C++ exceptions, and the Swift runtime prints its backtraces by frame
//   pointers;
// - the names of all Unicode characters, half a megabyte, which only `Unicode.Scalar.Properties.name` reads. ProgramTests shows that no
//   source does; a call would end in the runtime's "Fatal error: Call of deleted method";
// - functions that are the same, byte for byte, and whose addresses nothing compares;
// - two libraries of C++, of which the Swift runtime uses little: loading them takes half of a short command's time and a megabyte of
//   memory. etc/link has a file for -lstdc++ that names the static one.
// All of this is possible with the static Swift library alone, so `swift run -c release` gets that too.
let lean: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-static-stdlib", "-use-ld=lld", "-Xlinker", "--gc-sections", "-Xlinker", "--icf=safe", "-Xlinker", "--no-export-dynamic",
            "-Xlinker", "--no-eh-frame-hdr", "-Xlinker", Context.packageDirectory + "/etc/link/no-unwinding.ld",
            "-L", Context.packageDirectory + "/etc/link", "-Xclang-linker", "-static-libgcc",
            "-Xlinker", "--defsym=_swift_stdlib_getScalarName=swift_deletedMethodError",
        ], .when(configuration: .release))
]

// The worker is started once per busy slot and weighs on every job, so it alone is linked fully static; lld, because gold
// warns about the Swift runtime's unused call of dlopen.
let fullyStatic: [LinkerSetting] = [.unsafeFlags(["-static-executable", "-use-ld=lld", "-Xlinker", "--gc-sections"])]

let package = Package(
    name: "spoold",
    products: [
        .executable(name: "spoold", targets: ["spoold"]),
        .executable(name: "spoolctl", targets: ["spoolctl"]),
        .executable(name: "spool-worker", targets: ["spool-worker"]),
        .executable(name: "spool-executor", targets: ["spool-executor"]),
        .executable(name: "crontab", targets: ["crontab"]),
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "TextSearch", swiftSettings: strict),
        .target(name: "Recurrence", dependencies: ["TextSearch"], swiftSettings: strict),
        .target(name: "Lines", swiftSettings: strict),
        .target(name: "Documents", dependencies: ["Lines"], swiftSettings: strict),
        .target(name: "ExecutorProtocol", swiftSettings: strict),
        .target(name: "WorkerProtocol", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "Web", dependencies: ["Documents"], swiftSettings: small),
        .target(name: "Metrics", swiftSettings: small),
        .target(
            name: "Model", dependencies: ["Recurrence", "Documents", "ExecutorProtocol", "TextSearch", "WorkerProtocol"],
            swiftSettings: strict),
        .target(name: "Scheduler", dependencies: ["ExecutorProtocol", "Model", "Recurrence"], swiftSettings: strict),
        .target(
            name: "Store", dependencies: ["Model", "Scheduler", "Recurrence", "Documents", "Linux", "CLinux", "WorkerProtocol"],
            swiftSettings: strict),
        .target(
            name: "Daemon",
            dependencies: [
                "Crontabs", "ExecutorProtocol", "Metrics", "Scheduler", "Store", "Model", "Recurrence", "Documents", "TextSearch",
                "WorkerProtocol", "Linux", "CLinux",
            ],
            swiftSettings: strict),
        .target(
            name: "Crontabs", dependencies: ["Lines", "TextSearch", "Linux", "Model", "Recurrence", "Documents"], swiftSettings: small),
        .target(name: "LiveView", dependencies: ["Store", "Scheduler", "Model", "Recurrence", "TextSearch"], swiftSettings: small),
        .executableTarget(
            name: "spoold", dependencies: ["Daemon", "Store", "Model", "Linux"], swiftSettings: strict, linkerSettings: lean),
        .target(
            name: "SpoolCommands",
            dependencies: [
                "Crontabs", "Lines", "LiveView", "Metrics", "Store", "Scheduler", "Model", "Recurrence", "Documents", "TextSearch", "Web",
                "WorkerProtocol", "Linux", "CLinux",
            ],
            swiftSettings: small),
        // Without the programs that it starts: the package manager would link their modules into it, and --gc-sections removes nothing that
        // conforms to a protocol.
        .executableTarget(name: "spoolctl", dependencies: ["SpoolCommands"], swiftSettings: strict, linkerSettings: lean),
        .executableTarget(
            name: "spool-worker", dependencies: ["WorkerProtocol", "Lines", "Linux", "CLinux"],
            swiftSettings: strict + [.unsafeFlags(["-static-executable"])],
            linkerSettings: fullyStatic + lean),
        .target(name: "Executors", dependencies: ["Documents", "ExecutorProtocol", "Linux", "TextSearch"], swiftSettings: strict),
        .executableTarget(
            name: "spool-executor",
            dependencies: ["ExecutorProtocol", "Executors", "Documents", "TextSearch", "WorkerProtocol", "Linux", "CLinux"],
            swiftSettings: strict + [.unsafeFlags(["-static-executable"])], linkerSettings: fullyStatic + lean),
        // Setgid, so it must find its libraries without help of the environment. Not fully static: the user database may need
        // libraries (nsswitch.conf(5)).
        .target(name: "SecureStart"),
        .executableTarget(
            name: "crontab", dependencies: ["SecureStart", "Crontabs", "Linux", "CLinux"],
            swiftSettings: small + [.unsafeFlags(["-static-stdlib"])],
            linkerSettings: [.unsafeFlags(["-static-stdlib", "-Xlinker", "--gc-sections"])] + lean),

        .executableTarget(
            name: "toml-test-decoder", dependencies: ["Documents"], path: "Tests/toml-test-decoder", swiftSettings: strict),
        .executableTarget(
            name: "Benchmarks",
            dependencies: ["Linux", "CLinux", "Recurrence", "Scheduler", "TestSupport", "spoold", "spool-worker", "spoolctl"],
            path: "Tests/Benchmarks", exclude: ["growth", "picture"], swiftSettings: strict),
        .target(
            name: "Simulation",
            dependencies: [
                "Daemon", "ExecutorProtocol", "Store", "Scheduler", "Model", "Recurrence", "Documents", "WorkerProtocol", "Linux",
            ],
            path: "Tests/Simulation", swiftSettings: strict),
        .executableTarget(name: "Simulator", dependencies: ["Simulation"], path: "Tests/Simulator", swiftSettings: strict),
        .target(name: "TestSupport", dependencies: ["Model", "Linux"], path: "Tests/Support", swiftSettings: strict),
        .testTarget(name: "TextSearchTests", dependencies: ["TextSearch"], swiftSettings: strict),
        .testTarget(name: "LinesTests", dependencies: ["Lines"], swiftSettings: strict),
        .testTarget(name: "CrontabsTests", dependencies: ["Crontabs", "Model", "Documents", "Recurrence", "Linux"], swiftSettings: strict),
        .testTarget(name: "WebTests", dependencies: ["Web"], swiftSettings: strict),
        .testTarget(name: "DocumentsTests", dependencies: ["Documents", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "RecurrenceTests", dependencies: ["Recurrence", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "LinuxTests", dependencies: ["Linux", "CLinux", "WorkerProtocol", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ExecutorsTests", dependencies: ["ExecutorProtocol", "Executors", "Documents", "Linux", "CLinux", "TestSupport"],
            swiftSettings: strict),
        .testTarget(name: "ModelTests", dependencies: ["Model", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "SchedulerTests", dependencies: ["ExecutorProtocol", "Scheduler", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "StoreTests", dependencies: ["Store", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "SimulationTests", dependencies: ["Simulation", "Daemon", "Linux", "Scheduler", "TestSupport", "WorkerProtocol"],
            swiftSettings: strict),
        .testTarget(name: "MetricsTests", dependencies: ["Metrics", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "LiveViewTests", dependencies: ["LiveView", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "SpoolCommandsTests", dependencies: ["SpoolCommands", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests", dependencies: ["Documents", "Executors", "Linux", "CLinux", "TestSupport"], swiftSettings: strict),
    ]
)
