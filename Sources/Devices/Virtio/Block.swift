// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A disk: a raw file or a block device of the host's. Virtio 1.2, 5.2
///
/// A request is done at once, by the thread that tells of it. What fails on the host is an I/O error of the guest's.
///
/// It may also be a slot, which has no sectors until a disk is put into it, and none again when that is taken out. To Linux that is a disk whose
/// capacity changes, which is all that virtio-mmio can tell a driver: devices themselves don't come and go there.
public final class Block: VirtioDevice {
    static let sectorSize: UInt64 = 512
    /// What one discard or write-zeroes segment may cover: bounds the time that it takes.
    static let mostSectors: UInt32 = 1 << 18
    static let mostSegments: UInt32 = 16

    enum Feature {
        static let (segmentMax, readOnly, blockSize, flush): (UInt64, UInt64, UInt64, UInt64) = (
            1 << 2, 1 << 5, 1 << 6, 1 << 9
        )
        static let (multiQueue, discard, writeZeroes): (UInt64, UInt64, UInt64) = (1 << 12, 1 << 13, 1 << 14)
    }

    /// What requests go to.
    public struct Disk {
        let file: HostFile
        let isReadOnly: Bool
        /// At most 20 bytes, which the guest finds in /sys as the disk's serial number.
        let identifier: [UInt8]
        /// Sectors of 512 bytes.
        fileprivate(set) var capacity: UInt64

        /// - Parameters:
        ///   - file: open for reading, and for writing unless it is read-only.
        ///   - byteCount: of the disk; what is beyond a whole number of sectors is not seen.
        public init(_ file: HostFile, byteCount: UInt64, isReadOnly: Bool = false, identifier: String = "") {
            (self.file, self.isReadOnly) = (file, isReadOnly)
            self.identifier = Array(identifier.utf8.prefix(20))
            capacity = Self.sectors(byteCount)
        }

        fileprivate static func sectors(_ byteCount: UInt64) -> UInt64 { min(byteCount, UInt64(Int64.max)) / Block.sectorSize }
    }

    /// nil in an empty slot.
    private(set) var disk: Disk?
    /// What the driver is told, which a slot's disk can't change: it is agreed on when the driver starts.
    private let isReadOnly: Bool
    private let queueSize: UInt16
    private let queueCount: Int
    private var limiter: RateLimiter
    var link: DeviceLink?
    var done = Counters()

    /// Requests by what they were; those that failed are under `errors`.
    struct Counters {
        var (reads, writes, flushes, discards, errors): (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
        var (bytesRead, bytesWritten): (UInt64, UInt64) = (0, 0)
    }

    /// - Parameter disk: nil for an empty slot.
    public init(_ disk: Disk?, queues: Int = 1, queueSize: UInt16 = 256, limiter: RateLimiter = RateLimiter()) {
        self.disk = disk
        isReadOnly = disk?.isReadOnly ?? false
        // Two of them are a request's header and status.
        self.queueSize = max(4, queueSize)
        self.limiter = limiter
        queueCount = max(1, queues)
    }

    public convenience init(
        _ file: HostFile, byteCount: UInt64, isReadOnly: Bool = false, identifier: String = "", queues: Int = 1,
        queueSize: UInt16 = 256, limiter: RateLimiter = RateLimiter()
    ) {
        self.init(
            Disk(file, byteCount: byteCount, isReadOnly: isReadOnly, identifier: identifier), queues: queues, queueSize: queueSize,
            limiter: limiter)
    }

    /// Sectors of 512 bytes.
    var capacity: UInt64 { disk?.capacity ?? 0 }

    public var deviceID: UInt32 { 2 }
    public var queueSizes: [UInt16] { Array(repeating: queueSize, count: queueCount) }

    public var features: UInt64 {
        var features = Feature.segmentMax | Feature.blockSize | Feature.flush
        if queueCount > 1 { features |= Feature.multiQueue }
        features |= isReadOnly ? Feature.readOnly : Feature.discard | Feature.writeZeroes
        return features
    }

    /// Virtio 1.2, 5.2.4
    public var configuration: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: capacity)
        bytes.append(little: UInt32(0))  // size_max: not offered
        bytes.append(little: UInt32(queueSize) - 2)  // seg_max: all but header and status
        bytes.append(little: UInt32(0))  // geometry: not offered
        bytes.append(little: UInt32(Self.sectorSize))
        bytes += [0, 0]  // topology: not offered
        bytes.append(little: UInt16(0))
        bytes.append(little: UInt32(0))
        bytes += [0, 0]  // writeback and a reserved byte
        bytes.append(little: UInt16(queueCount))
        bytes.append(little: Self.mostSectors)  // discard: sectors, segments, alignment
        bytes.append(little: Self.mostSegments)
        bytes.append(little: UInt32(8))
        bytes.append(little: Self.mostSectors)  // write zeroes: sectors, segments, may unmap
        bytes.append(little: Self.mostSegments)
        bytes += [1, 0, 0, 0]
        return bytes
    }

    /// The file has another size now, which the driver is told.
    public func resize(byteCount: UInt64) {
        disk?.capacity = Disk.sectors(byteCount)
        link?.configurationChanged()
    }

    /// Puts another disk into a slot, or takes out what is there. No request is in flight, as each is done at once; what the driver has made
    /// available and a limiter kept back belongs to the disk that was there, and fails.
    ///
    /// The transport is to say afterwards that the configuration has changed: `VirtioMMIO.configurationChanged`.
    public func exchange(for new: Disk?, limiter newLimiter: RateLimiter = RateLimiter()) throws(VirtioError) {
        (disk, limiter) = (nil, RateLimiter())
        defer { (disk, limiter) = (new, newLimiter) }
        try wake()
    }

    public var counters: [(String, UInt64)] {
        [
            ("reads", done.reads), ("writes", done.writes), ("flushes", done.flushes), ("discards", done.discards), ("errors", done.errors),
            ("bytesRead", done.bytesRead), ("bytesWritten", done.bytesWritten),
        ]
    }

    public func activate(_ link: DeviceLink) { self.link = link }

    public func reset() { link = nil }

    public func notify(queue number: Int) throws(VirtioError) {
        guard let link else { return }
        try link.serve(number, within: &limiter) { (chain) throws(VirtioError) in try run(chain, link.memory) }
    }

    public func wake() throws(VirtioError) {
        for number in 0..<queueCount { try notify(queue: number) }
    }
}
