// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A virtio device behind its transport, which calls all of this. An error that leaves one of them stops the device.
public protocol VirtioDevice: AnyObject {
    /// Virtio 1.2, 5
    var deviceID: UInt32 { get }
    /// Its own features, without the transport's.
    var features: UInt64 { get }
    /// How large each of its queues may be.
    var queueSizes: [UInt16] { get }
    /// The configuration space as it is now.
    var configuration: [UInt8] { get }
    /// The driver wrote bytes that are all within `configuration`.
    func writeConfiguration(_ offset: Int, _ bytes: [UInt8])

    /// What it has done since it was made, by names that stay as they are: for metrics, beside its transport's counters.
    var counters: [(String, UInt64)] { get }

    /// The driver is ready: what the device may use from now on.
    func activate(_ link: DeviceLink) throws(VirtioError)
    /// Back to the start: requests in flight are forgotten, and the link isn't touched again.
    func reset()
    /// The driver says that there is something in a queue.
    func notify(queue: Int) throws(VirtioError)
    /// A descriptor that the device watches is ready.
    func ready(_ descriptor: Int32, _ events: PollEvents) throws(VirtioError)
    /// The time has come that the device asked to be woken at.
    func wake() throws(VirtioError)
}

extension VirtioDevice {
    public func writeConfiguration(_ offset: Int, _ bytes: [UInt8]) {}
    public var counters: [(String, UInt64)] { [] }
    public func ready(_ descriptor: Int32, _ events: PollEvents) throws(VirtioError) {}
    public func wake() throws(VirtioError) {}
}

extension VirtioDevice {
    /// Its kind in a word, for messages and metrics.
    public var kind: String {
        switch deviceID {
        case 1: "network"
        case 2: "block"
        case 3: "console"
        case 4: "entropy"
        case 5: "balloon"
        case 19: "vsock"
        default: "device \(deviceID)"
        }
    }
}
