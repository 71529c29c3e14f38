// The pure parts of the executor kubernetes: names, the Job, what the API says of it.

import Documents
import Executors
import Testing

private func table(_ json: String) -> Table { JSON.readableTable(Array(json.utf8))! }

@Suite("Jobs of Kubernetes")
struct KubernetesJobTests {
    @Test(
        "A name is a label of DNS, with room for a pod's end, whatever the id is",
        arguments: [
            "20261121T020000.001Z-backup-34fg24", "20261121T020000.001Z-Big_Name.x-34fg24",
            "20261121T020000.001Z-\(String(repeating: "A", count: 64))-34fg24",
            "20261121T020000.001Z-..-34fg24",
        ])
    func names(_ id: String) {
        let name = KubernetesPlace.name(id: id, attempt: 2_147_483_647, random: 1)
        #expect(KubernetesPlace.isName(name) && name.utf8.count <= 57, "\(name)")
        #expect(name != KubernetesPlace.name(id: id, attempt: 2_147_483_647, random: 2))
        let place = KubernetesPlace(namespace: "default", name: name, tag: KubernetesSettings.tag(machine: "m", spool: "/s"))
        #expect(KubernetesPlace(place.text) == place)
    }

    @Test("Nothing but labels of DNS is a place", arguments: ["", "canceled\n", "a b\n", "a/b c d\n", "-a b c\n", "A b c\n", "a b c"])
    func noPlaces(_ text: String) { #expect(KubernetesPlace(text) == nil) }

    @Test("The Job has one pod that is never started again, and is not removed by itself")
    func job() throws {
        let run = Run(id: "i", attempt: 2, name: "n", directory: "/spool/running/i")
        var item = Submission(run: run, arguments: ["/bin/sh", "/spool/running/i/script", "it's $(HOME)"], workingDirectory: "/home/a")
        item.environment = ["HOME=/home/a", "PATH=/bin", "A=$x", "SPOOL_JOB_DIR=/spool/running/i"]
        item.timeoutMilliseconds = 1500
        item.resources.memory = 1 << 30
        let place = KubernetesPlace(namespace: "ns", name: "s-x", tag: "t")
        let script = KubernetesJob.Script(argument: 1, text: "echo $1\n")
        let job = KubernetesJob(place: place, submission: item, image: "busybox", script: script)
        let text = JSON.write(Value(.table(table(String(decoding: job.json, as: UTF8.self)))))
        for part in [
            #""backoffLimit":0"#, #""restartPolicy":"Never""#, #""activeDeadlineSeconds":2"#, #""spoold/id":"i""#,
            #""memory":"1073741824""#, #"{"name":"A","value":"$$x"}"#, #"{"name":"SPOOLD_SCRIPT","value":"echo $$1\n"}"#,
            #"'it'\\''s $$(HOME)'"#,
        ] { #expect(text.utf8.split(separator: Array(part.utf8)).count > 1, "\(part) in \(text)") }
        for part in ["ttlSecondsAfterFinished", "/home/a", "/spool/"] {
            #expect(text.utf8.split(separator: Array(part.utf8)).count == 1, "\(part) in \(text)")
        }
    }

    static let pods: [(json: String, state: KubernetesWord.State)] = [
        (
            #"{"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable"}]}}"#,
            .pending(why: "Unschedulable")
        ),
        (
            #"{"status":{"phase":"Pending","containerStatuses":[{"name":"job","state":{"waiting":{"reason":"ErrImagePull"}}}]}}"#,
            .pending(why: "ErrImagePull")
        ),
        (#"{"status":{"phase":"Running","containerStatuses":[{"name":"job","state":{"running":{}}}]}}"#, .running),
        (#"{"status":{"phase":"Unknown"}}"#, .open("Unknown")),
        (#"{}"#, .open("Unknown")),
        (#"{"status":{"phase":"Failed","reason":"Evicted","message":"m"}}"#, .lost(.nodeFail, "Kubernetes: Evicted: m")),
        (#"{"status":{"phase":"Failed","reason":"DeadlineExceeded"}}"#, .lost(.timeout, "Kubernetes: DeadlineExceeded")),
        // An end of which the API does not say how it came is no success.
        (#"{"status":{"containerStatuses":[{"name":"job","state":{"terminated":{}}}]}}"#, .open("terminated, without an exit code")),
        (
            #"{"status":{"containerStatuses":[{"name":"job","state":{"terminated":{"exitCode":3221225786}}}]}}"#,
            .lost(.failed, "Kubernetes: exit code 3221225786")
        ),
        // A sidecar that ended says nothing.
        (#"{"status":{"phase":"Running","containerStatuses":[{"name":"proxy","state":{"terminated":{"exitCode":1}}}]}}"#, .running),
    ]

    @Test("What a pod's status means", arguments: pods.indices)
    func states(_ index: Int) {
        let (json, state) = Self.pods[index]
        #expect(KubernetesWord(job: nil, pods: [table(json)]).state == state)
    }

    @Test("The end of a container becomes the end mark")
    func ends() throws {
        func mark(_ terminated: String, reason: String = "x") throws -> String {
            let container = #"{"name":"job","state":{"terminated":{\#(terminated)}}}"#
            let pod = #"{"status":{"phase":"Failed","reason":"\#(reason)","containerStatuses":[\#(container)]}}"#
            guard case .ended(let end) = KubernetesWord(job: nil, pods: [table(pod)]).state else { return "no end" }
            return String(decoding: end.mark(host: "n"), as: UTF8.self)
        }
        let times = #""startedAt":"2026-11-29T19:00:00Z","finishedAt":"2026-11-29T19:00:05Z""#
        #expect(try mark(#""exitCode":7,\#(times)"#) == #"{"exit":7,"started":1795978800000,"ended":1795978805000,"host":"n"}"#)
        // Times that nobody can have written.
        for time in ["999999999999999999-01-01T00:00:00Z", "2026-11-29T9999999999999999:00:00Z", "2026-00-29T00:00:00Z", "Z", ""] {
            #expect(try mark(#""exitCode":7,"startedAt":"\#(time)","finishedAt":"\#(time)""#) == #"{"exit":7,"host":"n"}"#)
        }
        #expect(try mark(#""exitCode":7,"signal":99"#) == #"{"exit":7,"host":"n"}"#)
        #expect(try mark(#""exitCode":137,"reason":"OOMKilled""#) == #"{"signal":9,"host":"n"}"#)
        #expect(try mark(#""exitCode":137"#, reason: "DeadlineExceeded") == #"{"exit":137,"timed_out":true,"host":"n"}"#)
    }

    @Test("A Job without a pod")
    func withoutPod() {
        #expect(KubernetesWord(job: nil, pods: []).state == .gone)
        #expect(KubernetesWord(job: table("{}"), pods: []).state == .pending(why: nil))
        let failed = #"{"status":{"conditions":[{"type":"Failed","status":"True","reason":"BackoffLimitExceeded","message":"m"}]}}"#
        let words = "Kubernetes: the pod is gone: BackoffLimitExceeded: m"
        #expect(KubernetesWord(job: table(failed), pods: []).state == .lost(.nodeFail, words))
        let complete = #"{"status":{"conditions":[{"type":"Complete","status":"True"}]}}"#
        #expect(KubernetesWord(job: table(complete), pods: []).state == .ended(KubernetesWord.End(exit: 0)))
    }
}
