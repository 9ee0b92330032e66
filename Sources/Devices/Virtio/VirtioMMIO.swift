// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import GuestMemory

/// A virtio device's registers in 4 KiB of guest physical addresses. Virtio 1.2, 4.2
///
/// A driver that breaks the rules gets DEVICE_NEEDS_RESET, after which the device does nothing until it is reset.
public final class VirtioMMIO: BusDevice, PollSource {
    /// Bytes that the registers and the configuration space take.
    public static let size: UInt64 = 0x1000
    /// Where a driver writes the number of a queue, for an ioeventfd.
    public static let notifyOffset: UInt64 = 0x50

    public let device: any VirtioDevice
    let memory: GuestMemory
    let poller: any Poller
    private let transportFeatures: UInt64
    private let interruptLine: any InterruptLine
    /// Called when the device has stopped for what its driver did.
    public var onFailure: ((VirtioError) -> Void)?

    public internal(set) var status: UInt8 = 0
    var deviceFeaturesSelect: UInt32 = 0
    var driverFeaturesSelect: UInt32 = 0
    var driverFeatures: UInt64 = 0
    var queueSelect: UInt32 = 0
    var queues: [QueueState]
    private(set) var interruptStatus: UInt32 = 0
    private(set) var generation: UInt32 = 0
    /// The configuration has changed since the driver began, which may have read it before: it is told when it is ready to be.
    var owesChange = false
    var link: DeviceLink?
    public internal(set) var counters = TransportCounters()

    /// A queue while it is set up.
    struct QueueState {
        var layout = QueueLayout()
        var isReady = false
        var ring: (any Virtqueue)?
    }

    /// Why the driver is interrupted. Virtio 1.2, 4.2.2
    enum Interrupt: UInt32 {
        case usedBuffer = 1
        case configuration = 2
    }

    /// - Parameter transportFeatures: which of `VirtioFeature.ofTransport` are offered; without `packedRing` every ring is a split one.
    public init(
        _ device: any VirtioDevice, memory: GuestMemory, interrupt: any InterruptLine, poller: any Poller,
        transportFeatures: UInt64 = VirtioFeature.ofTransport
    ) {
        self.transportFeatures = transportFeatures & VirtioFeature.ofTransport | VirtioFeature.version1
        self.device = device
        self.memory = memory
        self.poller = poller
        interruptLine = interrupt
        queues = device.queueSizes.map { _ in QueueState() }
    }

    /// All that the device can do.
    var offered: UInt64 { device.features | transportFeatures }

    /// The device works: its driver is ready and has done nothing wrong.
    public var isActive: Bool { link != nil }

    // MARK: What wakes the device

    /// The driver has something in a queue: by a write to QueueNotify, or by the ioeventfd in its place.
    public func notify(queue: Int) {
        counters.notifications += 1
        guard link != nil, queues.indices.contains(queue), queues[queue].isReady else { return }
        guarded { () throws(VirtioError) in try device.notify(queue: queue) }
    }

    public func ready(_ descriptor: Int32, _ events: PollEvents) {
        guard link != nil else { return poller.unwatch(descriptor) }
        guarded { () throws(VirtioError) in try device.ready(descriptor, events) }
    }

    public func wake() {
        guard let link else { return }
        link.woken()
        guarded { () throws(VirtioError) in try device.wake() }
    }

    /// Runs what may find that the driver broke the rules.
    public func guarded(_ body: () throws(VirtioError) -> Void) {
        do { try body() } catch { fail(error) }
    }

    /// Stops the device until it is reset. Virtio 1.2, 2.1.2
    func fail(_ error: VirtioError) {
        guard status & DeviceStatus.needsReset == 0 else { return }
        stop()
        counters.failures += 1
        status |= DeviceStatus.needsReset
        if status & DeviceStatus.driverOK != 0 { interrupt(.configuration) }
        onFailure?(error)
    }

    func reset() {
        stop()
        (status, driverFeatures, deviceFeaturesSelect, driverFeaturesSelect, queueSelect) = (0, 0, 0, 0, 0)
        owesChange = false
        queues = device.queueSizes.map { _ in QueueState() }
        acknowledge(.max)
    }

    private func stop() {
        link = nil
        device.reset()
        for number in queues.indices { queues[number].ring = nil }
    }

    // MARK: Interrupts

    func interrupt(_ reason: Interrupt) {
        let isFirst = interruptStatus == 0
        interruptStatus |= reason.rawValue
        if isFirst { interruptLine.set(true) }
        counters.interrupts += 1
    }

    func acknowledge(_ bits: UInt32) {
        guard interruptStatus != 0 else { return }
        interruptStatus &= ~bits
        interruptLine.set(false)
        // A reason that came up meanwhile is another edge, where the line's input looks at edges.
        if interruptStatus != 0 { interruptLine.set(true) }
    }

    /// The configuration space has other contents now, which the driver is told; one that is not ready yet when it is. Virtio 1.2, 2.5
    public func configurationChanged() {
        generation &+= 1
        if status & DeviceStatus.driverOK != 0 { interrupt(.configuration) } else { owesChange = true }
    }
}
