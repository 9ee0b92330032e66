// SPDX-License-Identifier: MIT OR GPL-2.0-only
import KVM
import Testing

@testable import Pictures

@Suite("Exits over time")
struct TimelineTests {
    static func exit(
        _ time: UInt64, _ reason: UInt32, _ qualification: UInt64 = 0, rip: UInt64 = 0x1000, interruption: UInt32 = 0,
        vectoring: UInt32 = 0, vcpu: UInt32 = 0
    ) -> KernelEvent {
        KernelEvent(
            time: time, vcpu: vcpu,
            what: .exit(
                reason: reason, qualification: qualification, rip: rip, interruption: interruption, vectoring: vectoring
            ))
    }

    static func event(_ time: UInt64, _ what: KernelEvent.What, vcpu: UInt32 = 0) -> KernelEvent {
        KernelEvent(time: time, vcpu: vcpu, what: what)
    }

    static func run(_ begin: UInt64, _ end: UInt64, _ name: String? = nil, _ text: String = "") -> Timeline.Run {
        Timeline.Run(time: TickSpan(begin: begin, end: end), exit: name.map { ($0, text) })
    }

    /// A page is mapped, a byte is printed, the guest halts.
    static let runs = [run(1000, 1500, "io", "io out 0x3f8 1 byte: 34"), run(1700, 2000, "hlt", "hlt")]
    static let events = [
        event(1100, .entry(rip: 0)), exit(1200, 48, 0x4), event(1250, .fault(GuestAddress(0x5000), qualification: 4)),
        event(1300, .entry(rip: 0)), exit(1400, 30, 0x3F8 << 16),
        event(1410, .port(0x3F8, size: 1, count: 1, isInput: false)),
        event(1800, .entry(rip: 0)), exit(1950, 12),
    ]
    static let timeline = Timeline(runs: [0: runs], events: events)

    @Test("every tick is the guest's, the kernel's or user space's")
    func lanes() {
        let timeline = Self.timeline
        #expect(timeline.duration == 1000)
        #expect(timeline.ticks(.guest) == 100 + 100 + 150)
        #expect(timeline.ticks(.user) == 200)
        #expect(timeline.ticks(.kernel) == 100 + 100 + 100 + 100 + 50)
        #expect(timeline.ticks(.run) == 0)
        let ends = timeline.segments.map { [$0.time.begin, $0.time.end] }
        #expect(
            ends == [
                [0, 100], [100, 200], [200, 300], [300, 400], [400, 500], [500, 700], [700, 800], [800, 950],
                [950, 1000],
            ])
        #expect(
            timeline.segments.map(\.cause) == [
                "start", "EPT_VIOLATION", "EPT_VIOLATION", "IO_INSTRUCTION", "IO_INSTRUCTION", "IO_INSTRUCTION",
                "IO_INSTRUCTION", "HLT", "HLT",
            ])
    }

    @Test("an exit's time, what it was, and what it cost")
    func exits() {
        let exits = Self.timeline.exits
        #expect(exits.map(\.reason) == ["EPT_VIOLATION", "IO_INSTRUCTION", "HLT"])
        #expect(exits.map(\.detail) == ["fetch at 0x5000: mapped", "out 0x3f8 1 byte", ""])
        #expect(exits.map(\.time) == [200, 400, 950])
        #expect(exits.map(\.guest) == [100, 100, 150])
        #expect(exits.map(\.kernel) == [100, 200, 50])
        #expect(exits.map(\.user) == [0, 200, 0])
        #expect(exits.map(\.cost) == [100, 400, 50])
        #expect(exits.map(\.userSpace) == [nil, "io out 0x3f8 1 byte: 34", "hlt"])
    }

    @Test("without the kernel's side: what came to user space")
    func plain() {
        let timeline = Timeline(runs: [0: Self.runs], events: nil)
        #expect(!timeline.hasKernelEvents)
        #expect(timeline.exits.map(\.reason) == ["io", "hlt"])
        #expect(timeline.exits.map(\.time) == [500, 1000])
        #expect(timeline.exits.map(\.kernel) == [500, 300] && timeline.exits.map(\.guest) == [nil, nil])
        // Nobody knows how much of KVM_RUN was the guest's.
        #expect(timeline.exits.map(\.cost) == [200, 0])
        #expect(timeline.ticks(.run) == 800 && timeline.ticks(.user) == 200 && timeline.ticks(.kernel) == 0)
    }

    @Test("a KVM_RUN that never entered the guest, and one that was interrupted in it")
    func oddRuns() {
        let runs = [
            Self.run(0, 10, "irq_window_open", "irq_window_open"), Self.run(20, 90), Self.run(100, 110, "hlt", "hlt"),
        ]
        let events = [
            Self.event(30, .entry(rip: 0)), Self.exit(80, 1), Self.event(105, .entry(rip: 0)), Self.exit(108, 12),
        ]
        let timeline = Timeline(runs: [0: runs], events: events)
        #expect(timeline.exits.map(\.reason) == ["none", "EXTERNAL_INTERRUPT", "HLT"])
        #expect(timeline.exits.map(\.userSpace) == ["irq_window_open", nil, "hlt"])
        #expect(timeline.exits.map(\.user) == [10, 10, 0])
    }

    @Test("two processors' clocks that differ make no time run backwards")
    func skew() {
        let events = [
            Self.event(990, .entry(rip: 0)), Self.exit(1200, 10), Self.event(1190, .entry(rip: 0)), Self.exit(1600, 12),
        ]
        let timeline = Timeline(runs: [0: [Self.run(1000, 1500, "hlt", "hlt")]], events: events)
        #expect(timeline.exits.map(\.guest) == [200, 300] && timeline.duration == 500)
    }

    @Test("two vCPUs side by side")
    func vcpus() {
        let events = [
            Self.event(5, .entry(rip: 0), vcpu: 1), Self.event(10, .entry(rip: 0)), Self.exit(20, 10, vcpu: 1),
            Self.exit(30, 12),
        ]
        let runs: [UInt32: [Timeline.Run]] = [0: [Self.run(0, 40, "hlt", "hlt")], 1: [Self.run(2, 50)]]
        let timeline = Timeline(runs: runs, events: events)
        #expect(timeline.vcpus == [0, 1])
        #expect(timeline.exits.map(\.vcpu) == [1, 0] && timeline.exits.map(\.time) == [20, 30])
    }

    @Test func nothing() {
        for timeline in [Timeline(runs: [:], events: nil), Timeline(runs: [0: []], events: [])] {
            #expect(timeline.duration == 0 && timeline.exits.isEmpty)
            let document = Document(TimelinePicture(timeline, title: "none").text)
            #expect(document.error == nil && document.outside == 0)
        }
    }
}
