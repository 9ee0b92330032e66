// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Boot
import CVMMSys
import Devices
import Glibc
import GuestMemory
import JSON
import KVM
public import MachineConfig

/// A microVM: RAM, processors, the few chips that Linux needs, and virtio devices; started as its configuration says.
public final class Machine {
    private let ram: GuestRAM
    private let hypervisor: Hypervisor
    let bus = MachineBus()
    private let loop: EventLoop
    let control = RunControl()
    private(set) var processors: [Processor] = []
    let console: Console
    let log: Log
    private var metricsFile: Metrics?
    /// Of the virtio devices, in their order.
    private(set) var transports: [VirtioMMIO] = []
    private let poller: DevicePoller
    let virtio: VirtioDevices
    let disks: DiskSlots
    /// Bytes of RAM.
    let memorySize: UInt64
    private(set) var controlSocket: ControlSocket?
    /// nil where the configuration wants none.
    private let sandbox: Sandbox?

    /// For a process that is one machine's, before that is made: it says why when SIGBUS ends it.
    public static func prepareProcess() throws(VMMError) {
        let answer = lkx_vmm_catch_no_memory()
        guard answer == 0 else { throw VMMError("sigaction", errno: -answer) }
    }

    public init(_ config: MachineConfig) throws(VMMError) {
        let count = config.cpus
        guard 1...MachineConfig.mostCPUs ~= count else {
            throw VMMError("\(count) processors: there can be 1 to \(MachineConfig.mostCPUs)")
        }
        log = try Log(config.log)
        let loop = try EventLoop()
        self.loop = loop
        let console = Console(loop, isOver: { [control] in control.end != nil })
        self.console = console
        let virtio = try VirtioDevices(config, output: console.send(some:))
        let kernel = try MappedFile(config.kernel, about: "kernel")
        let initrd = try config.initrd.map { path throws(VMMError) in try MappedFile(path, about: "initrd") }
        let plan = try Self.plan(config, kernel, initrd, virtio)
        ram = try GuestRAM(size: config.memory, hugePages: config.hugePages)
        try Self.load(plan, kernel, initrd, ram.memory)

        poller = try DevicePoller(loop, bus.lock)
        self.virtio = virtio
        disks = DiskSlots(fixed: virtio.disks, lock: bus.lock)
        sandbox = config.sandbox ? Sandbox(config: config) : nil
        memorySize = config.memory
        let control = control
        // Processors are kicked by `run`, when the loop has ended.
        let end: @Sendable (MachineEnd) -> Void = { reason in if control.end(reason) { loop.stop() } }
        let bus = bus
        do throws(KVMError) {
            let hypervisor = try Hypervisor(
                device: config.device, slots: ram.slots, pins: IOAPIC.pinCount, onFailure: { end(.failed($0)) })
            self.hypervisor = hypervisor
            for id in 0..<UInt32(count) {
                let vcpu = try hypervisor.makeVCPU(id)
                let cpuid = hypervisor.cpuid.guest(
                    apicID: id, of: count, hasDeadlineTimer: hypervisor.hasDeadlineTimer, tscKHz: vcpu.tscKHz())
                processors.append(
                    try Processor(
                        vcpu, cpuid, slots: ram.slots, bus: bus, control: control, onEnd: end))
            }
            try processors[0].load(plan.start)
        } catch {
            throw VMMError("\(config.device): \(error)")
        }
        wire(end)
        if let path = config.control {
            controlSocket = try ControlSocket(path, loop, self, takesDescriptors: config.spareDisks > 0)
        }
        if let path = config.metrics {
            metricsFile = try Metrics(path, nanoseconds: config.metricsSeconds * 1_000_000_000, loop) { [unowned self] in metrics() }
        }
    }

    /// Ends the machine, unless it has an end already. On any thread.
    func end(_ reason: MachineEnd) {
        if control.end(reason) { loop.stop() }
    }

    private static func plan(
        _ config: MachineConfig, _ kernel: MappedFile, _ initrd: MappedFile?, _ virtio: VirtioDevices
    ) throws(VMMError) -> BootPlan {
        let image: KernelImage
        do throws(ImageError) { image = try kernel.withSpan { span throws(ImageError) in try KernelImage(span) } } catch { throw VMMError("the \(kernel.name): \(error)") }
        var board = Board(processors: config.cpus, virtio: virtio.devices.indices.map(VirtioDevices.place))
        board.hasKeyboardController = true
        let machine = BootPlan.Machine(memorySize: config.memory, acpi: ACPITables(board))
        do throws(BootError) {
            return try BootPlan(
                image, on: machine, commandLine: Array(config.commandLine.utf8),
                initrdSize: UInt64(initrd?.count ?? 0))
        } catch {
            throw VMMError("\(error)")
        }
    }

    private static func load(
        _ plan: BootPlan, _ kernel: MappedFile, _ initrd: MappedFile?, _ memory: GuestMemory
    ) throws(VMMError) {
        do throws(GuestMemoryError) {
            for segment in plan.kernel {
                let start = Int(segment.fileOffset)
                try unsafe memory.write(
                    segment.address,
                    from: UnsafeRawBufferPointer(rebasing: kernel.bytes[start..<start + Int(segment.fileSize)]))
            }
            if let initrd { try unsafe memory.write(plan.initrd.lowerBound, from: initrd.bytes) }
            for placed in plan.contents { try memory.write(placed.address, placed.bytes) }
        } catch {
            throw VMMError("loading the \(kernel.name): \(error)")
        }
    }

    /// The chips: each at its ports or addresses, its interrupt on its pin.
    private func wire(_ end: @escaping @Sendable (MachineEnd) -> Void) {
        let ioapic = IOAPIC(sink: hypervisor)
        let hypervisor = hypervisor
        ioapic.onRouteChange = { [unowned ioapic] in hypervisor.setRoutes(ioapic.routes) }
        bus.ioapic = ioapic
        bus.memory.add(ioapic, at: Layout.ioapic, count: IOAPIC.size)
        let serial = Serial(interrupt: ioapic.input(Int(Layout.serialGSI)), sink: console.send)
        console.attach(serial, virtio.console, bus.lock)
        bus.ports.add(serial, at: UInt64(Layout.serialPort), count: 8)
        let keyboard = KeyboardController(
            interrupt: ioapic.input(Int(Layout.keyboardGSI)), onReset: { end(.reset) })
        bus.ports.add(keyboard, at: 0x60, count: 5)
        let below = Layout.ram(memorySize)[0].upperBound
        let clock = RealTimeClock(
            memoryBelow4G: below, memoryAbove4G: memorySize - below, clock: { Int64(time(nil)) })
        bus.ports.add(clock, at: 0x70, count: 2)
        let power = PowerControl(onPowerOff: { end(.poweredOff) }, onReset: { end(.reset) })
        bus.ports.add(power, at: UInt64(Layout.sleepControlPort), count: 3)
        for (number, device) in virtio.devices.enumerated() {
            let place = VirtioDevices.place(number)
            let transport = VirtioMMIO(
                device, memory: ram.memory, interrupt: ioapic.input(Int(place.gsi)), poller: poller)
            transports.append(transport)
            // A driver may do so again and again.
            var complaints = 0
            transport.onFailure = { [log] in
                complaints += 1
                guard complaints <= Self.mostComplaints else { return }
                log.write(
                    .warning, "device-failed", "virtio device \(number) has stopped, for its driver broke the rules: \($0)",
                    [JSON.Member("device", JSON(number))])
            }
            bus.memory.add(transport, at: UInt64(place.address), count: VirtioMMIO.size)
        }
        for spare in virtio.spareDisks { disks.attach(spare.block, transports[spare.number]) }
        bus.ports.add(ResetControl(onReset: { end(.reset) }), at: ResetControl.port, count: 1)
    }

    /// Of each device.
    private static let mostComplaints = 10

    /// Runs the machine until it ends.
    public func run() throws(VMMError) -> MachineEnd {
        Processor.prepareSignals()
        let signals = try Signals()
        try loop.watch(signals.descriptor, .input) { [unowned self] _ in
            switch signals.next() {
            case .end(let name): end(.stopped("ended by \(name)"))
            case .terminalSize: console.resize()
            case nil: break
            }
        }
        try console.start(onEscape: { [unowned self] in end(.stopped("ended by the user")) })
        defer {
            console.restore()
            controlSocket = nil
        }
        try sandbox?.enter(terminal: console.before) { log.write(.warning, "sandbox", $0) }
        var started: [Processor] = []
        defer {
            // No processor uses what goes now.
            _ = control.end(.stopped("ended"))
            for processor in started {
                processor.kick()
                processor.join()
            }
        }
        for processor in processors {
            try processor.start()
            started.append(processor)
        }
        control.waitForStart(of: started.count)
        try sandbox?.close()
        log.write(
            .info, "started", "vCPUs: \(started.count), RAM: \(memorySize >> 20) MiB", [JSON.Member("sandbox", .bool(sandbox != nil))])
        control.open()
        try loop.run()
        controlSocket?.tell("SHUTDOWN")
        metricsFile?.write()
        let reason = control.end ?? .failed("the event loop has ended by itself")
        log.write(.info, "ended", reason.description, [JSON.Member("status", JSON(reason.status))])
        return reason
    }
}
