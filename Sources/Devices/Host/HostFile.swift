// SPDX-License-Identifier: MIT OR GPL-2.0-only
import CDeviceSys
import GuestMemory

/// An error number of the host's, of a call that a device made.
public struct HostError: Error, Equatable {
    public let errno: Int32

    static let noSpace: Int32 = 28  // ENOSPC
    static let notSupported: Int32 = 95  // EOPNOTSUPP
    static let tryAgain: Int32 = 11  // EAGAIN
}

/// An open descriptor of the host's, with what devices do to one. It belongs to the device: closed with it.
@safe public final class HostFile {
    public let descriptor: Int32

    public init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { _ = lkx_dev_close(descriptor) }

    /// What one system call takes. IOV_MAX
    static let mostVectors = 1024

    /// preadv(2) into guest memory; all of it, unless the file ends. Returns how many bytes.
    func read(_ ranges: GuestRanges, at offset: UInt64, _ memory: GuestMemory) throws(VirtioError) -> Result<
        Int, HostError
    > {
        unsafe try transfer(ranges, memory) { vectors, count, done in
            unsafe lkx_dev_preadv(descriptor, vectors, count, Int64(offset) + Int64(done))
        }
    }

    /// pwritev(2) from guest memory, all of it.
    func write(_ ranges: GuestRanges, at offset: UInt64, _ memory: GuestMemory) throws(VirtioError) -> Result<
        Int, HostError
    > {
        unsafe try transfer(ranges, memory) { vectors, count, done in
            unsafe lkx_dev_pwritev(descriptor, vectors, count, Int64(offset) + Int64(done))
        }
    }

    /// writev(2), once: a packet.
    func writePacket(_ ranges: GuestRanges, _ memory: GuestMemory) throws(VirtioError) -> Result<Int, HostError> {
        let vectors = unsafe try vectors(ranges, memory)
        return unsafe result(lkx_dev_writev(descriptor, vectors, Int32(vectors.count)))
    }

    /// readv(2), once, into the host's memory: a packet.
    func read(into buffer: inout [UInt8]) -> Result<Int, HostError> {
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            var vector = unsafe iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
            return unsafe lkx_dev_readv(descriptor, &vector, 1)
        }
        return result(count)
    }

    private func transfer(
        _ ranges: GuestRanges, _ memory: GuestMemory, _ call: (UnsafePointer<iovec>, Int32, Int) -> Int
    ) throws(VirtioError) -> Result<Int, HostError> {
        var left = ranges
        var done = 0
        while left.count > 0 {
            let vectors = unsafe try vectors(left, memory)
            let moved = unsafe call(vectors, Int32(vectors.count), done)
            guard moved >= 0 else { return .failure(HostError(errno: Int32(truncatingIfNeeded: -moved))) }
            // The end of the file.
            guard moved > 0 else { break }
            _ = left.takeFirst(moved)
            done += moved
        }
        return .success(done)
    }

    @unsafe private func vectors(_ ranges: GuestRanges, _ memory: GuestMemory) throws(VirtioError) -> [iovec] {
        var vectors: [iovec] = unsafe []
        for range in ranges.ranges.prefix(Self.mostVectors) {
            let host = unsafe try reaching { () throws(GuestMemoryError) in
                unsafe try memory.hostRange(range.gpa, range.count)
            }
            unsafe vectors.append(iovec(iov_base: host.baseAddress, iov_len: host.count))
        }
        return unsafe vectors
    }

    /// fdatasync(2)
    func synchronize() -> Result<Int, HostError> { result(lkx_dev_sync(descriptor)) }

    /// fallocate(2), FALLOC_FL_PUNCH_HOLE
    func punchHole(at offset: UInt64, count: UInt64) -> Result<Int, HostError> {
        result(lkx_dev_punch_hole(descriptor, Int64(offset), Int64(count)))
    }

    /// fallocate(2), FALLOC_FL_ZERO_RANGE, or writes of zeroes where the file system doesn't do that.
    func writeZeroes(at offset: UInt64, count: UInt64) -> Result<Int, HostError> {
        let quick = result(lkx_dev_zero_range(descriptor, Int64(offset), Int64(count)))
        guard case .failure(let error) = quick, error.errno == HostError.notSupported else { return quick }
        let zeroes = [UInt8](repeating: 0, count: 65536)
        var done: UInt64 = 0
        while done < count {
            let part = Int(min(UInt64(zeroes.count), count - done))
            let moved = unsafe zeroes.withUnsafeBytes { bytes in
                var vector = unsafe iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: part)
                return unsafe lkx_dev_pwritev(descriptor, &vector, 1, Int64(offset + done))
            }
            guard moved > 0 else { return .failure(HostError(errno: moved == 0 ? HostError.noSpace : Int32(-moved))) }
            done += UInt64(moved)
        }
        return .success(0)
    }

    /// TUNSETVNETHDRSZ and TUNSETOFFLOAD: a tap's packets have virtio-net's header of 12 bytes, and may be what these flags say.
    func configureTap(offload: UInt32) -> Result<Int, HostError> {
        let size = result(lkx_dev_tap_header_size(descriptor, 12))
        guard case .success = size else { return size }
        return result(lkx_dev_tap_offload(descriptor, offload))
    }

    private func result(_ value: Int) -> Result<Int, HostError> {
        value < 0 ? .failure(HostError(errno: Int32(truncatingIfNeeded: -value))) : .success(value)
    }
}

/// The host's clock and its random numbers.
public enum Host {
    /// CLOCK_MONOTONIC in nanoseconds.
    public static func now() -> UInt64 { lkx_dev_now() }

    /// getrandom(2): as many bytes as there are in the buffer, or fewer.
    static func random(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        max(0, unsafe lkx_dev_random(buffer.baseAddress, buffer.count))
    }
}
