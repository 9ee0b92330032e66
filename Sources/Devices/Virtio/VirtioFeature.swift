// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Features that every device and both rings have in common. Virtio 1.2, 6
public enum VirtioFeature {
    public static let indirect: UInt64 = 1 << 28
    public static let eventIndex: UInt64 = 1 << 29
    public static let version1: UInt64 = 1 << 32
    public static let packedRing: UInt64 = 1 << 34

    /// What the transport offers of itself.
    public static let ofTransport = indirect | eventIndex | version1 | packedRing
}

/// Bits of the device's status. Virtio 1.2, 2.1
enum DeviceStatus {
    static let acknowledge: UInt8 = 1
    static let driver: UInt8 = 2
    static let driverOK: UInt8 = 4
    static let featuresOK: UInt8 = 8
    static let needsReset: UInt8 = 64
    static let failed: UInt8 = 128
}
