// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import TestMachine

/// One vCPU's part of a timeline.
struct TimelineBuilder {
    let vcpu: UInt32
    let origin: UInt64
    private(set) var exits: [Timeline.Exit] = []
    private(set) var segments: [Timeline.Segment] = []

    init(vcpu: UInt32, origin: UInt64) {
        self.vcpu = vcpu
        self.origin = origin
    }

    /// Without events of the kernel's side: all of KVM_RUN in one.
    mutating func add(_ runs: [Timeline.Run]) {
        for (index, run) in runs.enumerated() {
            let cause = run.exit?.name ?? "none"
            segment(.run, run.time.begin, run.time.end, cause)
            let next = index + 1 < runs.count ? runs[index + 1].time.begin : run.time.end
            segment(.user, run.time.end, next, cause)
            guard let exit = run.exit else { continue }
            exits.append(
                Timeline.Exit(
                    time: since(run.time.end), vcpu: vcpu, reason: exit.name, detail: exit.text, rip: nil,
                    userSpace: nil, guest: nil, kernel: run.time.ticks, user: max(next, run.time.end) - run.time.end))
        }
    }

    /// With them.
    mutating func add(_ runs: [Timeline.Run], _ all: ArraySlice<KernelEvent>) {
        var events = all
        for (index, run) in runs.enumerated() {
            let isLast = index + 1 == runs.count
            let next = isLast ? run.time.end : max(runs[index + 1].time.begin, run.time.end)
            let own = events.prefix { isLast || $0.time < next }
            events = events.dropFirst(own.count)
            let before = exits.count
            add(run, own)
            if let exit = run.exit {
                if exits.count > before {
                    exits[exits.count - 1].userSpace = exit.text
                } else {
                    // Back without having been in the guest: the second half of an access, say.
                    exits.append(
                        Timeline.Exit(
                            time: since(run.time.end), vcpu: vcpu, reason: "none", detail: "KVM_RUN came back at once",
                            rip: nil, userSpace: exit.text, guest: 0))
                }
            }
            segment(.user, run.time.end, next, cause)
            if !exits.isEmpty { exits[exits.count - 1].user += next - run.time.end }
        }
    }

    /// The exit that what happens now is owed to.
    private var cause: String { exits.last?.reason ?? "start" }

    private mutating func add(_ run: Timeline.Run, _ events: ArraySlice<KernelEvent>) {
        var mark = run.time.begin
        var isInGuest = false
        for event in events {
            // Another processor's counter may be some ticks ahead or behind.
            let time = min(max(event.time, mark), run.time.end)
            switch event.what {
            case .entry:
                if !isInGuest { leaveKernel(mark, time) }
                (mark, isInGuest) = (time, true)
            case .exit(let reason, let qualification, let rip, let interruption, let vectoring):
                let detail = ExitDetail(
                    reason: reason, qualification: qualification, interruption: interruption, vectoring: vectoring)
                segment(.guest, mark, time, detail.reason)
                exits.append(
                    Timeline.Exit(
                        time: since(time), vcpu: vcpu, reason: detail.reason, detail: detail.text, rip: rip,
                        userSpace: nil, guest: time - mark))
                (mark, isInGuest) = (time, false)
            case .fault(let address, _): note("at \(address): mapped")
            case .mmio(let address, let count, let isWrite, _):
                note("at \(address): \(isWrite ? "store" : "load") of \(counted(count, "byte"))")
            case .inject(let info, _): note("then injects \(ExitDetail.vector(info))")
            // The qualification has said that.
            case .port: break
            }
        }
        if isInGuest { segment(.guest, mark, run.time.end, cause) } else { leaveKernel(mark, run.time.end) }
    }

    private mutating func leaveKernel(_ from: UInt64, _ to: UInt64) {
        segment(.kernel, from, to, cause)
        if !exits.isEmpty { exits[exits.count - 1].kernel += to - from }
    }

    private mutating func note(_ text: String) {
        guard !exits.isEmpty else { return }
        let detail = exits[exits.count - 1].detail
        exits[exits.count - 1].detail = detail.isEmpty ? text : "\(detail) \(text)"
    }

    private mutating func segment(_ lane: Timeline.Lane, _ begin: UInt64, _ end: UInt64, _ cause: String) {
        guard end > begin else { return }
        segments.append(
            .init(vcpu: vcpu, lane: lane, time: TickSpan(begin: since(begin), end: since(end)), cause: cause))
    }

    private func since(_ time: UInt64) -> UInt64 { time > origin ? time - origin : 0 }
}
