// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// A disk: a raw file or a block device of the host's. Virtio 1.2, 5.2
///
/// A request is done at once, by the thread that tells of it. What fails on the host is an I/O error of the guest's.
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

    let file: HostFile
    let isReadOnly: Bool
    /// At most 20 bytes, which the guest finds in /sys as the disk's serial number.
    let identifier: [UInt8]
    private let queueSize: UInt16
    private let queueCount: Int
    private var limiter: RateLimiter
    /// Sectors of 512 bytes.
    private(set) var capacity: UInt64
    var link: DeviceLink?
    var done = Counters()

    /// Requests by what they were; those that failed are under `errors`.
    struct Counters {
        var (reads, writes, flushes, discards, errors): (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
        var (bytesRead, bytesWritten): (UInt64, UInt64) = (0, 0)
    }

    /// - Parameters:
    ///   - file: open for reading, and for writing unless it is read-only.
    ///   - byteCount: of the disk; what is beyond a whole number of sectors is not seen.
    public init(
        _ file: HostFile, byteCount: UInt64, isReadOnly: Bool = false, identifier: String = "", queues: Int = 1,
        queueSize: UInt16 = 256, limiter: RateLimiter = RateLimiter()
    ) {
        self.file = file
        self.isReadOnly = isReadOnly
        self.identifier = Array(identifier.utf8.prefix(20))
        // Two of them are a request's header and status.
        self.queueSize = max(4, queueSize)
        self.limiter = limiter
        queueCount = max(1, queues)
        capacity = min(byteCount, UInt64(Int64.max)) / Self.sectorSize
    }

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
        capacity = min(byteCount, UInt64(Int64.max)) / Self.sectorSize
        link?.configurationChanged()
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
