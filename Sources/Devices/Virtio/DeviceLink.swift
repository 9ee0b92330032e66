// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import GuestMemory

/// What an active device has of its transport: the guest's memory, the queues, and how to tell the driver.
public final class DeviceLink {
    public let memory: GuestMemory
    /// What was agreed on.
    public let features: UInt64
    /// Requests that a device does before it lets others go on: a guest with two processors could make available for ever.
    static let mostAtOnce = 256
    /// The poll loop.
    public let poller: any Poller
    private(set) weak var transport: VirtioMMIO?
    private var wakeTime: UInt64?
    private var queues: [(any Virtqueue)?]

    init(
        memory: GuestMemory, features: UInt64, queues: [(any Virtqueue)?], poller: any Poller, transport: VirtioMMIO
    ) {
        (self.memory, self.features, self.queues, self.poller) = (memory, features, queues, poller)
        self.transport = transport
    }

    /// A queue, if the driver has enabled it.
    public func queue(_ number: Int) -> (any Virtqueue)? { queues.indices.contains(number) ? queues[number] : nil }

    func disable(_ number: Int) { queues[number] = nil }

    /// Interrupts the driver for what was completed in a queue, if it wants that.
    public func signal(_ number: Int) throws(VirtioError) {
        if let queue = queue(number), try queue.takeInterrupt() { transport?.interrupt(.usedBuffer) }
    }

    /// Tells the driver that the configuration space has changed.
    public func configurationChanged() { transport?.configurationChanged() }

    /// The device's descriptors and its one timer, in the poll loop.
    public func watch(_ descriptor: Int32, _ events: PollEvents) {
        if let transport { poller.watch(descriptor, events, transport) }
    }
    public func unwatch(_ descriptor: Int32) { poller.unwatch(descriptor) }
    /// Wakes the device; of several times that it was to be woken at, the first one counts, at which it sees to all it has to do.
    public func wake(after nanoseconds: UInt64) {
        guard let transport else { return }
        let time = Host.now().addingReportingOverflow(nanoseconds)
        let deadline = time.overflow ? UInt64.max : time.partialValue
        if let wakeTime, wakeTime <= deadline { return }
        wakeTime = deadline
        poller.wake(transport, after: nanoseconds)
    }

    /// The time has come.
    func woken() { wakeTime = nil }
}
